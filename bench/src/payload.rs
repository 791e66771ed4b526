//! The prebuilt requests: log records of about 300 bytes, the same bytes for the same seed.
//!
//! Of every 100 records one has a security word in its body, in any case, and five are errors.
//! `event.id` is unique over all requests of a seed.

use std::io::Write;

use bessemer_runtime::{Random, SystemRandom};

use crate::wire::{put_bytes, put_fixed64, put_number};

const WORDS: [&str; 4] = ["unauthorized", "breach", "attack", "malicious"];
const FIRST_UNIX_NANOS: u64 = 1_790_000_000_000_000_000;
const METHODS: [&str; 4] = ["GET", "PUT", "POST", "PATCH"];
const SERVICES: [&str; 8] =
    ["checkout", "cart", "catalog", "payment", "shipping", "search", "identity", "gateway"];

/// What to build.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) seed: u64,
    pub(crate) requests: u64,
    pub(crate) records: u64,
    pub(crate) resources: u64,
}

impl Default for Spec {
    fn default() -> Self {
        Self { seed: 1, requests: 16, records: 1000, resources: 4 }
    }
}

/// The protobuf of `ExportLogsServiceRequest`, each request different.
pub(crate) fn requests(spec: &Spec) -> Vec<Vec<u8>> {
    let random = SystemRandom::seeded(spec.seed);
    (0..spec.requests).map(|request| build(spec, request, &random)).collect()
}

/// `raw` as a client's default gzip would send it.
pub(crate) fn gzip(raw: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory does not fail; an empty body would show at once.
    encoder.write_all(raw).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn build(spec: &Spec, request: u64, random: &SystemRandom) -> Vec<u8> {
    let alarms = chosen(spec.records, spec.records.div_ceil(100), random);
    let errors = chosen(spec.records, spec.records.div_ceil(20), random);
    let mut out = Vec::new();
    let mut first = 0;
    for resource in 0..spec.resources {
        let end = spec.records * (resource + 1) / spec.resources;
        let mut scope_logs = Vec::new();
        put_bytes(&mut scope_logs, 1, &scope());
        for index in first..end {
            let draw = Draw {
                id: format!("{:06x}-{request:02x}-{index:04x}", spec.seed & 0xff_ffff),
                index: request * spec.records + index,
                word: alarms.contains(&index).then(|| word(random)),
                is_error: errors.contains(&index),
            };
            put_bytes(&mut scope_logs, 2, &record(&draw, random));
        }
        first = end;
        let mut resource_logs = Vec::new();
        put_bytes(&mut resource_logs, 1, &resource_message(request, resource, random));
        put_bytes(&mut resource_logs, 2, &scope_logs);
        put_bytes(&mut out, 1, &resource_logs);
    }
    out
}

/// What is decided about a record before its bytes are written.
struct Draw {
    id: String,
    index: u64,
    word: Option<String>,
    is_error: bool,
}

fn record(draw: &Draw, random: &SystemRandom) -> Vec<u8> {
    let (severity, text) = match (draw.is_error, random.next_u64() % 10) {
        (true, _) => (17, "ERROR"),
        (false, 0) => (5, "DEBUG"),
        (false, 1) => (13, "WARN"),
        (false, _) => (9, "INFO"),
    };
    let stamp = FIRST_UNIX_NANOS + draw.index * 1_000_003;
    let status = if draw.is_error { 503 } else { 200 + random.next_u64() % 5 };
    let order = random.next_u64() % 1_000_000;
    let path = format!("/api/v2/orders/{order}");
    let mut out = Vec::with_capacity(320);
    put_fixed64(&mut out, 1, stamp);
    put_number(&mut out, 2, severity);
    put_bytes(&mut out, 3, text.as_bytes());
    put_bytes(&mut out, 5, &text_value(&body(draw, &path, status, random)));
    put_bytes(&mut out, 6, &text_attribute("http.request.method", pick(&METHODS, random)));
    put_bytes(&mut out, 6, &number_attribute("status_code", status));
    put_bytes(&mut out, 6, &text_attribute("url.path", &path));
    put_bytes(
        &mut out,
        6,
        &text_attribute("user.id", &format!("u{:05}", random.next_u64() % 50_000)),
    );
    put_bytes(&mut out, 6, &number_attribute("thread.id", random.next_u64() % 64));
    put_bytes(&mut out, 6, &text_attribute("event.id", &draw.id));
    put_fixed64(&mut out, 11, stamp + 250_000);
    out
}

/// About 120 bytes of text as services write it.
fn body(draw: &Draw, path: &str, status: u64, random: &SystemRandom) -> String {
    let (took, from, size) =
        (random.next_u64() % 900, random.next_u64() % 250, random.next_u64() % 90_000);
    let service = pick(&SERVICES, random);
    match &draw.word {
        Some(word) => format!(
            "possible {word} seen by {service} on {path} from 10.20.{from}.7, request was stopped \
             with {status} after {took} ms, {size} bytes were read"
        ),
        None if draw.is_error => format!(
            "upstream {service} did not answer {path} for 10.20.{from}.7 within its time, gave up \
             with {status} after {took} ms and {size} bytes read"
        ),
        None => format!(
            "request {path} of 10.20.{from}.7 was served by {service} with {status} in {took} ms, \
             {size} bytes sent, {:016x}",
            random.next_u64()
        ),
    }
}

fn resource_message(request: u64, resource: u64, random: &SystemRandom) -> Vec<u8> {
    let service = pick(&SERVICES, random);
    let mut out = Vec::new();
    for (key, value) in [
        ("service.name", service.to_owned()),
        ("service.instance.id", format!("{service}-{request:02}-{resource}")),
        ("deployment.environment.name", "production".to_owned()),
        ("host.name", format!("node-{:03}", random.next_u64() % 200)),
    ] {
        put_bytes(&mut out, 1, &text_attribute(key, &value));
    }
    out
}

fn scope() -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, b"app.request");
    put_bytes(&mut out, 2, b"1.4.2");
    out
}

