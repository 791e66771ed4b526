//! Recall and precision on a seeded corpus that knows nothing of the detectors' code.
//!
//! Every positive is one value in one of several positions; it counts as found if the value is in
//! the output neither as it is nor as base64. Negatives look alike; one counts as a false finding if
//! its record changes at all.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use bessemer_runtime::{Random, SystemRandom};
use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};

use super::*;

struct Dice(SystemRandom);

impl Dice {
    fn below(&self, limit: usize) -> usize {
        usize::try_from(self.0.next_u64() % limit as u64).unwrap()
    }

    fn pick<'a>(&self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn of(&self, letters: &str, count: usize) -> String {
        let letters = letters.as_bytes();
        (0..count).map(|_| char::from(letters[self.below(letters.len())])).collect()
    }

    fn digits(&self, count: usize) -> String {
        self.of("0123456789", count)
    }
}

const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const HEX: &str = "0123456789abcdef";

/// A number with the check digit that makes it valid, by the method of doubling from the right.
fn with_check_digit(mut body: String) -> String {
    for last in 0..10 {
        let candidate = format!("{body}{last}");
        let sum: u32 = candidate
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, byte)| {
                let digit = u32::from(byte - b'0');
                if place.is_multiple_of(2) { digit } else { digit * 2 / 10 + digit * 2 % 10 }
            })
            .sum();
        if sum.is_multiple_of(10) {
            body = candidate;
            break;
        }
    }
    body
}

fn card(dice: &Dice) -> String {
    let number = match dice.below(4) {
        0 => with_check_digit(format!("4{}", dice.digits(14))),
        1 => with_check_digit(format!("5{}{}", 1 + dice.below(5), dice.digits(13))),
        2 => with_check_digit(format!("37{}", dice.digits(12))),
        _ => with_check_digit(format!("6011{}", dice.digits(11))),
    };
    let separator = dice.pick(&["", " ", "-"]);
    let cuts: &[usize] = if number.len() == 15 { &[4, 10] } else { &[4, 8, 12] };
    let mut out = String::new();
    for (place, digit) in number.chars().enumerate() {
        if cuts.contains(&place) {
            out.push_str(separator);
        }
        out.push(digit);
    }
    out
}

/// Check digits such that the rearranged number leaves 1 when divided by 97, by long division.
fn iban(dice: &Dice) -> String {
    let (country, account) = match dice.below(3) {
        0 => ("DE", dice.digits(18)),
        1 => ("GB", format!("{}{}", dice.of(UPPER, 4), dice.digits(14))),
        _ => ("FR", format!("{}{}{}", dice.digits(10), dice.of(UPPER, 3), dice.digits(10))),
    };
    let mut number = String::new();
    for letter in format!("{account}{country}00").chars() {
        write!(number, "{}", letter.to_digit(36).unwrap()).unwrap();
    }
    let rest = number.bytes().fold(0_u32, |rest, byte| (rest * 10 + u32::from(byte - b'0')) % 97);
    let plain = format!("{country}{:02}{account}", 98 - rest);
    if dice.below(2) == 0 {
        return plain;
    }
    let parts: Vec<String> =
        plain.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    parts.join(" ")
}

fn base64_of(dice: &Dice, text: &str) -> String {
    let engine = &base64::engine::general_purpose::STANDARD;
    if dice.below(2) == 0 {
        engine.encode(text)
    } else {
        engine.encode(text).trim_end_matches('=').to_owned()
    }
}

const KINDS: [&str; 16] = [
    "email",
    "phone",
    "iban",
    "card",
    "ssn",
    "ipv4",
    "ipv6",
    "name",
    "aws",
    "github",
    "slack",
    "stripe",
    "jwt",
    "private_key",
    "connection",
    "keyed",
];

