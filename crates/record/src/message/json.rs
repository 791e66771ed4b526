//! The same answers in proto3 JSON.

use super::status::{BAD_REQUEST, DETAILS_MAX, RETRY_INFO, TYPE_URL, VIOLATIONS_MAX};
use super::{Detail, ExportResponse, FieldViolation, MessageError, PartialSuccess, Status};
use crate::Signal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

pub(super) fn export_response(response: &ExportResponse, signal: Signal) -> Vec<u8> {
    let partial_success = response.partial_success.as_ref().map(|partial| {
        let rejected = (partial.rejected != 0).then_some(Integer(partial.rejected));
        let mut written =
            WrittenPartial { error_message: &partial.error_message, ..WrittenPartial::default() };
        match signal {
            Signal::Logs => written.rejected_log_records = rejected,
            Signal::Metrics => written.rejected_data_points = rejected,
            Signal::Traces => written.rejected_spans = rejected,
        }
        written
    });
    to_vec(&WrittenResponse { partial_success })
}

pub(super) fn read_export_response(text: &[u8]) -> Result<ExportResponse, MessageError> {
    let response: ReadResponse = serde_json::from_slice(text)?;
    let partial_success = response.partial_success.map(|partial| PartialSuccess {
        rejected: partial.rejected.map_or(0, |Integer(number)| number),
        error_message: partial.error_message.unwrap_or_default(),
    });
    Ok(ExportResponse { partial_success })
}

pub(super) fn status(status: &Status) -> Vec<u8> {
    to_vec(&WrittenStatus {
        code: status.code,
        message: &status.message,
        details: status.details.iter().filter_map(written_detail).collect(),
    })
}

pub(super) fn read_status(text: &[u8]) -> Result<Status, MessageError> {
    let status: ReadStatus = serde_json::from_slice(text)?;
    let details = status.details.unwrap_or_default();
    Ok(Status {
        code: status.code.unwrap_or_default(),
        message: status.message.unwrap_or_default(),
        details: details.into_iter().take(DETAILS_MAX).filter_map(read_detail).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenResponse<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_success: Option<WrittenPartial<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct WrittenPartial<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_records: Option<Integer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_data_points: Option<Integer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_spans: Option<Integer>,
    #[serde(skip_serializing_if = "str::is_empty")]
    error_message: &'a str,
}

#[derive(Serialize)]
struct WrittenStatus<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    code: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<WrittenDetail<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct WrittenDetail<'a> {
    #[serde(rename = "@type")]
    type_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_delay: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_violations: Option<Vec<WrittenViolation<'a>>>,
}

#[derive(Serialize)]
struct WrittenViolation<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
}

fn written_detail(detail: &Detail) -> Option<WrittenDetail<'_>> {
    match detail {
        Detail::RetryInfo { retry_delay } => Some(WrittenDetail {
            type_url: format!("{TYPE_URL}{RETRY_INFO}"),
            retry_delay: Some(written_duration(*retry_delay)),
            field_violations: None,
        }),
        Detail::BadRequest { field_violations } => Some(WrittenDetail {
            type_url: format!("{TYPE_URL}{BAD_REQUEST}"),
            retry_delay: None,
            field_violations: Some(
                field_violations
                    .iter()
                    .map(|violation| WrittenViolation {
                        field: &violation.field,
                        description: &violation.description,
                    })
                    .collect(),
            ),
        }),
        Detail::Other { .. } => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadResponse {
    partial_success: Option<ReadPartial>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadPartial {
    #[serde(alias = "rejectedLogRecords", alias = "rejectedDataPoints", alias = "rejectedSpans")]
    rejected: Option<Integer>,
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct ReadStatus {
    code: Option<i32>,
    message: Option<String>,
    details: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadDetail {
    #[serde(rename = "@type")]
    type_url: String,
    retry_delay: Option<String>,
    field_violations: Option<Vec<ReadViolation>>,
}

#[derive(Deserialize)]
struct ReadViolation {
    field: Option<String>,
    description: Option<String>,
}

/// A detail of a type that is not known here, or that is damaged, is nothing to act on.
fn read_detail(detail: serde_json::Value) -> Option<Detail> {
    let detail: ReadDetail = serde_json::from_value(detail).ok()?;
    match detail.type_url.rsplit('/').next()? {
        RETRY_INFO => {
            let retry_delay = read_duration(detail.retry_delay.as_deref().unwrap_or("0s"))?;
            Some(Detail::RetryInfo { retry_delay })
        }
        BAD_REQUEST => {
            let violations = detail.field_violations.unwrap_or_default();
            let field_violations = violations
                .into_iter()
                .take(VIOLATIONS_MAX)
                .map(|violation| FieldViolation {
                    field: violation.field.unwrap_or_default(),
                    description: violation.description.unwrap_or_default(),
                })
                .collect();
            Some(Detail::BadRequest { field_violations })
        }
        _ => None,
    }
}

/// Seconds with no, three, six or nine digits behind the point, as proto3 JSON wants.
fn written_duration(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if nanos == 0 {
        format!("{seconds}s")
    } else if nanos % 1_000_000 == 0 {
        format!("{seconds}.{:03}s", nanos / 1_000_000)
    } else if nanos % 1_000 == 0 {
        format!("{seconds}.{:06}s", nanos / 1_000)
    } else {
        format!("{seconds}.{nanos:09}s")
    }
}

fn read_duration(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    if number.starts_with('-') {
        return Some(Duration::ZERO);
    }
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanos))
}

/// A 64-bit integer: a string when written, a string or a number when read.
struct Integer(i64);

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(code: &i32) -> bool {
    *code == 0
}

/// Writing strings and numbers to memory does not fail.
fn to_vec(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}
