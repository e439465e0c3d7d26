# deploy.sh TREE: a new folder, filled by rsync, and a link that is renamed into place
set -eu
site=live/rsync release=$(date -u +%Y%m%d%H%M%S%N)
rsync -a --delete --link-dest="/home/stenvala/$site/current/" --mkpath "$1/" "server:$site/releases/$release/"
ssh server "cd $site && ln -s releases/$release .current.$release && mv -T .current.$release current &&
  ls -1 releases | head -n -3 | sed 's#^#releases/#' | xargs -r rm -rf"
