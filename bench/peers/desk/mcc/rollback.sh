# rollback.sh: back to the release that was live before
set -eu
ssh server 'live/mcc/.mcc/bin/mcc rollback --site live/mcc'
