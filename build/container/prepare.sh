#!/bin/sh
# prepare.sh: what the container file does once everything is installed.
set -eu

# www-data may listen on 80 and 443, by httpd's file alone. Where a container may not gain privileges,
# file capabilities count for nothing: there, net.ipv4.ip_unprivileged_port_start=80 does it.
setcap cap_net_bind_service=+ep /usr/sbin/apache2

# What the recipes need.
a2enmod -q ssl http2 headers rewrite remoteip deflate substitute proxy_http proxy_http2 proxy_wstunnel \
    proxy_balancer lbmethod_byrequests proxy_hcheck
a2enconf -q container
a2disconf -q other-vhosts-access-log || true
rm -f /etc/apache2/sites-enabled/*

# httpd writes there, and is not root
mkdir -p /run/apache2/socks /run/lock/apache2
chown -R www-data:www-data /run/apache2 /run/lock/apache2 /var/log/apache2 /var/cache/apache2
chmod 755 /usr/local/bin/start.sh /usr/local/bin/healthcheck.py
