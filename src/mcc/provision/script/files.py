"""Files of root's: written aside, put in place by one rename, started at boot."""

FILES = r"""# ---- files of root

candidate() { # PATH MODE, the text on standard input: written aside, on the file system where it will stand
    mkdir -p "$NEW${1%/*}"
    cat >"$NEW$1"
    chmod "$2" "$NEW$1"
}

IPV6=/proc/net/if_inet6 # is not there where the kernel has IPv6 switched off: nginx cannot listen on it then
without_ipv6() { # PATH of a site of nginx
    if [ -e "$IPV6" ]; then return 0; fi
    sed -i '/^ *listen \[::\]/d' "$NEW$1"
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

hides() { # UNIT: one that a package brought would not be used any more
    for folder in /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        [ -e "$folder/$1" ] || continue
        problem "$folder/$1 is the system's own unit, which one of that name would hide: choose another SERVICE_NAME"
        return 0
    done
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

"""
