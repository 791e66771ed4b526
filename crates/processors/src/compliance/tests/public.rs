//! Values that standards and vendors publish as examples, and values that they publish as invalid:
//! recall and precision on what nobody here has made up.

use super::*;

/// From the registry of ISO 13616: the example of each country.
const IBANS: [&str; 36] = [
    "AD1200012030200359100100",
    "AE070331234567890123456",
    "AL47212110090000000235698741",
    "AT611904300234573201",
    "BE68539007547034",
    "BG80BNBG96611020345678",
    "CH9300762011623852957",
    "CY17002001280000001200527600",
    "CZ6508000000192000145399",
    "DE89370400440532013000",
    "DK5000400440116243",
    "EE382200221020145685",
    "ES9121000418450200051332",
    "FI2112345600000785",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "GR1601101250000000012300695",
    "HR1210010051863000160",
    "HU42117730161111101800000000",
    "IE29AIBK93115212345678",
    "IL620108000000099999999",
    "IT60X0542811101000000123456",
    "LT121000011101001000",
    "LU280019400644750000",
    "LV80BANK0000435195001",
    "MT84MALT011000012345MTLCAST001S",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "PL61109010140000071219812874",
    "PT50000201231234567890154",
    "RO49AAAA1B31007593840000",
    "SA0380000000608010167519",
    "SE4550000000058398257466",
    "SI56263300012039086",
    "SK3112000000198742637541",
    "TR330006100519786457841326",
];

/// Numbers that card schemes and payment providers publish for tests.
const CARDS: [&str; 14] = [
    "4242424242424242",
    "4000056655665556",
    "4111111111111111",
    "4012888888881881",
    "5555555555554444",
    "5105105105105100",
    "5200828282828210",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "6011000990139424",
    "3056930009020004",
    "3566002020360505",
];

/// Of RFC 7519 (with its line breaks taken out), of AWS's and GitHub's documentation, and of RFC 3261,
/// 5952, 5321 and 3966.
const OTHERS: [&str; 16] = [
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "alice@atlanta.example.com",
    "bob@biloxi.example.com",
    "Smith@bar.example.com",
    "smith+mailbox@example.org",
    "disposable.style.email.with+symbol@example.com",
    "2001:db8::1:0:0:1",
    "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "2001:db8::ff00:42:8329",
    "+1-201-555-0123",
    "+44 20 7946 0958",
    "192.0.2.235",
    "198.51.100.7",
    "203.0.113.195",
];

/// What looks like one and is not: by its check digits, by what an authority never issues, by its
/// length, or because the text around it says so.
const INVALID: [&str; 30] = [
    "DE89370400440532013001",
    "GB29NWBK60161331926818",
    "GB94BARC20201530093459",
    "FR1420041010050500013M02605",
    "XX89370400440532013000",
    "4242424242424241",
    "4111111111111112",
    "5555555555554445",
    "378282246310006",
    "6011111111111118",
    "0000000000000000",
    "000-12-3456",
    "666-12-3456",
    "900-12-3456",
    "123-00-4567",
    "123-45-0000",
    "@example.com",
    "user@",
    "a@b",
    "user at example dot com",
    "256.1.1.1",
    "1.2.3",
    "12:34:56",
    "550e8400-e29b-41d4-a716-446655440000",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "00f067aa0ba902b7",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "1700000000123456789",
    "2026-03-01T12:00:00.000000001Z",
];

/// With a blank after every fourth sign, as people write them.
fn in_fours(value: &str) -> String {
    let parts = value.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned());
    parts.collect::<Vec<_>>().join(" ")
}

fn positives() -> Vec<String> {
    let plain = IBANS.iter().chain(&CARDS).chain(&OTHERS).map(|value| (*value).to_owned());
    let cards = CARDS.iter().filter(|card| card.len() == 16);
    plain.chain(IBANS.iter().chain(cards).map(|value| in_fours(value))).collect()
}

#[test]
fn published_examples_are_found_and_published_errors_are_left() {
    let step = compliance(serde_json::json!({ "packs": ["gdpr", "pci_dss", "hipaa", "secrets"] }));
    let positives = positives();
    let is_found = |value: &&String| {
        ["saw {} today", "{}", "value=\"{}\", next"].iter().all(|around| {
            let body = around.replace("{}", value);
            !body_after(&step, &body).contains(value.as_str())
        })
    };
    let missed: Vec<_> = positives.iter().filter(|value| !is_found(value)).collect();
    let is_wrong = |value: &&&str| {
        let body = format!("saw {value} today");
        body_after(&step, &body) != body
    };
    let wrong: Vec<_> = INVALID.iter().filter(is_wrong).collect();
    let share = |part: usize, of: usize| {
        f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(of).unwrap())
    };
    let found = positives.len() - missed.len();
    let recall = share(found, positives.len());
    let precision = share(found, found + wrong.len());
    assert!(recall >= 0.995, "recall {recall}: {missed:#?}");
    assert!(precision >= 0.98, "precision {precision}: {wrong:#?}");
}
