//! What is looked up and written for an authorization request.
use crate::crypto::jwt::acr_of;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::code;
use super::decide::{Decision, SignedIn, decide};
use super::parameters::Parameters;
use super::request::{self, AuthorizationRequest, Destination, Refusal, Unanswerable};
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Env, Error, Result, Secret, Timestamp, entropy};
use crate::mfa;
use crate::oauth::client::{Client, ClientId, LiveClients};
use crate::oauth::consent::{self, Consent};
use crate::oauth::grant::model::{CODE_SECS, Code, Consented, Proof};
use crate::oauth::grant::{Minter, table};
use crate::oauth::logout;
use crate::oauth::pushed::model::key_of;
use crate::oauth::pushed::{self, PushedRequests};
use crate::rbac::Initiator;
use crate::session::{self, Session};
use crate::store::{Store, WriteTx};

/// The authorization endpoint.
#[derive(Clone)]
pub struct Authorization {
    pub store: Store,
    pub env: Env,
    pub clients: LiveClients,
    pub minter: Minter,
    pub policy: mfa::Policy,
    /// Marks when requests came.
    pub marks: Arc<hmac::Key>,
    pub pushed: PushedRequests,
}

/// A request as far as it could be read.
pub struct Checked {
    pub client: Arc<Client>,
    pub destination: Destination,
    pub request: Result<AuthorizationRequest, Refusal>,
}

/// Whoever is signed in in a browser.
#[derive(Clone)]
pub struct Browser {
    pub session: Session,
    pub user: User,
}

impl Authorization {
    /// Reads a request.
    ///
    /// # Errors
    /// What the user is told of one that cannot be answered.
    pub fn check(&self, parameters: &Parameters) -> Result<Result<Checked, Unanswerable>> {
        const UNKNOWN: Unanswerable = "The application is not known here (client_id).";
        let id = parameters.get("client_id").and_then(|id| ClientId::parse(id).ok());
        let client = id.map(|id| self.clients.find(&id)).transpose()?.flatten();
        let is_repeated = parameters.repeated.as_deref() == Some("client_id");
        let Some(client) = client.filter(|_| !is_repeated) else { return Ok(Err(UNKNOWN)) };
        let destination = match request::destination(&client, parameters) {
            Ok(destination) => destination,
            Err(why) => return Ok(Err(why)),
        };
        let request = request::check_way(&client, parameters, self.pushed.required)
            .and_then(|()| request::check(&client, parameters, destination.clone()));
        Ok(Ok(Checked { client, destination, request }))
    }

