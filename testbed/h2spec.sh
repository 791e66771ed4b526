#!/usr/bin/env bash
# h2spec: conformance of a running plain-text HTTP/2 server.
#   bash testbed/h2spec.sh                   installs it when missing, prints its path
#   PORT=8080 bash testbed/h2spec.sh         runs it against HOST:PORT; fails on what is not KNOWN
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
# The newest version that the module proxy has.
VERSION=v2.2.1+incompatible
go_need h2spec "github.com/summerwind/h2spec/cmd/h2spec@$VERSION"
H2SPEC=$TB_CACHE/go/h2spec-$VERSION
[ -n "${PORT:-}" ] || {
  echo "$NAME binary=$H2SPEC"
  exit 0
}
# A port that speaks HTTP/1.1 too answers an invalid preface with 400 and closes, where h2spec
# wants the close alone.
KNOWN='Sends invalid connection preface'
"$H2SPEC" -h "$HOST" -p "$PORT" >"$DIR/log" 2>&1 || true
SUMMARY=$(grep -E '^[0-9]+ tests, ' "$DIR/log") || {
  tail -15 "$DIR/log" >&2
  die "gave no result (all of it: $DIR/log)"
}
FAILURES=$(sed -n '/^Failures:/,$p' "$DIR/log")
echo "$NAME result=\"$SUMMARY\" log=$DIR/log"
[ -z "$(grep -F $'\xc3\x97' <<<"$FAILURES" | grep -vF "$KNOWN")" ] || {
  echo "$FAILURES" >&2
  die "failures that are not known"
}
