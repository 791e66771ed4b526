#!/usr/bin/env bash
# The OpenTelemetry SDK of Node with its OTLP exporters for JSON over HTTP.
#   bash testbed/otel-node.sh                installs it when missing, prints where
# A CommonJS program anywhere finds the packages with NODE_PATH set to node_modules=.
# The last release line that runs on Node 18 and 20; the next one asks for Node 22.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
STABLE=2.12.0
EXPERIMENTAL=0.223.0
npm_need otel "@opentelemetry/api-logs@$EXPERIMENTAL" "@opentelemetry/api@1.9.0" \
  "@opentelemetry/sdk-logs@$EXPERIMENTAL" "@opentelemetry/sdk-metrics@$STABLE" \
  "@opentelemetry/sdk-trace-base@$STABLE" "@opentelemetry/resources@$STABLE" \
  "@opentelemetry/exporter-logs-otlp-http@$EXPERIMENTAL" \
  "@opentelemetry/exporter-metrics-otlp-http@$EXPERIMENTAL" \
  "@opentelemetry/exporter-trace-otlp-http@$EXPERIMENTAL"
echo "$NAME dir=$TB_CACHE/npm/otel node_modules=$TB_CACHE/npm/otel/node_modules"
