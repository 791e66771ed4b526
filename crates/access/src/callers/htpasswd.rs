//! Users and passwords, a line each, as Apache's `htpasswd` writes them
//! (<https://httpd.apache.org/docs/current/misc/password_encryptions.html>).
//!
//! Hashes: bcrypt (`$2a$`, `$2b$`, `$2y$`), Apache's MD5 (`$apr1$`), `{SHA}` and `{SSHA}`; anything
//! else is the password itself.

mod apr1;

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Users of one list at most.
const USERS_MAX: usize = 10_000;
/// The highest cost of a bcrypt hash; each step takes twice as long, this one about two seconds.
const BCRYPT_COST_MAX: u32 = 15;
const SHA1_BYTES: usize = 20;

/// Users and what proves who they are.
pub(super) struct Htpasswd {
    users: BTreeMap<String, Password>,
}

/// Why a list was not taken; the line is never shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HtpasswdError {
    /// A line is no user and password.
    #[error("line {line} is not user:password")]
    Line {
        /// Which one, counted from one.
        line: usize,
    },
    /// A hash of a kind that is not known here.
    #[error("line {line} has a hash that is not bcrypt, apr1, {{SHA}} or {{SSHA}}")]
    Hash {
        /// Which one, counted from one.
        line: usize,
    },
    /// Verifying would take too long.
    #[error("line {line} has a bcrypt cost above {BCRYPT_COST_MAX}")]
    Cost {
        /// Which one, counted from one.
        line: usize,
    },
    /// More than are taken.
    #[error("more than {USERS_MAX} users")]
    TooMany,
    /// Nobody would be let in.
    #[error("no user")]
    Empty,
}

enum Password {
    /// The digest of the password, so that a comparison does not tell how long it is.
    Plain(Vec<u8>),
    Bcrypt(String),
    Apr1 {
        salt: String,
        hash: String,
    },
    Sha1 {
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

impl Htpasswd {
    /// Reads the lines of a file and those of the settings, which count where both name a user.
    pub(super) fn parse(file: &str, inline: &str) -> Result<Self, HtpasswdError> {
        let mut users = BTreeMap::new();
        for text in [file, inline] {
            for (index, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let number = index + 1;
                let named = line.split_once(':').filter(|(user, _)| !user.is_empty());
                let (user, password) = named.ok_or(HtpasswdError::Line { line: number })?;
                users.insert(user.to_owned(), Password::parse(password, number)?);
                if users.len() > USERS_MAX {
                    return Err(HtpasswdError::TooMany);
                }
            }
        }
        if users.is_empty() { Err(HtpasswdError::Empty) } else { Ok(Self { users }) }
    }

    /// Whether verifying a password of this user takes long.
    pub(super) fn is_slow(&self, user: &str) -> bool {
        matches!(self.of(user).1, Some(Password::Bcrypt(_) | Password::Apr1 { .. }))
    }

    /// Whether the user has this password. One that is not known takes as long as the first one.
    pub(super) fn verify(&self, user: &str, password: &str) -> bool {
        let (is_known, held) = self.of(user);
        held.is_some_and(|held| held.is(password)) && is_known
    }

    fn of(&self, user: &str) -> (bool, Option<&Password>) {
        match self.users.get(user) {
            Some(password) => (true, Some(password)),
            None => (false, self.users.values().next()),
        }
    }
}

impl std::fmt::Debug for Htpasswd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Htpasswd").field("users", &self.users.len()).finish()
    }
}

