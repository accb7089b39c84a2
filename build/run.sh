#!/usr/bin/env bash
# run.sh: `make run`: httpd with the module in front of the demo farm or your own; Ctrl-C ends it.
# From the environment:
#   BACKEND     app servers, http://… or https://…, between blanks or commas; none: demo farm
#   DOMAIN      the host name clients use; needed with BACKEND
#   ADDRESS     where to listen, 127.0.0.80 when not set
#   HTTP_PORT, HTTPS_PORT   80 and 443 when not set
#   INTERNAL    clients that may use consoles and Negotiate: addresses or networks
#   BACKEND_CA  certificates (PEM) that https app servers are verified with
#   HTTPD, MODULE           other binaries than apxs's httpd and build/out/mod_osproxy.so
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here%/*}
python=/usr/bin/python3
demo_domain=apps.osproxy.test

say() { printf 'run: %s\n' "$*" >&2; }
die() {
    say "$1"
    shift
    for line; do say "    $line"; done
    exit 1
}

# ---- what was asked for --------------------------------------------------------------------------

is_port() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && [ "$1" -le 65535 ]; }

is_host_name() {
    local label='[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
    [ ${#1} -le 253 ] && [[ $1 =~ ^($label\.)*$label$ ]] && ! [[ $1 =~ (^|\.)[0-9]+$ ]]
}

is_address() {
    "$python" -c 'import ipaddress, sys; ipaddress.ip_address(sys.argv[1])' "$1" 2>/dev/null
}

check_backend() { # <URL>: puts scheme://host[:port] on stdout
    local url=${1%/} host port
    [[ $url =~ ^(http|https)://(\[[0-9A-Fa-f:.]+\]|[^][/:@?#]+)(:([0-9]+))?$ ]] \
        || die "BACKEND '$1' is not usable" \
            "allowed: http://HOST, https://HOST or either with :PORT, HOST a name or an address" \
            "no user, path or query: OutSystems paths must stay as they are" \
            "several app servers: BACKEND='http://10.0.0.5 http://10.0.0.6'"
    host=${BASH_REMATCH[2]}
    port=${BASH_REMATCH[4]}
    host=${host#[}
    host=${host%]}
    is_host_name "$host" || is_address "$host" \
        || die "BACKEND '$1' is not usable: '$host' is neither a host name nor an address"
    [ -z "$port" ] || is_port "$port" \
        || die "BACKEND '$1' is not usable: port '$port' is not in 1 to 65535"
    printf '%s\n' "$url"
}

check_settings() {
    [ -x "$python" ] || die "$python is missing; 'build/setup.sh run' installs it"
    local given url
    backends=()
    IFS=$' \t\n,' read -r -d '' -a given <<<"${BACKEND:-}" || true
    for given in "${given[@]}"; do
        url=$(check_backend "$given") || exit 1
        [[ " ${backends[*]} " != *" $url "* ]] || die "BACKEND names $url twice"
        backends+=("$url")
    done
    demo=
    [ ${#backends[@]} -gt 0 ] || demo=1
    [ -n "$demo" ] || [ -n "${DOMAIN:-}" ] || die \
        "BACKEND needs DOMAIN: the host name that Service Center knows the environment by" \
        "make run BACKEND='$BACKEND' DOMAIN=apps.example.com"
    domain=${DOMAIN:-$demo_domain}
    is_host_name "$domain" || die "DOMAIN '$domain' is not usable" \
        "allowed: a host name such as apps.example.com; no scheme, port, path or address"
    domain=${domain,,}
    address=${ADDRESS:-127.0.0.80}
    is_address "$address" || die "ADDRESS '$address' is not usable" \
        "allowed: an IPv4 or IPv6 address of this machine, such as 127.0.0.81 or ::1"
    http_port=${HTTP_PORT:-80}
    https_port=${HTTPS_PORT:-443}
    is_port "$http_port" || die "HTTP_PORT '$http_port' is not usable; allowed: 1 to 65535"
    is_port "$https_port" || die "HTTPS_PORT '$https_port' is not usable; allowed: 1 to 65535"
    [ "$http_port" != "$https_port" ] || die "HTTP_PORT and HTTPS_PORT are both $http_port"
    internal=${INTERNAL:-${demo:+127.0.0.99}}
    internal=${internal//,/ }
    [[ $internal =~ ^[0-9A-Fa-f.:/\ ]*$ ]] || die "INTERNAL '$INTERNAL' is not usable" \
        "allowed: addresses and networks such as 10.0.0.0/8, separated by blanks or commas"
    if [ -n "${BACKEND_CA:-}" ]; then
        [ -r "$BACKEND_CA" ] || die "BACKEND_CA '$BACKEND_CA' is not a readable file"
        BACKEND_CA=$(cd "$(dirname "$BACKEND_CA")" && pwd)/${BACKEND_CA##*/}
    fi
}

