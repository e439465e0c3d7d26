#!/bin/sh
# Hands a site's backups over to restic: for scripts/ of a project, as a cron job an hour after BACKUP_SCHEDULE.
#
# Beside the site's folders, readable for the deploy user alone (chmod 600), lies .restic.env:
#   RESTIC_REPOSITORY=sftp:backup@store.example.com:/srv/restic/myapp-prod
#   RESTIC_PASSWORD_FILE=/home/deploy/.restic-password
set -eu
base=$(cd "$(dirname "$0")/.." && pwd)
set -a
. "$base/.restic.env"
set +a

# What is damaged here must not become the newest copy there.
"$base/.mcc/bin/mcc" backup --site "$base" --verify newest

# A set never changes once it has its name; those that are being made or removed have hidden ones.
restic backup --quiet --tag "mcc:$base" --exclude '.making-*' --exclude '.removing-*' "${BACKUP_PATH:-$base/backups}"
restic forget --quiet --tag "mcc:$base" --keep-daily 30 --keep-weekly 12 --keep-monthly 12
