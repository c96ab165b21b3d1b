#!/bin/bash
# The servers that the tests start, from Debian: nothing to do, and no network needed, where they are installed.
# Cyrus cannot be installed beside Dovecot; it is unpacked into a folder of its own, which is printed with --cyrus.
set -euo pipefail

if [ -n "${EAS_TEST_CACHE:-}" ]; then
    cache=$EAS_TEST_CACHE
elif [ "$(id -u)" = 0 ]; then
    cache=/var/cache/eas-gateway-tests      # Cyrus runs as another account, which must be able to go there
else
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/eas-gateway-tests
fi
cyrus=$cache/cyrus
if [ "${1:-}" = --cyrus ]; then
    echo "$cyrus"
    exit 0
fi
if [ -n "${EAS_NO_SERVERS:-}" ] && [ -z "${CI:-}" ]; then
    exit 0
fi

fail() {
    echo "tests/groupware/install.sh: $*" >&2
    echo "The tests need real servers; EAS_NO_SERVERS=1 leaves those tests out." >&2
    exit 1
}

# --- what is missing -------------------------------------------------------------------------------------------------

have() { # program: in a folder of the administrator's as well
    PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin" command -v "$1" >/dev/null || [ -e "$1" ]
}

missing=()
compgen -G "/usr/lib/*/faketime/libfaketime.so.1" >/dev/null || missing+=(libfaketime)
have /usr/lib/dovecot/imap || missing+=(dovecot-imapd)
have /usr/lib/dovecot/lmtp || missing+=(dovecot-lmtpd)
have /usr/lib/dovecot/managesieve || missing+=(dovecot-managesieved)
have /usr/lib/dovecot/submission-login || missing+=(dovecot-submissiond)
have /usr/lib/dovecot/modules/lib90_sieve_plugin.so || missing+=(dovecot-sieve)
have /usr/lib/dovecot/modules/lib22_push_notification_lua_plugin.so || missing+=(dovecot-auth-lua)
have curl || missing+=(curl)
have slapd || missing+=(slapd)
have ldapmodify || missing+=(ldap-utils)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || have initdb || missing+=(postgresql)
have redis-server || missing+=(redis-server)
have haproxy || missing+=(haproxy)
have nginx || missing+=(nginx-light)
have caddy || missing+=(caddy)
have redis-sentinel || missing+=(redis-sentinel)
have prometheus || missing+=(prometheus)
have glewlwyd || missing+=(glewlwyd dbconfig-no-thanks)
have chromium || missing+=(chromium)
compgen -G '/usr/share/fonts/opentype/inter/*' >/dev/null || missing+=(fonts-inter)
[ -e "$cyrus/complete" ] && unpacked=yes || unpacked=no
if [ ${#missing[@]} = 0 ] && [ $unpacked = yes ]; then
    exit 0
fi

wanted="${missing[*]}"
[ $unpacked = yes ] || wanted="$wanted, and cyrus-imapd cyrus-common cyrus-caldav unpacked into $cyrus"
have apt-get || fail "without apt-get these must be installed by hand: $wanted"
sudo=()
if [ "$(id -u)" != 0 ]; then
    have sudo && sudo=(sudo -n)
    if [ ${#missing[@]} != 0 ] && { [ ${#sudo[@]} = 0 ] || ! sudo -n true 2>/dev/null; }; then
        fail "not root: install these, or run this script as root: ${missing[*]}"
    fi
fi

updated=no
update() { # the lists of packages, once; without the right to do so those that are there must do
    [ $updated = yes ] || "${sudo[@]}" apt-get -qq update >/dev/null || true
    updated=yes
}

# --- installed -------------------------------------------------------------------------------------------------------

if [ ${#missing[@]} != 0 ]; then
    echo "installing ${missing[*]}"
    update
    # Debian starts the services of what it installs, unless this says no; the tests start their own.
    policy=/usr/sbin/policy-rc.d
    if ! [ -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null
        "${sudo[@]}" chmod 755 $policy
        trap '"${sudo[@]}" rm -f '$policy EXIT
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" \
        >/dev/null || fail "apt-get could not install ${missing[*]}"
fi

# --- unpacked --------------------------------------------------------------------------------------------------------

libraries_of() { # packages: the libraries they depend on; the virus scanner's only serves a tool that is not used
    apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
        sed -n 's/^ *|\?Depends: \(lib[^:]*\).*/\1/p' | grep -v '^libclamav' | sort -u
}

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

if [ $unpacked = no ]; then
    echo "unpacking cyrus-imapd into $cyrus"
    apt-cache show cyrus-imapd >/dev/null 2>&1 || update
    rm -rf "$cyrus"
    mkdir -p "$cyrus/packages"
    cd "$cyrus/packages"
    queue=(cyrus-imapd cyrus-common cyrus-caldav)
    done=" "
    while [ ${#queue[@]} != 0 ]; do
        for package in "${queue[@]}"; do
            apt-get -qq -o APT::Sandbox::User=root download "$package" >/dev/null ||
                { update && apt-get -qq -o APT::Sandbox::User=root download "$package" >/dev/null; } ||
                fail "apt-get could not download $package"
            done="$done$package "
        done
        next=()
        while read -r package; do
            [[ $done == *" $package "* ]] || installed "$package" || next+=("$package")
        done < <(libraries_of "${queue[@]}")
        queue=("${next[@]}")
    done
    for package in *.deb; do
        dpkg -x "$package" "$cyrus"
    done
    cd /
    rm -rf "$cyrus/packages"
    export LD_LIBRARY_PATH
    LD_LIBRARY_PATH=$(echo "$cyrus"/usr/lib/*-linux-gnu* "$cyrus"/lib/*-linux-gnu* | tr ' ' ':')
    for binary in master imapd httpd lmtpd timsieved idled; do
        if ldd "$cyrus/usr/lib/cyrus/bin/$binary" | grep 'not found' >&2; then
            fail "Cyrus lacks libraries"
        fi
    done
    chmod -R go+rX "$cache"
    touch "$cyrus/complete"
fi
