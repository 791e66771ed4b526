//! A secret in a file, which whoever rotates it replaces without a restart.
//!
//! The file is looked at when the secret is used, at most once per [`LOOK_EVERY`]. A file that is
//! gone, empty or too large for a moment leaves the last secret in use.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Secret;
use crate::Clock;

/// How soon a change is seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bytes of such a file at most, unless its owner says otherwise.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A secret that is read from a file whenever it is used.
pub struct SecretFile {
    path: PathBuf,
    bytes_max: u64,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

struct Seen {
    looked: Duration,
    secret: Secret,
    /// How many secrets came before this one.
    version: u64,
    /// Whether the last look failed, so that it is reported once.
    is_stale: bool,
}

impl SecretFile {
    /// Reads the file once.
    pub fn open(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::open_up_to(FILE_BYTES_MAX, path, clock)
    }

    /// The same for a file of at most `bytes_max` bytes.
    pub fn open_up_to(
        bytes_max: u64,
        path: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let path = path.into();
        let secret = read(&path, bytes_max)?;
        let seen = Seen { looked: clock.monotonic(), secret, version: 0, is_stale: false };
        Ok(Self { path, bytes_max, clock, seen: Mutex::new(seen) })
    }

    /// The newest secret that could be read, without blanks around it.
    pub fn current(&self) -> Secret {
        let mut seen = self.seen.lock();
        self.look(&mut seen);
        seen.secret.clone()
    }

    /// The newest secret and its version, unless that is the one the caller has.
    pub fn newer_than(&self, version: u64) -> Option<(u64, Secret)> {
        let mut seen = self.seen.lock();
        self.look(&mut seen);
        (seen.version != version).then(|| (seen.version, seen.secret.clone()))
    }

    fn look(&self, seen: &mut Seen) {
        let now = self.clock.monotonic();
        if now < seen.looked.saturating_add(LOOK_EVERY) {
            return;
        }
        seen.looked = now;
        match read(&self.path, self.bytes_max) {
            Ok(secret) => {
                seen.version += u64::from(secret != seen.secret);
                seen.secret = secret;
                seen.is_stale = false;
            }
            Err(error) if !seen.is_stale => {
                seen.is_stale = true;
                let file = self.path.display();
                tracing::warn!(%file, %error, "a secret cannot be read again; the last one is used");
            }
            Err(_) => {}
        }
    }
}

impl std::fmt::Debug for SecretFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SecretFile").field("path", &self.path).finish_non_exhaustive()
    }
}

fn read(path: &Path, bytes_max: u64) -> io::Result<Secret> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(bytes_max + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        let problem = format!("more than {} KiB", bytes_max >> 10);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    if text.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
    }
    Ok(Secret::new(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;

    #[tokio::test(start_paused = true)]
    async fn a_replaced_secret_is_used_and_a_lost_file_leaves_the_last_one() {
        let folder = std::env::temp_dir().join(format!("bessemer-secret-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("token");
        std::fs::write(&path, "one\n").unwrap();
        let file = SecretFile::open(&path, Arc::new(SystemClock::default())).unwrap();
        let soon = || tokio::time::advance(LOOK_EVERY);
        assert_eq!(file.current().expose(), "one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(file.current().expose(), "one", "looked at once a second");
        soon().await;
        assert_eq!(file.current().expose(), "two");
        for broken in [&b""[..], b" \n", &vec![b'x'; 70_000], b"\xff"] {
            std::fs::write(&path, broken).unwrap();
            soon().await;
            assert_eq!(file.current().expose(), "two");
        }
        std::fs::remove_file(&path).unwrap();
        soon().await;
        assert_eq!(file.current().expose(), "two");
        std::fs::write(&path, "three").unwrap();
        soon().await;
        assert_eq!(file.current().expose(), "three");
        let (version, secret) = file.newer_than(0).unwrap();
        assert_eq!((version, secret.expose()), (2, "three"), "what came back is no new version");
        assert!(file.newer_than(version).is_none());
        assert!(!format!("{file:?}").contains("three"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
