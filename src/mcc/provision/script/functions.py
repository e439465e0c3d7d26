"""The fixed part of the script: functions of POSIX sh, for dash and for people to read.

Root makes nothing below the deploy user's folders: what is made there is made as the deploy user, who can lead only
himself astray. The one exception (``give``) stands in a folder whose path the kernel has confirmed, and follows no
link from there.
"""

FUNCTIONS = r"""
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
    setsid --wait setpriv --reuid "$as" --regid "$(id -g "$as")" --init-groups --no-new-privs "$@" </dev/null
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
as_owner() { setsid --wait setpriv --reuid "$OWNER" --regid "$(id -g "$OWNER")" --init-groups --no-new-privs "$@"; }
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

# ---- files of root

candidate() { # PATH MODE, the text on standard input: written aside, on the file system where it will stand
    mkdir -p "$NEW${1%/*}"
    cat >"$NEW$1"
    chmod "$2" "$NEW$1"
}

ours() { # PATH: a file of that name is ours by its first line, or is what would be written anyway
    if [ -L "$1" ]; then
        problem "$1 is a link to $(readlink "$1"): remove it, or choose another name"
        return 0
    fi
    [ -e "$1" ] || return 0
    first=$(head -n 1 "$1")
    [ "$first" != "$MARKER" ] || return 0
    if tail -n +2 "$NEW$1" | cmp -s - "$1"; then return 0; fi
    case $first in
    "# made by mcc for "*) problem "$1 belongs to another site: ${first#\# made by mcc for }" ;;
    *) problem "$1 is there and was not made by mcc: take it over with mcc provision --import, or move it away" ;;
    esac
}

ours_on() { # LINK TARGET: the site of nginx that is on is ours too, or what ours will be
    if [ -L "$1" ]; then
        [ "$(readlink -f "$1")" = "$2" ] || problem "$1 leads to $(readlink "$1"): remove it, or set another NGINX_SITE"
    elif [ -e "$1" ] && ! tail -n +2 "$NEW$2" | cmp -s - "$1"; then
        problem "$1 is there and was not made by mcc: take it over with mcc provision --import, or move it away"
    fi
}

reload_systemd=
reload_nginx=
place() { # PATH MODE: one rename
    if cmp -s "$NEW$1" "$1" && [ "$(stat -c '%a %u:%g' "$1")" = "$2 0:0" ]; then
        say "same     $1"
        return 0
    fi
    what=changed
    [ -e "$1" ] || what='new    '
    keep "$1"
    mkdir -p "${1%/*}"
    chown root:root "$NEW$1"
    mv -fT "$NEW$1" "$1"
    say "$what  $1"
    case $1 in
    /etc/systemd/*) reload_systemd=yes ;;
    /etc/nginx/*) reload_nginx=yes ;;
    esac
}

link() { # LINK TARGET: a site of nginx that is on
    if [ "$(readlink "$1" || :)" = "$2" ]; then return 0; fi
    keep "$1"
    mkdir -p "${1%/*}"
    ln -sfnT "$2" "$1"
    say "on       $1"
    reload_nginx=yes
}

to_enable=
to_disable=
enable() { # UNIT: at boot
    if systemctl is-enabled -q "$1" 2>/dev/null; then return 0; fi
    to_enable="$to_enable $1"
    to_disable="$to_disable $(quoted "$1")"
}

enable_all() { # in one command: systemd reads everything anew each time
    [ -n "$to_enable" ] || return 0
    undo "off$to_disable"
    # without quotes: one word a unit
    systemctl -q enable $to_enable
    say "enabled $to_enable"
}

# ---- candidates are judged before they are put in place

rejected() { # WHAT, BY WHOM, WHAT WAS SAID
    printf '%s\n' "$3" | sed "s#$NEW/nginx#/etc/nginx#g; s#$NEW/judged#/etc/systemd/system#g; s#$NEW##g; s/^/    /" >&2
    stop "$1: rejected by $2; no file was put in place"
}

judge_visudo() {
    said=$(visudo -cf "$NEW$1" 2>&1) || rejected "$1" visudo "$said"
}

judge_logrotate() { # the service user may not be there yet
    sed 's/^\( *su\) .*/\1 root root/' "$NEW$1" >"$NEW/logrotate"
    chmod 644 "$NEW/logrotate"
    said=$(logrotate -d "$NEW/logrotate" 2>&1) || rejected "$1" logrotate "$(printf '%s\n' "$said" | grep -i error)"
}

judge_systemd() { # the first deploy brings the programs: true(1) stands for them; a template is judged as slot a
    mkdir -p "$NEW/judged"
    for unit in "$NEW"/etc/systemd/system/*; do
        name=${unit##*/}
        case $name in *@.*) name=${name%%@.*}@a.${name#*@.} ;; esac
        sed "s#^\(Exec[A-Za-z]*=[-@:+!]*\)\"\{0,1\}$BASE_PATTERN/[^ ]*#\1/bin/true#" "$unit" >"$NEW/judged/$name"
    done
    only=
    case $(systemd-analyze --help) in *--recursive-errors*) only=--recursive-errors=no ;; esac
    said=$(systemd-analyze verify --man=no $only "$NEW"/judged/* 2>&1) ||
        rejected "units" "systemd-analyze verify" "$said"
}

judge_nginx() { # a copy of all that nginx reads, with the candidates in it
    cp -rL /etc/nginx "$NEW/nginx" 2>/dev/null || :
    cp -r "$NEW/etc/nginx/." "$NEW/nginx/"
    for site in "$NEW"/etc/nginx/sites-available/*; do
        [ ! -f "$site" ] || cp "$site" "$NEW/nginx/sites-enabled/${site##*/}"
    done
    find "$NEW/nginx" -type f -exec sed -i "s#/etc/nginx/#$NEW/nginx/#g; s#$CERTIFICATES/#$NEW$CERTIFICATES/#g" {} +
    said=$(nginx -t -q -c "$NEW/nginx/nginx.conf" 2>&1) || rejected "the site of nginx" "nginx -t" "$said"
}

# ---- what may speak against it

port() { # the application's port is free, or its own
    taken=$(ss -Hltnp "sport = :$1" 2>/dev/null || :)
    [ -n "$taken" ] || return 0
    for unit in $SERVICES; do
        if systemctl is-active -q "${unit%.service}.socket"; then return 0; fi
        for pid in $(printf '%s\n' "$taken" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u); do
            if grep -qsF "/${unit%.service}.service" "/proc/$pid/cgroup"; then return 0; fi
        done
    done
    holder=$(printf '%s\n' "$taken" | sed -n 's/.*users:((\(.*\)))/\1/p' | sort -u | tr '\n' ' ')
    problem "the port $1 (API_PORT) is taken by ${holder:-somebody }: stop that, or choose another port"
}

domain() { # NAME PATTERN: nginx would serve it by whichever site it reads first
    for file in /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf; do
        [ -f "$file" ] || continue
        real=$(readlink -f "$file")
        case " $REPLACED " in *" $file "* | *" $real "*) continue ;; esac
        if sed 's/#.*//' "$file" | tr '\n' ' ' | grep -Eq "server_name[^;]*[[:space:]]$2[[:space:];]"; then
            problem "$real answers for the domain $1 already"
        fi
    done
}

straight() { # FOLDER: no link, so that nobody can exchange what it leads to
    [ ! -L "$1" ] || problem "$1 is a link to $(readlink "$1"): REMOTE_BASE must name the folder that is meant"
}

given() { # FILE of a certificate that the owner brings
    [ -r "$1" ] || problem "the certificate or key $1 is not there"
}

# ---- packages, users

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

make_base() {
    if as_owner test -d "$BASE"; then return 0; fi
    if ! as_owner mkdir -p -- "$BASE" 2>/dev/null; then # above it, the folders are root's
        mkdir -p -- "${BASE%/*}"
        (
            stand_in "${BASE%/*}"
            mkdir -- "./${BASE##*/}"
            chown -h "$OWNER:" "./${BASE##*/}"
        )
    fi
    undo "as_owner rmdir --ignore-fail-on-non-empty -- $(quoted "$BASE") || :"
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
        undo "as_owner rmdir --ignore-fail-on-non-empty -- $(quoted "$1") 2>/dev/null || :"
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

# ---- certificates

copy_certificates() { # for nginx to judge with: those of other sites too
    mkdir -p "$NEW${CERTIFICATES%/*}"
    [ ! -d "$CERTIFICATES" ] || cp -rL "$CERTIFICATES" "$NEW$CERTIFICATES"
}

stand_in_certificate() { # DOMAIN: signed by itself, until there is a real one
    made=$NEW$CERTIFICATES/$1
    if [ -e "$made/fullchain.pem" ]; then return 0; fi
    mkdir -p "$made"
    if cp -L "/etc/letsencrypt/live/$1/fullchain.pem" "/etc/letsencrypt/live/$1/privkey.pem" "$made/" 2>/dev/null; then
        return 0
    fi
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -keyout "$made/privkey.pem" -out "$made/fullchain.pem" 2>/dev/null
    chmod 600 "$made/privkey.pem"
}

place_certificate() { # DOMAIN: certbot's, else the stand-in
    mkdir -p "$CERTIFICATES/$1"
    for name in privkey.pem fullchain.pem; do
        real=/etc/letsencrypt/live/$1/$name
        at=$CERTIFICATES/$1/$name
        if [ -e "$real" ] && [ "$(readlink "$at" || :)" != "$real" ]; then
            ln -sfnT "$real" "$at"
        elif [ ! -e "$at" ]; then
            mv -fT "$NEW$at" "$at"
        else
            continue
        fi
        reload_nginx=yes
    done
}

ask_certbot() { # EMAIL DOMAIN
    if [ -e "/etc/letsencrypt/live/$2/fullchain.pem" ]; then return 0; fi
    if [ -z "$1" ]; then
        note "$2 has a certificate signed by itself: add CERTBOT_EMAIL to the conf and run this again"
        return 0
    fi
    mkdir -p "$ACME"
    if said=$(certbot certonly -n --webroot -w "$ACME" -d "$2" --agree-tos -m "$1" \
        --deploy-hook 'systemctl reload nginx' 2>&1); then
        place_certificate "$2"
    else
        note "certbot has no certificate for $2 yet (does its name lead here?); run this again then." \
            "It says: $(printf '%s\n' "$said" | tail -n 3 | tr '\n' ' ')"
    fi
}

# ---- systemd and nginx take it up

start_socket() { # SERVICE SOCKET: a service that listens by itself gives its port to the socket once
    if systemctl is-active -q "$2" || ! systemctl is-active -q "$1"; then return 0; fi
    systemctl stop "$1"
    undo "systemctl stop $(quoted "$1") $(quoted "$2"); again=\"\$again $1\""
    systemctl start "$2"
    systemctl start "$1"
    say "restarted $1: its socket listens now"
}

take_up_nginx() {
    [ -n "$reload_nginx" ] || return 0
    reload_nginx=
    said=$(nginx -t -q 2>&1) || {
        printf '%s\n' "$said" >&2
        if [ -f "$KEEP/undo.sh" ]; then sh "$KEEP/undo.sh" >&2 && mv "$KEEP/undo.sh" "$KEEP/undone.sh"; fi
        stop "nginx rejects its configuration; everything was put back"
    }
    systemctl -q enable nginx
    systemctl reload-or-restart nginx
}
"""
