# Sourced by every script of this directory. Real counterparties on loopback, no containers.
#   DIR       data, config, log and pid of what a script starts (default ./.testbed/NAME)
#   HOST      the loopback address to bind                       (default 127.0.0.1)
#   TB_CACHE  what is installed or built once and kept           (default ~/.cache/testbed)
# A script installs what is missing, then prints one line "NAME key=value ...".
set -euo pipefail
NAME=$(basename "${BASH_SOURCE[-1]}" .sh)
TESTBED=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
HOST=${HOST:-127.0.0.1}
TB_CACHE=${TB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/testbed}
DIR=${DIR:-$PWD/.testbed/$NAME}
mkdir -p "$DIR" "$TB_CACHE"
DIR=$(cd "$DIR" && pwd)
TB_CACHE=$(cd "$TB_CACHE" && pwd)
export PATH=$PATH:/usr/sbin:/sbin

die() {
  echo "$NAME: $*" >&2
  exit 1
}

# quiet LOG COMMAND...   runs it with its output in $DIR/LOG, shows the end of that on failure
quiet() {
  local log=$DIR/$1
  shift
  "$@" >"$log" 2>&1 || {
    tail -15 "$log" >&2
    die "'$*' failed (all of it: $log)"
  }
}

# locked NAME COMMAND...   two runs that both find something missing install it once
locked() {
  local lock=$TB_CACHE/$1.lock
  shift
  (
    flock 9
    "$@"
  ) 9>"$lock"
}

# apt_need COMMAND-OR-FILE PACKAGE...   as root, or by sudo without a password
apt_need() {
  local want=$1
  shift
  { [ -e "$want" ] || command -v "$want" >/dev/null 2>&1; } && return 0
  local root=
  [ "$(id -u)" = 0 ] || root="sudo -n"
  echo "$NAME: apt-get install $*" >&2
  $root apt-get update -qq >&2 || true
  quiet apt.log $root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "$@"
  { [ -e "$want" ] || command -v "$want" >/dev/null 2>&1; } || die "no $want after installing $*"
}

# go_need BINARY MODULE/PATH@VERSION   -> $TB_CACHE/go/BINARY-VERSION
go_need() { locked "go-$1" _go_need "$@"; }
_go_need() {
  local out=$TB_CACHE/go/$1-${2##*@} bin
  [ -x "$out" ] && return 0
  command -v go >/dev/null 2>&1 || die "needs the go command"
  echo "$NAME: go install $2" >&2
  bin=$(mktemp -d "$TB_CACHE/go.XXXXXX")
  quiet go.log env GOBIN="$bin" GOFLAGS="-p=${GO_P:-1}" nice -n 15 go install -buildvcs=false "$2"
  mkdir -p "$TB_CACHE/go"
  mv "$bin"/* "$out"
  rmdir "$bin"
}

# py_need SET PIP-SPEC...   -> $TB_CACHE/py/SET/bin/python
py_need() { locked "py-$1" _py_need "$@"; }
_py_need() {
  local dir=$TB_CACHE/py/$1
  shift
  [ "$(cat "$dir/.specs" 2>/dev/null)" = "$*" ] && return 0
  echo "$NAME: pip install $*" >&2
  rm -rf "$dir"
  quiet venv.log python3 -m venv "$dir"
  quiet pip.log "$dir/bin/pip" install -q "$@"
  echo "$*" >"$dir/.specs"
}

# npm_need SET PACKAGE@VERSION...   -> $TB_CACHE/npm/SET/node_modules
npm_need() { locked "npm-$1" _npm_need "$@"; }
_npm_need() {
  local dir=$TB_CACHE/npm/$1
  shift
  [ "$(cat "$dir/.specs" 2>/dev/null)" = "$*" ] && return 0
  echo "$NAME: npm install $*" >&2
  rm -rf "$dir"
  mkdir -p "$dir"
  echo '{"private":true,"type":"module"}' >"$dir/package.json"
  quiet npm.log npm --prefix "$dir" install --loglevel=error --no-audit --no-fund --save-exact "$@"
  echo "$*" >"$dir/.specs"
}

# spawn COMMAND...   in the background, its own session, output to $DIR/log; $DIR/pid and PID
spawn() {
  setsid "$@" >>"$DIR/log" 2>&1 </dev/null &
  PID=$!
  echo "$PID" >"$DIR/pid"
}

# A process that ended may stay a zombie where nobody reaps, and kill -0 calls that alive.
is_alive() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$PID/status" 2>/dev/null; }

# wait_tcp PORT [SECONDS]
wait_tcp() {
  local port=$1 tries=$((${2:-60} * 10))
  until (exec 3<>"/dev/tcp/$HOST/$port") 2>/dev/null; do
    is_alive || {
      tail -15 "$DIR/log" >&2
      die "ended at start (all of it: $DIR/log)"
    }
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || die "port $port is not open after ${2:-60} s"
    sleep 0.1
  done
}
