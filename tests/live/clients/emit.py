"""Sends logs, metrics and traces with the OpenTelemetry SDK, in every kind of value that it has.

emit.py grpc|http URL none|gzip   ends with 0 only if every export was acknowledged
"""

import importlib
import sys

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

LOGS, SPANS, POINTS = 3000, 800, 300
PROTOCOL, URL, COMPRESSION = sys.argv[1:]
PACKAGE = f"opentelemetry.exporter.otlp.proto.{PROTOCOL}"
FAILURES = []


def exporter(module, name, signal, success, **settings):
    """The SDK's exporter, which notes what was not acknowledged."""
    base = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)

    class Noting(base):
        def export(self, *arguments, **named):
            result = super().export(*arguments, **named)
            if result is not success:
                FAILURES.append((signal, result))
            return result

    if PROTOCOL == "grpc":
        grpc = importlib.import_module("grpc")
        compression = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
        settings |= {"endpoint": URL, "insecure": True}
    else:
        compression = importlib.import_module(PACKAGE).Compression
        compression = {"none": compression.NoCompression, "gzip": compression.Gzip}
        settings |= {"endpoint": f"{URL}/v1/{signal}"}
    return Noting(compression=compression[COMPRESSION], **settings)


ATTRIBUTES = {
    "text": "g\u00fc\u00dfe \U0001f525 \u0000\t\"\\",
    "empty": "",
    "yes": True,
    "no": False,
    "zero": 0,
    "most": 2**63 - 1,
    "least": -(2**63),
    "double": 0.1,
    "whole double": 5.0,
    "tiny": 5e-324,
    "endless": float("-inf"),
    "texts": ["one", "", "drei"],
    "numbers": [1, -1, 2**53 + 1],
    "doubles": [0.5, -0.0],
    "flags": [True, False],
    "none of these": [],
}
BODY = {
    "text": "inner",
    "bytes": bytes(range(256)),
    "list": [1, "two", 3.0, None, True, b"\xff", {"deep": [[], {}]}],
    "map": {"b": 2, "a": 1, "": "empty key"},
}
BODIES = ["plain", "", "long " * 2000, 42, 1.5, False, b"\x00\xff", [1, [2, [3]]], BODY, None]
RESOURCES = [
    Resource({"service.name": "melt", **ATTRIBUTES}, "https://example.com/resource/1"),
    Resource({"service.name": "pour", "service.instance.id": "7"}),
]


def emit_logs(resource):
    out = exporter("_log_exporter", "OTLPLogExporter", "logs", LogRecordExportResult.SUCCESS)
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(out, max_queue_size=2 * LOGS))
    loggers = [
        provider.get_logger("first", "1.0", "https://example.com/scope/1", {"scope": "one"}),
        provider.get_logger("second"),
    ]
    severities = list(SeverityNumber)
    context = trace.set_span_in_context(trace.NonRecordingSpan(remote(7)))
    for number in range(LOGS):
        severity = severities[number % len(severities)]
        loggers[number % 2].emit(
            LogRecord(
                timestamp=1_700_000_000_000_000_000 + number,
                observed_timestamp=1_700_000_000_000_000_001 + number,
                context=context if number % 3 else None,
                severity_number=severity,
                severity_text=severity.name if number % 5 else None,
                body=BODIES[number % len(BODIES)],
                attributes=ATTRIBUTES | {"number": number} if number % 7 else None,
                event_name="melt.cold" if number % 4 == 0 else None,
            )
        )
    assert provider.force_flush()
    provider.shutdown()


def remote(number):
    state = TraceState([("forge", "hot"), ("vendor", str(number))])
    return SpanContext(2**127 + number, 2**63 + number, True, TraceFlags(number % 2), state)


def emit_traces(resource):
    out = exporter("trace_exporter", "OTLPSpanExporter", "traces", SpanExportResult.SUCCESS)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(out, max_queue_size=2 * SPANS))
    tracer = provider.get_tracer("first", "1.0", "https://example.com/scope/1", {"scope": "one"})
    kinds, codes = list(SpanKind), list(StatusCode)
    for number in range(SPANS // 2):
        parent = trace.set_span_in_context(trace.NonRecordingSpan(remote(2 * number + 1)))
        with tracer.start_as_current_span(
            f"pour {number}",
            context=parent if number % 3 == 0 else None,
            kind=kinds[number % len(kinds)],
            attributes=ATTRIBUTES,
            links=[Link(remote(number), ATTRIBUTES), Link(remote(number + 1))],
        ) as span:
            span.add_event("tapped", ATTRIBUTES, timestamp=1_700_000_000_000_000_000 + number)
            span.add_event("", {})
            code = codes[number % len(codes)]
            span.set_status(Status(code, "spilled" if code is StatusCode.ERROR else None))
            with tracer.start_as_current_span("", record_exception=True):
                pass
    assert provider.force_flush()
    provider.shutdown()


def emit_metrics(resource, temporality):
    out = exporter(
        "metric_exporter",
        "OTLPMetricExporter",
        "metrics",
        MetricExportResult.SUCCESS,
        preferred_temporality={Counter: temporality, Histogram: temporality},
    )
    view = View(instrument_name="exponential*", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(out, export_interval_millis=3_600_000)],
        resource=resource,
        exemplar_filter=AlwaysOnExemplarFilter(),
        shutdown_on_exit=False,
        views=[view],
    )
    meter = provider.get_meter("first", "1.0", "https://example.com/scope/1", {"scope": "one"})
    counter = meter.create_counter("counter", "By", "what it counts")
    doubles = meter.create_counter("counter.double")
    gauge = meter.create_gauge("gauge", "Cel")
    up_down = meter.create_up_down_counter("up_down")
    histogram = meter.create_histogram("histogram", "s", "how long")
    exponential = meter.create_histogram("exponential", "s")
    seen = [Observation(n / 3, {"n": n}) for n in range(POINTS)]
    meter.create_observable_gauge("observed", callbacks=[lambda _: seen])
    whole = [Observation(2**62 + n, {"n": n}) for n in range(POINTS)]
    meter.create_observable_counter("observed.counter", callbacks=[lambda _: whole])
    for number in range(POINTS):
        attributes = ATTRIBUTES | {"n": number % 50}
        counter.add(number, attributes)
        doubles.add(number / 7, attributes)
        gauge.set(-number / 3 if number % 2 else number, {"n": number})
        up_down.add(number - POINTS // 2, attributes)
        histogram.record(number * 1.5, attributes)
        exponential.record(number * 0.37e-3, {"n": number % 5})
    assert provider.force_flush()
    counter.add(1)
    provider.shutdown()


for resource, temporality in zip(RESOURCES, list(AggregationTemporality)[1:]):
    emit_logs(resource)
    emit_traces(resource)
    emit_metrics(resource, temporality)
if FAILURES:
    sys.exit(f"not acknowledged: {FAILURES[:10]}")
