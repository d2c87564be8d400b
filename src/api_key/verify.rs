//! `/auth/api-keys/verify`: whether a key that somebody has shown another service is good, in one call.
use std::collections::BTreeMap;
use std::sync::Arc;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::live::{Judged, Listed};
use super::model::Flaw;
use super::service::ApiKeys;
use super::view::parse_address;
use crate::base::{Error, Result, Timestamp};
use crate::http::limit::{Allowance, RateLimiter, client_of};
use crate::http::{Failure, Json, May, RequestInfo, spec};
use crate::rbac::permission::ApiKeysVerify;
use crate::rbac::view::{SubjectView, check_questions};
use crate::rbac::{Actor, Named, Roles, Via};

/// Keys that other services were shown.
pub struct VerifyApi {
    pub keys: ApiKeys,
    pub roles: Roles,
    pub limiter: Arc<RateLimiter>,
}

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[("verify_api_key", ApiKeysVerify::NAME)];

#[derive(Object)]
#[oai(example)]
struct VerifyBody {
    /// As it came.
    key: String,
    /// From where it came; a key that is tied to networks is good for nothing without.
    address: Option<String>,
    /// What it is to be used for: up to 100 permissions.
    permissions: Option<Vec<String>>,
    /// False: it does not count as a use, and takes nothing of the key's limit.
    count: Option<bool>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct VerifyView {
    /// Whether it is good, and has something left of its limit.
    valid: bool,
    /// `malformed`, `unknown`, `revoked`, `expired`, `owner_disabled`, `owner_must_enrol` (a second factor, which it has to
    /// have here), `network_not_allowed` or `rate_limited`.
    reason: Option<String>,
    /// The fields from here on are null for a key that is not good.
    key_id: Option<String>,
    name: Option<String>,
    /// Whose it is.
    owner: Option<SubjectView>,
    /// All that it may do; `*` stands for any one segment, and alone for everything.
    permissions: Option<Vec<String>>,
    /// Whether it may do all that was asked.
    allowed: bool,
    results: BTreeMap<String, bool>,
    expires_at: Option<String>,
    rate_limit: Option<LimitView>,
}

/// What is left of the requests of this hour.
#[derive(Object, Serialize)]
struct LimitView {
    requests_per_hour: u32,
    remaining: u32,
    reset_seconds: i64,
}

#[OpenApi]
impl VerifyApi {
    /// Is this API key good, whose is it, and what may it do?
    #[oai(path = "/auth/api-keys/verify", method = "post", operation_id = "verify_api_key")]
    async fn verify(
        &self,
        caller: May<ApiKeysVerify>,
        request: &Request,
        body: Json<VerifyBody>,
    ) -> Result<Json<VerifyView>, Failure> {
        let VerifyBody { key, address, permissions, count } = body.0;
        let asked = permissions.unwrap_or_default();
        check_questions(&asked, 0)?;
        let address = address.as_deref().map(parse_address).transpose()?;
        let counts = count.unwrap_or(true);
        let (actor, listed) = match self.keys.judge(&key, address)? {
            Judged::Good(actor, listed) => (actor, listed),
            Judged::Bad(flaw, of) => {
                if let Some(key) = of.filter(|_| counts) {
                    self.keys.refuse(&caller.initiator(), &key, flaw);
                }
                return Ok(Json(VerifyView::bad(flaw.name(), asked)));
            }
        };
        let Via::Key(key) = &actor.via else { return Err(Error::internal("a key that is none").into()) };
        if !key.networks.is_empty() && address.is_none() {
            if counts {
                self.keys.refuse(&caller.initiator(), key, Flaw::Network);
            }
            return Ok(Json(VerifyView::bad("network_not_allowed", asked)));
        }
        if RequestInfo::of(request)?.authenticator.is_limited(&actor)? {
            if counts {
                self.keys.usage.refused(key.id);
            }
            return Ok(Json(VerifyView::bad("owner_must_enrol", asked)));
        }
        let allowance = match self.spend(&actor, counts) {
            Err(Error::RateLimited { .. }) => {
                if counts {
                    self.keys.usage.refused(key.id);
                }
                return Ok(Json(VerifyView::bad("rate_limited", asked)));
            }
            other => other?,
        };
        if counts {
            self.keys.usage.accepted(key.id, self.keys.env.now(), address);
        }
        Ok(Json(self.good(&actor, key, &listed, asked, allowance)?))
    }
}

impl VerifyApi {
    fn spend(&self, actor: &Actor, counts: bool) -> Result<Option<Allowance>> {
        let (client, quota) = client_of(actor);
        let now = self.keys.env.now();
        if counts { self.limiter.count(client, quota, now) } else { self.limiter.look(client, quota, now) }
    }

    fn good(
        &self,
        actor: &Actor,
        key: &super::ApiKey,
        listed: &Listed,
        asked: Vec<String>,
        allowance: Option<Allowance>,
    ) -> Result<VerifyView> {
        let book = self.roles.book()?;
        let held = book.held_by(actor);
        let results = asked.into_iter().map(|name| (held.allows(&name), name));
        let results: BTreeMap<_, _> = results.map(|(allowed, name)| (name, allowed)).collect();
        Ok(VerifyView {
            valid: true,
            reason: None,
            key_id: Some(key.id.to_string()),
            name: Some(key.name.clone()),
            owner: Some(SubjectView::of(&actor.subject)),
            permissions: Some(listed.by(&book, || held.list()).to_vec()),
            allowed: results.values().all(|allowed| *allowed),
            results,
            expires_at: key.expires_at.map(Timestamp::rfc3339),
            rate_limit: allowance.map(|Allowance { quota, remaining, reset_secs }| LimitView {
                requests_per_hour: quota,
                remaining,
                reset_seconds: reset_secs,
            }),
        })
    }
}

impl VerifyView {
    fn bad(reason: &str, asked: Vec<String>) -> Self {
        Self {
            valid: false,
            reason: Some(reason.to_owned()),
            key_id: None,
            name: None,
            owner: None,
            permissions: None,
            allowed: false,
            results: asked.into_iter().map(|permission| (permission, false)).collect(),
            expires_at: None,
            rate_limit: None,
        }
    }
}

impl Example for VerifyBody {
    fn example() -> Self {
        Self {
            key: "asku_0197731f8b2d4c6e9a0b1c2d3e4f5061_9f86d081…_1c291ca3".into(),
            address: Some("10.1.2.3".into()),
            permissions: Some(vec!["billing:invoices:read".into()]),
            count: None,
        }
    }
}

impl Example for VerifyView {
    fn example() -> Self {
        Self {
            valid: true,
            reason: None,
            key_id: Some("0197731f8b2d4c6e9a0b1c2d3e4f5061".into()),
            name: Some("deploy".into()),
            owner: Some(SubjectView::testuser()),
            permissions: Some(vec!["billing:invoices:read".into()]),
            allowed: true,
            results: BTreeMap::from([("billing:invoices:read".into(), true)]),
            expires_at: Some("2027-01-15T08:00:00Z".into()),
            rate_limit: Some(LimitView { requests_per_hour: 10_000, remaining: 9_988, reset_seconds: 3_120 }),
        }
    }
}
