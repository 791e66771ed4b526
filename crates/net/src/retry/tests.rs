//! What the policy promises for any settings and any answer.

use bessemer_runtime::SystemRandom;
use proptest::prelude::*;

use super::*;

fn any_policy() -> impl Strategy<Value = Policy> {
    let jitter = prop_oneof![
        Just(Jitter::Full),
        Just(Jitter::Equal),
        (-1.0..2.0_f64).prop_map(Jitter::Around),
        Just(Jitter::None)
    ];
    let waits = (0..100_000_u64, 0..1_000_000_u64);
    (1..50_u32, waits, -1.0..20.0_f64, jitter, 0..10_000_000_u64).prop_map(
        |(attempts, (base, max), multiplier, jitter, elapsed)| Policy {
            attempts,
            base: Duration::from_millis(base),
            max: Duration::from_millis(max),
            multiplier,
            jitter,
            max_elapsed: Duration::from_millis(elapsed),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_wait_is_longer_than_the_cap_and_tries_end(
        policy in any_policy(),
        attempt in 0..u32::MAX,
        asked in proptest::option::of(0..u64::MAX),
        seed: u64,
    ) {
        let random = SystemRandom::seeded(seed);
        let asked = asked.map(Duration::from_secs);
        let delay = policy.next_delay(attempt, asked, &random);
        prop_assert_eq!(delay.is_none(), attempt >= policy.attempts);
        prop_assert!(delay.unwrap_or_default() <= policy.longest_delay());
        if asked.is_none() {
            prop_assert!(delay.unwrap_or_default() <= policy.max);
        }
    }

    #[test]
    fn what_the_destination_asks_for_is_always_waited(
        policy in any_policy(),
        asked in 0..600_u64,
        seed: u64,
    ) {
        let random = SystemRandom::seeded(seed);
        let asked = Duration::from_secs(asked);
        if let Some(delay) = policy.next_delay(1, Some(asked), &random) {
            prop_assert!(delay >= asked.min(RETRY_AFTER_MAX));
        }
    }

    #[test]
    fn equal_jitter_never_waits_less_than_half(policy in any_policy(), seed: u64) {
        let policy = Policy { jitter: Jitter::Equal, attempts: 10, ..policy };
        let exact = Policy { jitter: Jitter::None, ..policy.clone() };
        let random = SystemRandom::seeded(seed);
        let ceiling = exact.next_delay(1, None, &random).unwrap();
        let delay = policy.next_delay(1, None, &random).unwrap();
        prop_assert!(delay >= ceiling / 2 && delay <= ceiling);
    }

    #[test]
    fn the_header_reader_survives_any_bytes(bytes: Vec<u8>, now: u64) {
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            let wait = parse_retry_after(&value, now);
            prop_assert!(wait.unwrap_or_default() <= RETRY_AFTER_MAX);
        }
    }
}

#[test]
fn waits_double_until_the_maximum() {
    let policy = Policy { attempts: 100, jitter: Jitter::None, ..Policy::default() };
    let random = SystemRandom::seeded(1);
    let waits: Vec<u128> =
        (1..8).map(|n| policy.next_delay(n, None, &random).unwrap().as_millis()).collect();
    assert_eq!(waits, [200, 400, 800, 1600, 3200, 5000, 5000]);
    assert_eq!(policy.next_delay(99, None, &random), Some(policy.max));
}

#[test]
fn full_jitter_spreads_over_the_whole_wait() {
    let policy = Policy::default();
    let random = SystemRandom::seeded(11);
    let mut buckets = [0_u32; 10];
    for _ in 0..10_000 {
        let delay = policy.next_delay(1, None, &random).unwrap();
        buckets[usize::try_from(delay.as_millis() / 20).unwrap()] += 1;
    }
    assert!(buckets.iter().all(|count| (800..1200).contains(count)), "{buckets:?}");
}

#[test]
fn no_try_starts_after_the_elapsed_limit() {
    let policy = Policy { max_elapsed: Duration::from_secs(10), ..Policy::default() };
    assert!(policy.allows(Duration::from_secs(4), Duration::from_secs(6)));
    assert!(!policy.allows(Duration::from_secs(4), Duration::from_secs(7)));
    assert!(!policy.allows(Duration::MAX, Duration::MAX));
}

#[test]
fn retry_after_is_read_in_seconds_and_as_a_date() {
    // 1994-11-06 08:49:37 GMT
    let now = 784_111_777_u64 * 1_000_000_000;
    let check = |text: &str, expected: Option<u64>| {
        let value = HeaderValue::from_str(text).unwrap();
        let wait = parse_retry_after(&value, now);
        assert_eq!(wait, expected.map(Duration::from_secs), "{text}");
    };
    check("0", Some(0));
    check("17", Some(17));
    check(" 5 ", Some(5));
    check("-3", Some(0));
    check("1000000000", Some(300));
    check("99999999999999999999999999", Some(300));
    check("Sun, 06 Nov 1994 08:49:47 GMT", Some(10));
    check("Sunday, 06-Nov-94 08:49:47 GMT", Some(10));
    check("Sun Nov  6 08:49:47 1994", Some(10));
    check("Sun, 06 Nov 1994 08:49:07 GMT", Some(0));
    check("Fri, 31 Dec 9999 23:59:59 GMT", Some(300));
    check("soon", None);
    check("1.5", None);
    check("-", None);
    check("", None);
}

#[test]
fn only_four_http_answers_are_tried_again() {
    let retried: Vec<u16> = (100..600)
        .filter(|status| http_is_retryable(StatusCode::from_u16(*status).unwrap()))
        .collect();
    assert_eq!(retried, [429, 502, 503, 504]);
}

#[test]
fn grpc_codes_are_tried_again_as_otlp_lists_them() {
    let retried: Vec<i64> = (0..17)
        .filter(|code| grpc_is_retryable(&Status::new(Code::from_number(*code), "")))
        .collect();
    // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
    assert_eq!(retried, [1, 4, 10, 11, 14, 15]);
}

#[test]
fn an_exhausted_resource_is_tried_again_only_when_it_names_a_wait() {
    let busy = Status::new(Code::ResourceExhausted, "");
    assert!(!grpc_is_retryable(&busy));
    assert!(grpc_is_retryable(&busy.with_retry_after(Duration::ZERO)));
}
