# deploy.sh TREE: send what was built, and deploy it there
set -eu
rsync -a --delete "$1/" server:incoming/
ssh server 'cd incoming && mcc deploy --stage prod'
