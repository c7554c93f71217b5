# Shared by deploy/up and deploy/test: packages and the virtual environment.
APT_HOST="rabbitmq-server libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt-clients libvirt-dev
 qemu-system-x86 qemu-utils qemu-block-extra dnsmasq-base radvd tgt iptables ipset nftables iproute2 iputils-ping openssh-client
 busybox-static dropbear-bin e2fsprogs syslinux syslinux-common mtools dosfstools cpio procps pkg-config gcc python3-dev
 python3-venv logrotate"
APT_TEST="mariadb-server postgresql-15 mmdebstrap slapd apache2 libapache2-mod-auth-openidc memcached liberasurecode-dev"

missing_packages() { # names -> those not installed
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null)" = "ii " ] || echo "$name"
    done
}

apt_install() { # log, names…
    local log=$1; shift
    local names; names=$(missing_packages "$@")
    [ -n "$names" ] || return 0
    # shellcheck disable=SC2086
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $names; } >>"$log" 2>&1
}

quietly() ( # command… -> run while no package starts its daemon: the tests start their own
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        trap 'exit 1' INT TERM
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    fi
    "$@"
)

install_packages() { # log, host|test
    # shellcheck disable=SC2086
    apt_install "$1" $APT_HOST || return
    # shellcheck disable=SC2086
    [ "$2" != test ] || quietly apt_install "$1" $APT_TEST
}

installed_stamp() { # clone, extras
    cat "$1/pyproject.toml" <(echo "$1 $2") | sha1sum | cut -d' ' -f1
}

install_all() { # clone, venv, log, host|test
    local here=$1 venv=$2 log=$3 kind=$4 names=$APT_HOST extra=host apt_pid=
    [ "$kind" = test ] && names="$names $APT_TEST" extra="host,test"
    say() { printf '[%6.1f s] %s\n' "$(awk -v a="$PILEUS_STARTED" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')" "$1"; }
    # shellcheck disable=SC2086
    if [ -n "$(missing_packages $names)" ]; then
        say "installing Debian packages"
        if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
            apt_install "$log" python3-venv || { tail -n 5 "$log" >&2; echo "apt failed; all of it: $log" >&2; exit 1; }
        fi
        install_packages "$log" "$kind" & apt_pid=$!
    fi
    if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
    local stamp; stamp=$(installed_stamp "$here" "$extra")
    # What the tests need includes what a host needs.
    if [ "$(cat "$venv/pileus-installed" 2>/dev/null)" = "$(installed_stamp "$here" host,test)" ]; then
        stamp=$(installed_stamp "$here" host,test)
    fi
    if [ "$(cat "$venv/pileus-installed" 2>/dev/null)" != "$stamp" ]; then
        say "installing Python packages"
        "$venv/bin/python" -m pip install -q --disable-pip-version-check -e "$here$([ "$kind" = test ] && echo '[test]')" \
            >>"$log" 2>&1 || { grep -v '^WARNING' "$log" | tail -n 5 >&2; echo "pip failed; all of it: $log" >&2; exit 1; }
    fi
    if [ -n "$apt_pid" ]; then
        wait "$apt_pid" || { tail -n 5 "$log" >&2; echo "apt failed; all of it: $log" >&2; exit 1; }
    fi
    if [ "$(cat "$venv/pileus-installed" 2>/dev/null)" != "$stamp" ]; then
        say "building libvirt's Python module"
        # Only what waited for Debian's headers: the package itself is installed already.
        "$venv/bin/python" -c 'import sys, tomllib
print("\n".join(tomllib.load(open(sys.argv[1], "rb"))["project"]["optional-dependencies"]["host"]))' \
            "$here/pyproject.toml" >"$venv/host-requirements.txt"
        "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$venv/host-requirements.txt" >>"$log" 2>&1 ||
            { grep -v '^WARNING' "$log" | tail -n 5 >&2; echo "pip failed; all of it: $log" >&2; exit 1; }
        echo "$stamp" >"$venv/pileus-installed"
    fi
}