warn_about_settings() {
    if [ "$http_port" != 80 ] || [ "$https_port" != 443 ]; then
        say "warning: OutSystems serves 80 and 443 only; on other ports its apps are not supported"
    fi
    [[ $address == 127.* || $address == ::1 ]] \
        || say "warning: $address can be reached from the network"
    if [[ " ${backends[*]}" == *" https:"* ]] && [ -z "${BACKEND_CA:-}" ]; then
        say "warning: app servers must have a certificate for $domain, but who signed it is not" \
            "checked; BACKEND_CA=<PEM file> makes it so"
    fi
}

# ---- what is there -------------------------------------------------------------------------------

find_httpd() {
    local apxs
    apxs=$(command -v apxs || command -v apxs2 || true)
    [ -n "$apxs" ] || die "apxs was not found; 'build/setup.sh build run' installs it"
    httpd=${HTTPD:-$("$apxs" -q sbindir)/$("$apxs" -q progname)}
    libexec=$("$apxs" -q LIBEXECDIR)
    module=${MODULE:-$root/build/out/mod_osproxy.so}
    [ -x "$httpd" ] || die "$httpd was not found; 'build/setup.sh run' installs it"
    [ -f "$module" ] || die "$module is missing; 'make' builds it"
    module=$(cd "$(dirname "$module")" && pwd)/${module##*/}
    user=
    if [ "$(id -u)" = 0 ]; then
        for user in www-data apache daemon; do
            ! id "$user" >/dev/null 2>&1 || break
        done
    fi
}

try_port() { # <port>: free, taken, forbidden or elsewhere (not an address of this machine)
    "$python" - "$address" "$1" <<'PYTHON'
import errno, socket, sys
address, port = sys.argv[1], int(sys.argv[2])
words = {errno.EADDRINUSE: "taken", errno.EACCES: "forbidden", errno.EADDRNOTAVAIL: "elsewhere"}
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((address, port))
        probe.listen()
        print("free")
    except OSError as error:
        print(words.get(error.errno, error.strerror))
PYTHON
}

name_holder() { # <port>: who listens on it, as far as ss tells; sets holder_everywhere
    holder_everywhere=
    command -v ss >/dev/null || return 0
    local local_address process
    while read -r _ _ _ local_address _ process; do
        case $local_address in
            "$address:$1" | "[$address]:$1") ;;
            "0.0.0.0:$1" | "*:$1" | "[::]:$1") holder_everywhere=1 ;;
            *) continue ;;
        esac
        process=$(sed -nE 's/^users:\(\("([^"]*)",pid=([0-9]+).*/by \1 (pid \2)/p' <<<"$process")
        say "    held ${process:-by a process that only root can see} on $local_address"
    done < <(ss -Hltnp "sport = :$1" 2>/dev/null)
}

check_port() { # <variable> <port> <port to suggest>
    local state
    state=$(try_port "$2")
    case $state in
        free) return ;;
        taken)
            say "port $2 of $address is taken"
            name_holder "$2"
            say "ways out: stop that process; or"
            [ -n "$holder_everywhere" ] || say "    make run ADDRESS=127.0.0.81"
            say "    make run $1=$3   (OutSystems itself is supported on 80 and 443 only)"
            ;;
        forbidden)
            say "port $2 of $address needs root; ways out:"
            say "    sudo make run"
            say "    make run HTTP_PORT=8080 HTTPS_PORT=8443   (OutSystems itself is supported on" \
                "80 and 443 only)"
            ;;
        elsewhere)
            say "ADDRESS $address is not an address of this machine; see: ip address"
            ;;
        *) say "port $2 of $address: $state" ;;
    esac
    exit 1
}

