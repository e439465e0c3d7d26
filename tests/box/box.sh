#!/bin/bash
# A server in a box: Debian 12, booted by its own systemd, with nginx, sshd, sudo, cron, SQLite, PostgreSQL, restic and uv.
#
#   box.sh build            make the base once, or again when this recipe has changed; prints its folder
#   box.sh up [LAYER...]    start a fresh box over the base and these folders, the first on top; prints its name
#   box.sh exec NAME CMD... run a command in a box, as root
#   box.sh shell NAME       look around in a box
#   box.sh reboot NAME...   as after a power cut, but with all that was written on disk
#   box.sh down NAME...     stop boxes and remove all that they left
#   box.sh sweep            remove the boxes of test sessions that are dead
#   box.sh ls               the boxes that are up
#   box.sh nuke             stop every box, remove every base and every key
#
# MCC_BOX_ROOT   where all this is kept (default: mcc-box in TMPDIR or /tmp)
# BOX_DISK       how much a box may write to its disk (default 4g), beside the homes it starts with; it lies in memory
# BOX_OWNER      process id; when that process is dead, `sweep` takes the box down
# BOX_OWN_CACHE  1: uv's cache is a copy in the deploy user's home, on the file system of the sites
# BOX_UV         the uv to put in (default: the one of this checkout's .venv, then PATH)
# BOX_MIRROR     Debian's packages from here: what mmdebstrap(1) takes as MIRROR
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(realpath -m "${MCC_BOX_ROOT:-${TMPDIR:-/tmp}/mcc-box}")
RUN=$ROOT/run KEYS=$ROOT/keys CACHE=$ROOT/uv-cache
NET=${BOX_SUBNET:-10.78.0} BRIDGE=${BOX_BRIDGE:-mccbox0}
DEPLOY=stenvala

PACKAGES=systemd,systemd-sysv,libpam-systemd,dbus,nginx-light,openssh-server,sudo,cron,sqlite3,postgresql
PACKAGES+=,python3,python3-venv,ca-certificates,curl,openssl,iproute2,procps,rsync,acl,restic

die() { echo "box: $*" >&2; exit 1; }
say() { echo "box: $*" >&2; }

# ---- the base ----------------------------------------------------------------------------------------------

find_uv() {
  local uv
  for uv in "${BOX_UV:-}" "$HERE/../../.venv/bin/uv" "$(command -v uv || true)"; do
    [ -z "$uv" ] || [ ! -x "$uv" ] || { echo "$uv"; return; }
  done
  die "no uv to put into the box: install it, or name one with BOX_UV"
}

