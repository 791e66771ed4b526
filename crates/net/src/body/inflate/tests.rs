//! Inflating in steps, against the encoders of other crates.

use std::io::Write as _;

use proptest::prelude::*;

use super::super::encoding::{compress, inflate};
use super::*;

fn telemetry(size: usize) -> Vec<u8> {
    let mut text = String::new();
    for line in 0_usize.. {
        text.push_str("service.name=checkout level=info took_ms=");
        text.push_str(&(line * 7919 % 1000).to_string());
        text.push('\n');
        if text.len() >= size {
            break;
        }
    }
    text.truncate(size);
    text.into_bytes()
}

fn problem(encoding: Encoding, encoded: Vec<u8>) -> &'static str {
    match inflate(encoding, &Bytes::from(encoded), 1 << 20) {
        Err(InflateError::Invalid { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn gzip_members_in_a_row_are_one_body() {
    let plain = telemetry(900_000);
    let mut encoded = Vec::new();
    for part in [&plain[..10], &plain[10..10], &plain[10..700_000], &plain[700_000..]] {
        encoded.extend(compress(Encoding::Gzip, part).unwrap());
    }
    assert_eq!(inflate(Encoding::Gzip, &encoded.into(), plain.len()).unwrap(), plain);
}

#[test]
fn zstd_frames_in_a_row_and_skippable_ones_are_one_body() {
    let plain = telemetry(3_000_000);
    let mut encoded = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
    encoded.extend(compress(Encoding::Zstd, &plain[..5]).unwrap());
    encoded.extend(compress(Encoding::Zstd, &plain[5..]).unwrap());
    assert_eq!(inflate(Encoding::Zstd, &encoded.into(), plain.len()).unwrap(), plain);
}

#[test]
fn a_gzip_header_with_every_optional_field_is_skipped() {
    let mut encoder = flate2::GzBuilder::new()
        .extra(vec![1; 300])
        .filename("a name")
        .comment("a comment")
        .write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"inside").unwrap();
    let encoded = encoder.finish().unwrap();
    assert_eq!(inflate(Encoding::Gzip, &encoded.into(), 100).unwrap(), &b"inside"[..]);
}

#[test]
fn damage_is_named() {
    let gzip = compress(Encoding::Gzip, &telemetry(5000)).unwrap().to_vec();
    let changed = |at: usize| {
        let mut copy = gzip.clone();
        copy[at] ^= 0x40;
        copy
    };
    assert_eq!(problem(Encoding::Gzip, changed(0)), "no gzip header");
    assert_eq!(problem(Encoding::Gzip, changed(3)), "reserved gzip flags are set");
    let size = gzip.len();
    assert_eq!(problem(Encoding::Gzip, changed(size - 8)), "the gzip checksum does not match");
    assert_eq!(problem(Encoding::Gzip, changed(size - 1)), "the gzip size does not match");
    assert_eq!(problem(Encoding::Gzip, Vec::new()), "the body ends in a gzip header");
    let mut trailing = gzip.clone();
    trailing.extend(b"garbage after the end");
    assert_eq!(problem(Encoding::Gzip, trailing), "no gzip header");
    let mut trailing = compress(Encoding::Deflate, b"x").unwrap().to_vec();
    trailing.push(0);
    assert_eq!(problem(Encoding::Deflate, trailing), "bytes follow the end of the stream");
}

#[test]
fn every_truncation_is_an_error_and_never_a_shorter_body() {
    let plain = telemetry(2000);
    for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
        let encoded = compress(encoding, &plain).unwrap();
        for cut in 0..encoded.len() {
            let cut = encoded.slice(..cut);
            assert!(inflate(encoding, &cut, 1 << 20).is_err(), "{encoding} {}", cut.len());
        }
    }
}

#[test]
fn a_zstd_window_above_8_mib_is_refused_and_8_mib_is_not() {
    for (window_log, accepted) in [(23, true), (24, false)] {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(&telemetry(100_000)).unwrap();
        let encoded = Bytes::from(encoder.finish().unwrap());
        let inflated = inflate(Encoding::Zstd, &encoded, 1 << 20);
        assert_eq!(inflated.is_ok(), accepted, "{window_log}: {inflated:?}");
    }
}

#[test]
fn a_claimed_size_is_a_hint_and_nothing_else() {
    let plain = telemetry(300_000);
    let last = compress(Encoding::Gzip, &plain[..9]).unwrap();
    let mut encoded = compress(Encoding::Gzip, &plain).unwrap().to_vec();
    // The last member claims 9 bytes for the whole body.
    encoded.extend(&last);
    let inflated = inflate(Encoding::Gzip, &encoded.into(), 1 << 20).unwrap();
    assert_eq!(inflated.len(), plain.len() + 9);
}

#[test]
fn members_that_inflate_to_nothing_end_as_an_attack() {
    let empty = compress(Encoding::Gzip, b"").unwrap();
    let encoded = empty.repeat((2 << 20) / empty.len());
    let expected = "the body is larger than what it inflates to";
    assert_eq!(problem(Encoding::Gzip, encoded), expected);
    // Empty stored blocks: five bytes each, no output.
    let mut encoded = vec![0x78, 0x9c];
    encoded.extend([0, 0, 0, 0xff, 0xff].repeat((2 << 20) / 5));
    assert_eq!(problem(Encoding::Deflate, encoded), expected);
}

/// Zeros as each encoding packs them, in one piece and, where there are such, in several.
fn zeros_packed(size: usize) -> Vec<(Encoding, Bytes)> {
    let zeros = vec![0; size];
    let one = [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate]
        .map(|encoding| (encoding, compress(encoding, &zeros).unwrap()));
    let several = [Encoding::Gzip, Encoding::Zstd].map(|encoding| {
        let parts = zeros.chunks(size / 3).map(|part| compress(encoding, part).unwrap());
        (encoding, Bytes::from(parts.collect::<Vec<_>>().concat()))
    });
    one.into_iter().chain(several).collect()
}

#[test]
fn what_packs_like_a_bomb_and_fits_is_inflated_whole() {
    let size = 5 << 20;
    for (encoding, packed) in zeros_packed(size) {
        assert!(size / packed.len() > MEASURED_RATIO, "{encoding}");
        for limit in [size, size + 1, 8 * size] {
            let inflated = inflate(encoding, &packed, limit).unwrap();
            assert!(inflated.len() == size && inflated.iter().all(|byte| *byte == 0), "{encoding}");
        }
        let limit = size - 1;
        assert_eq!(inflate(encoding, &packed, limit), Err(InflateError::TooLarge { limit }));
    }
}

#[test]
fn a_bomb_is_refused_without_ever_being_held() {
    let plain = telemetry(900_000);
    for (encoding, packed) in zeros_packed(40 << 20) {
        if encoding == Encoding::Deflate {
            continue;
        }
        // Behind an ordinary beginning, which lowers the ratio of the whole.
        for packed in
            [packed.clone(), [compress(encoding, &plain).unwrap(), packed].concat().into()]
        {
            let limit = 30 << 20;
            let mut inflater = Inflater::new(encoding, &packed, limit);
            let mut held_max = 0;
            let error = loop {
                held_max = held_max.max(inflater.output.len());
                match inflater.step(&packed) {
                    Ok(Progress::More) => {}
                    Ok(Progress::Done) => panic!("{encoding}: fits"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, InflateError::TooLarge { limit });
            assert!(held_max <= 4 << 20, "{encoding}: {held_max} bytes");
        }
    }
}

#[test]
fn damage_behind_a_bomb_that_fits_is_named() {
    for (encoding, packed) in zeros_packed(5 << 20) {
        let cut = packed.slice(..packed.len() - 3);
        let found = inflate(encoding, &cut, 8 << 20);
        assert!(matches!(found, Err(InflateError::Invalid { .. })), "{encoding}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn hostile_bytes_never_panic_or_pass_the_limit(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
        flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        valid in any::<bool>(),
    ) {
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
            if valid {
                bytes = compress(encoding, &bytes).unwrap().to_vec();
            }
            for (at, value) in &flips {
                let at = at % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *value;
                }
            }
            if let Ok(inflated) = inflate(encoding, &Bytes::from(bytes.clone()), 4096) {
                prop_assert!(inflated.len() <= 4096);
            }
        }
    }
}
