# rollback.sh: back to the release before the live one
set -eu
ssh server 'cd live/rsync && live=$(basename "$(readlink current)")
  before=$(ls -1 releases | awk -v live="$live" "\$0 < live" | tail -n 1)
  test -n "$before" && ln -s "releases/$before" ".current.$before.$$" && mv -T ".current.$before.$$" current'
