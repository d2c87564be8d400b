//! What a request stands for: itself, what was pushed before, or what its client has signed.
use super::object::{self, MAX_BYTES, TYPES};
use super::parameters::Parameters;
use super::request::{self, Refusal};
use super::service::Authorization;
use crate::base::Result;
use crate::crypto::Jws;
use crate::oauth::client::{Client, ClientId};

/// Of all parameters.
const MAX_QUERY_BYTES: usize = 64 * 1024;
/// What says who the client is, and nothing of what it asks for.
const PROOF: &[&str] = &["client_secret", "client_assertion", "client_assertion_type"];

impl Authorization {
    /// The request that a browser has come with. `own`: parameters that a page of ours has brought along, and that hold beside
    /// any request.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn read(&self, outer: Parameters, own: &[&str]) -> Result<Parameters> {
        if let Some(kept) = self.pushed.open(&outer).await? {
            return Ok(with_own(kept, &outer, own));
        }
        let is_signed = outer.get("request").is_some() && outer.get("request_uri").is_none();
        let id = outer.get("client_id").filter(|_| is_signed && outer.repeated.is_none());
        let id = id.and_then(|id| ClientId::parse(id).ok());
        let client = id.map(|id| self.clients.find(&id)).transpose()?.flatten();
        let Some(client) = client else { return Ok(outer) };
        let mut signed = self.opened(&client, outer.clone()).await;
        if signed.origin.broken.is_none() {
            // Looked at once: what is signed may be over before its user has answered.
            signed.origin.kept_as = Some(self.pushed.keep(&client, &signed).await?);
        }
        Ok(with_own(signed, &outer, own))
    }

    /// The request of a page, with which a browser has come before.
    ///
    /// # Errors
    /// As [`Authorization::read`].
    pub fn read_again(&self, outer: Parameters, own: &[&str]) -> Result<Parameters> {
        let kept = self.pushed.opened(&outer)?;
        Ok(kept.map(|kept| with_own(kept, &outer, own)).unwrap_or(outer))
    }

    /// Keeps the request of a client that has proven who it is, if it could be granted (RFC 9126 section 2.1).
    ///
    /// # Errors
    /// As [`Authorization::read`].
    ///
    /// # Returns
    /// The reference to it, or what is wrong.
    pub async fn push(
        &self,
        client: &Client,
        mut parameters: Parameters,
    ) -> Result<std::result::Result<String, Refusal>> {
        let refuse = |description| Ok(Err(Refusal { error: "invalid_request", description }));
        PROOF.iter().for_each(|name| parameters.remove(name));
        if parameters.get("request_uri").is_some() {
            return refuse("request_uri must not be pushed");
        }
        parameters.set("client_id", client.id.to_string());
        if parameters.get("request").is_some() {
            parameters = self.opened(client, parameters).await;
        }
        if let Some(refusal) = parameters.origin.broken {
            return Ok(Err(refusal));
        }
        parameters.origin.is_pushed = true;
        if parameters.to_query(&[]).len() > MAX_QUERY_BYTES {
            return refuse("the request is too large");
        }
        let Ok(destination) = request::destination(client, &parameters) else {
            return refuse("redirect_uri is required, and must be one that the client has registered");
        };
        let checked = request::check_way(client, &parameters, self.pushed.required)
            .and_then(|()| request::check(client, &parameters, destination));
        match checked {
            Ok(_) => Ok(Ok(self.pushed.keep(client, &parameters).await?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// The parameters in `request`, if they are its client's.
    async fn opened(&self, client: &Client, outer: Parameters) -> Parameters {
        const NO_OBJECT: Refusal = object::invalid("request is no signed JWT");
        const UNSIGNED: Refusal = Refusal {
            error: "request_not_supported",
            description: "request objects that nobody has signed are not taken",
        };
        let text = outer.get("request").unwrap_or_default().to_owned();
        let Some(jws) = Some(text.as_str()).filter(|text| text.len() <= MAX_BYTES).and_then(Jws::read) else {
            return object::broken(outer, None, NO_OBJECT);
        };
        let verified = if jws.is_unsigned() {
            Err(UNSIGNED)
        } else if jws.is_typed(TYPES) {
            self.verified(client, &jws).await
        } else {
            Err(NO_OBJECT)
        };
        let issuer = self.clients.assertions.issuer();
        let read =
            verified.and_then(|()| object::read(client, issuer, &outer, (&jws.claims, self.env.now())));
        let read = read.and_then(|read| match read.to_query(&[]).len() {
            ..=MAX_QUERY_BYTES => Ok(read),
            _ => Err(object::invalid("the request object is too large")),
        });
        read.unwrap_or_else(|why| object::broken(outer, Some(&jws.claims), why))
    }

    async fn verified(&self, client: &Client, jws: &Jws<'_>) -> std::result::Result<(), Refusal> {
        let registered = client.metadata.request_object_algorithm;
        let taken = |algorithm| registered.is_none_or(|only| only == algorithm);
        let outcome = self.clients.assertions.by_key(client, jws, taken).await;
        outcome.map_err(|why| match why {
            std::borrow::Cow::Borrowed(why) => object::invalid(why),
            std::borrow::Cow::Owned(_) => object::invalid("the keys at jwks_uri cannot be had"),
        })
    }
}

fn with_own(mut parameters: Parameters, outer: &Parameters, own: &[&str]) -> Parameters {
    for name in own {
        match outer.get(name) {
            Some(value) => parameters.set(name, value.to_owned()),
            None => parameters.remove(name),
        }
    }
    parameters
}
