//! One pass over raw bytes that tells which detectors could find anything in them.
//!
//! It never misses what a detector would find, so that bytes without a mark need no further look.
//! The bytes may be a whole message: what lies between its texts can add marks, never hide one.

use aho_corasick::AhoCorasick;

/// An address of mail: `@`.
pub(super) const AT: u16 = 1;
/// Seven digits or more, with separators.
pub(super) const DIGITS: u16 = 1 << 1;
/// Three dots and four digits in a row of digits and dots.
pub(super) const DOTTED: u16 = 1 << 2;
/// Two colons in a row of hexadecimal digits and colons.
pub(super) const COLONS: u16 = 1 << 3;
/// Two capital letters and then two digits.
pub(super) const COUNTRY: u16 = 1 << 4;
/// A long run of letters, digits and the like.
pub(super) const RUN: u16 = 1 << 5;
/// A word that stands before a secret, or the start of a well-known token.
pub(super) const WORD: u16 = 1 << 6;
/// `://`.
pub(super) const SCHEME: u16 = 1 << 7;
/// A name of the list.
pub(super) const NAME: u16 = 1 << 8;
/// What could be a large whole number as protobuf writes it.
pub(super) const INTEGER: u16 = 1 << 9;
/// A key that a rule of a pack or of the settings names.
pub(super) const KEY: u16 = 1 << 10;
/// Text in JSON that hides characters behind `\u`.
pub(super) const ESCAPE: u16 = 1 << 11;

/// A run from this length on can be a token or base64.
pub(super) const RUN_BYTES_MIN: u32 = 16;
/// Phone numbers have this many digits at least.
const DIGITS_MIN: u32 = 7;

const DIGIT: u8 = 1;
const SEPARATOR: u8 = 2;
const TOKEN: u8 = 4;
const HEX: u8 = 8;
const UPPER: u8 = 16;
const RARE: u8 = 32;

static CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "a u8 is a valid index into 256 entries")]
#[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        table[index] = match byte {
            b'0'..=b'9' => DIGIT | TOKEN | HEX,
            b'A'..=b'F' => TOKEN | HEX | UPPER,
            b'G'..=b'Z' => TOKEN | UPPER,
            b'a'..=b'f' => TOKEN | HEX,
            b'g'..=b'z' | b'_' | b'=' => TOKEN,
            b'-' | b'/' | b'+' => TOKEN | SEPARATOR,
            b' ' | b'.' | b'(' | b')' => SEPARATOR,
            b':' => HEX,
            b'@' | b'\\' | 0x80..=0xFF => RARE,
            _ => 0,
        };
        index += 1;
    }
    table
}

/// Words of detectors and settings, looked for in any case.
#[derive(Debug)]
pub(super) struct Prefilter {
    words: Option<AhoCorasick>,
    /// The mark of each word.
    marks: Vec<u16>,
}

impl Prefilter {
    /// Looks for these words; none if they are too many for a matcher.
    pub(super) fn new(words: &[(&str, u16)]) -> Option<Self> {
        let marks = words.iter().map(|(_, mark)| *mark).collect();
        if words.is_empty() {
            return Some(Self { words: None, marks });
        }
        let matcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(aho_corasick::AhoCorasickKind::DFA))
            .build(words.iter().map(|(word, _)| *word))
            .ok()?;
        Some(Self { words: Some(matcher), marks })
    }

    /// The marks of some bytes.
    pub(super) fn marks(&self, bytes: &[u8]) -> u16 {
        shape(bytes) | self.words(bytes)
    }

    fn words(&self, bytes: &[u8]) -> u16 {
        let Some(words) = &self.words else { return 0 };
        let found = words.find_overlapping_iter(bytes);
        found.fold(0, |marks, one| {
            marks | self.marks.get(one.pattern().as_usize()).copied().unwrap_or_default()
        })
    }
}

/// Runs of bytes of one kind while a text passes.
#[derive(Default)]
struct Runs {
    digits: u32,
    dots: u32,
    token: u32,
    colons: u32,
    upper: u32,
    high: u32,
    last: u8,
}

fn shape(bytes: &[u8]) -> u16 {
    let mut marks = 0;
    let mut runs = Runs::default();
    for &byte in bytes {
        let class = CLASSES.get(usize::from(byte)).copied().unwrap_or_default();
        if class & TOKEN != 0 {
            runs.token += 1;
            if runs.token >= RUN_BYTES_MIN {
                marks |= RUN;
            }
        } else {
            runs.token = 0;
        }
        if class & DIGIT != 0 {
            marks |= runs.digit();
        } else if class & SEPARATOR != 0 {
            runs.dots += u32::from(byte == b'.');
        } else {
            (runs.digits, runs.dots) = (0, 0);
        }
        if byte == b':' {
            runs.colons += 1;
            if runs.colons >= 2 {
                marks |= COLONS;
            }
        } else if class & HEX == 0 && byte != b'.' {
            runs.colons = 0;
        }
        marks |= runs.rare(byte, class);
        runs.last = byte;
    }
    marks
}

impl Runs {
    #[inline]
    fn digit(&mut self) -> u16 {
        self.digits += 1;
        let mut marks = 0;
        if self.digits >= DIGITS_MIN {
            marks |= DIGITS;
        }
        if self.digits >= 4 && self.dots >= 3 {
            marks |= DOTTED;
        }
        // Two capitals, then two digits: `upper` counts 1, 2, then 3 for the first digit.
        match self.upper {
            2 => self.upper = 3,
            3 => marks |= COUNTRY,
            _ => self.upper = 0,
        }
        marks
    }

    #[inline]
    fn rare(&mut self, byte: u8, class: u8) -> u16 {
        if class & UPPER != 0 {
            self.upper = if self.upper == 1 || self.upper == 2 { 2 } else { 1 };
        } else if class & DIGIT == 0 {
            self.upper = 0;
        }
        if byte == b'/' && self.last == b'/' {
            return SCHEME;
        }
        if class & RARE == 0 {
            // The tag of a whole number in a value.
            self.high = u32::from(byte == 0x18);
            return 0;
        }
        match byte {
            b'@' => AT,
            b'\\' => ESCAPE,
            _ if self.high > 0 => {
                self.high += 1;
                if self.high > 4 { INTEGER } else { 0 }
            }
            _ => 0,
        }
    }
}
