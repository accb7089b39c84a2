#!/usr/bin/env bash
# stage.sh: puts what every package holds besides the module below a folder: commands, man pages,
# documents, recipes. Usage: build/stage.sh <destination> <folder of documents, such as /usr/share/doc/x>
# Module and configuration go where the distribution wants them: build/debian, build/rpm.
set -euo pipefail

cd "$(dirname "$0")/.."
destination=${1:?usage: stage.sh <destination> <folder of documents>}
documents=$destination${2:?usage: stage.sh <destination> <folder of documents>}
commands=/usr/share/mod_osproxy

put() { # <mode> <file> <target>
    install -D -p -m "$1" "$2" "$3"
}

# The command looks for the others beside itself.
for file in osproxy.sh audit.sh check_live.py drain.py capacity.py; do
    put 755 "build/$file" "$destination$commands/$file"
    # bash and python are where distributions have them, whatever PATH says
    sed -i '1s,^#!/usr/bin/env bash$,#!/bin/bash,' "$destination$commands/$file"
done
mkdir -p "$destination/usr/sbin"
ln -sf "../share/mod_osproxy/osproxy.sh" "$destination/usr/sbin/osproxy"

version=$(build/package.sh version)
day=$(LC_ALL=C date -u -d "@$(build/package.sh date)" '+%B %-d, %Y')
for page in build/man/*.8; do
    put 644 "$page" "$destination/usr/share/man/man8/${page##*/}"
    sed -i "s/@VERSION@/$version/; s/@DAY@/$day/" "$destination/usr/share/man/man8/${page##*/}"
done

# In the folders that they have here: they refer to each other.
for file in README.md mod_osproxy/README.md $(find mod_osproxy/docs conf.d -type f); do
    put 644 "$file" "$documents/$file"
done
