#!/bin/sh
# Copies every database to backups/daily/<date>/ and keeps the last seven days.
set -eu
cd "$(dirname "$0")"
umask 077
python=../.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" backup.py .. 7
