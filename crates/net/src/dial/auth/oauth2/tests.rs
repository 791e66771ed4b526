//! Tokens on a paused clock, from an endpoint that does what a test says.

use std::sync::atomic::{AtomicU32, Ordering};

use bessemer_runtime::SystemClock;
use http::header::AUTHORIZATION;
use proptest::prelude::*;

use super::super::no_proof;
use super::*;

/// Grants numbered tokens, each after a delay, and counts how many questions meet.
#[derive(Default)]
struct Script {
    delay: Duration,
    lifetime: Option<Duration>,
    asked: AtomicU32,
    under_way: AtomicU32,
    met: AtomicU32,
    fails: AtomicU32,
    /// When each token that was granted expires.
    expires: Mutex<Vec<(u32, Option<tokio::time::Instant>)>>,
}

struct Fake(Arc<Script>);

impl Grants for Fake {
    fn grant(&self) -> BoxFuture<'_, Result<Granted, DialError>> {
        Box::pin(async {
            let script = &self.0;
            let number = script.asked.fetch_add(1, Ordering::Relaxed) + 1;
            let others = script.under_way.fetch_add(1, Ordering::Relaxed);
            script.met.fetch_max(others, Ordering::Relaxed);
            tokio::time::sleep(script.delay).await;
            script.under_way.fetch_sub(1, Ordering::Relaxed);
            if script.fails.load(Ordering::Relaxed) > 0 {
                script.fails.fetch_sub(1, Ordering::Relaxed);
                return Err(no_proof("refused"));
            }
            let end = script.lifetime.map(|life| tokio::time::Instant::now() + life);
            script.expires.lock().push((number, end));
            let proof = Proof::new(AUTHORIZATION, &format!("Bearer {number}"))?;
            Ok(Granted { proof, lifetime: script.lifetime })
        })
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn oauth2(script: Script, buffer: Duration) -> (Arc<OAuth2>, Arc<Script>) {
    let script = Arc::new(script);
    let clock = Arc::new(SystemClock::default());
    (Arc::new(OAuth2::of(Box::new(Fake(Arc::clone(&script))), buffer, clock)), script)
}

fn number(proof: &Proof) -> u32 {
    proof.value.to_str().unwrap().strip_prefix("Bearer ").unwrap().parse().unwrap()
}

async fn ask_all(oauth2: &OAuth2, count: usize) -> Vec<Result<Proof, DialError>> {
    futures_util::future::join_all((0..count).map(|_| oauth2.proof())).await
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_at_once_ask_for_one_token() {
    let script = Script { delay: SECOND, lifetime: Some(60 * SECOND), ..Script::default() };
    let (oauth2, script) = oauth2(script, Duration::ZERO);
    let proofs = ask_all(&oauth2, 100).await;
    assert!(proofs.iter().all(|proof| number(proof.as_ref().unwrap()) == 1));
    assert_eq!(script.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_met_once_by_all_that_wait_and_asked_again_after_the_pause() {
    let (oauth2, script) =
        oauth2(Script { delay: SECOND, fails: 1.into(), ..Script::default() }, Duration::ZERO);
    let proofs = ask_all(&oauth2, 100).await;
    assert!(proofs.iter().all(Result::is_err));
    assert_eq!(script.asked.load(Ordering::Relaxed), 1);
    tokio::time::advance(PAUSE).await;
    assert_eq!(number(&oauth2.proof().await.unwrap()), 2);
}

/// Scenario: an endpoint is down for ten minutes, with a request every 100 ms.
/// Promise: it is asked after 1, 2, 4, 8, 16 and then every 30 seconds.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_is_asked_less_and_less_often() {
    let (oauth2, script) =
        oauth2(Script { fails: u32::MAX.into(), ..Script::default() }, Duration::ZERO);
    for _ in 0..6000 {
        assert!(oauth2.proof().await.is_err());
        tokio::time::advance(SECOND / 10).await;
    }
    let within_a_minute = 6;
    assert_eq!(script.asked.load(Ordering::Relaxed), within_a_minute + (600 - 31) / 30);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires_and_used_on_while_the_endpoint_fails() {
    let script = Script { lifetime: Some(60 * SECOND), ..Script::default() };
    let (oauth2, script) = oauth2(script, 10 * SECOND);
    assert_eq!(number(&oauth2.proof().await.unwrap()), 1);
    tokio::time::advance(49 * SECOND).await;
    assert_eq!(number(&oauth2.proof().await.unwrap()), 1);
    script.fails.store(100, Ordering::Relaxed);
    tokio::time::advance(2 * SECOND).await;
    assert_eq!(number(&oauth2.proof().await.unwrap()), 1, "it still holds");
    tokio::time::advance(10 * SECOND).await;
    assert!(oauth2.proof().await.is_err(), "it has expired");
    script.fails.store(0, Ordering::Relaxed);
    tokio::time::advance(2 * PAUSE).await;
    assert!(oauth2.proof().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_buffer_longer_than_the_life_of_a_token_does_not_ask_for_every_request() {
    let script = Script { lifetime: Some(60 * SECOND), ..Script::default() };
    let (oauth2, script) = oauth2(script, 300 * SECOND);
    for _ in 0..29 {
        oauth2.proof().await.unwrap();
        tokio::time::advance(SECOND).await;
    }
    assert_eq!(script.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once_and_a_young_one_is_not() {
    let (oauth2, script) = oauth2(Script::default(), Duration::ZERO);
    let first = oauth2.proof().await.unwrap();
    assert!(!oauth2.renew(&first), "it was just granted");
    tokio::time::advance(RENEWED_AFTER).await;
    assert!(oauth2.renew(&first) && oauth2.renew(&first));
    assert_eq!(number(&oauth2.proof().await.unwrap()), 2);
    assert!(oauth2.renew(&first), "somebody else has renewed it");
    assert_eq!(number(&oauth2.proof().await.unwrap()), 2);
    assert_eq!(script.asked.load(Ordering::Relaxed), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: requests come in waves, some of which are given up, at any pace; the endpoint is
    /// slow and fails at times. Promise: questions never meet, and no proof that is given has
    /// expired.
    #[test]
    fn questions_never_meet_and_no_expired_token_is_sent(
        life in 1..40_u64,
        buffer in 0..60_u64,
        delay in 0..3000_u64,
        waves in proptest::collection::vec((0..20_u64, 1..8_usize, 0..3_u32, 0..5000_u64), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let script = Script {
                delay: Duration::from_millis(delay),
                lifetime: Some(Duration::from_secs(life)),
                ..Script::default()
            };
            let (oauth2, script) = oauth2(script, Duration::from_secs(buffer));
            for (pause, count, fails, patience) in waves {
                tokio::time::advance(Duration::from_secs(pause)).await;
                script.fails.store(fails, Ordering::Relaxed);
                let ask = async || {
                    let proof = oauth2.proof().await.ok()?;
                    let now = tokio::time::Instant::now();
                    let of = number(&proof);
                    let expires = script.expires.lock();
                    let end = expires.iter().find(|(number, _)| *number == of)?.1;
                    Some(end.is_none_or(|end| now < end))
                };
                let wave = futures_util::future::join_all((0..count).map(|_| ask()));
                let given = tokio::time::timeout(Duration::from_millis(patience), wave).await;
                // Those that were given up do not count themselves out.
                script.under_way.store(0, Ordering::Relaxed);
                prop_assert!(given.into_iter().flatten().flatten().all(|holds| holds));
            }
            prop_assert_eq!(script.met.load(Ordering::Relaxed), 0);
            Ok(())
        })?;
    }
}