make_keys() { # the key of ssh and the authority of https outlive every base
  mkdir -p "$KEYS"
  [ -f "$KEYS/ssh.pub" ] || ssh-keygen -qt ed25519 -N '' -C mcc-box -f "$KEYS/ssh"
  [ -f "$KEYS/ca.crt" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=mcc box CA" \
    -keyout "$KEYS/ca.key" -out "$KEYS/ca.crt" -addext keyUsage=critical,keyCertSign 2>/dev/null
}

base_folder() { # named by all that goes into it, so that a changed recipe never disturbs a box that is up
  local bundle=/etc/ssl/certs/ca-certificates.crt
  { echo "$PACKAGES $DEPLOY $("$(find_uv)" --version)"; declare -f customize quiet_units fast_postgresql deploy_user authority
    cat "$KEYS/ca.crt" "$KEYS/ssh.pub"; [ ! -f $bundle ] || cat $bundle; } | sha256sum | sed "s#^\(.\{12\}\).*#$ROOT/base-\1#"
}

build() {
  exec 9>"$ROOT/build.lock"; flock 9
  make_keys
  BASE=$(base_folder)
  if [ ! -f "$BASE/.whole" ]; then
    command -v mmdebstrap systemd-nspawn >/dev/null || die "mmdebstrap and systemd-nspawn are needed: scripts/test-deps installs them"
    prune_bases
    local packages; packages=$ROOT/packages-$(echo "$PACKAGES" | sha256sum | cut -c1-12).tar
    [ -f "$packages" ] || bootstrap "$packages"
    rm -rf --one-file-system "$BASE"; mkdir "$BASE"; tar -C "$BASE" -xf "$packages"
    customize; touch "$BASE/.whole"
  fi
  touch "$BASE"; flock -u 9
  echo "$BASE"
}

bootstrap() { # the packages alone are kept as a tarball: a change of customize() downloads nothing
  say "downloading Debian 12 (once)"
  local mirror=${BOX_MIRROR:-} codename
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # a Debian 12 host knows a mirror near it, and security updates; elsewhere mmdebstrap's own default does
  [ -n "$mirror" ] || [ "$codename" != bookworm ] || for mirror in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list ''; do
    [ -z "$mirror" ] || ! grep -qs bookworm "$mirror" || break
  done
  mmdebstrap -q --mode=root --variant=minbase --include="$PACKAGES" --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --aptopt='APT::Install-Recommends "false"' bookworm "$1.part.tar" ${mirror:+"$mirror"} >&2
  mv "$1.part.tar" "$1"
}

prune_bases() { # older than a day and below no box
  local base
  for base in $(find "$ROOT" -maxdepth 1 -name 'base-*' -mmin +1440); do
    grep -qsF "$base" "$RUN"/*/lower || rm -rf --one-file-system "$base"
  done
}

customize() { # everything that makes plain Debian a server to deploy to
  local etc=$BASE/etc
  install -m755 "$(find_uv)" "$BASE/usr/local/bin/uv"
  mkdir -p "$etc/uv"
  printf 'python-downloads = "never"\ncache-dir = "/var/cache/uv"\n' >"$etc/uv/uv.toml"
  quiet_units; fast_postgresql; deploy_user; authority
  mkdir -p "$etc/systemd/journald.conf.d"; printf '[Journal]\nStorage=volatile\n' >"$etc/systemd/journald.conf.d/box.conf"
  printf 'PasswordAuthentication no\nUseDNS no\n' >"$etc/ssh/sshd_config.d/box.conf"
  rm -f "$etc/nginx/sites-enabled/default" "$etc/resolv.conf"
  : >"$etc/machine-id"
}

quiet_units() { # a test server has no use for these, and each costs a part of the second that a boot takes
  local unit
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer \
    logrotate.timer systemd-pstore.service console-getty.service getty.target systemd-update-utmp.service systemd-update-utmp-runlevel.service; do
    ln -sf /dev/null "$BASE/etc/systemd/system/$unit"
  done
}

fast_postgresql() { # Debian's wrapper sleeps for two seconds; started directly it says when it is ready
  local folder="$BASE/etc/systemd/system/postgresql@.service.d" bin
  bin=$(cd "$BASE" && echo usr/lib/postgresql/*/bin)
  mkdir -p "$folder"
  cat >"$folder/fast.conf" <<X
[Service]
Type=notify
PIDFile=
User=postgres
ExecStart=
ExecStart=/$bin/postgres -D /var/lib/postgresql/15/main -c config_file=/etc/postgresql/15/main/postgresql.conf -c fsync=off
ExecStop=
ExecReload=
ExecReload=/bin/kill -HUP \$MAINPID
X
}

deploy_user() { # no right at all beyond its own home: each test says what sudo allows
  local home
  chroot "$BASE" useradd -m -s /bin/bash -u 1000 $DEPLOY
  chmod 755 "$BASE/home/$DEPLOY"
  install -dm755 -o 1000 -g 1000 "$BASE/home/$DEPLOY/live" "$BASE/var/cache/uv"
  for home in root home/$DEPLOY; do
    install -dm700 "$BASE/$home/.ssh"; install -m600 "$KEYS/ssh.pub" "$BASE/$home/.ssh/authorized_keys"
  done
  chown -R 1000:1000 "$BASE/home/$DEPLOY/.ssh"
}

authority() { # an https certificate that the whole box trusts, as it would a public one
  local ssl=$BASE/etc/ssl bundle=/etc/ssl/certs/ca-certificates.crt
  install -Dm644 "$KEYS/ca.crt" "$BASE/usr/local/share/ca-certificates/mcc-box.crt"
  chroot "$BASE" update-ca-certificates >/dev/null 2>&1
  # with the host's network the box must trust whom the host trusts: a proxy of its own, for example
  [ ! -f $bundle ] || cat $bundle "$KEYS/ca.crt" >"$ssl/certs/ca-certificates.crt"
  certify "$ssl/certs/box.crt" "$ssl/private/box.key" box.test '*.box.test'
}

certify() { # certify CERTIFICATE KEY NAME...: signed by our own authority
  local crt=$1 key=$2; shift 2
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$key" 2>/dev/null |
    openssl x509 -req -CA "$KEYS/ca.crt" -CAkey "$KEYS/ca.key" -set_serial "0x$(openssl rand -hex 16)" -days 3650 -out "$crt" \
      -extfile <(printf 'subjectAltName=%s\n' "$(printf ',DNS:%s' "$@" | cut -c2-)") 2>/dev/null
}

# ---- boxes -------------------------------------------------------------------------------------------------

