//! Reasons for people, made of what a destination says: short, on one line, without our secrets.

use bessemer_net::dial::{Answer, Request};
use bessemer_pipeline::Verdict;
use bessemer_runtime::Secret;
use http::HeaderValue;

/// Characters of a reason.
const REASON_CHARS: usize = 200;
/// Bytes of an answer that are looked at for a reason.
const ANSWER_BYTES: usize = 64 << 10;

/// The status and the text of an answer, to be passed through [`clean`].
pub(crate) fn said(answer: &Answer) -> String {
    let body = answer.body.get(..ANSWER_BYTES).unwrap_or(&answer.body);
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() { answer.status.to_string() } else { format!("{}: {text}", answer.status) }
}

/// The secrets in the headers of a request: what stands behind the name of a scheme, or all.
pub(crate) fn secrets_of(request: &Request) -> impl Iterator<Item = Secret> {
    let secret = request.headers.values().filter(|value| value.is_sensitive());
    let texts = secret.filter_map(|value: &HeaderValue| value.to_str().ok());
    texts.map(|text| Secret::new(text.rsplit(' ').next().unwrap_or(text)))
}

/// Cleans every reason in a verdict.
pub(crate) fn clean(verdict: Verdict, secrets: &[Secret]) -> Verdict {
    match verdict {
        Verdict::Delivered => Verdict::Delivered,
        Verdict::Retry { after, reason } => {
            Verdict::Retry { after, reason: line(&reason, secrets) }
        }
        Verdict::Refused { status, reason } => {
            Verdict::Refused { status, reason: line(&reason, secrets) }
        }
        Verdict::Split(parts) => Verdict::Split(
            parts.into_iter().map(|(range, part)| (range, clean(part, secrets))).collect(),
        ),
    }
}

/// The text without secrets and control characters, cut.
fn line(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(Secret::expose).filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            text = text.replace(secret, "***");
        }
    }
    text.chars().filter(|c| !c.is_control()).take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_no_secrets_and_no_line_breaks_and_an_end() {
        let told = format!("token canary-1 is\r\nwrong{}", " very".repeat(100));
        let secrets = [Secret::new("canary-1"), Secret::new("")];
        let parts = vec![(0..1, Verdict::refused(told.clone()))];
        for verdict in [Verdict::retry(told), Verdict::Split(parts)] {
            let shown = format!("{:?}", clean(verdict, &secrets));
            assert!(!shown.contains("canary") && !shown.contains("\\n"), "{shown}");
            assert!(shown.contains("token *** iswrong") && shown.len() < 300, "{shown}");
        }
    }
}
