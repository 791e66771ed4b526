//! `otelcol.exporter.file`: OTLP requests, one behind the other, in one file or in one for each value
//! of an attribute.
//!
//! A delivery is written, synced and only then delivered. A crash can leave half a message; it is
//! cut off when the file is opened again, and its records come again from the journal.

mod framing;
mod groups;
mod rotation;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, QueueSettings, read};
use bessemer_pipeline::{Built, Context, Delivery, Exporter, SettingsError, StartError, Verdict};
use bessemer_record::Checked;
use bessemer_runtime::{BoxFuture, Ignored};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use framing::{Compression, Format, Framing};
use groups::{GroupBy, Groups, Pattern};
use rotation::Rotation;
use writer::Writer;

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

/// Settings of `otelcol.exporter.file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The file; its directory must exist. With `group_by` it holds one `*`.
    pub path: String,
    /// How requests are written.
    #[serde(default)]
    pub format: Format,
    /// How each request is compressed; what is compressed has four bytes with its length before it.
    #[serde(default)]
    pub compression: Compression,
    /// Continues an existing file. Off: it is emptied at start.
    #[serde(default = "yes")]
    pub append: bool,
    /// Every delivery is written before it counts as delivered.
    #[serde(default, skip_serializing)]
    pub flush_interval: Ignored,
    /// When the file is set aside and a new one begun; never without the block.
    #[serde(default)]
    pub rotation: Option<Rotation>,
    /// Writes to a file for each value of an attribute of the resource.
    #[serde(default)]
    pub group_by: Option<GroupBy>,
    /// Syncs the file before records count as delivered. Off: a power cut can lose the last ones.
    #[serde(default = "yes")]
    pub sync: bool,
    /// How its queue on disk behaves.
    #[serde(default)]
    pub queue: QueueSettings,
}

const fn yes() -> bool {
    true
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    if settings.path.is_empty() {
        return Err(SettingsError::new("path", "is empty", "name a file").into());
    }
    let framing = Framing { format: settings.format, compression: settings.compression };
    let Settings { rotation, sync, .. } = settings;
    let clock = Arc::clone(&context.clock);
    let writer = move |path| Writer::new(path, framing, rotation.clone(), sync, Arc::clone(&clock));
    let group_by = settings.group_by.filter(|group_by| group_by.enabled);
    let files = match group_by {
        None => Files::One(Box::new(writer(PathBuf::from(&settings.path)))),
        Some(group_by) => {
            if !settings.append {
                let problem =
                    "= false has no meaning with group_by: files are opened as records come";
                return Err(SettingsError::new("append", problem, "leave it out").into());
            }
            let pattern = Pattern::parse(&settings.path)?;
            Files::Many(Groups::new(pattern, &group_by, Box::new(writer))?)
        }
    };
    let exporter = File {
        id: context.id.clone(),
        framing,
        files: Arc::new(Mutex::new(files)),
        append: settings.append,
    };
    Ok(Built::Exporter { exporter: Arc::new(exporter), queue: settings.queue })
}

struct File {
    id: String,
    framing: Framing,
    files: Arc<Mutex<Files>>,
    append: bool,
}

enum Files {
    One(Box<Writer>),
    Many(Groups),
}

impl Files {
    fn write(&mut self, batch: &Checked, framing: Framing) -> Verdict {
        match self {
            Self::One(writer) => framing.message(batch).map_or_else(Verdict::refused, |message| {
                match writer.write(&message) {
                    Ok(()) => Verdict::Delivered,
                    Err(error) => Verdict::retry(error.to_string()),
                }
            }),
            Self::Many(groups) => groups.write(batch, framing),
        }
    }
}

impl Exporter for File {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Verdict> {
        let batch = Checked::trusted(delivery.signal, delivery.payload(), delivery.records());
        let (files, framing) = (Arc::clone(&self.files), self.framing);
        Box::pin(async move {
            let written =
                tokio::task::spawn_blocking(move || files.lock().write(&batch, framing)).await;
            written.unwrap_or_else(|error| Verdict::retry(error.to_string()))
        })
    }

    fn concurrency_max(&self) -> usize {
        1
    }

    fn open(&self) -> BoxFuture<'_, Result<(), StartError>> {
        let opened = match &mut *self.files.lock() {
            Files::One(writer) => writer.start(self.append).map_err(|error| StartError {
                component: self.id.clone(),
                problem: format!("cannot open {}: {error}", writer.path().display()),
                remedy: "check that the directory exists and can be written".to_owned(),
            }),
            // Which files there will be is not known before records come.
            Files::Many(_) => Ok(()),
        };
        Box::pin(std::future::ready(opened))
    }
}
