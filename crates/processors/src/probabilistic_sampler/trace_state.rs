//! The member `ot` of a W3C trace state: threshold and random number among what else is there.
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/>

use super::threshold::{Threshold, random_number};

/// What a trace state says of sampling, and the rest of it.
#[derive(Debug, Default)]
pub(super) struct TraceState<'t> {
    pub(super) threshold: Option<Threshold>,
    pub(super) random: Option<u64>,
    /// Other parts of the member, `rv` included.
    parts: Vec<&'t str>,
    /// Other members.
    members: Vec<&'t str>,
}

impl<'t> TraceState<'t> {
    /// Reads what it can: a damaged threshold is none.
    pub(super) fn read(text: &'t str) -> Self {
        let mut state = Self::default();
        for member in text.split(',').map(str::trim).filter(|member| !member.is_empty()) {
            match member.strip_prefix("ot=") {
                Some(own) => own.split(';').for_each(|part| state.read_part(part)),
                None => state.members.push(member),
            }
        }
        state
    }

    fn read_part(&mut self, part: &'t str) {
        match part.split_once(':') {
            Some(("th", digits)) => self.threshold = Threshold::parse(digits),
            Some(("rv", digits)) => {
                self.random = random_number(digits);
                self.parts.push(part);
            }
            _ if part.is_empty() => {}
            _ => self.parts.push(part),
        }
    }

    /// The text with another threshold. The member that changed stands first.
    pub(super) fn with(&self, threshold: Threshold) -> String {
        let mut text = format!("ot=th:{}", threshold.text());
        for part in &self.parts {
            text.push(';');
            text.push_str(part);
        }
        for member in &self.members {
            text.push(',');
            text.push_str(member);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_set_and_everything_else_stays() {
        let half = Threshold::parse("8").unwrap();
        for (before, after) in [
            ("", "ot=th:8"),
            ("a=b", "ot=th:8,a=b"),
            ("a=b, ot=rv:0123456789abcd;th:c;x:y ,c=d", "ot=th:8;rv:0123456789abcd;x:y,a=b,c=d"),
            ("ot=th:zz", "ot=th:8"),
        ] {
            assert_eq!(TraceState::read(before).with(half), after, "{before}");
        }
        let state = TraceState::read("ot=th:c;rv:0123456789abcd");
        assert_eq!(state.threshold, Threshold::parse("c"));
        assert_eq!(state.random, Some(0x0001_2345_6789_abcd));
    }
}
