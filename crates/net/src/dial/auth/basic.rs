//! User and password (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bessemer_runtime::{BoxFuture, Secret, SecretText};
use http::header::AUTHORIZATION;

use super::{Authorize, Proof, no_proof};
use crate::dial::DialError;

/// Sends user and password.
#[derive(Debug)]
pub struct Basic {
    user: SecretText,
    password: SecretText,
}

impl Basic {
    /// A user and a password, each as text or in a file.
    pub fn new(user: SecretText, password: SecretText) -> Self {
        Self { user, password }
    }

    fn current(&self) -> Result<Proof, DialError> {
        let (user, password) = (self.user.current(), self.password.current());
        // The other side takes what stands before the first colon for the user.
        if user.expose().contains(':') {
            return Err(no_proof("the user of basic authentication holds a colon"));
        }
        Proof::new(AUTHORIZATION, &value(&user, &password))
    }
}

impl Authorize for Basic {
    fn proof(&self) -> BoxFuture<'_, Result<Proof, DialError>> {
        Box::pin(std::future::ready(self.current()))
    }

    fn renew(&self, proof: &Proof) -> bool {
        self.current().is_ok_and(|current| current != *proof)
    }
}

/// The value of the header for a user and a password.
pub(in crate::dial) fn value(user: &Secret, password: &Secret) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", user.expose(), password.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Basic {
        let given = |text: &str| SecretText::Given(Secret::new(text));
        Basic::new(given(user), given(password))
    }

    #[test]
    fn user_and_password_are_sent_as_the_rfc_shows_and_never_shown() {
        let proof = basic("Aladdin", "open sesame").current().unwrap();
        assert_eq!(proof.value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{proof:?}").contains("QWxh"));
        assert!(!format!("{:?}", basic("Aladdin", "open sesame")).contains("sesame"));
    }

    #[test]
    fn a_user_with_a_colon_would_be_another_user() {
        let error = basic("a:b", "c").current().unwrap_err().to_string();
        assert!(error.contains("colon") && !error.contains("a:b"), "{error}");
    }
}
