//! A file for each value of an attribute of the resource (`group_by`).
//!
//! The value stands for the `*` of the path and may name folders, which are made; it never leads out
//! of the folder before the `*`. Few files are open at a time: the one that was unused longest is
//! closed. Records whose resource has no such text go to the dead letters.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use bessemer_pipeline::{SettingsError, Verdict};
use bessemer_record::view::{LogRecordView, LogsView, Message as _, ResourceGroup};
use bessemer_record::{Checked, Limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::framing::Framing;
use super::writer::{Writer, sync_directory};

/// Bytes of a value that names a file.
const SEGMENT_BYTES_MAX: usize = 1024;
/// Files that are open at a time, whatever the settings say.
const OPEN_FILES_MAX: usize = 1000;

/// Writes to several files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GroupBy {
    /// Whether a file is chosen by the attribute; the block without it changes nothing.
    pub enabled: bool,
    /// The attribute of the resource whose value stands for the `*` of `path`.
    pub resource_attribute: String,
    /// Files that are open at a time, at most 1000.
    pub max_open_files: usize,
}

impl Default for GroupBy {
    fn default() -> Self {
        let resource_attribute = "fileexporter.path_segment".to_owned();
        Self { enabled: false, resource_attribute, max_open_files: 100 }
    }
}

/// A path with one `*`.
pub(super) struct Pattern {
    before: String,
    behind: String,
}

impl Pattern {
    pub(super) fn parse(path: &str) -> Result<Self, SettingsError> {
        let refused = |problem| {
            SettingsError::new(
                "path",
                problem,
                "write it as folder/*.jsonl, since group_by is enabled",
            )
        };
        let (before, behind) = path.split_once('*').ok_or_else(|| refused("has no *"))?;
        if before.is_empty() || behind.contains('*') {
            let problem = if before.is_empty() { "begins with *" } else { "has more than one *" };
            return Err(refused(problem));
        }
        Ok(Self { before: before.to_owned(), behind: behind.to_owned() })
    }

    /// The file of a value; none for one that cannot be a path.
    fn file(&self, value: &str) -> Option<PathBuf> {
        let is_sound = value.len() <= SEGMENT_BYTES_MAX && !value.contains('\0');
        let (folder, stem) = self.before.rsplit_once('/').unwrap_or((".", &self.before));
        // A folder of "/" itself is the empty text before its slash.
        let folder = if folder.is_empty() { "/" } else { folder };
        let mut file = PathBuf::from(folder);
        let inside = format!("{stem}{value}{}", self.behind);
        let mut depth = 0_usize;
        for part in Path::new(&inside).components() {
            match part {
                Component::Normal(name) => {
                    file.push(name);
                    depth += 1;
                }
                Component::ParentDir if depth > 0 => {
                    file.pop();
                    depth -= 1;
                }
                Component::ParentDir
                | Component::CurDir
                | Component::RootDir
                | Component::Prefix(_) => {}
            }
        }
        (is_sound && depth > 0).then_some(file)
    }
}

/// Makes the writer of a file.
type Open = Box<dyn Fn(PathBuf) -> Writer + Send>;

/// The files that are open.
pub(super) struct Groups {
    pattern: Pattern,
    attribute: String,
    open_max: usize,
    make: Open,
    /// The one used last comes last.
    open: Vec<Writer>,
}

impl Groups {
    pub(super) fn new(
        pattern: Pattern,
        settings: &GroupBy,
        make: Open,
    ) -> Result<Self, SettingsError> {
        let attribute = settings.resource_attribute.clone();
        if attribute.is_empty() {
            let remedy = "name an attribute of the resource";
            return Err(SettingsError::new("group_by.resource_attribute", "is empty", remedy));
        }
        let open_max = settings.max_open_files;
        if !(1..=OPEN_FILES_MAX).contains(&open_max) {
            let remedy = format!("write a number from 1 to {OPEN_FILES_MAX}");
            return Err(SettingsError::new("group_by.max_open_files", "is out of range", remedy));
        }
        Ok(Self { pattern, attribute, open_max, make, open: Vec::new() })
    }

