#!/bin/sh
# start.sh: the container's process: httpd in the foreground, in place of this shell. Arguments are httpd's.
set -e # not -u: Debian's envvars asks for what is not set
# shellcheck source=/dev/null
. /etc/apache2/envvars
exec /usr/sbin/apache2 -DFOREGROUND "$@"
