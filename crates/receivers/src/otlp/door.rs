//! Who may send: asked before anything of a request but its head is read.

use bessemer_access::callers::{Callers, Denied};
use bessemer_pipeline::{Context, SettingsError};
use bessemer_runtime::Reference;
use http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
};

/// Lets in who the authenticator knows; without one, anybody.
#[derive(Debug, Clone, Default)]
pub(super) struct Door(Option<Callers>);

impl Door {
    /// The door that `auth` of the block `block` names.
    pub(super) fn new(
        auth: Option<&Reference>,
        block: &str,
        context: &Context,
    ) -> Result<Self, SettingsError> {
        let Some(Reference { node, .. }) = auth else { return Ok(Self::default()) };
        let callers = context.services.find::<Callers>(node).ok_or_else(|| {
            let problem = format!("names {node}, which knows no callers");
            let remedy = "give it htpasswd, or name an otelcol.auth.bearer component";
            SettingsError::new(&format!("{block}.auth"), problem, remedy)
        })?;
        Ok(Self(Some(Callers::clone(&callers))))
    }

    /// Who sent a request with these headers, empty for nobody in particular.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<String, Denied> {
        match &self.0 {
            Some(Callers(callers)) => {
                callers.authenticate(headers).await.map(|principal| principal.0)
            }
            None => Ok(String::new()),
        }
    }

    /// What those who are denied are told to show.
    pub(super) fn challenge(&self) -> Option<HeaderValue> {
        self.0.as_ref().map(|Callers(callers)| callers.challenge())
    }

    pub(super) fn asks_who(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a header holds credentials, so that it is kept with no record.
    pub(super) fn hides(&self, name: &HeaderName) -> bool {
        [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
            || self.0.as_ref().is_some_and(|Callers(callers)| callers.header() == *name)
    }
}
