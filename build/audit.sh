#!/usr/bin/env bash
# audit.sh: `make audit`: checks a server's present configuration against what OutSystems needs,
# without installing anything: httpd reads it with the module loaded behind it, as for a configtest.
# From the environment:
#   CONF      the main file, such as /etc/apache2/apache2.conf or /etc/httpd/conf/httpd.conf
#   FORMAT    text (findings and fixes), table (virtual hosts and rules) or json
#   HTTPD, MODULE   other binaries than apxs's httpd and build/out/mod_osproxy.so
# Ends with 0 when no error was found, 1 when one was, 2 when the configuration cannot be audited.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here%/*}

die() {
    printf 'audit: %s\n' "$1" >&2
    shift
    for line; do printf 'audit:     %s\n' "$line" >&2; done
    exit 2
}

conf=${CONF:-}
if [ -z "$conf" ]; then
    for conf in /etc/apache2/apache2.conf /etc/httpd/conf/httpd.conf; do
        [ ! -f "$conf" ] || break
    done
    [ -f "$conf" ] || die "CONF is not set" "make audit CONF=/etc/apache2/apache2.conf"
fi
[ -f "$conf" ] || die "CONF '$conf' is no file" "make audit CONF=/etc/apache2/apache2.conf"
[ -r "$conf" ] || die "CONF '$conf' is not readable; run this as root"
conf=$(cd "$(dirname "$conf")" && pwd)/${conf##*/}
folder=${conf%/*}

apxs=${APXS:-$(command -v apxs || command -v apxs2 || true)}
httpd=${HTTPD:-}
[ -n "$httpd" ] || [ -z "$apxs" ] || httpd=$("$apxs" -q sbindir)/$("$apxs" -q progname)
[ -n "$httpd" ] || httpd=$(PATH=$PATH:/usr/sbin command -v httpd || PATH=$PATH:/usr/sbin command -v apache2 || true)
[ -x "$httpd" ] || die "${httpd:-httpd} was not found; 'build/setup.sh build run' installs it"
module=${MODULE:-$root/build/out/mod_osproxy.so}
[ -f "$module" ] || die "$module is missing; 'make' builds it"
module=$(cd "$(dirname "$module")" && pwd)/${module##*/}

arguments=(-t -f "$conf" -D OSPROXY_AUDIT)
case ${FORMAT:-text} in
text) ;;
table) arguments+=(-D DUMP_OSPROXY) ;;
json) arguments+=(-D DUMP_OSPROXY_JSON) ;;
*) die "FORMAT '$FORMAT' is not known; write text, table or json" ;;
esac

# Where relative names begin, unless the file says ServerRoot: Debian keeps everything beside the
# main file, RHEL one folder up.
if [ -d "$folder/mods-enabled" ]; then
    arguments+=(-d "$folder")
elif [ "${folder##*/}" = conf ]; then
    arguments+=(-d "${folder%/*}")
fi

# What Debian's configuration takes from the environment. Its runtime folders exist only after the
# first start; httpd wants them even to test.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ -f "$folder/envvars" ]; then
    set +eu
    # shellcheck disable=SC1091
    . "$folder/envvars"
    set -eu
    for variable in APACHE_RUN_DIR APACHE_LOCK_DIR APACHE_LOG_DIR; do
        [ -d "${!variable:-}" ] || export "$variable=$scratch"
    done
fi

# Behind the configuration (-c, not -C): the module has to be loaded after mod_proxy.
status=0
"$httpd" "${arguments[@]}" -c "LoadModule osproxy_module $module" 2>"$scratch/stderr" || status=$?
grep -v -e 'AH00014: ' -e '^Syntax OK$' -e 'AH01574: ' -e 'OSP0002: ' -e 'AH00013: ' "$scratch/stderr" >&2 || true
if grep -q 'OSP0002' "$scratch/stderr"; then
    die "this configuration does not load mod_proxy: it proxies nothing"
elif grep -q 'API module structure\|Cannot load .*mod_osproxy' "$scratch/stderr"; then
    die "$httpd cannot load $module" "it was built for another httpd; build it with this one's apxs"
elif [ "$status" != 0 ] && ! grep -q 'AH00014: ' "$scratch/stderr"; then
    die "httpd does not accept this configuration, whatever OutSystems needs (its reason stands above)"
elif [ "${FORMAT:-text}" = text ] && ! grep -q '^osproxy: ' "$scratch/stderr"; then
    echo "audit: no virtual host of $conf proxies anything" >&2
fi
[ "$status" = 0 ] || exit 1
