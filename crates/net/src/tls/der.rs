//! The few fields of a certificate that are shown to people or compared with settings.
//!
//! Trust is decided by rustls; what is read here was verified before (a client's certificate) or is
//! our own (a warning before it expires). So a field that cannot be read is left out.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

const BOOLEAN: u8 = 0x01;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Attribute types of a distinguished name, by the last byte of 2.5.4.x.
const ATTRIBUTES: [(u8, &str); 6] =
    [(3, "CN"), (6, "C"), (7, "L"), (8, "ST"), (10, "O"), (11, "OU")];

/// Whom a verified client certificate names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The subject, `CN=edge-7,O=Example`, in the order of the certificate.
    pub subject: String,
    /// The last common name of the subject.
    pub common_name: Option<String>,
    /// Alternative names of type DNS.
    pub dns_names: Vec<String>,
    /// Alternative names of type URI, such as SPIFFE ids.
    pub uris: Vec<String>,
    /// Alternative names of type email.
    pub emails: Vec<String>,
    /// Alternative names of type IP address.
    pub addresses: Vec<std::net::IpAddr>,
}

/// The DER fields of a certificate used here.
struct Certificate<'a> {
    validity: &'a [u8],
    subject: &'a [u8],
    extensions: &'a [u8],
}

impl Identity {
    /// Reads the names out of a certificate.
    pub fn of(certificate: &[u8]) -> Self {
        let mut identity = Self::default();
        let Some(fields) = Certificate::parse(certificate) else {
            return identity;
        };
        for (kind, value) in attributes(fields.subject) {
            if !identity.subject.is_empty() {
                identity.subject.push(',');
            }
            write!(identity.subject, "{kind}={value}").unwrap_or_default();
            if kind == "CN" {
                identity.common_name = Some(value);
            }
        }
        for (tag, value) in alternative_names(fields.extensions) {
            identity.add(tag, value);
        }
        identity
    }

    fn add(&mut self, tag: u8, value: &[u8]) {
        let text = || String::from_utf8_lossy(value).into_owned();
        match tag {
            0x81 => self.emails.push(text()),
            0x82 => self.dns_names.push(text()),
            0x86 => self.uris.push(text()),
            0x87 => {
                if let Ok(four) = <[u8; 4]>::try_from(value) {
                    self.addresses.push(Ipv4Addr::from(four).into());
                } else if let Ok(sixteen) = <[u8; 16]>::try_from(value) {
                    self.addresses.push(Ipv6Addr::from(sixteen).into());
                }
            }
            _ => {}
        }
    }
}

/// First and last second at which a certificate is valid, since the Unix epoch.
pub fn lifetime(certificate: &[u8]) -> Option<(u64, u64)> {
    let mut validity = Certificate::parse(certificate)?.validity;
    let start = time(take(&mut validity)?)?;
    let end = time(take(&mut validity)?)?;
    Some((start, end))
}

impl<'a> Certificate<'a> {
    fn parse(certificate: &'a [u8]) -> Option<Self> {
        let mut rest = certificate;
        let mut rest = take_tagged(&mut rest, SEQUENCE)?;
        let mut fields = take_tagged(&mut rest, SEQUENCE)?;
        if fields.first() == Some(&EXPLICIT_VERSION) {
            take(&mut fields)?;
        }
        let (_serial, _algorithm, _issuer) =
            (take(&mut fields)?, take(&mut fields)?, take(&mut fields)?);
        let validity = take_tagged(&mut fields, SEQUENCE)?;
        let subject = take_tagged(&mut fields, SEQUENCE)?;
        let mut extensions = &[][..];
        while let Some((tag, value)) = take(&mut fields) {
            if tag == EXTENSIONS {
                let mut wrapped = value;
                extensions = take_tagged(&mut wrapped, SEQUENCE)?;
            }
        }
        Some(Self { validity, subject, extensions })
    }
}

/// Takes one tag-length-value off the front.
fn take<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, tail) = rest.split_first()?;
    let (&first, mut tail) = tail.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (digits, after) = tail.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        tail = after;
    }
    let (value, after) = tail.split_at_checked(length)?;
    *rest = after;
    Some((tag, value))
}

fn take_tagged<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    take(rest).filter(|(found, _)| *found == tag).map(|(_, value)| value)
}

fn values(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || take(&mut rest))
}

fn attributes(subject: &[u8]) -> impl Iterator<Item = (&'static str, String)> {
    values(subject).flat_map(|(_, set)| values(set)).filter_map(|(_, pair)| {
        let mut pair = pair;
        let kind = take_tagged(&mut pair, OID)?;
        let (_, value) = take(&mut pair)?;
        let [0x55, 0x04, last] = kind else {
            return None;
        };
        let name = ATTRIBUTES.iter().find(|(number, _)| number == last)?.1;
        Some((name, String::from_utf8_lossy(value).into_owned()))
    })
}

fn alternative_names(extensions: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    values(extensions)
        .filter_map(|(_, extension)| {
            let mut extension = extension;
            let kind = take_tagged(&mut extension, OID)?;
            if kind != SUBJECT_ALTERNATIVE_NAME {
                return None;
            }
            let (tag, mut value) = take(&mut extension)?;
            if tag == BOOLEAN {
                // Whether the extension is critical; the names follow.
                value = take(&mut extension)?.1;
            }
            take_tagged(&mut value, SEQUENCE)
        })
        .flat_map(values)
}

/// Seconds since the epoch of a `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn time((tag, value): (u8, &[u8])) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    let (year_digits, pivot) = match tag {
        UTC_TIME => (2, true),
        GENERALIZED_TIME => (4, false),
        _ => return None,
    };
    let (year, rest) = text.split_at_checked(year_digits)?;
    let mut year: i64 = year.parse().ok()?;
    if pivot {
        year += if year < 50 { 2000 } else { 1900 };
    }
    let part = |index: usize| rest.get(index * 2..index * 2 + 2)?.parse::<i64>().ok();
    let (month, day) = (part(0)?, part(1)?);
    let seconds = part(2)? * 3600 + part(3)? * 60 + part(4)?;
    u64::try_from(days_since_epoch(year, month, day) * 86_400 + seconds).ok()
}

/// Howard Hinnant's `days_from_civil`.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_lifetime_are_read_from_a_certificate() {
        let mut wanted =
            rcgen::CertificateParams::new(vec!["edge.example".to_owned(), "10.0.0.7".to_owned()])
                .unwrap();
        wanted.subject_alt_names.push(rcgen::SanType::URI("spiffe://x/y".try_into().unwrap()));
        wanted.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
        wanted.distinguished_name.push(rcgen::DnType::CommonName, "edge-7");
        wanted.not_before = rcgen::date_time_ymd(2024, 2, 29);
        wanted.not_after = rcgen::date_time_ymd(2051, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = wanted.self_signed(&key).unwrap();
        let identity = Identity::of(certificate.der());
        assert_eq!(identity.common_name.as_deref(), Some("edge-7"));
        assert!(identity.subject.contains("O=Example"), "{}", identity.subject);
        assert_eq!(identity.dns_names, ["edge.example"]);
        assert_eq!(identity.uris, ["spiffe://x/y"]);
        assert_eq!(identity.addresses, ["10.0.0.7".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(lifetime(certificate.der()), Some((1_709_164_800, 2_556_144_000)));
    }

    #[test]
    fn every_truncation_of_a_certificate_is_survived() {
        let certificate = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
        let der = certificate.cert.der();
        for cut in 0..der.len() {
            let cut = &der[..cut];
            assert_eq!(lifetime(cut), None);
            assert_eq!(Identity::of(cut), Identity::default());
        }
    }
}
