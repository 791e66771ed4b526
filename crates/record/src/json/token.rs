//! The tokens of JSON text as RFC 8259 defines them, each with the byte it starts at.

use super::error::{JsonError, JsonErrorKind};
use super::text::plain_len;

/// Arrays and objects that nest deeper than this inside what OTLP does not know are refused.
const NESTED_MAX: u32 = 512;

/// Checks that a text is one JSON value and nothing else.
///
/// Escapes of lone surrogates and nesting deeper than 512 are refused, as RFC 8259 permits.
pub fn validate(text: &[u8]) -> Result<(), JsonError> {
    let mut source = Source::new(text)?;
    source.skip_value()?;
    source.end()
}

/// A string as it stands in the text.
#[derive(Clone, Copy)]
pub(super) struct RawString<'a> {
    /// What stands between the quotes.
    pub(super) raw: &'a [u8],
    /// Whether there are escapes in it.
    pub(super) is_escaped: bool,
}

impl RawString<'_> {
    /// Appends the string with its escapes resolved.
    pub(super) fn decode(self, out: &mut Vec<u8>) {
        if !self.is_escaped {
            out.extend_from_slice(self.raw);
            return;
        }
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (plain, escape) = rest.split_at(at);
            out.extend_from_slice(plain);
            rest = unescape(escape, out);
        }
        out.extend_from_slice(rest);
    }
}

/// Appends the character that an escape stands for; returns what follows. The scan has accepted it.
fn unescape<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let byte = match escape.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'u') => {
            let (character, len) = unicode_escape(escape).unwrap_or((' ', escape.len()));
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return escape.get(len..).unwrap_or_default();
        }
        Some(&byte) => byte,
        None => return &[],
    };
    out.push(byte);
    escape.get(2..).unwrap_or_default()
}

/// Reads `\uXXXX`, or two of them that make a character together: the character and the length.
fn unicode_escape(escape: &[u8]) -> Option<(char, usize)> {
    let unit = |start: usize| {
        let text = escape.get(start..start + 6)?.strip_prefix(b"\\u")?;
        text.iter()
            .try_fold(0, |number, &digit| Some(number << 4 | char::from(digit).to_digit(16)?))
    };
    let high = unit(0)?;
    if !(0xD800..0xDC00).contains(&high) {
        return Some((char::from_u32(high)?, 6));
    }
    let low = unit(6).filter(|low| (0xDC00..0xE000).contains(low))?;
    Some((char::from_u32(0x1_0000 + ((high - 0xD800) << 10 | (low - 0xDC00)))?, 12))
}