    /// Writes each group to its file; what fails in one leaves the others.
    pub(super) fn write(&mut self, batch: &Checked, framing: Framing) -> Verdict {
        let mut groups: BTreeMap<PathBuf, Group> = BTreeMap::new();
        let mut verdicts = Vec::new();
        let mut first = 0;
        // Only what all signals have in common is read.
        for message in LogsView::new(batch.bytes()).resources().bytes() {
            let records = records_of(batch, message);
            let range = first..first + records;
            first = range.end;
            match self.file_of(message) {
                Some(file) => groups.entry(file).or_default().add(message, range),
                None if range.is_empty() => {}
                None => {
                    let attribute = &self.attribute;
                    let problem = format!("the resource has no text {attribute} that names a file");
                    verdicts.push((range, Verdict::refused(problem)));
                }
            }
        }
        for (file, group) in groups {
            let group_batch = Checked::trusted(batch.signal(), group.payload.into(), group.records);
            let verdict = match framing.message(&group_batch) {
                Err(problem) => Verdict::refused(problem),
                Ok(message) => match self.writer(file).and_then(|writer| writer.write(&message)) {
                    Ok(()) => continue,
                    Err(error) => Verdict::retry(error.to_string()),
                },
            };
            verdicts.extend(group.ranges.into_iter().map(|range| (range, verdict.clone())));
        }
        if verdicts.is_empty() { Verdict::Delivered } else { Verdict::Split(verdicts) }
    }

    fn file_of(&self, message: &[u8]) -> Option<PathBuf> {
        let group = ResourceGroup::<LogRecordView<'_>>::read(message);
        let value = group.resource().attributes().get(&self.attribute)?;
        self.pattern.file(value.as_str()?)
    }

    fn writer(&mut self, file: PathBuf) -> io::Result<&mut Writer> {
        if let Some(at) = self.open.iter().position(|writer| writer.path() == file) {
            let writer = self.open.remove(at);
            self.open.push(writer);
        } else {
            if let Some(folder) = file.parent() {
                make_folders(folder)?;
            }
            if self.open.len() >= self.open_max {
                self.open.remove(0);
            }
            self.open.push((self.make)(file));
        }
        self.open.last_mut().ok_or_else(|| io::Error::other("no file"))
    }
}

/// Makes a folder and those above it that are missing; the name of each is durable before the next.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folders(above)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.and_then(|()| sync_directory(folder)),
    }
}

/// What goes to one file.
#[derive(Default)]
struct Group {
    payload: Vec<u8>,
    records: u32,
    ranges: Vec<Range<u32>>,
}

impl Group {
    fn add(&mut self, message: &[u8], range: Range<u32>) {
        self.payload.extend(as_field(message));
        self.records += range.end - range.start;
        self.ranges.push(range);
    }
}

/// A resource with its records as a field of a request, which is the same for all signals.
fn as_field(message: &[u8]) -> Vec<u8> {
    const TAG: u8 = 1 << 3 | 2;
    let mut field = vec![TAG];
    let mut length = message.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap_or(0));
    field.extend_from_slice(message);
    field
}

