//! User and password (RFC 7617) against a list in the form of `htpasswd`.
//!
//! A bcrypt hash is made to take long, so what was let in is remembered, and few are worked on at a
//! time: a flood of wrong passwords waits in line instead of taking all cores.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bessemer_runtime::{BoxFuture, Secret, SecretFile};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{Authenticator, Denied, Htpasswd, HtpasswdError, Principal, behind, single};

/// Slow hashes that are worked on at a time.
const SLOW_MAX: usize = 2;
/// Credentials that are remembered; the oldest are not told apart, all are forgotten at once.
const REMEMBERED_MAX: usize = 1024;
/// Bytes of credentials at most.
const CREDENTIALS_MAX: usize = 4 << 10;

/// Lets in users with their passwords.
pub struct Basic {
    file: Option<SecretFile>,
    inline: Secret,
    slow: Semaphore,
    known: Mutex<Known>,
}

struct Known {
    /// The version of the file that `users` come from, or that could not be read.
    version: u64,
    users: Arc<Htpasswd>,
    /// Digests of credentials of these users that were let in.
    remembered: BTreeSet<[u8; 32]>,
}

impl Basic {
    /// Lets in the users of a file, which is read again when it changes, and those of `inline`.
    pub fn new(file: Option<SecretFile>, inline: Secret) -> Result<Self, HtpasswdError> {
        let text = file.as_ref().map_or_else(|| Secret::new(""), SecretFile::current);
        let users = Arc::new(Htpasswd::parse(text.expose(), inline.expose())?);
        let known = Known { version: 0, users, remembered: BTreeSet::new() };
        Ok(Self { file, inline, slow: Semaphore::new(SLOW_MAX), known: Mutex::new(known) })
    }

    /// The users as the file has them now; a list that cannot be read leaves the last one.
    fn users(&self) -> Arc<Htpasswd> {
        let mut known = self.known.lock();
        let newer = self.file.as_ref().and_then(|file| file.newer_than(known.version));
        if let Some((version, text)) = newer {
            known.version = version;
            match Htpasswd::parse(text.expose(), self.inline.expose()) {
                Ok(users) => {
                    known.users = Arc::new(users);
                    known.remembered.clear();
                }
                Err(error) => {
                    tracing::warn!(file = ?self.file, %error, "users are left as they were");
                }
            }
        }
        Arc::clone(&known.users)
    }

    async fn check(&self, headers: &HeaderMap) -> Result<Principal, Denied> {
        let value = single(headers, &AUTHORIZATION)?;
        let shown = behind(value, "Basic").filter(|shown| shown.len() <= CREDENTIALS_MAX);
        let shown = STANDARD.decode(shown.ok_or(Denied::Unknown)?).map_err(|_| Denied::Unknown)?;
        let shown = Zeroizing::new(shown);
        let text = std::str::from_utf8(&shown).map_err(|_| Denied::Unknown)?;
        let (user, password) = text.split_once(':').ok_or(Denied::Unknown)?;
        let users = self.users();
        if !users.is_slow(user) {
            let is_known = users.verify(user, password);
            return is_known.then(|| Principal(user.to_owned())).ok_or(Denied::Unknown);
        }
        let mark = mark(&shown);
        if self.known.lock().remembered.contains(&mark) {
            return Ok(Principal(user.to_owned()));
        }
        if !self.verify_slowly(&users, user, password).await {
            return Err(Denied::Unknown);
        }
        self.remember(&users, mark);
        Ok(Principal(user.to_owned()))
    }

    fn remember(&self, users: &Arc<Htpasswd>, mark: [u8; 32]) {
        let mut known = self.known.lock();
        // While the hash was worked on, the list may have lost this user.
        if !Arc::ptr_eq(&known.users, users) {
            return;
        }
        if known.remembered.len() >= REMEMBERED_MAX {
            known.remembered.clear();
        }
        known.remembered.insert(mark);
    }