impl Password {
    fn parse(text: &str, line: usize) -> Result<Self, HtpasswdError> {
        if let Some(rest) = ["$2a$", "$2b$", "$2y$"].iter().find_map(|kind| text.strip_prefix(kind))
        {
            let cost = rest.split_once('$').and_then(|(cost, _)| cost.parse::<u32>().ok());
            let is_whole = text.parse::<bcrypt::HashParts>().is_ok();
            let cost = cost.filter(|_| is_whole).ok_or(HtpasswdError::Hash { line })?;
            if cost > BCRYPT_COST_MAX {
                return Err(HtpasswdError::Cost { line });
            }
            return Ok(Self::Bcrypt(text.to_owned()));
        }
        if let Some((salt, hash)) =
            text.strip_prefix("$apr1$").and_then(|rest| rest.split_once('$'))
        {
            return Ok(Self::Apr1 { salt: salt.to_owned(), hash: hash.to_owned() });
        }
        if let Some(encoded) = text.strip_prefix("{SHA}").or_else(|| text.strip_prefix("{SSHA}")) {
            let bytes = STANDARD.decode(encoded).map_err(|_| HtpasswdError::Hash { line })?;
            let parts = bytes.split_at_checked(SHA1_BYTES).ok_or(HtpasswdError::Hash { line })?;
            return Ok(Self::Sha1 { hash: parts.0.to_vec(), salt: parts.1.to_vec() });
        }
        // What crypt(3) writes begins like this; taken for a password it would let nobody in.
        if text.starts_with('$') && text.matches('$').count() >= 3 {
            return Err(HtpasswdError::Hash { line });
        }
        Ok(Self::Plain(digest(&SHA256, text.as_bytes()).as_ref().to_vec()))
    }

    fn is(&self, password: &str) -> bool {
        let equal = |a: &[u8], b: &[u8]| verify_slices_are_equal(a, b).is_ok();
        match self {
            Self::Plain(known) => equal(known, digest(&SHA256, password.as_bytes()).as_ref()),
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Apr1 { salt, hash } => {
                equal(hash.as_bytes(), apr1::hash(password.as_bytes(), salt.as_bytes()).as_bytes())
            }
            Self::Sha1 { salt, hash } => {
                let salted = [password.as_bytes(), salt].concat();
                equal(hash, digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted).as_ref())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(hash: &str, password: &str) -> bool {
        Htpasswd::parse("", &format!("u:{hash}")).unwrap().verify("u", password)
    }

    #[test]
    fn every_kind_of_hash_holds_its_password_and_no_other() {
        // From `openssl passwd -apr1`, `openssl sha1` and the test vectors of jBCrypt.
        let long = "a long password of more than sixteen bytes";
        for (hash, password) in [
            ("secret", "secret"),
            ("$apr1$6y3Y8wQx$OZG/HSNh34J3bXgojGnbA0", "secret"),
            ("$apr1$6y3Y8wQx$2zeZW9TAHYrCslQ3uyCiu0", ""),
            ("$apr1$6y3Y8wQx$L.m3ZH2o/lzsg.qefBXLi0", long),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"),
            ("{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret"),
            ("$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"),
        ] {
            assert!(holds(hash, password), "{hash}");
            for wrong in ["", "Secret", "secret1", "secre", "abcd", hash] {
                assert!(wrong == password || !holds(hash, wrong), "{hash} {wrong}");
            }
        }
    }

    #[test]
    fn inline_lines_count_before_those_of_the_file() {
        let file = "# users\n\na:one\r\nb:two\n";
        let users = Htpasswd::parse(file, " a:three ").unwrap();
        assert!(
            users.verify("a", "three") && !users.verify("a", "one") && users.verify("b", "two")
        );
        assert!(!users.verify("c", "three"), "not even with the password of the first user");
        assert_eq!(format!("{users:?}"), "Htpasswd { users: 2 }");
    }

    #[test]
    fn what_is_no_list_is_refused_by_line_and_not_shown() {
        use HtpasswdError::{Cost, Empty, Hash, Line};
        for (text, error) in [
            ("", Empty),
            ("a:b\nhunter2", Line { line: 2 }),
            (":hunter2", Line { line: 1 }),
            ("a:$6$salt$hunter2", Hash { line: 1 }),
            ("a:$2y$05$hunter2", Hash { line: 1 }),
            ("a:{SHA}hunter2", Hash { line: 1 }),
            ("a:$2y$31$EKQKa1cBAv02iNQavc4c4u8hhgDBMZ/aRgLnQ2V5g3HNVONzOnYy.", Cost { line: 1 }),
        ] {
            let found = Htpasswd::parse("", text).map(|_| ()).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!found.to_string().contains("hunter2"));
        }
    }
}
