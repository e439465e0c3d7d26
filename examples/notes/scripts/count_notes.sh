#!/bin/sh
# Says how many notes each domain has. Cron starts it in the site's scripts/ folder.
set -eu
cd "$(dirname "$0")"
python=../.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" count_notes.py ..