    async fn verify_slowly(&self, users: &Arc<Htpasswd>, user: &str, password: &str) -> bool {
        let Ok(_permit) = self.slow.acquire().await else { return false };
        let users = Arc::clone(users);
        let (user, password) = (user.to_owned(), Zeroizing::new(password.to_owned()));
        let verified = tokio::task::spawn_blocking(move || users.verify(&user, &password));
        verified.await.unwrap_or(false)
    }
}

fn mark(shown: &[u8]) -> [u8; 32] {
    let mut mark = [0; 32];
    mark.copy_from_slice(digest(&SHA256, shown).as_ref());
    mark
}

impl Authenticator for Basic {
    fn authenticate<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> BoxFuture<'a, Result<Principal, Denied>> {
        Box::pin(self.check(headers))
    }

    fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static("Basic realm=\"bessemer\", charset=\"UTF-8\"")
    }

    fn header(&self) -> &HeaderName {
        &AUTHORIZATION
    }
}

impl std::fmt::Debug for Basic {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Basic")
            .field("users", &self.known.lock().users)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "plain:a:b\nslow:$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";

    async fn check(basic: &Basic, credentials: &str) -> Result<Principal, Denied> {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(credentials));
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        basic.check(&headers).await
    }

    #[tokio::test]
    async fn users_are_let_in_with_their_password_alone() {
        let basic = Basic::new(None, Secret::new(USERS)).unwrap();
        let known = |user: &str| Ok(Principal(user.to_owned()));
        assert_eq!(
            check(&basic, "plain:a:b").await,
            known("plain"),
            "the first colon ends the user"
        );
        for wrong in ["plain:a", "plain:", "plain", ":a:b", "other:a:b", "slow:wrong", ""] {
            assert_eq!(check(&basic, wrong).await, Err(Denied::Unknown), "{wrong}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(basic.check(&headers).await, Err(Denied::Missing));
        for wrong in ["Basic", "Basic ", "Basic %%%", "Bearer cGxhaW46YTpi", "cGxhaW46YTpi"] {
            headers.insert(AUTHORIZATION, wrong.parse().unwrap());
            assert_eq!(basic.check(&headers).await, Err(Denied::Unknown), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_slow_hash_is_worked_on_once_and_no_wrong_password_is_remembered() {
        let basic = Basic::new(None, Secret::new(USERS)).unwrap();
        for _ in 0..2 {
            assert_eq!(check(&basic, "slow:abc").await, Ok(Principal("slow".into())));
            assert_eq!(check(&basic, "slow:abcd").await, Err(Denied::Unknown));
            assert_eq!(basic.known.lock().remembered.len(), 1);
        }
    }

    /// Scenario: whoever keeps the list takes out a user, whose password was just used, then breaks
    /// the file.
    /// Promise: the user is out within a second, and a list that cannot be read leaves the last one.
    #[tokio::test(start_paused = true)]
    async fn a_user_who_leaves_the_file_is_let_in_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::fs::write(&path, USERS).unwrap();
        let clock = Arc::new(bessemer_runtime::SystemClock::default());
        let file = SecretFile::open(&path, clock).unwrap();
        let basic = Basic::new(Some(file), Secret::new("inline:c")).unwrap();
        let known = |user: &str| Ok(Principal(user.to_owned()));
        assert_eq!(check(&basic, "slow:abc").await, known("slow"));
        for text in ["plain:other", "plain other", ""] {
            std::fs::write(&path, text).unwrap();
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            assert_eq!(check(&basic, "slow:abc").await, Err(Denied::Unknown), "{text}");
            assert_eq!(check(&basic, "plain:a:b").await, Err(Denied::Unknown), "{text}");
            assert_eq!(check(&basic, "plain:other").await, known("plain"), "{text}");
            assert_eq!(check(&basic, "inline:c").await, known("inline"), "{text}");
        }
        assert!(!format!("{basic:?}").contains("other"));
    }
}
