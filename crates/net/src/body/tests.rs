//! Bodies of every shape, read within their limits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderValue;
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use super::*;

/// Chunks, each after a pause.
struct Chunks {
    left: VecDeque<(Duration, Bytes)>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Chunks {
    fn new(chunks: impl IntoIterator<Item = (Duration, Bytes)>) -> Self {
        Self { left: chunks.into_iter().collect(), pause: None }
    }

    fn at_once<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::new(chunks.into_iter().map(|chunk| (Duration::ZERO, Bytes::copy_from_slice(chunk))))
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some((pause, chunk)) = self.left.front().cloned() else {
            return Poll::Ready(None);
        };
        if !pause.is_zero() {
            let timer = self.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        self.pause = None;
        self.left.pop_front();
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}

fn headers(encoding: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    headers
}

async fn read_chunks(
    encoding: &'static str,
    body: Chunks,
    limit: usize,
    budget: &Budget,
) -> Result<Received, BodyError> {
    read(&headers(encoding), body, &BodyLimits::of_bytes(limit), budget).await
}

#[tokio::test]
async fn chunks_become_one_body_and_the_permit_is_its_size() {
    let budget = Budget::new(1 << 20);
    let plain = vec![3_u8; 200_000];
    for size in [1, 7, 4096, 150_000, 200_000] {
        let body = Chunks::at_once(plain.chunks(size));
        let received = read_chunks("identity", body, 200_000, &budget).await.unwrap();
        assert_eq!(received.inflated, plain);
        assert_eq!(received.encoded, None);
        assert_eq!(budget.used(), 200_000, "{size}");
    }
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_single_large_chunk_is_not_copied_and_a_small_one_is() {
    let budget = Budget::new(1 << 20);
    for (size, shared) in [(100_usize, false), (200_000, true)] {
        let chunk = Bytes::from(vec![1; size]);
        let body = Chunks::new([(Duration::ZERO, chunk.clone())]);
        let received = read_chunks("", body, 1 << 20, &budget).await.unwrap();
        assert_eq!(received.inflated.as_ptr() == chunk.as_ptr(), shared);
    }
}

#[tokio::test]
async fn the_compressed_original_stays_beside_the_inflated_bytes() {
    let budget = Budget::new(8 << 20);
    let plain: Vec<u8> = (0..=u8::MAX).flat_map(|byte| vec![byte; 12_000]).collect();
    for (name, encoding) in
        [("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd), ("deflate", Encoding::Deflate)]
    {
        let sent = compress(encoding, &plain).unwrap();
        let body = Chunks::at_once(sent.chunks(1000));
        let received = read_chunks(name, body, plain.len(), &budget).await.unwrap();
        assert_eq!(received.inflated, plain);
        let encoded = received.encoded.unwrap();
        assert_eq!((encoded.encoding, &encoded.bytes), (encoding, &sent));
        assert_eq!(received.permit.bytes(), (plain.len() + sent.len()) as u64);
    }
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn the_limit_holds_for_the_wire_and_for_what_is_inflated() {
    let budget = Budget::new(8 << 20);
    let plain = vec![0_u8; 100_000];
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
        let sent = compress(encoding, &plain).unwrap();
        for (limit, accepted) in [(200_000, true), (99_999, false)] {
            let body = Chunks::at_once(sent.chunks(700));
            let result = read_chunks(encoding.as_str(), body, limit, &budget).await;
            assert_eq!(result.is_ok(), accepted, "{encoding} {limit}");
            if let Err(error) = result {
                assert!(matches!(error, BodyError::TooLarge { .. }), "{encoding}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_exhausted_budget_is_overload_and_nothing_stays_taken() {
    let budget = Budget::new(100_000);
    let plain = vec![0_u8; 150_000];
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let sent = compress(encoding, &plain).unwrap();
        let body = Chunks::at_once(sent.chunks(10_000));
        let error = read_chunks(encoding.as_str(), body, 1 << 20, &budget).await.unwrap_err();
        assert!(matches!(error, BodyError::Overloaded), "{error}");
        assert_eq!(budget.used(), 0);
    }
}

#[tokio::test]
async fn nested_and_unknown_encodings_are_refused() {
    let budget = Budget::new(1000);
    for name in ["gzip, gzip", "br", "gzip, br", "identity, zstd, deflate", "compress"] {
        let error = read_chunks(name, Chunks::new([]), 100, &budget).await.unwrap_err();
        assert_eq!(error.http_status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}");
    }
    let mut twice = headers("gzip");
    twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let refused = read(&twice, Body::empty(), &BodyLimits::default(), &budget).await;
    assert!(matches!(refused, Err(BodyError::UnsupportedEncoding { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_ended_between_20_and_30_seconds() {
    let budget = Budget::new(1000);
    let body = Chunks::new([
        (Duration::from_secs(1), Bytes::from_static(b"x")),
        (Duration::from_hours(1), Bytes::from_static(b"y")),
    ]);
    let start = Instant::now();
    let error = read_chunks("", body, 100, &budget).await.unwrap_err();
    assert!(matches!(error, BodyError::Slow { received: 1 }), "{error}");
    let took = start.elapsed().as_secs();
    assert!((20..=31).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_ended_and_a_slow_but_steady_one_is_not() {
    let budget = Budget::new(1 << 20);
    let trickle =
        || Chunks::new((0..100).map(|_| (Duration::from_secs(5), Bytes::from_static(b"x"))));
    let start = Instant::now();
    let error = read_chunks("", trickle(), 1000, &budget).await.unwrap_err();
    assert!(matches!(error, BodyError::Slow { .. }), "{error}");
    assert!(start.elapsed() <= Duration::from_secs(30));
    let steady = (0..100).map(|_| (Duration::from_secs(1), Bytes::from_static(&[0; 1500])));
    let received = read_chunks("", Chunks::new(steady), 1 << 20, &budget).await.unwrap();
    assert_eq!(received.inflated.len(), 150_000);
}

#[tokio::test]
async fn an_announced_length_above_the_limit_is_refused_unread() {
    let budget = Budget::new(1000);
    let (headers, limits) = (HeaderMap::new(), BodyLimits::of_bytes(10));
    let error = read(&headers, Body::full(vec![0; 11]), &limits, &budget).await.unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { limit: 10 }));
}

#[tokio::test]
async fn a_long_inflation_lets_other_tasks_run() {
    let budget = Budget::new(1 << 30);
    let bomb = compress(Encoding::Gzip, &vec![0; 32 << 20]).unwrap();
    let reading = read_chunks("gzip", Chunks::new([(Duration::ZERO, bomb)]), 32 << 20, &budget);
    let turns = std::cell::Cell::new(0);
    let others = async {
        loop {
            turns.set(turns.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        received = reading => assert_eq!(received.unwrap().inflated.len(), 32 << 20),
        () = others => {}
    }
    assert!(turns.get() >= 60, "{}", turns.get());
}