fn text_value(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, text.as_bytes());
    out
}

fn text_attribute(key: &str, value: &str) -> Vec<u8> {
    attribute(key, &text_value(value))
}

fn number_attribute(key: &str, value: u64) -> Vec<u8> {
    let mut any = Vec::new();
    put_number(&mut any, 3, value);
    attribute(key, &any)
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, key.as_bytes());
    put_bytes(&mut out, 2, value);
    out
}

fn pick<'a>(from: &[&'a str], random: &SystemRandom) -> &'a str {
    let index = random.next_u64() % from.len() as u64;
    usize::try_from(index).ok().and_then(|index| from.get(index)).copied().unwrap_or_default()
}

/// One of the words: lower case, upper case, capitalized or mixed.
fn word(random: &SystemRandom) -> String {
    let (word, form) = (pick(&WORDS, random), random.next_u64() % 4);
    let shape = |(index, letter): (usize, char)| match form {
        1 => letter.to_ascii_uppercase(),
        2 if index == 0 => letter.to_ascii_uppercase(),
        3 if index % 2 == 1 => letter.to_ascii_uppercase(),
        _ => letter,
    };
    word.chars().enumerate().map(shape).collect()
}

/// `count` different numbers below `of`.
fn chosen(of: u64, count: u64, random: &SystemRandom) -> Vec<u64> {
    let mut found = Vec::new();
    while (found.len() as u64) < count.min(of) {
        let candidate = random.next_u64() % of;
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::wire::{messages, varint_field};

    fn first(message: &[u8], number: u64) -> &[u8] {
        messages(message, number).next().unwrap().unwrap()
    }

    fn records_of(request: &[u8]) -> Vec<&[u8]> {
        let scopes = messages(request, 1).map(|resource| first(resource.unwrap(), 2));
        scopes.flat_map(|scope| messages(scope, 2).map(|record| record.unwrap())).collect()
    }

    fn body_of(record: &[u8]) -> String {
        String::from_utf8(first(first(record, 5), 1).to_vec()).unwrap()
    }

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_gives_others() {
        let spec = Spec { records: 20, ..Spec::default() };
        assert_eq!(requests(&spec), requests(&spec));
        assert_ne!(requests(&spec), requests(&Spec { seed: 2, ..spec.clone() }));
    }

    #[test]
    fn a_request_has_the_size_that_the_published_figures_were_taken_with() {
        for request in requests(&Spec::default()) {
            assert!((305_000..317_000).contains(&request.len()), "{}", request.len());
            assert_eq!(messages(&request, 1).count(), 4);
            let records = records_of(&request);
            assert_eq!(records.len(), 1000);
            let bodies: usize = records.iter().map(|record| body_of(record).len()).sum();
            assert!((115_000..126_000).contains(&bodies), "{bodies}");
            assert!(records.iter().all(|record| messages(record, 6).count() == 6));
        }
    }

    #[test]
    fn one_in_a_hundred_has_a_word_in_some_case_and_one_in_twenty_is_an_error() {
        let mut forms = HashSet::new();
        for request in requests(&Spec::default()) {
            let records = records_of(&request);
            let with_word = |body: &String| {
                let folded = body.to_ascii_lowercase();
                WORDS.iter().any(|word| folded.contains(word))
            };
            let alarms: Vec<_> =
                records.iter().map(|record| body_of(record)).filter(with_word).collect();
            assert_eq!(alarms.len(), 10);
            let lower = |body: &&String| WORDS.iter().any(|word| body.contains(word));
            forms.insert(alarms.iter().filter(lower).count() == alarms.len());
            assert_eq!(records.iter().filter(|record| varint_field(record, 2) == 17).count(), 50);
        }
        assert!(forms.contains(&false), "every word is in lower case");
    }

    #[test]
    fn no_two_records_share_their_id() {
        let requests = requests(&Spec::default());
        let ids: HashSet<&[u8]> = requests
            .iter()
            .flat_map(|request| records_of(request))
            .map(|record| messages(record, 6).last().unwrap().unwrap())
            .collect();
        assert_eq!(ids.len(), 16_000);
    }
}
