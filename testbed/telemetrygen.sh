#!/usr/bin/env bash
# telemetrygen of OpenTelemetry: logs, metrics and traces by its own Go exporters.
#   bash testbed/telemetrygen.sh             installs it when missing, prints its path
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
VERSION=0.149.0
go_need telemetrygen \
  "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v$VERSION"
echo "$NAME binary=$TB_CACHE/go/telemetrygen-v$VERSION"
