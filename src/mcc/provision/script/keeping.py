"""Saying and stopping, working as another user, and keeping what was there with a script that puts it back."""

KEEPING = r"""
say() { printf '%s\n' "$*"; }

# What a person has to do or to know, said at the end.
notes=
note() { notes="$notes  $*
"; }

# Something speaks against it: all of that is said at once, before anything is changed.
problems=
problem() { problems="$problems  $*
"; }

stop() {
    printf 'provision: %s\n' "$*" >&2
    exit 2
}

NEW=
finish() { # exit code 2: no file was put in place; 1: some were
    code=$?
    rm -rf "$NEW"
    if [ "$code" = 0 ] || ! [ -f "$KEEP/undo.sh" ]; then return 0; fi
    printf 'provision: it failed; what was changed so far is taken back by: sh %s/undo.sh\n' "$KEEP" >&2
    exit 1
}

quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# As another user, with nothing of root's, and away from root's terminal.
as_user() { # USER COMMAND...
    as=$1
    shift
    setsid --wait env -i PATH="$PATH" LC_ALL=C.UTF-8 \
        setpriv --reuid "$as" --regid "$(id -g "$as")" --init-groups --no-new-privs "$@" </dev/null 9>&-
}

as_owner() { as_user "$OWNER" "$@"; } # the deploy user

# ---- what was there before is kept, with a script that puts it back

undo_lines=
undo() { # LINE; newest first: what was done last is taken back first
    undo_lines="$1
$undo_lines"
    mkdir -p "$KEEP"
    chmod 700 "$KEEP"
    { undo_head; printf '%s' "$undo_lines"; undo_tail; } >"$KEEP/undo.new"
    mv -f "$KEEP/undo.new" "$KEEP/undo.sh"
}

undo_head() {
    cat <<END
#!/bin/sh
# Puts back what provision changed for $BASE.
# Packages, users, groups and certificates stay.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
KEEP=$KEEP
OWNER=$OWNER
END
    cat <<'END'
[ "$(id -u)" = 0 ] || { echo "run this as root" >&2; exit 2; }
back() { cp -a "$KEEP/before$1" "$1.mcc-undo"; mv -fT "$1.mcc-undo" "$1"; echo "back     $1"; }
gone() { rm -f -- "$1"; echo "gone     $1"; }
off() { systemctl -q disable --now "$@" 2>/dev/null || :; echo "off      $*"; }
as_owner() {
    setsid --wait env -i PATH="$PATH" LC_ALL=C.UTF-8 \
        setpriv --reuid "$OWNER" --regid "$(id -g "$OWNER")" --init-groups --no-new-privs "$@"
}
again= # services to start when the files are back

END
}

undo_tail() {
    cat <<'END'

systemctl daemon-reload
[ -z "$again" ] || systemctl start $again
if command -v nginx >/dev/null && systemctl is-active -q nginx; then
    nginx -t -q && systemctl reload nginx
fi
echo "as it was before"
END
}

keep() { # PATH: root's file as it is now, or that there is none
    if [ -e "$1" ] || [ -L "$1" ]; then
        mkdir -p "$KEEP/before${1%/*}"
        cp -a "$1" "$KEEP/before$1"
        undo "back $(quoted "$1")"
    else
        undo "gone $(quoted "$1")"
    fi
}

"""
