"""Certificates, and what makes systemd and nginx take it up."""

SERVING = r"""# ---- certificates

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
