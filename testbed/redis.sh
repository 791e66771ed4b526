#!/usr/bin/env bash
# A Redis server, for the cache that nodes share. Nothing is kept.
#   bash testbed/redis.sh                    installs it when missing, prints its path
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
apt_need redis-server redis-server
echo "$NAME binary=$(command -v redis-server)"