/// What to hide, and the text that it stands in (which may need words around it).
fn value(kind: &str, dice: &Dice) -> (String, String) {
    let plain = |value: String| (value.clone(), value);
    match kind {
        "email" => plain(format!(
            "{}.{}@{}.{}",
            dice.of(LOWER, 4),
            dice.of(LOWER, 5),
            dice.of(LOWER, 6),
            dice.pick(&["com", "org", "co.uk", "io"])
        )),
        "phone" => plain(match dice.below(3) {
            0 => format!("+49 30 {}", dice.digits(7)),
            1 => format!("(212) 5{}-{}", dice.digits(2), dice.digits(4)),
            _ => format!("+1-415-5{}-{}", dice.digits(2), dice.digits(4)),
        }),
        "iban" => plain(iban(dice)),
        "card" => plain(card(dice)),
        "ssn" => plain(format!(
            "{}-{}-{}",
            100 + dice.below(500),
            10 + dice.below(89),
            1000 + dice.below(8999)
        )),
        "ipv4" => plain(format!(
            "{}.{}.{}.{}",
            11 + dice.below(100),
            dice.below(256),
            dice.below(256),
            1 + dice.below(254)
        )),
        "ipv6" => plain(format!(
            "2001:db8:{}:{}::{}",
            dice.of(HEX, 4),
            dice.of(HEX, 3),
            dice.of("123456789", 2)
        )),
        "name" => plain(dice.pick(&["Ada Lovelace", "grace hopper", "ALAN TURING"]).to_owned()),
        "aws" => plain(format!("AKIA{}", dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))),
        "github" => plain(format!("ghp_{}", dice.of(ALNUM, 36))),
        "slack" => plain(format!("xoxb-{}-{}", dice.digits(12), dice.of(ALNUM, 24))),
        "stripe" => plain(format!("sk_live_{}", dice.of(ALNUM, 24))),
        "jwt" => {
            let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
            let head = part(r#"{"alg":"HS256","typ":"JWT"}"#);
            let claims = part(&format!(r#"{{"sub":"{}","iat":17}}"#, dice.digits(10)));
            plain(format!("{head}.{claims}.{}", dice.of(ALNUM, 43)))
        }
        "private_key" => plain(format!(
            "-----BEGIN RSA PRIVATE KEY-----{0}{1}{0}-----END RSA PRIVATE KEY-----",
            dice.pick(&["\n", "\\n"]),
            dice.of(ALNUM, 128)
        )),
        "connection" => {
            let password = dice.of(ALNUM, 12);
            (password.clone(), format!("postgres://app:{password}@db.internal:5432/orders"))
        }
        _ => {
            let password = dice.of(ALNUM, 14);
            let word =
                dice.pick(&["password=", "DB_PASSWORD=", "api_key=", "client_secret: ", "passwd="]);
            (password.clone(), format!("{word}{password}"))
        }
    }
}

fn placed(text_with: &str, dice: &Dice) -> (LogRecord, Option<String>) {
    let sentence = format!(
        "{} {text_with} {}",
        dice.pick(&["request from", "user", "saw"]),
        dice.pick(&["ok", "(done)", "- end"])
    );
    let nested = |value: AnyValue| AnyValue {
        value: Some(Kind::KvlistValue(KeyValueList { values: vec![attribute("inner", value)] })),
    };
    match dice.below(7) {
        0 => (log(&sentence, vec![]), None),
        1 => (log("plain", vec![attribute("detail", text(text_with))]), None),
        2 => (log("plain", vec![attribute("outer", nested(nested(text(&sentence))))]), None),
        3 => {
            let values = vec![text("first"), text(text_with)];
            let array = AnyValue { value: Some(Kind::ArrayValue(ArrayValue { values })) };
            (log("plain", vec![attribute("list", array)]), None)
        }
        4 => (
            log(&serde_json::json!({ "a": 1, "b": { "c": [sentence] } }).to_string(), vec![]),
            None,
        ),
        5 => {
            let encoded = base64_of(dice, &sentence);
            (log(&format!("payload {encoded}"), vec![]), Some(encoded))
        }
        _ => (
            LogRecord {
                severity_text: "INFO".into(),
                event_name: sentence,
                ..log("plain", vec![])
            },
            None,
        ),
    }
}

fn negative(dice: &Dice) -> String {
    match dice.below(14) {
        0 => format!(
            "id {}-{}-4{}-a{}-{}",
            dice.of(HEX, 8),
            dice.of(HEX, 4),
            dice.of(HEX, 3),
            dice.of(HEX, 3),
            dice.of(HEX, 12)
        ),
        1 => format!("sha256:{}", dice.of(HEX, 64)),
        2 => format!("commit {}", dice.of(HEX, 40)),
        3 => format!(
            "2026-{:02}-{:02}T12:{:02}:28.{}Z",
            1 + dice.below(12),
            1 + dice.below(28),
            dice.below(60),
            dice.digits(9)
        ),
        4 => format!("order ORD-{}", dice.digits(10)),
        5 => format!(
            "version {}.{}.{}.{} installed",
            dice.below(30),
            dice.below(30),
            dice.below(30),
            dice.below(30)
        ),
        6 => format!("v{}.{}.{}", dice.below(9), dice.below(30), dice.below(30)),
        7 => format!("time_unix_nano=17{}", dice.digits(17)),
        8 => format!(
            "pod api-{}-{} restarted",
            dice.of("bcdfghjklmnpqrstvwxz2456789", 10),
            dice.of("bcdfghjklmnpqrstvwxz2456789", 5)
        ),
        9 => {
            format!("took 00:{:02}:{:02} bytes={}", dice.below(60), dice.below(60), dice.digits(9))
        }
        10 => format!("mac {0}:{0}:{0}:{0}:{0}:{0}", dice.of(HEX, 2)),
        11 => format!(
            "the token was {} and the key missing",
            dice.pick(&["expired", "rejected", "invalid"])
        ),
        12 => format!(
            "GET /v1/items/{}?page={} 200 {}ms",
            dice.digits(6),
            dice.below(99),
            dice.below(999)
        ),
        _ => format!("trace {} span {}", dice.of(HEX, 32), dice.of(HEX, 16)),
    }
}

#[test]
fn the_corpus_is_found_and_look_alikes_are_left() {
    let count: u32 = if is_full() { 12_800 } else { 1_600 };
    let step = compliance(serde_json::json!({
        "packs": ["gdpr", "pci_dss", "hipaa", "secrets"],
        "names": ["Ada Lovelace", "Grace Hopper", "Alan Turing"],
    }));
    let dice = Dice(SystemRandom::seeded(20_261_127));
    let mut figures: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut missed = Vec::new();
    for number in 0..count {
        let kind = KINDS[number as usize % KINDS.len()];
        let (secret, around) = value(kind, &dice);
        let (record, encoded) = placed(&around, &dice);
        let left = run(&step, vec![record]);
        assert_eq!(left.len(), 1, "no record is lost");
        // In JSON a line break stands escaped.
        let output = String::from_utf8_lossy(&left[0].encode_to_vec()).into_owned();
        let escaped = secret.replace('\n', "\\n");
        let shows = output.contains(&secret)
            || output.contains(&escaped)
            || encoded.is_some_and(|encoded| output.contains(&encoded));
        let figure = figures.entry(kind).or_default();
        figure.0 += 1;
        figure.1 += u32::from(!shows);
        if shows {
            missed.push(format!("{kind}: {around}"));
        }
    }
    let mut wrong = Vec::new();
    for _ in 0..count {
        let body = negative(&dice);
        let before = vec![log(&body, vec![attribute("detail", text(&body))])];
        let left = run(&step, before.clone());
        if left != before {
            wrong.push(format!("{body:?} -> {:?}", left[0].body));
        }
    }
    let found: u32 = figures.values().map(|figure| figure.1).sum();
    let recall = f64::from(found) / f64::from(count);
    let precision =
        f64::from(found) / (f64::from(found) + f64::from(u32::try_from(wrong.len()).unwrap()));
    let mut table = String::new();
    for (kind, (all, found)) in &figures {
        writeln!(table, "{kind:16} {found:6} of {all:6}").unwrap();
    }
    writeln!(table, "recall {recall:.5}, precision {precision:.5}, {count} look-alikes").unwrap();
    show(&table);
    assert!(recall >= 0.995, "{table}\n{:#?}", &missed[..missed.len().min(20)]);
    assert!(precision >= 0.98, "{table}\n{:#?}", &wrong[..wrong.len().min(20)]);
}

#[expect(clippy::disallowed_methods, reason = "the size of a proof is no setting of the product")]
fn is_full() -> bool {
    std::env::var("BESSEMER_PROOF").is_ok_and(|size| size == "ci")
}

#[expect(clippy::print_stdout, reason = "the figures are what the test is run for")]
fn show(table: &str) {
    println!("{table}");
}
