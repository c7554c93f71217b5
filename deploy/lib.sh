# Shared by deploy/up and deploy/test: packages and the virtual environment.
APT_HOST="rabbitmq-server libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt-clients python3-libvirt
 qemu-system-x86 qemu-utils qemu-block-extra ovmf dnsmasq-base radvd tgt iptables ipset nftables iproute2 iputils-ping openssh-client
 busybox-static dropbear-bin e2fsprogs syslinux syslinux-common syslinux-efi mtools dosfstools cpio procps python3-venv logrotate"
APT_TEST="libxml2-utils mariadb-server postgresql-15 mmdebstrap slapd apache2 libapache2-mod-auth-openidc memcached liberasurecode-dev gcc
 python3-dev libvirt-daemon-driver-lxc prometheus groff-base man-db mandoc chromium-headless-shell swtpm-tools"
APT_CONTAINERS="libvirt-daemon-driver-lxc"

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
    {
        [ -n "${apt_updated:-}" ] || apt-get update || return
        apt_updated=1
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $names
    } >>"$log" 2>&1
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

install_packages() { # log, host|containers|test
    # shellcheck disable=SC2086
    apt_install "$1" $APT_HOST || return
    # shellcheck disable=SC2086
    [ "$2" != containers ] || apt_install "$1" $APT_CONTAINERS || return
    # shellcheck disable=SC2086
    [ "$2" != test ] || quietly apt_install "$1" $APT_TEST
}

# uv needs 3 s where pip needs 25; where uv cannot reach the index, pip may (a proxy or a certificate in pip's files).
pip_install() { # log, venv, what pip takes…
    local log=$1 python=$2/bin/python uv=$2/bin/uv index; shift 2
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || true)}
    {
        if [ -x "$uv" ] || "$python" -m pip install -q --disable-pip-version-check uv; then
            SSL_CERT_FILE=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt} \
                "$uv" pip install -q --python "$python" --compile-bytecode ${index:+--default-index "$index"} "$@" && return
        fi
        "$python" -m pip install -q --disable-pip-version-check "$@"
    } >>"$log" 2>&1
}

add_libvirt() { # log, venv -> Debian's module, or one built here for another Python than Debian's
    local log=$1 python=$2/bin/python debian=/usr/lib/python3/dist-packages site
    "$python" -c 'import libvirt' 2>/dev/null && return
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    ln -sfn "$debian"/libvirt.py "$debian"/libvirtmod.*.so "$debian"/libvirt_python-* "$site"
    "$python" -c 'import libvirt' 2>>"$log" && return
    rm -f "$site"/libvirt.py "$site"/libvirtmod.*.so "$site"/libvirt_python-*
    say "building libvirt's Python module"
    apt_install "$log" libvirt-dev pkg-config gcc python3-dev && pip_install "$log" "$2" 'libvirt-python>=9'
}

installed_stamp() { # clone, extras
    cat "$1/pyproject.toml" <(echo "$1 $2") | sha1sum | cut -d' ' -f1
}

install_failed() { # what, log -> the end of the log, and the end
    grep -v '^WARNING' "$2" | tail -n 5 >&2
    echo "$1 failed; all of it: $2" >&2
    exit 1
}

install_all() { # clone, venv, log, host|containers|test
    local here=$1 venv=$2 log=$3 kind=$4 names=$APT_HOST extra=host apt_pid=
    [ "$kind" != containers ] || names="$names $APT_CONTAINERS"
    [ "$kind" = test ] && names="$names $APT_TEST" extra="host,test"
    say() { printf '[%6.1f s] %s\n' "$(awk -v a="$PILEUS_STARTED" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')" "$1"; }
    # shellcheck disable=SC2086
    if [ -n "$(missing_packages $names)" ]; then
        say "installing Debian packages"
        if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
            apt_install "$log" python3-venv || install_failed apt "$log"
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
        pip_install "$log" "$venv" -e "$here$([ "$kind" = test ] && echo '[test]')" || install_failed pip "$log"
    fi
    [ -z "$apt_pid" ] || wait "$apt_pid" || install_failed apt "$log"
    add_libvirt "$log" "$venv" || install_failed "libvirt's Python module" "$log"
    echo "$stamp" >"$venv/pileus-installed"
}