# ---- start and stop ------------------------------------------------------------------------------

run=
pids=()
names=()
tail_pid=

start() { # <name> <command>...: in a session of its own, so that the terminal's signals do not
    # reach it (httpd takes a resized window, SIGWINCH, as an order to stop)
    local name=$1
    shift
    setsid "$@" </dev/null &
    pids+=($!)
    names+=("$name")
}

is_running() { kill -0 "$1" 2>/dev/null; } # a child that ended has been reaped by bash by then

# shellcheck disable=SC2317  # called by trap
stop_all() {
    local status=$? pid count
    trap '' INT TERM HUP PIPE
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do
        for ((count = 0; count < 100; count++)); do
            is_running "$pid" || break
            sleep 0.1
        done
        # Each is the head of its own process group: httpd's children, should it have been killed.
        kill -KILL -- "-$pid" 2>/dev/null || true
    done
    [ -z "$tail_pid" ] || kill "$tail_pid" 2>/dev/null || true
    wait
    [ -z "$run" ] || rm -rf "$run"
    exit "$status"
}

# shellcheck disable=SC2317  # called by trap
asked_to_stop() {
    printf '\n'
    say "stopping" || true
    exit 0
}

wait_for() { # <name> <pid> <seconds> <command>...: until the command succeeds or the process ends
    local name=$1 pid=$2 deadline=$((SECONDS + $3))
    shift 3
    until "$@"; do
        is_running "$pid" || return 1
        if [ $SECONDS -ge $deadline ]; then
            say "$name has not come up in time"
            return 1
        fi
        sleep 0.05
    done
}

start_farm() {
    local name
    for name in APP01 APP02; do
        start "$name" "$python" "$root/test/farm/farm.py" --listen 127.0.0.1:0 --name "$name" \
            --ready-file "$run/$name"
        wait_for "$name" "${pids[-1]}" 15 test -f "$run/$name" \
            || die "app server $name did not start"
        backends+=("http://$(<"$run/$name")")
    done
}

make_certificate() {
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 \
            -subj "/CN=mod_osproxy run" -keyout "$run/ca.key" -out "$run/ca.crt" \
            -addext keyUsage=critical,keyCertSign
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/O=mod_osproxy" \
            -keyout "$run/server.key" -out "$run/server.csr"
        openssl x509 -req -in "$run/server.csr" -CA "$run/ca.crt" -CAkey "$run/ca.key" -days 90 \
            -set_serial "0x$(openssl rand -hex 8)" -out "$run/server.crt" \
            -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$domain")
    } >"$run/openssl.log" 2>&1 || {
        cat "$run/openssl.log" >&2
        die "openssl could not make a certificate"
    }
    rm "$run/ca.key"
    chmod 600 "$run/server.key"
}

load_modules() { # LoadModule lines for what is not compiled in
    local static name
    static=$("$httpd" -l)
    for name in mpm_event unixd log_config logio watchdog authz_core authz_host alias ssl \
        socache_shmcb http2 slotmem_shm proxy proxy_http proxy_balancer lbmethod_byrequests \
        ${demo:+cache cache_disk}; do
        if [ -f "$libexec/mod_$name.so" ]; then
            echo "LoadModule ${name}_module \"$libexec/mod_$name.so\""
        elif ! grep -q "^ *mod_$name\.c$" <<<"$static"; then
            die "$libexec/mod_$name.so is missing; 'build/setup.sh run' installs it" >&2
        fi
    done
    echo "LoadModule osproxy_module \"$module\""
}