started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; } # ticks since boot; with the id it names one process for ever
alive() { local state; state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f1); [ -n "$state" ] && [ "$state" != Z ]; }
inside() { nsenter -t "$1" -m -u -i -n -p -C "${@:2}"; }
cgroups() { # the folders of a box's control group: systemd's own hierarchy, version 2, or both
  local top
  for top in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ ! -f $top/cgroup.procs ] || echo "$top/mccbox-$1"
  done
}

claim() { # the folder's name is the claim on the name and on the address
  local i
  for ((i = 11; i < 255; i++)); do
    mkdir "$RUN/b$i" 2>/dev/null && { NAME=b$i; echo "$NET.$i" >"$RUN/b$i/ip"; return; }
  done
  die "all addresses are taken: $ROOT/run"
}

wire() { # its own network: one cable to a bridge that only the host is on
  local ns=mccbox-$1 ip; ip=$(cat "$RUN/$1/ip")
  exec 8>"$ROOT/net.lock"; flock 8
  ip link show "$BRIDGE" &>/dev/null || { ip link add "$BRIDGE" type bridge; ip addr add "$NET.1/24" dev "$BRIDGE"; ip link set "$BRIDGE" up; }
  ip netns add "$ns"; ip link add "mb-$1" master "$BRIDGE" up type veth peer name host0 address "02:00:0a:4e:00:$(printf %02x "${ip##*.}")" netns "$ns"
  exec 8>&-
  ip -n "$ns" link set lo up; ip -n "$ns" addr add "$ip/24" dev host0; ip -n "$ns" link set host0 up
}

lay() { # a tmpfs over the base and the layers: what the box writes lives in memory and dies with it
  # /home is on that tmpfs itself: an overlay has answered ESTALE to a rename of a second name of a file
  local run=$RUN/$1 lower=$2
  mkdir "$run"/{disk,root}; echo "$lower" >"$run/lower"
  mount -t tmpfs -o mode=755 "mccbox-$1" "$run/disk"; mkdir "$run"/disk/{upper,work}
  mount -t overlay "mccbox-$1" -o "lowerdir=$lower,upperdir=$run/disk/upper,workdir=$run/disk/work,xino=on" "$run/root"
  mkdir "$run/disk/home"; cp -a "$run/root/home/." "$run/disk/home"; mount --bind "$run/disk/home" "$run/root/home"
  local disk=${BOX_DISK:-4g} there; there=$(du -sB1 "$run/disk/home" | cut -f1)
  mount -o "remount,size=$(($(numfmt --from=iec "${disk^^}") + there))" "$run/disk"
  echo "$1" >"$run/root/etc/hostname"
  printf '127.0.0.1 %s\n127.0.1.1 %s\n' "localhost box.test app.box.test client.box.test" "$1" >"$run/root/etc/hosts"
}

own_cache() { # temporary files of a uv that is at work elsewhere come and go
  local home=$RUN/$1/root/home/$DEPLOY
  install -dm755 -o 1000 -g 1000 "$home/.cache" "$home/.cache/uv"
  tar -C "$CACHE" --exclude='./.tmp*' --warning=no-file-changed --ignore-failed-read -cf - . | tar -C "$home/.cache/uv" -xf -
  chown -R 1000:1000 "$home/.cache/uv"
  sed -i /cache-dir/d "$RUN/$1/root/etc/uv/uv.toml"
}

boot() {
  local run=$RUN/$1 bind=(--bind="$CACHE:/var/cache/uv")
  grep -q cache-dir "$run/root/etc/uv/uv.toml" || bind=()
  ( # with --keep-unit nspawn makes its groups below the one that it is started in
    for group in $(cgroups "$1"); do mkdir -p "$group"; echo $BASHPID >"$group/cgroup.procs"; done
    exec setsid env -i PATH="$PATH" systemd-nspawn -q -b -D "$run/root" --machine="$1" --register=no --keep-unit \
      --network-namespace-path="/run/netns/mccbox-$1" --resolv-conf=copy-host --timezone=off --link-journal=no \
      --console=read-only "${bind[@]}" </dev/null >"$run/console" 2>&1 ) &
  echo $! >"$run/pid"
}

wait_up() { # until systemd says that every unit is up
  local run=$RUN/$1 pid leader state end=$((SECONDS + 90)); pid=$(cat "$run/pid")
  while [ $SECONDS -lt $end ]; do # a busy machine boots slowly
    alive "$pid" || { cat "$run/console" >&2; return 1; }
    leader=$(pgrep -P "$pid" | head -1) && state=$(inside "$leader" systemctl is-system-running --wait 2>/dev/null || true)
    case ${state:-} in
      running) echo "$leader" >"$run/leader"; return ;;
      degraded) inside "$leader" systemctl --failed --no-pager --plain >&2; return 1 ;;
    esac
    sleep 0.02
  done
  return 1
}

