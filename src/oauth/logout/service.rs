//! What a page that signs out has to know of a session.
use super::table;
use crate::base::{Id, Result};
use crate::oauth::authorize::Authorization;
use crate::oauth::client;
use crate::session::Session;
use crate::store::ReadTx;

impl Authorization {
    /// What a session is called towards clients.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn sid(&self, session: Id<Session>) -> Result<Id<Session>> {
        self.store.get(|tx| table::sid(tx, session))
    }

    /// What the clients of a session want a browser to open when its user signs out (OpenID Connect Front-Channel Logout section
    /// 2), each with whose session it is, and which.
    ///
    /// # Errors
    /// As [`Authorization::sid`].
    pub fn farewells(&self, session: Id<Session>) -> Result<Vec<String>> {
        let issuer = self.minter.issuer();
        self.store.get(|tx| farewells(tx, session, issuer))
    }
}

fn farewells(tx: &ReadTx, session: Id<Session>, issuer: &str) -> Result<Vec<String>> {
    let sid = table::sid(tx, session)?.to_string();
    let mut all = Vec::new();
    for (id, party) in table::of_session(tx, session)? {
        // One that was deleted and made anew is another.
        let client = client::table::by_id(tx, &id)?.filter(|client| party.since >= client.created_at);
        if let Some(uri) = client.and_then(|client| client.metadata.frontchannel_logout_uri) {
            let separator = if uri.contains('?') { '&' } else { '?' };
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("iss", issuer).append_pair("sid", &sid);
            all.push(format!("{uri}{separator}{}", query.finish()));
        }
    }
    Ok(all)
}
