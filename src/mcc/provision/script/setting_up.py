"""Packages, users, and the folders of the site.

Root makes nothing below the deploy user's folders: what is made there is made as the deploy user, who can lead only
himself astray. The two exceptions (``make_base``, ``give``) stand in a folder whose path the kernel has confirmed, and
follow no link from there.
"""

SETTING_UP = r"""# ---- packages, users

missing=
needs() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null || missing="$missing $2"
}

install_missing() {
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || stop "these packages are missing:$missing"
    say "packages$missing"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    # $missing stands without quotes: one word a package
    apt-get install -y -q --no-install-recommends $missing >"$NEW/apt" 2>&1 ||
        { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$NEW/apt" 2>&1 ||
        { tail -n 20 "$NEW/apt" >&2; stop "these packages could not be installed:$missing"; }
}

user() { # NAME OPTIONS...
    name=$1
    shift
    if getent passwd "$name" >/dev/null; then return 0; fi
    if getent group "$name" >/dev/null; then set -- "$@" --gid "$name"; else set -- "$@" --user-group; fi
    useradd "$@" "$name"
    say "user     $name"
}

member() { # USER GROUP
    getent group "$2" >/dev/null || { groupadd "$2"; say "group    $2"; }
    case " $(id -nG "$1") " in *" $2 "*) return 0 ;; esac
    usermod -a -G "$2" "$1"
    say "group    $2 has $1 now"
}

# ---- folders of the site

stand_in() { # FOLDER: from here on nobody can exchange it under our feet
    cd -P -- "$1" && [ "$(/bin/pwd -P)" = "$1" ] || stop "$1 leads elsewhere through a link"
}

above() { # FOLDER: made by root with those above it, each in the one that its path says and in no other
    if [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
    above "${1%/*}"
    (
        parent=${1%/*}
        stand_in "${parent:-/}"
        mkdir -- "./${1##*/}"
    )
}

make_base() {
    if as_owner test -d "$BASE"; then return 0; fi
    if ! as_owner mkdir -p -- "$BASE" 2>/dev/null; then # above it, the folders are root's
        above "${BASE%/*}"
        (
            stand_in "${BASE%/*}"
            mkdir -- "./${BASE##*/}"
            chown -h "$OWNER:" "./${BASE##*/}"
        )
    fi
    undo "as_owner rmdir --ignore-fail-on-non-empty -- $(quoted "$BASE") </dev/null || :"
    say "folder   $BASE"
}

give() { # FOLDER [all]: what the service user owns there, by another way of ownership, becomes the deploy user's
    [ -n "$SERVICE" ] && as_owner test -d "$1" || return 0
    depth="-maxdepth 0"
    [ -z "${2:-}" ] || depth=
    (
        stand_in "${1%/*}"
        # no link is followed; a file with a second name may be somebody else's
        find -P "./${1##*/}" $depth -xdev -user "$SERVICE" \( -type d -o -type l -o -links 1 \) \
            -execdir chown -h -- "$OWNER:$GROUP" {} +
    )
}

folder() { # PATH MODE ACCESS-LIST: made and changed by the deploy user
    was=$(as_owner getfacl -p -- "$1" 2>/dev/null || :)
    as_owner mkdir -p -- "$1" || stop "$OWNER cannot make the folder $1"
    as_owner chgrp -- "$GROUP" "$1"
    as_owner chmod -- "$2" "$1"
    if [ -n "$3" ]; then as_owner setfacl --set "$3" -- "$1"; else as_owner setfacl -b -- "$1"; fi
    [ "$was" != "$(as_owner getfacl -p -- "$1")" ] || return 0
    if [ -n "$was" ]; then
        printf '%s\n\n' "$was" >>"$NEW/folders"
        say "changed  $1"
    else
        undo "as_owner rmdir --ignore-fail-on-non-empty -- $(quoted "$1") </dev/null 2>/dev/null || :"
        say "folder   $1"
    fi
}

keep_lists() { # modes and access lists of folders as they were
    [ -s "$NEW/folders" ] || return 0
    undo 'as_owner setfacl --restore=- <"$KEEP/folders" || :'
    cp "$NEW/folders" "$KEEP/folders"
}

passes() { # USER FOLDER: it gets through to the site
    if as_user "$1" test -x "$2"; then return 0; fi
    was=$(as_owner getfacl -p -- "$2" 2>/dev/null || :)
    if as_owner setfacl -m "u:$1:--x" -- "$2" 2>/dev/null; then
        printf '%s\n\n' "$was" >>"$NEW/folders"
        say "changed  $2: $1 gets through"
    else
        note "$1 cannot get through $2: chmod o+x $2"
    fi
}

share_variables() { # LIST: services that are started from now on read .env as their own user
    if ! as_owner test -f "$BASE/.env" || as_user "$SERVICE" test -r "$BASE/.env"; then return 0; fi
    was=$(as_owner getfacl -p -- "$BASE/.env" 2>/dev/null || :)
    if as_owner setfacl --set "$1" -- "$BASE/.env" 2>/dev/null; then
        undo 'as_owner setfacl --restore=- <"$KEEP/variables" || :'
        printf '%s\n' "$was" >"$KEEP/variables"
        say "changed  $BASE/.env: $SERVICE may read it"
    else
        note "$SERVICE cannot read $BASE/.env, as the services do: as its owner, setfacl --set $1 $BASE/.env"
    fi
}

"""