    /// What becomes of a request of a browser. It came for the first time when it `began`; `is_chosen`: its user has chosen
    /// this account for it.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn decide(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        browser: Option<&Browser>,
        (began, is_chosen): (Option<Timestamp>, bool),
    ) -> Result<Decision> {
        // Somebody else than the client means is nobody to it.
        let browser = browser.filter(|browser| self.is_hinted(client, request, &browser.user));
        let user = browser.map(|browser| self.signed_in(client, &request.wanted, browser)).transpose()?;
        let acr = browser.map(|browser| acr_of(&browser.session.amr)).unwrap_or_default();
        let wanted = &request.essential.acr;
        let is_strong_enough = wanted.is_empty() || wanted.iter().any(|one| one == acr);
        let user = user.map(|user| SignedIn { is_chosen, is_strong_enough, ..user });
        Ok(decide(request, user.as_ref(), began, self.env.now()))
    }

    /// What is known of whoever is signed in in a browser, for a client that wants something.
    ///
    /// # Errors
    /// As [`Authorization::decide`].
    pub fn signed_in(&self, client: &Client, wanted: &Consented, browser: &Browser) -> Result<SignedIn> {
        let Browser { session, user } = browser;
        let consent = self.store.get(|tx| consent::table::find(tx, user.id, &client.id))?;
        let factors = self.store.get(|tx| mfa::table::factors(tx, user.id))?;
        let remembered = consent.is_some_and(|consent| consent.covers(client, wanted));
        Ok(SignedIn {
            auth_time: session.auth_time,
            is_chosen: false,
            is_allowed: client.is_for(user),
            // What has said itself what it is cannot be told from another one that says the same (RFC 8252 section 8.6).
            has_consented: client.rules.is_first_party || remembered && !client.is_on_its_word(),
            is_limited: user.password_change_required || self.policy.requires(user) && !factors.is_on(),
            is_strong_enough: true,
        })
    }

    /// Whether a user is the one that `id_token_hint` and `claims` are about; everybody is without them.
    fn is_hinted(&self, client: &Client, request: &AuthorizationRequest, user: &User) -> bool {
        let wanted = request.essential.subject.as_ref();
        if wanted.is_some_and(|subject| *subject != self.minter.subject(client, user.id)) {
            return false;
        }
        let Some(hint) = request.id_token_hint.as_deref() else { return true };
        self.subject_of_hint(client, hint)
            .is_some_and(|subject| subject == self.minter.subject(client, user.id))
    }

    /// Whom an ID token of ours is about, whether its time is over or not (OpenID Connect Core section 3.1.2.1).
    #[must_use]
    pub fn subject_of_hint(&self, client: &Client, hint: &str) -> Option<String> {
        let claims: serde_json::Value = self.minter.verify(hint, "JWT").ok()?;
        let is_for = claims["aud"].as_str() == Some(client.id.as_str());
        claims["sub"].as_str().filter(|_| is_for).map(str::to_owned)
    }

    /// Writes a code for what was asked, and what the user has agreed to if it was asked just now.
    ///
    /// # Errors
    /// `Error::TokenRevoked` when the session has ended meanwhile.
    pub async fn issue(
        &self,
        by: Initiator,
        client: &Client,
        request: &AuthorizationRequest,
        browser: &Browser,
        agreed: bool,
    ) -> Result<Secret> {
        let now = self.env.now();
        let (text, hash) = code::generate(self.env.entropy.as_ref());
        let Browser { session, user } = browser.clone();
        let sid = self.store.get(|tx| logout::table::sid(tx, session.id))?;
        let code = Code {
            client: client.id.clone(),
            user: user.id,
            proof: Proof { session: session.id, sid, auth_time: session.auth_time, amr: session.amr },
            consented: request.wanted.clone(),
            redirect_uri: request.destination.redirect_uri.clone(),
            nonce: request.nonce.clone(),
            challenge: request.challenge.clone(),
            bound_to: request.key,
            created_at: now,
            expires_at: now.plus_secs(CODE_SECS),
            redeemed: None,
        };
        let asks = client.clone();
        let kept = request.kept_as.as_deref().map(key_of);
        let change = move |tx: &mut WriteTx| {
            // Of two that come with one request at once, one goes on.
            if let Some(kept) = kept
                && !pushed::table::spend(tx, &kept)?
            {
                return Err(Error::Malformed("What the application asked for was answered already".into()));
            }
            session::table::by_id(tx, code.proof.session)?.ok_or(Error::TokenRevoked)?;
            let user = account::table::by_id(tx, code.user)?.filter(User::may_go_on);
            let user = user.ok_or(Error::TokenRevoked)?;
            if agreed {
                agree(tx, &by, &user, (&asks, &code), now)?;
            }
            table::insert_code(tx, &hash, &code)
        };
        self.store.write(change).await?;
        Ok(text)
    }

    /// Ends a request that was refused: it is good for one answer, whichever it is.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub async fn give_up(&self, request: &AuthorizationRequest) -> Result<()> {
        match &request.kept_as {
            Some(uri) => self.pushed.spend(uri).await,
            None => Ok(()),
        }
    }

    /// Something that nobody can guess.
    #[must_use]
    pub fn random_text(&self) -> String {
        let random: [u8; 24] = entropy::bytes(self.env.entropy.as_ref());
        URL_SAFE_NO_PAD.encode(random)
    }

    /// The text that says when a request came from a browser.
    #[must_use]
    pub fn mark(&self, about: (&str, &str)) -> String {
        code::mark(&self.marks, about, self.env.now())
    }

    /// When a request came, by such a text.
    #[must_use]
    pub fn began(&self, about: (&str, &str), marked: Option<&str>) -> Option<Timestamp> {
        marked.and_then(|marked| code::began(&self.marks, about, marked, self.env.now()))
    }
}

/// Remembers what a user has agreed to.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn agree(
    tx: &mut WriteTx,
    by: &Initiator,
    user: &User,
    (client, code): (&Client, &Code),
    now: Timestamp,
) -> Result<()> {
    let old = consent::table::find(tx, user.id, &client.id)?.filter(|old| old.is_of(client));
    let (scopes, resources) = (code.consented.all_scopes(), code.consented.resources.clone());
    let new = match old {
        Some(old) => old.and(&code.consented, now),
        None => Consent {
            user: user.id,
            client: code.client.clone(),
            scopes,
            resources,
            created_at: now,
            updated_at: now,
        },
    };
    consent::table::put(tx, &new)?;
    let event = Event::new(by, "oauth.consent_given", now).about_user(user);
    let event =
        event.with("client", code.client.as_str()).with("scope", code.consented.all_scopes().to_string());
    audit::table::append(tx, event)
}