/// How many records a resource sent; of metrics, how many data points.
fn records_of(batch: &Checked, message: &[u8]) -> u32 {
    let unbounded =
        Limits { depth_max: u32::MAX, record_bytes_max: usize::MAX, batch_bytes_max: usize::MAX };
    let checked = Checked::check(batch.signal(), as_field(message).into(), &unbounded);
    checked.map_or(0, |checked| checked.records())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bessemer_record::Signal;
    use bessemer_runtime::SystemClock;
    use proptest::prelude::*;

    use super::super::framing::{Compression, Format};
    use super::*;

    const LINES: Framing = Framing { format: Format::Json, compression: Compression::None };

    fn groups(path: &Path, max_open_files: usize) -> Groups {
        let settings = GroupBy { enabled: true, max_open_files, ..GroupBy::default() };
        let pattern = Pattern::parse(path.to_str().unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _guard = runtime.enter();
        let clock = Arc::new(SystemClock::default());
        let make =
            move |path| Writer::new(path, LINES, None, true, Arc::<SystemClock>::clone(&clock));
        Groups::new(pattern, &settings, Box::new(make)).unwrap()
    }

    /// A request with one record of this body for each resource.
    fn batch(of: &[(Option<&str>, &str)]) -> Checked {
        let field = |number: u8, bytes: &[u8]| {
            let mut field = as_field(bytes);
            field[0] = number << 3 | 2;
            field
        };
        let mut request = Vec::new();
        for (segment, body) in of {
            let text = |text: &str| field(2, &field(1, text.as_bytes()));
            let attribute = segment.map(|segment| {
                let key = field(1, b"fileexporter.path_segment");
                field(1, &[key, text(segment)].concat())
            });
            let resource = field(1, &attribute.unwrap_or_default());
            let record = field(2, &field(5, &field(1, body.as_bytes())));
            request.extend(field(1, &[resource, field(2, &record)].concat()));
        }
        let records = u32::try_from(of.len()).unwrap();
        Checked::trusted(Signal::Logs, request.into(), records)
    }

    fn bodies(path: &Path) -> usize {
        std::fs::read_to_string(path).unwrap().matches("stringValue\":\"body").count()
    }

    #[test]
    fn each_value_has_its_file_and_what_has_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut groups = groups(&folder.path().join("logs/*.jsonl"), 2);
        let of = [
            (Some("a"), "body"),
            (None, "lost"),
            (Some("b/c"), "body"),
            (Some("a"), "body"),
            (Some("d"), "body"),
        ];
        for _ in 0..2 {
            let Verdict::Split(verdicts) = groups.write(&batch(&of), LINES) else { panic!() };
            let [(range, Verdict::Refused { .. })] = verdicts.as_slice() else { panic!() };
            assert_eq!(*range, 1..2);
        }
        assert!(groups.open.len() <= 2);
        let count = |name: &str| bodies(&folder.path().join("logs").join(name));
        assert_eq!([count("a.jsonl"), count("b/c.jsonl"), count("d.jsonl")], [4, 2, 2]);
    }

    #[test]
    fn a_file_that_cannot_be_made_holds_up_its_own_records_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("taken"), "").unwrap();
        let mut groups = groups(&folder.path().join("*.jsonl"), 10);
        let of = [(Some("free"), "body"), (Some("taken/x"), "body")];
        let Verdict::Split(verdicts) = groups.write(&batch(&of), LINES) else { panic!() };
        assert!(
            matches!(verdicts.as_slice(), [(range, Verdict::Retry { .. })] if *range == (1..2))
        );
        assert_eq!(bodies(&folder.path().join("free.jsonl")), 1);
    }

    #[test]
    fn a_pattern_has_one_star_that_is_not_its_beginning() {
        for wrong in ["a", "*", "*/a", "a/*/b*"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
        let file = |value: &str| Pattern::parse("out/x-*.log").unwrap().file(value);
        assert_eq!(file("a"), Some("out/x-a.log".into()));
        assert_eq!(file("/b/./c"), Some("out/x-/b/c.log".into()));
        assert_eq!(file("/../../../etc/passwd"), Some("out/etc/passwd.log".into()));
        assert_eq!(file(&"x".repeat(2000)), None);
        assert_eq!(file("a\0b"), None);
    }

    proptest! {
        #[test]
        fn no_value_leads_out_of_the_folder(
            parts in proptest::collection::vec("\\.{0,3}|[a-z]{1,3}|/", 0..12),
            glue in "/|",
        ) {
            let file = Pattern::parse("/out/*").unwrap().file(&parts.join(&glue));
            if let Some(file) = file {
                prop_assert!(file.starts_with("/out") && file != Path::new("/out"), "{file:?}");
                prop_assert!(!file.components().any(|part| part == Component::ParentDir));
            }
        }
    }
}
