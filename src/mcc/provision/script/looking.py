"""What may speak against it: ports, domains, links, certificates that are not there."""

LOOKING = r"""# ---- what may speak against it

port() { # the application's port is free, or its own
    taken=$(ss -Hltnp "sport = :$1" 2>/dev/null || :)
    [ -n "$taken" ] || return 0
    for unit in $SERVICES; do
        if systemctl is-active -q "${unit%.service}.socket"; then return 0; fi
        for pid in $(printf '%s\n' "$taken" | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u); do
            if grep -qsF "/${unit%.service}.service" "/proc/$pid/cgroup"; then return 0; fi
        done
    done
    holder=$(printf '%s\n' "$taken" | grep -o '"[^"]*",pid=[0-9]*' | sed 's/"\(.*\)",pid=/\1 (process /; s/$/)/' |
        sort -u | paste -sd, - | sed 's/,/, /g')
    problem "the port $1 (API_PORT) is taken by ${holder:-somebody}: stop that, or choose another port"
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

"""
