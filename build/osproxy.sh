#!/usr/bin/env bash
# osproxy.sh: what administrators run, installed as osproxy(8). Usage:
#
#   osproxy audit [--format text|table|json] [<main configuration file>]
#   osproxy check-live --domain <host name of the apps> [--status <address of the live page>] …
#   osproxy drain --domain <host name of the apps> [--server <host name>] [--state drain|disable|enable] …
#   osproxy capacity --clients <number> [--mpm event|worker|prefork] …
#   osproxy version
#
# Each is a file beside this one, also `make audit`, `make check-live`, `make drain`, `make capacity`. Those in
# Python are written for RHEL 8, which has version 3.6.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
usage() {
    sed -n 's/^#   //p' "${BASH_SOURCE[0]}"
}
wrong() {
    echo "osproxy: $1" >&2
    usage >&2
    exit 2
}

# Where packages and `make install` put the module; in the source tree, where make does.
find_module() {
    local module
    for module in "$here/out/mod_osproxy.so" /usr/lib/apache2/modules/mod_osproxy.so \
        /usr/lib64/httpd/modules/mod_osproxy.so /usr/lib/httpd/modules/mod_osproxy.so; do
        [ ! -f "$module" ] || { echo "$module"; return; }
    done
    echo "osproxy: mod_osproxy.so was not found; MODULE=<file> names it" >&2
    exit 2
}

audit() {
    MODULE=${MODULE:-$(find_module)} # also where find_module gave up: set -e sees that
    while [ $# -gt 0 ]; do
        case $1 in
            --format) [ $# -gt 1 ] || wrong "--format: text, table or json?"; FORMAT=$2; shift ;;
            --format=*) FORMAT=${1#*=} ;;
            -*) wrong "audit has no option $1" ;;
            *) [ -z "${given:-}" ] || wrong "audit takes one file"; CONF=$1 given=1 ;;
        esac
        shift
    done
    export CONF=${CONF:-} FORMAT=${FORMAT:-} MODULE
    exec "$here/audit.sh"
}

# The module itself knows: "mod_osproxy/1.2.3" is in it for this purpose.
version() {
    local module
    module=${MODULE:-$(find_module)}
    grep -aom1 'mod_osproxy/[0-9][0-9.]*' "$module" || wrong "$module is not mod_osproxy"
}

case ${1:-} in
    audit) shift; audit "$@" ;;
    check-live) shift; exec "$here/check_live.py" "$@" ;;
    drain | capacity) command=$1; shift; exec "$here/$command.py" "$@" ;;
    version | --version) version ;;
    -h | --help | help) usage ;;
    '') wrong "what is to be done?" ;;
    *) wrong "there is no command '$1'" ;;
esac
