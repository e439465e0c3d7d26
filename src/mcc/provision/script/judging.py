"""Candidates are judged by the programs that will read them, before the first is put in place."""

JUDGING = r"""# ---- candidates are judged before they are put in place

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

"""
