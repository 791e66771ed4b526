//! One file that messages are written to, and what a crash left at its end.

use std::fs::{File as SystemFile, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bessemer_runtime::Clock;

use super::framing::Framing;
use super::rotation::Rotation;

/// Writes whole messages to a file.
pub(super) struct Writer {
    path: PathBuf,
    framing: Framing,
    rotation: Option<Rotation>,
    sync: bool,
    clock: Arc<dyn Clock>,
    open: Option<Open>,
}

struct Open {
    file: SystemFile,
    bytes: u64,
}

impl Writer {
    /// Opens the file when something is written.
    pub(super) fn new(
        path: PathBuf,
        framing: Framing,
        rotation: Option<Rotation>,
        sync: bool,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { path, framing, rotation, sync, clock, open: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file now; unless `append`, empties it.
    pub(super) fn start(&mut self, append: bool) -> io::Result<()> {
        if !append {
            SystemFile::create(&self.path)?.sync_all()?;
        }
        self.open_file().map(drop)
    }

    /// Writes a message as [`Framing::message`] made it.
    pub(super) fn write(&mut self, message: &[u8]) -> io::Result<()> {
        let written = self.try_write(message);
        if written.is_err() {
            // What the file holds now is unknown: the next try opens it anew and cuts the rest.
            self.open = None;
        }
        written
    }

    fn try_write(&mut self, message: &[u8]) -> io::Result<()> {
        let now = self.clock.unix_nanos();
        let full = match (&self.rotation, &self.open) {
            (Some(rotation), Some(open)) => rotation.is_due(open.bytes, message.len() as u64),
            _ => false,
        };
        if full && let Some(rotation) = &self.rotation {
            self.open = None;
            rotation.set_aside(&self.path, now)?;
        }
        let sync = self.sync;
        let open = self.open_file()?;
        open.file.write_all(message)?;
        if sync {
            open.file.sync_data()?;
        }
        open.bytes += message.len() as u64;
        Ok(())
    }

    fn open_file(&mut self) -> io::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => open_whole(&self.path, self.framing)?,
        };
        Ok(self.open.insert(open))
    }
}

/// Opens the file for appending, without the half message that a crash may have left.
fn open_whole(path: &Path, framing: Framing) -> io::Result<Open> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if is_new {
        sync_directory(path)?;
    }
    let length = file.metadata()?.len();
    let whole = framing.end_of_last(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(Open { file, bytes: whole })
}

/// Makes the name of a new or renamed file durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    SystemFile::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::framing::{Compression, Format};
    use super::*;
    use bessemer_runtime::SystemClock;

    fn writer(path: &Path, framing: Framing, rotation: Option<Rotation>) -> Writer {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _guard = runtime.enter();
        Writer::new(path.to_owned(), framing, rotation, true, Arc::new(SystemClock::default()))
    }

    const LINES: Framing = Framing { format: Format::Json, compression: Compression::None };
    const SIZED: Framing = Framing { format: Format::Proto, compression: Compression::None };

    #[test]
    fn half_a_message_is_cut_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, b"{\"a\":1}\n{\"b\":").unwrap();
        writer(&path, LINES, None).write(b"{\"c\":3}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n");
        let whole = [&[0, 0, 0, 2][..], b"ab", &[0, 0, 0, 0]].concat();
        for torn in [&b""[..], &[0], &[0, 0, 0], &[0, 0, 0, 3], &[0, 0, 0, 3, b'x', b'y']] {
            std::fs::write(&path, [&whole[..], torn].concat()).unwrap();
            writer(&path, SIZED, None).write(&[0, 0, 0, 1, b'z']).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), [&whole[..], &[0, 0, 0, 1, b'z']].concat());
        }
    }

    #[test]
    fn a_file_of_another_form_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, b"{\"a\":1}\n").unwrap();
        let error = writer(&path, SIZED, None).write(&[0, 0, 0, 0]).unwrap_err();
        assert!(error.to_string().contains("another form"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":1}\n");
    }

    #[test]
    fn rotation_keeps_every_line_and_the_newest_backups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let rotation = Rotation { max_megabytes: 1, max_days: 0, max_backups: 2, localtime: false };
        let mut writer = writer(&path, LINES, Some(rotation));
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
