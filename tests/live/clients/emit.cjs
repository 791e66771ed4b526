// Sends logs, metrics and traces with the OpenTelemetry SDK as JSON over HTTP.
//
// NODE_PATH=... node emit.cjs URL none|gzip   ends with 0 only if every export was acknowledged
'use strict';

const api = require('@opentelemetry/api');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const metrics = require('@opentelemetry/sdk-metrics');
const { TracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-http');
const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-http');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');

const LOGS = 3000;
const SPANS = 800;
const POINTS = 300;
const [url, compression] = process.argv.slice(2);
const failures = [];
api.diag.setLogger(new api.DiagConsoleLogger(), api.DiagLogLevel.WARN);

// The exporter, which notes what was not acknowledged.
function exporter(Base, signal) {
  class Noting extends Base {
    export(items, done) {
      super.export(items, result => {
        if (result.code !== 0) failures.push([signal, String(result.error)]);
        done(result);
      });
    }
  }
  return new Noting({ url: `${url}/v1/${signal}`, compression });
}

const attributes = {
  text: 'g\u00fc\u00dfe \u{1f525} \u0000\t"\\ \u2028',
  empty: '',
  yes: true,
  no: false,
  zero: 0,
  'most that is exact': Number.MAX_SAFE_INTEGER,
  least: Number.MIN_SAFE_INTEGER,
  double: 0.1,
  tiny: Number.MIN_VALUE,
  small: 1.7976931348623157e-300,
  texts: ['one', '', 'drei'],
  numbers: [1, -1, 1.5],
  flags: [true, false],
  none: [],
};
const body = {
  text: 'inner',
  bytes: Uint8Array.from({ length: 256 }, (_, byte) => byte),
  list: [1, 'two', 3.5, true, { deep: [[], {}] }],
  map: { b: 2, a: 1, '': 'empty key' },
};
const bodies = ['plain', '', 'long '.repeat(2000), 42, 1.5, false, [1, [2, [3]]], body];
const scope = { schemaUrl: 'https://example.com/scope/1' };
const remote = number => ({
  traceId: (number + 1).toString(16).padStart(32, 'f'),
  spanId: (number + 1).toString(16).padStart(16, 'e'),
  traceFlags: number % 2,
  isRemote: true,
  traceState: api.createTraceState(`forge=hot,vendor=${number}`),
});

async function emitLogs(resource) {
  const processor = new BatchLogRecordProcessor({
    exporter: exporter(OTLPLogExporter, 'logs'),
    maxQueueSize: 2 * LOGS,
  });
  const provider = new LoggerProvider({ resource, processors: [processor] });
  const loggers = [provider.getLogger('first', '1.0', scope), provider.getLogger('second')];
  const context = api.trace.setSpanContext(api.ROOT_CONTEXT, remote(7));
  for (let number = 0; number < LOGS; number += 1) {
    loggers[number % 2].emit({
      timestamp: [1_700_000_000, 123_000_000 + number],
      observedTimestamp: [1_700_000_001, number],
      context: number % 3 ? context : undefined,
      severityNumber: number % 25,
      severityText: number % 5 ? `level ${number % 25}` : undefined,
      body: bodies[number % bodies.length],
      attributes: number % 7 ? { ...attributes, number } : undefined,
      eventName: number % 4 ? undefined : 'melt.cold',
    });
  }
  await provider.forceFlush();
  await provider.shutdown();
}

async function emitTraces(resource) {
  const out = exporter(OTLPTraceExporter, 'traces');
  const processor = new BatchSpanProcessor({ exporter: out, maxQueueSize: 2 * SPANS });
  const provider = new TracerProvider({ resource, spanProcessors: [processor] });
  const tracer = provider.getTracer('first', '1.0', scope);
  for (let number = 0; number < SPANS; number += 1) {
    const parent = api.trace.setSpanContext(api.ROOT_CONTEXT, remote(2 * number + 1));
    const links = [{ context: remote(number), attributes }, { context: remote(number + 1) }];
    const context = number % 3 ? api.ROOT_CONTEXT : parent;
    const span = tracer.startSpan(number % 9 ? `pour ${number}` : '', {
      kind: number % 5,
      attributes: number % 7 ? attributes : undefined,
      links: number % 4 ? links : undefined,
    }, context);
    span.addEvent('tapped', attributes, [1_700_000_000, number]);
    span.addEvent('empty');
    const code = number % 3;
    span.setStatus(code === api.SpanStatusCode.ERROR ? { code, message: 'spilled' } : { code });
    span.end();
  }
  await provider.forceFlush();
  await provider.shutdown();
}

async function emitMetrics(resource, temporality) {
  const out = exporter(OTLPMetricExporter, 'metrics');
  out.selectAggregationTemporality = () => temporality;
  const reader = new metrics.PeriodicExportingMetricReader({
    exporter: out,
    exportIntervalMillis: 3_600_000,
  });
  const aggregation = { type: metrics.AggregationType.EXPONENTIAL_HISTOGRAM };
  const views = [{ instrumentName: 'exponential*', aggregation }];
  const provider = new metrics.MeterProvider({ resource, readers: [reader], views });
  const meter = provider.getMeter('first', '1.0', scope);
  const whole = { valueType: api.ValueType.INT };
  const counter = meter.createCounter('counter', { ...whole, unit: 'By', description: 'counts' });
  const doubles = meter.createCounter('counter.double');
  const gauge = meter.createGauge('gauge', { unit: 'Cel' });
  const upDown = meter.createUpDownCounter('up_down', whole);
  const histogram = meter.createHistogram('histogram', { unit: 's', description: 'how long' });
  const exponential = meter.createHistogram('exponential', { unit: 's' });
  meter.createObservableGauge('observed').addCallback(result => {
    for (let n = 0; n < POINTS; n += 1) result.observe(n / 3, { n });
  });
  for (let number = 0; number < POINTS; number += 1) {
    const labels = { ...attributes, n: number % 50 };
    counter.add(number, labels);
    doubles.add(number / 7, labels);
    gauge.record(number % 2 ? -number / 3 : number, { n: number });
    upDown.add(number - POINTS / 2, labels);
    histogram.record(number * 1.5, labels);
    exponential.record(number * 0.37e-3, { n: number % 5 });
  }
  await provider.forceFlush();
  counter.add(1);
  await provider.shutdown();
}

async function main() {
  const resources = [
    resourceFromAttributes({ 'service.name': 'melt', ...attributes }),
    resourceFromAttributes({ 'service.name': 'pour', 'service.instance.id': '7' }),
  ];
  for (const [index, resource] of resources.entries()) {
    await emitLogs(resource);
    await emitTraces(resource);
    await emitMetrics(resource, index);
  }
  if (failures.length > 0) {
    throw new Error(`not acknowledged: ${JSON.stringify(failures.slice(0, 10))}`);
  }
}

main().catch(error => {
  console.error(error);
  process.exitCode = 1;
});
