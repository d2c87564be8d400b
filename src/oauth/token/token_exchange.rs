//! A token of a client for one of another (RFC 8693): an application that was called for a user calls the next one, in the
//! user's name, and the next one learns who acts.
//!
//! A client may do so whose permissions say so ([`TokensExchange`], and [`TokensImpersonate`] to act without being named), with
//! tokens of the clients that an administrator has named, for the resources that it may ask tokens for. It gets never more
//! than what the token that it shows is good for, nor for longer, and no longer than what was granted goes on.
use std::sync::Arc;

use super::service::{TokenAnswer, TokenEndpoint, TokenRequest, narrowed, required};
use crate::base::{Error, Secret};
use crate::crypto::Thumbprint;
use crate::http::ProtocolFailure;
use crate::oauth::client::Client;
use crate::oauth::error::{invalid_request, invalid_target, unauthorized_client};
use crate::oauth::grant::change;
use crate::oauth::grant::live::{LiveGrant, Verified};
use crate::oauth::grant::tokens::{Acting, Limits, Terms};
use crate::oauth::scope::{OFFLINE_ACCESS, Scopes};
use crate::rbac::permission::{TokensExchange, TokensImpersonate};
use crate::rbac::{Initiator, Named};
use crate::store::WriteTx;

/// Both are what our access tokens are (RFC 8693 section 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// How many may have acted one for the other.
const MAX_ACTORS: usize = 5;

/// What of a request is about an exchange (section 2.1).
#[derive(Default)]
pub struct ExchangeRequest {
    pub subject_token: Option<Secret>,
    pub subject_token_type: Option<String>,
    pub actor_token: Option<Secret>,
    pub actor_token_type: Option<String>,
    pub requested_token_type: Option<String>,
    pub audiences: Vec<String>,
}

/// In whose name: the token, what it stands for now, and the client that it was given to.
struct InTheNameOf {
    token: Arc<Verified>,
    live: Arc<LiveGrant>,
    scopes: Scopes,
}

impl TokenEndpoint {
    pub(super) async fn exchange_token(
        &self,
        by: Initiator,
        client: Arc<Client>,
        request: TokenRequest,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        if !is_permitted::<TokensExchange>(&client) {
            return Err(unauthorized_client("the client has not the permission tokens:exchange"));
        }
        let asked = &request.exchange;
        let issued = check_types(asked)?;
        let subject = self.subject(&client, asked, request.key)?;
        let (acts, limit) = self.actor(&client, asked, request.key)?;
        let acting = acting(&client, acts, subject.token.claims.act.clone())?;
        let scopes = narrowed(request.scope.as_deref(), &held(&client, &subject))?;
        let resources = self.targets(&client, &subject, &request)?;
        let ends = limit.unwrap_or(i64::MAX).min(subject.token.claims.exp);

        self.note(by, &client, (&subject, acting.as_ref()), (&scopes, &resources)).await?;
        let terms = Terms { scopes: &scopes, resources: &resources, key: request.key };
        let limits = Limits { acting, ends };
        let (token, lasts) = self.minter.exchanged_token(&client, &subject.live.grant, terms, limits)?;
        Ok(TokenAnswer {
            access_token: token.expose().to_owned(),
            token_type: terms.token_type().to_owned(),
            expires_in: lasts,
            refresh_token: None,
            scope: Some(scopes.to_string()),
            id_token: None,
            issued_token_type: Some(issued.to_owned()),
        })
    }

    /// Whom the client acts for. What is wrong with a token is said to nobody who may not hold it (section 2.2.2).
    fn subject(
        &self,
        client: &Client,
        asked: &ExchangeRequest,
        key: Option<Thumbprint>,
    ) -> Result<InTheNameOf, ProtocolFailure> {
        const BAD: &str = "subject_token is none that is good, and that this client may exchange";
        let text = required(asked.subject_token.as_ref(), "subject_token")?;
        let found = self.grants.resolve(text, self.env.now()).map_err(|error| refused(error, BAD))?;
        let is_own = found.client.id == client.id;
        if !is_own && !client.rules.exchanges_tokens_of.contains(&found.client.id) {
            return Err(invalid_request(BAD));
        }
        // Its own it shows as anywhere else: no copy of it becomes a token that is bound to nobody.
        if is_own && !is_held(&found.token, key) {
            return Err(invalid_request(
                "subject_token is bound to another key than the one of the header DPoP",
            ));
        }
        let Some(live) = found.grant else {
            return Err(invalid_request(
                "subject_token is of a client that acts for itself: there is no user",
            ));
        };
        if !client.is_for(&live.user) {
            return Err(invalid_request("the user of subject_token may not use this client"));
        }
        let scopes = Scopes::parse("scope", &found.token.claims.scope)?;
        Ok(InTheNameOf { token: found.token, live, scopes })
    }

