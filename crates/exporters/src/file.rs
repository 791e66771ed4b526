//! `otelcol.exporter.file`: one OTLP JSON request per line, in one file at a time.
//!
//! A delivery is written, synced and only then delivered. A crash can leave half a line; it is
//! cut off when the file is opened again, and its records come again from the journal.

mod rotation;

use std::fs::{File as SystemFile, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, QueueSettings, read};
use bessemer_pipeline::{Built, Context, Delivery, Exporter, SettingsError, StartError, Verdict};
use bessemer_record::{Checked, json};
use bessemer_runtime::{BoxFuture, Clock, Ignored};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use rotation::Rotation;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.exporter.file "example" {
  path = "telemetry.jsonl"

  rotation {
    max_megabytes = 100
    max_days      = 7
    max_backups   = 10
  }
}
"#;

/// How far back the end of the last whole line is looked for.
const LINE_BYTES_MAX: u64 = 256 << 20;
const CHUNK: u64 = 64 << 10;

/// Settings of `otelcol.exporter.file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The file; its directory must exist.
    pub path: String,
    /// Only `json`.
    #[serde(default)]
    pub format: Format,
    /// Continues an existing file. Off: it is emptied at start.
    #[serde(default = "yes")]
    pub append: bool,
    /// Every delivery is written before it counts as delivered.
    #[serde(default, skip_serializing)]
    pub flush_interval: Ignored,
    /// When the file is set aside and a new one begun; never without the block.
    #[serde(default)]
    pub rotation: Option<Rotation>,
    /// Syncs the file before records count as delivered. Off: a power cut can lose the last ones.
    #[serde(default = "yes")]
    pub sync: bool,
    /// How its queue on disk behaves.
    #[serde(default)]
    pub queue: QueueSettings,
}

/// How records are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// OTLP JSON, one request per line.
    #[default]
    Json,
}

const fn yes() -> bool {
    true
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    if settings.path.is_empty() {
        return Err(SettingsError::new("path", "is empty", "name a file").into());
    }
    let queue = settings.queue.clone();
    let exporter = File {
        id: context.id.clone(),
        writer: Arc::new(Mutex::new(Writer {
            path: PathBuf::from(&settings.path),
            rotation: settings.rotation,
            sync: settings.sync,
            clock: Arc::clone(&context.clock),
            open: None,
        })),
        append: settings.append,
    };
    Ok(Built::Exporter { exporter: Arc::new(exporter), queue })
}

struct File {
    id: String,
    writer: Arc<Mutex<Writer>>,
    append: bool,
}

struct Writer {
    path: PathBuf,
    rotation: Option<Rotation>,
    sync: bool,
    clock: Arc<dyn Clock>,
    open: Option<Open>,
}

struct Open {
    file: SystemFile,
    bytes: u64,
}

impl Exporter for File {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        let batch = Checked::trusted(delivery.signal, delivery.payload(), delivery.records());
        let writer = Arc::clone(&self.writer);
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || {
                let mut line = json::to_otlp_json(&batch);
                line.push(b'\n');
                writer.lock().write(&line)
            });
            match written.await {
                Ok(Ok(())) => Verdict::Delivered,
                Ok(Err(error)) => Verdict::retry(error.to_string()),
                Err(error) => Verdict::retry(error.to_string()),
            }
        })
    }

    fn concurrency_max(&self) -> usize {
        1
    }

    fn open(&self) -> BoxFuture<'_, Result<(), StartError>> {
        let mut writer = self.writer.lock();
        let opened = if self.append { Ok(()) } else { writer.empty() };
        let opened = opened.and_then(|()| writer.open_file().map(drop));
        let opened = opened.map_err(|error| StartError {
            component: self.id.clone(),
            problem: format!("cannot open {}: {error}", writer.path.display()),
            remedy: "check that the directory exists and can be written".to_owned(),
        });
        Box::pin(std::future::ready(opened))
    }
}

impl Writer {
    fn empty(&self) -> io::Result<()> {
        SystemFile::create(&self.path)?.sync_all()
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.try_write(line);
        if written.is_err() {
            // What the file holds now is unknown: the next try opens it anew and cuts the rest.
            self.open = None;
        }
        written
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        let now = self.clock.unix_nanos();
        let full = match (&self.rotation, &self.open) {
            (Some(rotation), Some(open)) => rotation.is_due(open.bytes, line.len() as u64),
            _ => false,
        };
        if full && let Some(rotation) = &self.rotation {
            self.open = None;
            rotation.set_aside(&self.path, now)?;
        }
        let sync = self.sync;
        let open = self.open_file()?;
        open.file.write_all(line)?;
        if sync {
            open.file.sync_data()?;
        }
        open.bytes += line.len() as u64;
        Ok(())
    }

    fn open_file(&mut self) -> io::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => open_whole(&self.path)?,
        };
        Ok(self.open.insert(open))
    }
}

/// Opens the file for appending, without the half line that a crash may have left.
fn open_whole(path: &Path) -> io::Result<Open> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if is_new {
        sync_directory(path)?;
    }
    let length = file.metadata()?.len();
    let whole = end_of_last_line(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(Open { file, bytes: whole })
}

fn end_of_last_line(file: &mut SystemFile, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut chunk = Vec::new();
    while end > 0 && length - end <= LINE_BYTES_MAX {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    // No line end within reach: not a file of ours, so nothing of it is cut.
    Ok(if end == 0 { 0 } else { length })
}

/// Makes the name of a new or renamed file durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    SystemFile::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_runtime::SystemClock;

    fn writer(path: &Path, rotation: Option<Rotation>) -> Writer {
        let clock = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _guard = clock.enter();
        Writer {
            path: path.to_owned(),
            rotation,
            sync: true,
            clock: Arc::new(SystemClock::default()),
            open: None,
        }
    }

    #[test]
    fn half_a_line_is_cut_and_whole_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        std::fs::write(&path, b"{\"a\":1}\n{\"b\":").unwrap();
        writer(&path, None).write(b"{\"c\":3}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n");
    }

    #[test]
    fn rotation_keeps_every_line_and_the_newest_backups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let rotation = Rotation { max_megabytes: 1, max_days: 0, max_backups: 2, localtime: false };
        let mut writer = writer(&path, Some(rotation));
        let line = [vec![b'x'; 400_000], vec![b'\n']].concat();
        for _ in 0..9 {
            writer.write(&line).unwrap();
        }
        let files: Vec<PathBuf> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 3, "{files:?}");
        for file in files {
            let bytes = std::fs::read(file).unwrap();
            assert!(bytes.len() % line.len() == 0 && bytes.len() <= 1 << 20);
        }
    }
}
