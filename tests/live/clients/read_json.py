"""Translates OTLP JSON to protobuf with the JSON reader of protobuf itself.

On stdin a line for each request: its signal, a tab, the JSON. On stdout the length of each message
in 4 bytes, big endian, and the message.
"""

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TYPES = {
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "traces": ExportTraceServiceRequest,
}


def with_plain_ids(members):
    """The one place where OTLP differs from the JSON of protobuf: ids are hexadecimal."""
    for name in ("traceId", "spanId", "parentSpanId"):
        if isinstance(members.get(name), str):
            members[name] = base64.b64encode(bytes.fromhex(members[name])).decode()
    return members


def to_integer(text):
    """Python has no integer -0, which is how some write the double."""
    return -0.0 if text == "-0" else int(text)


for line in sys.stdin.buffer:
    signal, text = line.decode().split("\t", 1)
    tree = json.loads(text, object_hook=with_plain_ids, parse_int=to_integer)
    message = json_format.ParseDict(tree, TYPES[signal](), max_recursion_depth=200)
    encoded = message.SerializeToString()
    sys.stdout.buffer.write(len(encoded).to_bytes(4, "big") + encoded)