up() {
  BASE=$(base_folder); [ -f "$BASE/.whole" ] || die "there is no base yet: run build first"
  local layers; layers=$(printf '%s:' "$@" "$BASE")
  [ $# -gt 0 ] || layers=$BASE:
  mkdir -p "$CACHE"; chown 1000:1000 "$CACHE"
  claim
  trap 'trap - EXIT; say "$NAME did not come up"; down "$NAME"; exit 1' EXIT
  [ -z "${BOX_OWNER:-}" ] || echo "$BOX_OWNER $(started "$BOX_OWNER")" >"$RUN/$NAME/owner"
  wire "$NAME"; lay "$NAME" "${layers%:}"
  [ -z "${BOX_OWN_CACHE:-}" ] || own_cache "$NAME"
  boot "$NAME"; wait_up "$NAME"
  trap - EXIT
  ssh_config "$NAME"; echo "$NAME"
}

ssh_config() {
  local run=$RUN/$1 ip; ip=$(cat "$run/ip")
  echo "$ip $(cut -d' ' -f1,2 "$run/root/etc/ssh/ssh_host_ed25519_key.pub")" >"$run/known_hosts"
  { printf 'Host %s\n' "$1"; printf '  %s\n' "HostName $ip" "User $DEPLOY" "IdentityFile $KEYS/ssh" "IdentitiesOnly yes" \
    "UserKnownHostsFile $run/known_hosts" "StrictHostKeyChecking yes" "LogLevel ERROR"; } >"$run/ssh.conf"
}

leader() { cat "$RUN/$1/leader" 2>/dev/null || die "$1 is not up"; }

stop() { # hard: with its first process the whole box dies (asking it to halt would cost up to two seconds)
  local run=$RUN/$1 pid group i; pid=$(cat "$run/pid" 2>/dev/null) || return 0
  kill -KILL "$(cat "$run/leader" 2>/dev/null || pgrep -P "$pid" | head -1)" 2>/dev/null
  for group in $(cgroups "$1"); do # also what a killed nspawn left behind
    [ ! -f "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill"
  done
  for ((i = 0; i < 250; i++)); do
    alive "$pid" || grep -qs 'populated 1' $(cgroups "$1" | sed 's#$#/cgroup.events#') || return 0
    sleep 0.02
  done
}

reboot() {
  leader "$1" >/dev/null
  stop "$1" || true
  rm "$RUN/$1/leader"; boot "$1"; wait_up "$1" || die "$1 did not come up again"
}

down() {
  set +e
  local run=$RUN/$1 group mount; [ -d "$run" ] || { say "$1 is not up"; return 0; }
  stop "$1"
  for mount in root/home root disk; do
    mountpoint -q "$run/$mount" && { umount "$run/$mount" 2>/dev/null || umount -l "$run/$mount"; }
  done
  ip netns del "mccbox-$1" 2>/dev/null; ip link del "mb-$1" 2>/dev/null
  for group in $(cgroups "$1"); do [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; done
  rmdir "/run/systemd/nspawn/propagate/$1" 2>/dev/null
  rm -rf --one-file-system "$run"
  exec 8>"$ROOT/net.lock"; flock 8
  [ -n "$(ls "$RUN")" ] || ip link del "$BRIDGE" 2>/dev/null
  exec 8>&-
  set -e
}

sweep() { # boxes that were started by hand have no owner, and stay
  local run pid since
  for run in "$RUN"/*/; do
    [ -f "$run/owner" ] || continue
    read -r pid since <"$run/owner"
    [ "$(started "$pid")" = "$since" ] || { say "removing what a dead test session left: $(basename "$run")"; down "$(basename "$run")"; }
  done
}

[ "$(id -u)" = 0 ] || die "must be root"
mkdir -p "$RUN"
cmd=${1:-}; shift || true
case $cmd in
  build) build ;;
  up) up "$@" ;;
  exec) l=$(leader "$1"); shift; exec nsenter -t "$l" -a env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" ;;
  shell) l=$(leader "$1"); exec nsenter -t "$l" -a env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 bash -l ;;
  certify) certify "$@" ;;
  reboot) for name in "$@"; do reboot "$name"; done ;;
  down) for name in "$@"; do down "$name"; done ;;
  sweep) sweep ;;
  ls) for run in "$RUN"/*/; do [ ! -f "$run/ip" ] || echo "$(basename "$run") $(cat "$run/ip")"; done ;;
  nuke) for run in "$RUN"/*/; do [ ! -d "$run" ] || down "$(basename "$run")"; done; rm -rf --one-file-system "$ROOT" ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
