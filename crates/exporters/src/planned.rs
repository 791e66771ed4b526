//! Components that come with later versions: their settings are checked today, so that a
//! configuration that names them is either right or told what is wrong with it. They can not run,
//! and loading says so (`BSM-0115`). A component that arrives takes its row out of here.

#![expect(dead_code, reason = "schemas are made of the fields; nothing reads them yet")]

mod cloud;
mod headers;
mod http;
mod integrations;
mod kafka;

use bessemer_pipeline::catalog::{ALL_SIGNALS, Planned, Role, schema_of};
use bessemer_record::Signal;

/// The components.
pub(crate) const PLANNED: &[Planned] = &[
    exporter("otelcol.exporter.datadog", &[], schema_of::<cloud::Datadog>),
    exporter(
        "otelcol.exporter.awscloudwatchmetrics",
        &["otelcol.exporter.awsemf"],
        schema_of::<cloud::CloudWatchMetrics>,
    ),
    exporter("otelcol.exporter.awscloudwatchlogs", &[], schema_of::<cloud::CloudWatchLogs>),
    exporter("otelcol.exporter.azuremonitor", &[], schema_of::<cloud::AzureMonitor>),
    exporter("otelcol.exporter.googlecloud", &[], schema_of::<cloud::GoogleCloud>),
    exporter("otelcol.exporter.kafka", &[], schema_of::<kafka::Kafka>),
    exporter("otelcol.exporter.http", &[], schema_of::<http::Http>),
    integration("bessemer.exporter.local_api", schema_of::<integrations::LocalApi>),
    integration("bessemer.exporter.zabbix", schema_of::<integrations::Zabbix>),
    integration("bessemer.exporter.csv", schema_of::<integrations::Csv>),
    integration("bessemer.exporter.json", schema_of::<integrations::Json>),
    integration("bessemer.exporter.webhook", schema_of::<integrations::Webhook>),
    extension(
        "otelcol.auth.headers",
        &["otelcol.auth.headers_setter"],
        schema_of::<headers::Headers>,
    ),
];

const fn exporter(
    name: &'static str,
    aliases: &'static [&'static str],
    schema: fn() -> schemars::Schema,
) -> Planned {
    Planned { name, aliases, role: Role::Exporter, signals: ALL_SIGNALS, schema }
}

const fn integration(name: &'static str, schema: fn() -> schemars::Schema) -> Planned {
    Planned { name, aliases: &[], role: Role::Exporter, signals: &[Signal::Logs], schema }
}

const fn extension(
    name: &'static str,
    aliases: &'static [&'static str],
    schema: fn() -> schemars::Schema,
) -> Planned {
    Planned { name, aliases, role: Role::Extension, signals: &[], schema }
}
