//! What the gate finds out about a request, for whoever handles it.
use std::net::IpAddr;
use std::sync::Arc;

use poem::Request;
use poem::http::HeaderValue;

use super::caller::{Authenticator, Presented};
use crate::base::text::rearranges;
use crate::base::{Error, Result};
use crate::rbac::{Initiator, Who};

const MAX_USER_AGENT: usize = 256;
const MAX_LANGUAGES: usize = 128;

/// What is known of a request before its handler runs.
pub struct RequestInfo {
    /// The client's address, see `http::address`.
    pub address: IpAddr,
    /// Who it is, or why that cannot be said; only operations that need a caller ask.
    pub presented: Result<Option<Presented>>,
    /// Says whom other credentials stand for, and what they allow.
    pub authenticator: Arc<dyn Authenticator>,
    pub(super) id: String,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) languages: Option<HeaderValue>,
}

impl RequestInfo {
    /// What the gate found out about a request.
    ///
    /// # Errors
    /// `Error::Internal` for a request that did not come through the gate.
    pub fn of(request: &Request) -> Result<&Arc<Self>> {
        request.extensions().get().ok_or_else(|| Error::internal("a request that came past the gate"))
    }

    /// What the request is called in logs and answers.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the client calls itself, cut to a bounded length.
    #[must_use]
    pub fn user_agent(&self) -> String {
        shown_user_agent(self.user_agent.as_ref())
    }

    /// Somebody who begins something with this request.
    #[must_use]
    pub fn initiator(&self, who: Who) -> Initiator {
        let languages = self.languages.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let languages = languages.chars().take(MAX_LANGUAGES).collect();
        Initiator { languages, ..Initiator::at(who, self.address, self.user_agent(), self.id.clone()) }
    }

    /// Whoever has presented a credential that is good, or nobody.
    #[must_use]
    pub fn presenter(&self) -> Initiator {
        let who = self.presented.as_ref().ok().and_then(Option::as_ref).map(|somebody| somebody.actor.who());
        self.initiator(who.unwrap_or_default())
    }
}

/// What a client calls itself, cut to a bounded length, without what would rearrange the text around it.
pub(super) fn shown_user_agent(value: Option<&HeaderValue>) -> String {
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    text.chars().filter(|c| !c.is_control() && !rearranges(*c)).take(MAX_USER_AGENT).collect()
}
