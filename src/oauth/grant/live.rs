//! Whom an access token of a client stands for, from memory: what every request with one asks.
//!
//! As with sessions: a signature is checked once, and whether the grant still lives is kept under the grant, forgotten in
//! every change of it, and never older than the last commit that anybody has heard of.
use std::sync::Arc;

use moka::sync;

use super::model::Grant;
use super::table;
use super::tokens::{AccessClaims, TokenId};
use crate::account::{self, User};
use crate::base::{Error, Id, Result, Timestamp};
use crate::contact::{self, Contact};
use crate::crypto::{jwt, sha256};
use crate::email_verification;
use crate::keys::Keys;
use crate::oauth::backchannel::Outbox;
use crate::oauth::claims::About;
use crate::oauth::client::{Client, ClientId, LiveClients};
use crate::oauth::logout;
use crate::session::{self, Session};
use crate::store::{Cache, ReadTx, Store, Tx, WriteTx};

const TOKENS_KEPT: u64 = 20_000;
const GRANTS_KEPT: u64 = 20_000;
/// The media type of RFC 9068 section 2.1.
const TYPE: &str = "at+jwt";

/// An access token whose signature is good, and what it says.
#[derive(Debug)]
pub struct Verified {
    pub id: TokenId,
    pub client: ClientId,
    pub claims: AccessClaims,
}

/// A grant that goes on, with its user.
#[derive(Debug)]
pub struct LiveGrant {
    pub grant: Grant,
    pub user: Arc<User>,
    pub email_verified: bool,
    pub contact: Option<Contact>,
}

impl LiveGrant {
    /// A grant with what is known of its user now.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn of(tx: &impl Tx, grant: Grant, user: User) -> Result<Self> {
        let email_verified = email_verification::table::standing(tx, user.id)?.is_verified(&user.email);
        let contact = contact::table::of_user(tx, user.id)?;
        Ok(Self { grant, user: Arc::new(user), email_verified, contact })
    }

    /// What is known of its user.
    #[must_use]
    pub fn about(&self) -> About<'_> {
        About { user: &self.user, email_verified: self.email_verified, contact: self.contact.as_ref() }
    }
}

/// What an access token stands for now.
pub struct Resolved {
    pub token: Arc<Verified>,
    pub client: Arc<Client>,
    /// None: the client acts for itself.
    pub grant: Option<Arc<LiveGrant>>,
}

/// The grants that are in use, and the tokens that were verified.
#[derive(Clone)]
pub struct LiveGrants {
    store: Store,
    keys: Keys,
    clients: LiveClients,
    tokens: sync::Cache<[u8; 32], Arc<Verified>>,
    grants: Cache<Id<Grant>, Option<Arc<LiveGrant>>>,
    revoked: Cache<[u8; 24], bool>,
    outbox: Outbox,
}

impl LiveGrants {
    #[must_use]
    pub fn new(store: Store, keys: Keys, clients: LiveClients, outbox: Outbox) -> Self {
        let (tokens, grants) = (sync::Cache::new(TOKENS_KEPT), Cache::new(GRANTS_KEPT));
        Self { store, keys, clients, tokens, grants, revoked: Cache::new(TOKENS_KEPT), outbox }
    }

    /// What an access token stands for `now`.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired`, `Error::TokenRevoked`; `Error::Unavailable` when the store does not serve.
    pub fn resolve(&self, text: &str, now: Timestamp) -> Result<Resolved> {
        let token = self.verified(text)?;
        jwt::check_times(token.claims.exp, now)?;
        let client = self.clients.find(&token.client)?.ok_or(Error::TokenRevoked)?;
        let raw = token.id.0;
        if self.revoked.get(&self.store, raw, |tx| table::is_revoked(tx, &raw))? {
            return Err(Error::TokenRevoked);
        }
        let grant = match token.id.grant() {
            Some(id) => Some(self.behind(id, (&token, &client), now)?.ok_or(Error::TokenRevoked)?),
            // One that was made anew under the same name has nothing of the one before.
            None if token.claims.iat < client.created_at.secs() => return Err(Error::TokenRevoked),
            None => None,
        };
        Ok(Resolved { token, client, grant })
    }

    /// What a token came of: a grant of its own client, or of another one, whose token it was exchanged for. Either way it
    /// is worth nothing any more when that is over, or that client is gone.
    fn behind(
        &self,
        id: Id<Grant>,
        (token, client): (&Verified, &Client),
        now: Timestamp,
    ) -> Result<Option<Arc<LiveGrant>>> {
        let live = self.grants.get(&self.store, id, |tx| load(tx, id))?;
        let Some(live) = live.filter(|live| !live.grant.is_over(now)) else { return Ok(None) };
        let goes_on = if live.grant.client == client.id {
            live.grant.is_of(client) && client.is_for(&live.user)
        } else {
            let owner = self.clients.find(&live.grant.client)?;
            token.claims.iat >= client.created_at.secs()
                && client.is_for(&live.user)
                && owner.is_some_and(|owner| live.grant.is_of(&owner) && owner.is_for(&live.user))
        };
        Ok(goes_on.then_some(live))
    }

