#!/usr/bin/env bash
# The OpenTelemetry SDK of Python with its OTLP exporters for gRPC and for protobuf over HTTP.
#   bash testbed/otel-python.sh              installs it when missing, prints its interpreter
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
VERSION=1.45.2
py_need otel "opentelemetry-sdk==$VERSION" "opentelemetry-exporter-otlp-proto-grpc==$VERSION" \
  "opentelemetry-exporter-otlp-proto-http==$VERSION"
echo "$NAME python=$TB_CACHE/py/otel/bin/python"