write_configuration() {
    local listen=$address https_host=$domain url
    [[ $address != *:* ]] || listen="[$address]"
    [ "$https_port" = 443 ] || https_host+=":$https_port"
    {
        echo "ServerRoot \"$run\""
        load_modules
        printf 'Define %s "%s"\n' RUN "$run" DOMAIN "$domain" HTTPS_HOST "$https_host" \
            LISTEN "$listen" HTTP_PORT "$http_port" HTTPS_PORT "$https_port"
        [ -z "$demo" ] || echo "Define DEMO"
        [[ " ${backends[*]}" != *" https:"* ]] || echo "Define FARM_TLS"
        [ -z "${BACKEND_CA:-}" ] || echo "Define BACKEND_CA \"$BACKEND_CA\""
        [ -z "$user" ] || printf 'User %s\nGroup %s\n' "$user" "$(id -gn "$user")"
        [ -z "$internal" ] || echo "OSProxyInternal $internal"
        echo '<Proxy "balancer://servers">'
        # IIS closes idle connections after 120 seconds: ours go before that.
        printf '    BalancerMember "%s" ttl=60 retry=5\n' "${backends[@]}"
        echo '</Proxy>'
        echo "Include \"$here/run/httpd.conf\""
    } >"$run/httpd.conf"
}