/// JSON text and how far it has been read.
pub(super) struct Source<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    /// Starts at the first token of a text, which must be UTF-8.
    pub(super) fn new(text: &'a [u8]) -> Result<Self, JsonError> {
        match simdutf8::compat::from_utf8(text) {
            Ok(_) => {
                let mut source = Self { text, at: 0 };
                source.skip_space();
                Ok(source)
            }
            Err(error) => Err(JsonError { offset: error.valid_up_to(), kind: JsonErrorKind::Utf8 }),
        }
    }

    /// The byte at which the next token starts.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The first byte of the next token.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn syntax<T>(&self, expected: &'static str) -> Result<T, JsonError> {
        Err(JsonError { offset: self.at, kind: JsonErrorKind::Syntax { expected } })
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes a byte and the space after it if it stands there.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        if is_there {
            self.at += 1;
            self.skip_space();
        }
        is_there
    }

    /// Expects a byte and takes the space after it.
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { self.syntax(expected) }
    }

    /// Expects the end of the text.
    pub(super) fn end(&self) -> Result<(), JsonError> {
        if self.at == self.text.len() { Ok(()) } else { self.syntax("the end") }
    }

    /// After a value in an array or object: whether another one follows.
    pub(super) fn more(&mut self, close: u8) -> Result<bool, JsonError> {
        if self.take(b',') {
            Ok(true)
        } else if self.take(close) {
            Ok(false)
        } else {
            self.syntax(if close == b']' { "',' or ']'" } else { "',' or '}'" })
        }
    }

    /// Takes the key of a member and the colon.
    pub(super) fn key(&mut self) -> Result<RawString<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return self.syntax("a key in quotes");
        }
        let key = self.string()?;
        self.expect(b':', "':'")?;
        Ok(key)
    }

    /// Takes a string.
    pub(super) fn string(&mut self) -> Result<RawString<'a>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut is_escaped = false;
        loop {
            self.at += plain_len(self.text.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_escaped = true;
                    self.escape()?;
                }
                Some(_) => return self.syntax("an escape instead of a control character"),
                None => return self.syntax("a quote"),
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        self.skip_space();
        Ok(RawString { raw, is_escaped })
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = rest.get(2..6).unwrap_or_default();
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.syntax("four hexadecimal digits");
                }
                let Some((_, len)) = unicode_escape(rest) else {
                    let kind = JsonErrorKind::LoneSurrogate;
                    return Err(JsonError { offset: self.at, kind });
                };
                self.at += len;
            }
            _ => return self.syntax("an escape"),
        }
        Ok(())
    }

    /// Takes a number.
    pub(super) fn number(&mut self) -> Result<&'a [u8], JsonError> {
        let start = self.at;
        self.skip_byte(|byte| byte == b'-');
        if !self.skip_byte(|byte| byte == b'0') {
            self.digits()?;
        }
        if self.skip_byte(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip_byte(|byte| matches!(byte, b'e' | b'E')) {
            self.skip_byte(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        let number = self.text.get(start..self.at).unwrap_or_default();
        self.skip_space();
        Ok(number)
    }

    fn skip_byte(&mut self, accept: impl FnOnce(u8) -> bool) -> bool {
        let is_accepted = self.peek().is_some_and(accept);
        self.at += usize::from(is_accepted);
        is_accepted
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.skip_byte(|byte| byte.is_ascii_digit()) {}
        if self.at > start { Ok(()) } else { self.syntax("a digit") }
    }

    /// Takes `true`, `false` or `null`.
    pub(super) fn literal(&mut self, word: &'static str) -> Result<(), JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return self.syntax("a value");
        }
        self.at += word.len();
        self.skip_space();
        Ok(())
    }

    /// Takes a value of any type without looking at what it says.
    pub(super) fn skip_value(&mut self) -> Result<(), JsonError> {
        let mut open = Nesting::default();
        loop {
            let is_opened = match self.peek() {
                Some(b'{') => self.open(&mut open, b'}')?,
                Some(b'[') => self.open(&mut open, b']')?,
                _ => {
                    self.skip_scalar()?;
                    false
                }
            };
            if !is_opened && !self.close(&mut open)? {
                return Ok(());
            }
            if open.last() == Some(b'}') {
                self.key()?;
            }
        }
    }

    /// Takes the start of an array or object; returns whether an element follows.
    fn open(&mut self, open: &mut Nesting, close: u8) -> Result<bool, JsonError> {
        if !open.push(close) {
            let kind = JsonErrorKind::NestedTooDeep { max: NESTED_MAX };
            return Err(JsonError { offset: self.at, kind });
        }
        self.at += 1;
        self.skip_space();
        if self.take(close) {
            open.pop();
            return Ok(false);
        }
        Ok(true)
    }

    /// After a value: takes what closes around it; returns whether another value follows.
    fn close(&mut self, open: &mut Nesting) -> Result<bool, JsonError> {
        while let Some(close) = open.last() {
            if self.more(close)? {
                return Ok(true);
            }
            open.pop();
        }
        Ok(false)
    }

    fn skip_scalar(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.syntax("a value"),
        }
    }
}

/// Which brackets are open, one bit each.
#[derive(Default)]
struct Nesting {
    is_object: [u64; NESTED_MAX as usize / 64],
    depth: u32,
}

impl Nesting {
    fn push(&mut self, close: u8) -> bool {
        let Some(word) = self.is_object.get_mut(self.depth as usize / 64) else { return false };
        let bit = 1 << (self.depth % 64);
        if close == b'}' {
            *word |= bit;
        } else {
            *word &= !bit;
        }
        self.depth += 1;
        true
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn last(&self) -> Option<u8> {
        let index = self.depth.checked_sub(1)?;
        let word = self.is_object.get(index as usize / 64)?;
        Some(if word >> (index % 64) & 1 == 1 { b'}' } else { b']' })
    }
}
