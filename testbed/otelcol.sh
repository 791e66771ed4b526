#!/usr/bin/env bash
# The OpenTelemetry Collector: peer of the bench, neighbor of Bessemer in the live tests.
#   bash testbed/otelcol.sh                  builds it when missing, prints its path
#   CONFIG=x.yaml PORT=4318 DIR=d bash testbed/otelcol.sh
#                                            also starts it, waits for PORT, prints its pid
# Its components are those of bench/peers/otelcol/builder-config.yaml; a changed list builds anew.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
VERSION=0.149.0
LIST=$TESTBED/../bench/peers/otelcol/builder-config.yaml
BINARY=$TB_CACHE/otelcol/$VERSION-$(cksum <"$LIST" | cut -d' ' -f1)/otelcol

build() {
  [ -x "$BINARY" ] && return 0
  go_need builder "go.opentelemetry.io/collector/cmd/builder@v$VERSION"
  echo "$NAME: building $BINARY, some minutes" >&2
  local out
  out=$(mktemp -d "$TB_CACHE/otelcol.XXXXXX")
  sed "s|^dist:|&\n  output_path: $out|" "$LIST" >"$DIR/builder-config.yaml"
  quiet build.log env GOFLAGS="-p=${GO_P:-1} -buildvcs=false" nice -n 15 \
    "$TB_CACHE/go/builder-v$VERSION" --config "$DIR/builder-config.yaml"
  mkdir -p "$(dirname "$BINARY")"
  mv "$out/otelcol" "$BINARY"
  rm -rf "$out"
}
locked otelcol build

if [ -z "${CONFIG:-}" ]; then
  echo "$NAME binary=$BINARY"
  exit 0
fi
[ -n "${PORT:-}" ] || die "CONFIG needs PORT: the port to wait for"
spawn "$BINARY" --config "$CONFIG"
wait_tcp "$PORT"
echo "$NAME pid=$PID port=$PORT dir=$DIR binary=$BINARY"
