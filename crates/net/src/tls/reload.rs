//! A value built from files, built again when they change.
//!
//! The contents are compared, not the times: a mounted Kubernetes secret swaps a symlink and keeps
//! old times. A change that does not build (half written, key not yet swapped) is warned about once
//! and tried again; until it builds, the old value serves.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bessemer_runtime::Tasks;

use super::{Source, TlsError};

/// How often files are looked at when the settings do not say.
pub const INTERVAL: Duration = Duration::from_secs(10);

type Build<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// A value and the files it was built from.
pub struct Reloading<T> {
    current: ArcSwap<T>,
    files: Vec<Source>,
    build: Build<T>,
    /// Fingerprint of the contents that `current` was built from.
    built_from: AtomicU64,
    /// Fingerprint of the contents that last failed to build, so that they are logged once.
    failed_with: AtomicU64,
}

impl<T> std::fmt::Debug for Reloading<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reloading").field("files", &self.files).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Builds the value for the first time; `build` must read its files itself, at every call.
    pub fn new(
        sources: impl IntoIterator<Item = Source>,
        build: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let files: Vec<_> = sources.into_iter().filter(|source| source.file().is_some()).collect();
        let built_from = AtomicU64::new(fingerprint(&files)?);
        let current = ArcSwap::from_pointee(build()?);
        let failed_with = AtomicU64::new(0);
        Ok(Self { current, files, build: Box::new(build), built_from, failed_with })
    }

    /// The value now; cheap.
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Builds the value again, whether or not the files changed.
    pub fn reload(&self) -> Result<(), TlsError> {
        let contents = fingerprint(&self.files)?;
        self.build_from(contents)
    }

    /// Builds the value again if the contents of a file changed; says whether it did.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let contents = fingerprint(&self.files)?;
        if contents == self.built_from.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.build_from(contents).map(|()| true)
    }

    /// Looks at the files every `interval` until the tasks are cancelled. Zero means never, and
    /// without files there is nothing to look at.
    pub fn watch(self: &Arc<Self>, interval: Option<Duration>, tasks: &Tasks) {
        let interval = interval.unwrap_or(INTERVAL);
        if interval.is_zero() || self.files.is_empty() {
            return;
        }
        let (reloading, watching) = (Arc::clone(self), tasks.clone());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    () = watching.cancelled() => return,
                }
                let looking = Arc::clone(&reloading);
                let looked = tokio::task::spawn_blocking(move || looking.look());
                if looked.await.is_err() {
                    return;
                }
            }
        });
    }

    fn build_from(&self, contents: u64) -> Result<(), TlsError> {
        self.current.store(Arc::new((self.build)()?));
        self.built_from.store(contents, Ordering::Release);
        Ok(())
    }

    fn look(&self) {
        match self.reload_if_changed() {
            Ok(true) => tracing::info!(files = ?self.files, "certificates were reloaded"),
            Ok(false) => {}
            Err(error) => {
                let failed = fingerprint(&self.files).unwrap_or(1);
                if self.failed_with.swap(failed, Ordering::AcqRel) != failed {
                    tracing::warn!(%error, "changed certificates are unusable, the old ones stay");
                }
            }
        }
    }
}

fn fingerprint(files: &[Source]) -> Result<u64, TlsError> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        let bytes = file.read()?;
        hasher.write_usize(bytes.len());
        hasher.write(&bytes);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_built_again_and_a_bad_one_leaves_the_old_value() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("value");
        std::fs::write(&path, "one").unwrap();
        let source = Source::File(path.to_str().unwrap().into());
        let read = source.clone();
        let reloading = Reloading::new([source], move || {
            let text = String::from_utf8(read.read()?).unwrap();
            if text == "bad" {
                return Err(TlsError::Pem { place: "value".into(), problem: text });
            }
            Ok(text)
        });
        let reloading = reloading.unwrap();
        assert!(!reloading.reload_if_changed().unwrap());
        std::fs::write(&path, "two").unwrap();
        assert!(reloading.reload_if_changed().unwrap());
        assert_eq!(*reloading.load(), "two");
        std::fs::write(&path, "bad").unwrap();
        assert!(reloading.reload_if_changed().is_err());
        assert_eq!(*reloading.load(), "two");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(reloading.reload_if_changed(), Err(TlsError::Read { .. })));
        std::fs::write(&path, "two").unwrap();
        assert!(!reloading.reload_if_changed().unwrap());
    }
}