    /// Who acts, if a token says so, and when that ends: the client itself, or one of its users.
    fn actor(
        &self,
        client: &Client,
        asked: &ExchangeRequest,
        key: Option<Thumbprint>,
    ) -> Result<(Option<String>, Option<i64>), ProtocolFailure> {
        const BAD: &str = "actor_token is none that is good, and that was given to this client";
        let Some(text) = asked.actor_token.as_ref() else { return Ok((None, None)) };
        let found =
            self.grants.resolve(text.expose(), self.env.now()).map_err(|error| refused(error, BAD))?;
        let is_own = found.client.id == client.id && found.token.claims.act.is_none();
        if !is_own || !is_held(&found.token, key) {
            return Err(invalid_request(BAD));
        }
        Ok((Some(found.token.claims.sub.clone()), Some(found.token.claims.exp)))
    }

    /// What the token shall be for, by whichever of the two names (section 2.1). What the token that is shown is for is
    /// no more than that; a client gets its own for nothing that its user has not agreed to.
    fn targets(
        &self,
        client: &Client,
        subject: &InTheNameOf,
        request: &TokenRequest,
    ) -> Result<Vec<String>, ProtocolFailure> {
        let shown = &subject.token.claims;
        let asked: Vec<_> = request.resources.iter().chain(&request.exchange.audiences).cloned().collect();
        if asked.is_empty() {
            return Ok(shown
                .aud
                .names()
                .iter()
                .filter(|name| *name != self.minter.issuer())
                .cloned()
                .collect());
        }
        let grant = &subject.live.grant;
        let allowed =
            if grant.client == client.id { &grant.consented.resources } else { &client.rules.resources };
        if asked.iter().all(|one| allowed.contains(one) || shown.aud.has(one)) {
            Ok(asked)
        } else {
            Err(invalid_target("resource or audience has one that the client may not ask tokens for"))
        }
    }

    /// Writes down who acts for whom, while it is still so.
    async fn note(
        &self,
        by: Initiator,
        client: &Client,
        (subject, acting): (&InTheNameOf, Option<&Acting>),
        (scopes, resources): (&Scopes, &[String]),
    ) -> Result<(), ProtocolFailure> {
        let exchanged = change::Exchanged {
            grant: subject.live.grant.id,
            client: client.id.clone(),
            shown_by: subject.token.client.clone(),
            actor: acting.map(|acting| acting.sub.clone()),
            scope: scopes.to_string(),
            resources: resources.join(" "),
        };
        let now = self.env.now();
        let change = move |tx: &mut WriteTx| change::note_exchange(tx, &exchanged, (&by, now));
        if self.store.write(change).await? { Ok(()) } else { Err(invalid_request("subject_token is over")) }
    }
}

/// Which kind of token is asked for, once it is known that all are of a kind that there is.
fn check_types(asked: &ExchangeRequest) -> Result<&'static str, ProtocolFailure> {
    let known = |name: &'static str, kind: Option<&String>| match kind.map(String::as_str) {
        Some(ACCESS_TOKEN) => Ok(ACCESS_TOKEN),
        Some(JWT) => Ok(JWT),
        Some(_) => Err(invalid_request(format!("{name} must be that of an access token or a JWT"))),
        None => Err(invalid_request(format!("{name} is required"))),
    };
    known("subject_token_type", asked.subject_token_type.as_ref())?;
    match (&asked.actor_token, &asked.actor_token_type) {
        (None, Some(_)) => return Err(invalid_request("actor_token_type goes with actor_token")),
        (None, None) => {}
        (Some(_), kind) => {
            known("actor_token_type", kind.as_ref())?;
        }
    }
    match &asked.requested_token_type {
        None => Ok(ACCESS_TOKEN),
        kind => known("requested_token_type", kind.as_ref()),
    }
}

/// Who is said to act. Without a token that says so it is the client, unless it may go without being named; whoever has acted
/// before stays named in any case.
fn acting(
    client: &Client,
    acts: Option<String>,
    before: Option<Acting>,
) -> Result<Option<Acting>, ProtocolFailure> {
    let acts = acts.or_else(|| (!is_permitted::<TokensImpersonate>(client)).then(|| client.id.to_string()));
    let Some(sub) = acts else { return Ok(before) };
    let acting = Acting { sub, act: before.map(Box::new) };
    if acting.depth() > MAX_ACTORS {
        return Err(invalid_request("too many have acted one for the other"));
    }
    Ok(Some(acting))
}

/// What there is to give: what the token is good for, of what the client may ask for if that is said. Nobody's absence is
/// handed on.
fn held(client: &Client, subject: &InTheNameOf) -> Scopes {
    let registered = &client.metadata.scopes;
    let scopes =
        if registered.is_empty() { subject.scopes.clone() } else { subject.scopes.within(registered) };
    scopes.without(OFFLINE_ACCESS)
}

fn is_permitted<P: Named>(client: &Client) -> bool {
    client.rules.permissions.iter().any(|one| one.matches(P::NAME))
}

/// Whether a token is bound to no key, or to the one that was proven.
fn is_held(token: &Verified, key: Option<Thumbprint>) -> bool {
    token.claims.cnf.as_ref().is_none_or(|bound| key.is_some_and(|key| key.to_string() == bound.jkt))
}

/// `invalid_request` for a token that is good for nothing (section 2.2.2); what else went wrong as it is.
fn refused(error: Error, why: &'static str) -> ProtocolFailure {
    match error {
        Error::InvalidToken | Error::TokenExpired | Error::TokenRevoked => invalid_request(why),
        other => other.into(),
    }
}
