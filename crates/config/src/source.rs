//! Texts, places in them, and where they come from.
//!
//! A [`Location`] carries its text, so that a value, a node or an error can be shown with its line
//! long after the file was read, and without a table that must be handed along.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest text that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// A text with a name, usually a file.
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<u32>,
}

impl Source {
    /// Names `text`; positions in it are found without a further scan.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let after_newline = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts =
            std::iter::once(0).chain(after_newline.map(|(at, _)| offset(at + 1))).collect();
        Arc::new(Self { name: name.into(), text, line_starts })
    }

    /// The name: the path as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1, the column in bytes as Alloy counts.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let at = offset(at.min(self.text.len()));
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        (line, (at - start) as usize + 1)
    }

    /// The byte offset at which a line (from 1) starts, or the end of the text.
    pub fn line_start(&self, line: usize) -> usize {
        let start = self.line_starts.get(line.wrapping_sub(1));
        start.map_or(self.text.len(), |start| *start as usize)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({}, {} bytes)", self.name, self.text.len())
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A range of bytes in a text; nowhere by default.
#[derive(Clone, Default)]
pub struct Location {
    source: Option<Arc<Source>>,
    start: u32,
    end: u32,
}

impl Location {
    /// The bytes `range` of `source`.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        Self {
            source: Some(Arc::clone(source)),
            start: offset(range.start),
            end: offset(range.end.max(range.start)),
        }
    }

    /// No place: what was built by code and not read from a text.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// The text it lies in.
    pub fn source(&self) -> Option<&Arc<Source>> {
        self.source.as_ref()
    }

    /// The name of the text, or an empty string.
    pub fn file(&self) -> &str {
        self.source.as_ref().map_or("", |source| source.name())
    }

    /// The line of its first byte, from 1; 0 if it is nowhere.
    pub fn line(&self) -> usize {
        self.position().0
    }

    /// The column of its first byte, from 1, in bytes; 0 if it is nowhere.
    pub fn column(&self) -> usize {
        self.position().1
    }

    /// Line and column of its first byte.
    pub fn position(&self) -> (usize, usize) {
        self.source.as_ref().map_or((0, 0), |source| source.position(self.start as usize))
    }

    /// The bytes it covers.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether it points into a text.
    pub fn is_somewhere(&self) -> bool {
        self.source.is_some()
    }

    /// What sorts diagnostics: file, then place.
    pub(crate) fn order(&self) -> (&str, u32, u32) {
        (self.file(), self.start, self.end)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        write!(formatter, "{}:{line}:{column}", self.file())
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// Where texts are read from; the disk, or a map in tests.
pub trait Sources {
    /// The whole text of a file, at most [`TEXT_BYTES_MAX`] bytes of UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The paths of the files directly in a directory, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether the path is a directory.
    fn is_directory(&self, path: &Path) -> bool;

    /// Whether there is a file or directory at the path.
    fn exists(&self, path: &Path) -> bool;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskSources;

impl Sources for DiskSources {
    fn read(&self, path: &Path) -> io::Result<String> {
        let mut bytes = Vec::new();
        let limit = TEXT_BYTES_MAX as u64 + 1;
        std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        checked(bytes)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let path = entry?.path();
            if path.is_file() {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// Files that exist in memory only.
#[derive(Debug, Clone, Default)]
pub struct MemorySources {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl MemorySources {
    /// Adds or replaces a file.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl Sources for MemorySources {
    fn read(&self, path: &Path) -> io::Result<String> {
        let bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        checked(bytes.clone())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let inside = |file: &&PathBuf| file.parent() == Some(path);
        Ok(self.files.keys().filter(inside).cloned().collect())
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.files.keys().any(|file| file.parent() == Some(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.contains_key(path) || self.is_directory(path)
    }
}

fn checked(bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(invalid(format!("larger than the limit of {} MiB", TEXT_BYTES_MAX >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        invalid(format!("illegal UTF-8 encoding at byte {at} (line {line})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_bytes() {
        let source = Source::new("a.alloy", "ab\n\u{e9}x\n");
        let expected = [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (5, (2, 3)), (7, (3, 1))];
        for (at, position) in expected {
            assert_eq!(source.position(at), position, "offset {at}");
        }
    }

    #[test]
    fn a_text_that_is_too_large_or_not_utf8_is_refused_with_the_reason() {
        let sources = MemorySources::default()
            .with("big", vec![b' '; TEXT_BYTES_MAX + 1])
            .with("bad", b"a\n\xff");
        let reason = |name: &str| sources.read(Path::new(name)).unwrap_err().to_string();
        assert!(reason("big").contains("16 MiB"));
        assert!(reason("bad").contains("byte 2 (line 2)"));
    }
}
