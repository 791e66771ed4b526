//! Thresholds as OpenTelemetry defines them: 56 random bits at or above it are sampled, and 14
//! hexadecimal digits without the zeros at their end write it.
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/#sampling-threshold-value-th>

/// Hexadecimal digits of a threshold.
const DIGITS: usize = 14;
/// One more than the greatest random number.
const ALL: u64 = 1 << 56;
/// `ALL` as a fraction's scale.
const SCALE: f64 = 72_057_594_037_927_936.0;

/// Random numbers below it are not sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Threshold(u64);

impl Threshold {
    /// The threshold for a share between 0 and 1, or none if that is too small for one. It has
    /// `precision` digits behind those that only say how near the share is to 0 or 1.
    pub(super) fn of(share: f64, precision: u8) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the product is between 0 and 2^56"
        )]
        let sampled = (share.clamp(0.0, 1.0) * SCALE).round() as u64;
        if sampled == 0 {
            return None;
        }
        let exact = ALL - sampled.min(ALL);
        let digits = (usize::from(precision) + leading_digits(share)).min(DIGITS);
        let unit = 1_u64 << (4 * (DIGITS - digits));
        let rounded = (exact + unit / 2) / unit * unit;
        Some(Self(if rounded >= ALL { exact } else { rounded }))
    }

    /// Reads 1 to 14 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        number(text).filter(|_| !text.is_empty()).map(|value| {
            let missing = DIGITS.saturating_sub(text.len());
            Self(value << (4 * missing))
        })
    }

    /// The digits.
    pub(super) fn text(self) -> String {
        let digits = format!("{:014x}", self.0);
        match digits.trim_end_matches('0') {
            "" => "0".to_owned(),
            trimmed => trimmed.to_owned(),
        }
    }

    /// The share that is sampled.
    pub(super) fn share(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an error of 2^-53 is no difference")]
        let sampled = (ALL - self.0) as f64;
        sampled / SCALE
    }

    pub(super) fn samples(self, random: u64) -> bool {
        random >= self.0
    }
}

/// Reads the 14 digits of a random number.
pub(super) fn random_number(text: &str) -> Option<u64> {
    number(text).filter(|_| text.len() == DIGITS)
}

fn number(text: &str) -> Option<u64> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_number = text.len() <= DIGITS && text.bytes().all(is_digit);
    is_number.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// Digits `f` or `0` in front of a threshold: one for each factor of 16 by which the share, or what
/// is missing from 1, is small.
fn leading_digits(share: f64) -> usize {
    let of = |mut part: f64| {
        let mut digits = 0;
        while part > 0.0 && part < 0.0625 && digits < DIGITS {
            part *= 16.0;
            digits += 1;
        }
        digits
    };
    of(share).max(of(1.0 - share))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_have_the_thresholds_that_the_specification_names() {
        for (share, text) in [
            (1.0, "0"),
            (0.5, "8"),
            (0.25, "c"),
            (0.1, "e666"),
            (0.01, "fd70a"),
            (1.0 / 3.0, "aaab"),
        ] {
            assert_eq!(Threshold::of(share, 4).unwrap().text(), text, "{share}");
        }
        assert_eq!(Threshold::of(1e-20, 4), None);
    }

    #[test]
    fn only_lower_case_digits_are_a_threshold() {
        for text in ["", "g", "E6", "123456789abcdef", "-1", "+1"] {
            assert_eq!(Threshold::parse(text), None, "{text}");
        }
        assert_eq!(random_number("0123456789abc"), None);
        assert_eq!(random_number("0123456789abcd"), Some(0x0001_2345_6789_abcd));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_equal(value in 0..ALL) {
            prop_assert_eq!(Threshold::parse(&Threshold(value).text()), Some(Threshold(value)));
        }

        #[test]
        fn a_threshold_samples_its_share_but_for_rounding(share in 0.0001_f64..=1.0) {
            let error = Threshold::of(share, 4).unwrap().share() - share;
            prop_assert!(error.abs() < 0.001 * share.min(1.0 - share).max(1e-4), "{}", error);
        }
    }
}
