//! Addresses of mail: looked for from their `@` outwards, so that a text without one costs nothing.

use super::detect::{Detector, Hit};

const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 253;
/// Names of files such as `icon@2x.png` look like addresses.
const FILES: [&str; 14] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "ts", "html", "json", "map", "woff",
    "tgz",
];

/// Finds addresses.
pub(super) fn find(text: &[u8], out: &mut Vec<Hit>) {
    let mut from = 0;
    for at in memchr::memchr_iter(b'@', text) {
        let local = local_start(text, from, at);
        let Some(end) = domain_end(text, at + 1).filter(|_| local < at) else { continue };
        out.push((Detector::Email, local..end));
        from = end;
    }
}

fn local_start(text: &[u8], from: usize, at: usize) -> usize {
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'#' | b'~')
            || *byte >= 0x80
    };
    let lowest = at.saturating_sub(LOCAL_BYTES_MAX).max(from);
    let before = text.get(lowest..at).unwrap_or_default();
    let len = before.iter().rev().take_while(|byte| is_part(byte)).count();
    let mut start = at - len;
    while start < at && matches!(text.get(start), Some(b'.' | b'\'' | b'-' | 0x80..=0xBF)) {
        start += 1;
    }
    start
}

fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let rest = rest.get(..rest.len().min(DOMAIN_BYTES_MAX))?;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let len = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
    let domain = std::str::from_utf8(rest.get(..len)?).ok()?.trim_end_matches(['.', '-']);
    let (host, last) = domain.rsplit_once('.')?;
    let is_name =
        last.len() >= 2 && last.len() <= 24 && last.bytes().all(|b| b.is_ascii_alphabetic());
    let is_file = FILES.iter().any(|file| last.eq_ignore_ascii_case(file));
    let is_host = !host.is_empty() && host.split('.').all(|label| !label.is_empty());
    (is_name && is_host && !is_file).then_some(start + domain.len())
}