    /// The grant with an id, if it goes on and is a client's.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn find(&self, id: Id<Grant>, client: &Client, now: Timestamp) -> Result<Option<Arc<LiveGrant>>> {
        let live = self.grants.get(&self.store, id, |tx| load(tx, id))?;
        let goes_on = |live: &Arc<LiveGrant>| {
            live.grant.is_of(client) && !live.grant.is_over(now) && client.is_for(&live.user)
        };
        Ok(live.filter(goes_on))
    }

    /// Call in every change of a grant.
    pub fn forget(&self, tx: &mut WriteTx, id: Id<Grant>) {
        self.grants.forget(tx, id);
    }

    /// Call in every change of a user.
    ///
    /// # Errors
    /// As [`LiveGrants::find`].
    pub fn forget_user(&self, tx: &mut WriteTx, user: u64) -> Result<()> {
        table::ids_of_user(tx, user)?.into_iter().for_each(|id| self.forget(tx, id));
        Ok(())
    }

    /// Call when an access token is revoked by itself.
    pub fn forget_token(&self, tx: &mut WriteTx, token: &TokenId) {
        self.revoked.forget(tx, token.0);
    }

    /// Removes a grant: what came of it is good for nothing from the moment the change is durable.
    ///
    /// # Errors
    /// As [`LiveGrants::find`].
    pub fn end(&self, tx: &mut WriteTx, id: Id<Grant>) -> Result<()> {
        if let Some(grant) = table::by_id(tx, id)? {
            table::remove(tx, &grant);
        }
        self.forget(tx, id);
        Ok(())
    }

    /// Removes the grants that end with a session, and has its clients told.
    ///
    /// # Errors
    /// As [`LiveGrants::find`].
    pub fn end_of_session(&self, tx: &mut WriteTx, session: Id<Session>) -> Result<()> {
        self.outbox.session_ended(tx, session)?;
        table::ids_of_session(tx, session)?.into_iter().try_for_each(|id| self.end(tx, id))
    }

    /// Has the grants of a session go on with the one that takes its place: its user has signed in anew in the same browser.
    ///
    /// # Errors
    /// As [`LiveGrants::find`].
    pub fn follow(&self, tx: &mut WriteTx, old: Id<Session>, new: &Session) -> Result<()> {
        logout::table::follow(tx, old, new.id)?;
        for id in table::ids_of_session(tx, old)? {
            if let Some(grant) = table::by_id(tx, id)? {
                table::move_to(tx, &grant, new.id)?;
                self.forget(tx, id);
            }
        }
        Ok(())
    }

    /// Removes all grants of a user, but perhaps those of one session. What goes on when its session ends is none of those:
    /// whoever changes a password expects that all ends that is not in front of it (OWASP ASVS 7.4.3).
    ///
    /// # Errors
    /// As [`LiveGrants::find`].
    pub fn end_of_user(&self, tx: &mut WriteTx, user: u64, keep: Option<Id<Session>>) -> Result<()> {
        for id in table::ids_of_user(tx, user)? {
            let is_kept = |grant: &Grant| Some(grant.proof.session) == keep && !grant.is_offline;
            let kept = table::by_id(tx, id)?.as_ref().is_some_and(is_kept);
            if !kept {
                self.end(tx, id)?;
            }
        }
        Ok(())
    }

    /// Checks the signature of an access token of a client, the first time that it comes.
    ///
    /// # Errors
    /// `Error::InvalidToken`.
    pub fn verified(&self, text: &str) -> Result<Arc<Verified>> {
        let hash = sha256(&[text.as_bytes()]);
        if let Some(known) = self.tokens.get(&hash) {
            return Ok(known);
        }
        let claims: AccessClaims = self.keys.verify_typed(text, TYPE)?;
        let id = TokenId::parse(&claims.jti).ok_or(Error::InvalidToken)?;
        let client = ClientId::parse(&claims.client_id).map_err(|_| Error::InvalidToken)?;
        let token = Arc::new(Verified { id, client, claims });
        self.tokens.insert(hash, Arc::clone(&token));
        Ok(token)
    }
}

/// A grant and its user from one snapshot; `None` when either is gone or may not go on, or the session has ended that it ends
/// with.
fn load(tx: &ReadTx, id: Id<Grant>) -> Result<Option<Arc<LiveGrant>>> {
    let Some(grant) = table::by_id(tx, id)? else { return Ok(None) };
    if !grant.is_offline && session::table::by_id(tx, grant.proof.session)?.is_none() {
        return Ok(None);
    }
    let Some(user) = account::table::by_id(tx, grant.user)?.filter(User::may_go_on) else { return Ok(None) };
    LiveGrant::of(tx, grant, user).map(|live| Some(Arc::new(live)))
}