# shellcheck disable=SC2317  # called by wait_for
answers() { # <address> <port>
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

start_httpd() {
    reach=$address # where clients on this machine find it
    [ "$address" != 0.0.0.0 ] || reach=127.0.0.1
    [ "$address" != :: ] || reach=::1
    resolve=$reach
    [[ $reach != *:* ]] || resolve="[$reach]"
    # An error of the audit, say of HTTP_PORT=8080, does not keep httpd from starting.
    "$httpd" -f "$run/httpd.conf" -t >"$run/configtest" 2>&1 || grep -q '^osproxy: ' "$run/configtest" || {
        cat "$run/configtest" >&2
        die "httpd does not accept the configuration (above)"
    }
    # Of a real farm: the audit's findings. The demo's servers are on ports of their own on purpose.
    [ -n "$demo" ] || grep -v -e '^Syntax OK$' -e AH00014 "$run/configtest" >&2 || true
    : >"$run/error.log"
    start httpd "$httpd" -f "$run/httpd.conf" -DFOREGROUND
    wait_for httpd "${pids[-1]}" 20 answers "$reach" "$https_port" || {
        grep -v AH01882 "$run/error.log" >&2 || true
        die "httpd did not start"
    }
    {
        printf 'silent\nshow-error\nnoproxy = "*"\ncacert = "%s"\n' "$run/ca.crt"
        printf 'resolve = "%s:%s:%s"\n' "$domain" "$http_port" "$resolve" \
            "$domain" "$https_port" "$resolve"
    } >"$run/curlrc"
}

show_complaints() { # of httpd, from its start on and as they come; AH01882 is about the patch level
    # of OpenSSL that the distribution built httpd with
    tail -n +1 -f "$run/error.log" > >(exec grep --line-buffered -ve ':notice\]' -e AH01882 >&2) &
    tail_pid=$!
}

# ---- what to look at -----------------------------------------------------------------------------

rule() { # <rule> <what it does> <command for the demo farm> [command for any farm]
    local see=${4:-}
    [ -z "$demo" ] || see=$3
    printf '  %-16s %s\n' "$1" "$2"
    [ -z "$see" ] || printf '  %-16s     %s\n' '' "$see"
}

print_rules() {
    local curl="curl -K $run/curlrc" odd_port="-o /dev/null -H 'Host: $domain:8443'"
    local scripts='{Portal/_osjs,MyApp/scripts/OutSystems,Portal/_osjs,MyApp/scripts/OutSystems}.js'
    echo "What each rule does, and a command that shows it:"
    rule preserve-host "The app server receives the Host that the client sent." \
        "$curl $https_url/Echo/"
    rule default-ports "A Host with another port than 80 or 443 is counted and reported." \
        "$curl $odd_port $https_url/Echo/ $https_url/osproxy-status?json" \
        "$curl $odd_port $https_url/ $https_url/osproxy-status?json"
    rule negotiate "External clients are not offered Negotiate; NTLM stays." \
        "$curl --http1.1 -I $https_url/WinAuth/"
    rule domain-https "Plain http for Reactive or Mobile modules goes to https; POST is refused." \
        "$curl -i -d x=1 $http_url/MyApp/" "$curl -I $http_url/"
    rule path-unchanged "Path and query reach the app server byte for byte." \
        "$curl --path-as-is '$https_url/Echo/a%2Fb//%7Ec;d?'"
    rule no-cache "Reactive and Mobile modules are never cached; Traditional ones may be." \
        "$curl -D - -o /dev/null '$https_url/$scripts' | grep -i -e ^HTTP -e ^X-Cache"
    rule keep-alive "Idle client connections stay open for 30 seconds (httpd alone: 5)." \
        "$curl --http1.1 -I -H 'Connection: keep-alive' $https_url/Echo/" \
        "$curl --http1.1 -I -H 'Connection: keep-alive' $https_url/"
    rule forwarded-proto "X-Forwarded-Proto is the client's scheme; a forged one is dropped." \
        "$curl -H 'X-Forwarded-Proto: http' $https_url/Echo/"
    rule pinned-auth "Who signs in with NTLM or Kerberos has an app server connection of their own." \
        "$curl --http1.1 --ntlm -u 'LAB\\alice:alicepw' $https_url/WinAuth/" \
        "$curl --http1.1 --ntlm -u 'DOMAIN\\user' $https_url/"
}

print_windows_authentication() {
    cat <<EOF

Windows authentication needs HTTP/1.1: it belongs to a connection, which HTTP/2 shares.
EOF
    [ -n "$demo" ] || return 0
    cat <<EOF
  the challenges of an internal client, with Negotiate:
      curl -K $run/curlrc --http1.1 -I --interface 127.0.0.99 $https_url/WinAuth/
  signing in at an app server itself:
      curl --ntlm -u 'LAB\\alice:alicepw' ${backends[0]}/WinAuth/
EOF
}

print_guide() {
    local consoles=$internal
    cat <<EOF

mod_osproxy is running at $address, ports $http_port and $https_port. Ctrl-C stops it.

App servers: ${backends[*]}
Open:
EOF
    if [ -n "$demo" ]; then
        printf '  %-44s %s\n' "$https_url/MyApp/" "a Reactive module" \
            "$https_url/MyMobile/" "a Mobile module" \
            "$https_url/Portal/" "a Traditional module" \
            "$https_url/WinAuth/" "Windows authentication" \
            "$https_url/Echo/" "what arrives at the app server"
    else
        echo "  $https_url/<module>/"
        consoles=${internal:-none (INTERNAL=10.0.0.0/8 names some)}
    fi
    printf '  %-44s %s\n' "$https_url/osproxy-status" "every rule and what it has done so far"
    cat <<EOF
In a browser: trust $run/ca.crt (made for this run), and
      echo '$reach $domain' | sudo tee -a /etc/hosts
With curl:
      curl --resolve $domain:$https_port:$resolve --cacert $run/ca.crt $https_url/
  or, the same in short:
      curl -K $run/curlrc $https_url/
Consoles (ServiceCenter, lifetime, Users, ...) are for internal clients: $consoles

EOF
    print_rules
    print_windows_authentication
    printf '\nAccess log: %s. What httpd complains about follows.\n\n' "$run/access.log"
}

# One request through everything, so that a farm that does not answer is noticed now.
try_farm() {
    local status
    status=$(curl -K "$run/curlrc" --max-time 15 -o /dev/null -w '%{http_code}' "$https_url/") \
        || true
    case $status in
        5*) say "warning: $https_url/ answers $status: no app server, or one in trouble" ;;
        000 | '') say "warning: $https_url/ does not answer" ;;
        *) say "checked: $https_url/ answers $status" ;;
    esac
}

# ---- main ----------------------------------------------------------------------------------------

trap stop_all EXIT
trap asked_to_stop INT TERM HUP
check_settings
find_httpd
check_port HTTP_PORT "$http_port" 8080
check_port HTTPS_PORT "$https_port" 8443
warn_about_settings

run=$(mktemp -d "${TMPDIR:-/tmp}/osproxy.XXXXXX")
mkdir "$run/htdocs" "$run/cache"
chmod 755 "$run"
[ -z "$user" ] || chown "$user" "$run/cache"

[ -z "$demo" ] || start_farm
make_certificate
write_configuration
start_httpd

http_url=http://$domain
https_url=https://$domain
[ "$http_port" = 80 ] || http_url+=":$http_port"
[ "$https_port" = 443 ] || https_url+=":$https_port"
print_guide
try_farm
show_complaints

wait -n "${pids[@]}" || true
for index in "${!pids[@]}"; do
    is_running "${pids[index]}" || say "${names[index]} (pid ${pids[index]}) has ended; stopping"
done
exit 1
