//! What a scope of one's own is. Pure.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::account::User;
use crate::base::{Error, FieldError, Result};
use crate::oauth::claims;
use crate::oauth::scope::{STANDARD, Scopes};
use crate::rbac::Pattern;
use crate::rbac::model::{parse_description, roles_of};

const MAX_NAME: usize = 64;
/// What tokens say that are ours, whatever a scope is for.
const RESERVED: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "azp",
    "nonce",
    "acr",
    "amr",
    "auth_time",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "client_id",
    "scope",
    "cnf",
    "act",
    "may_act",
    "events",
    "typ",
    "type",
    "permissions",
    "sub_jwk",
];

/// What clients do not do in anybody's name.
const OWN_WAYS_IN: &[&str] = &["account:password", "account:keys", "account:factors"];

/// Where a claim is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Userinfo,
    IdToken,
    AccessToken,
}

/// What of a user a claim says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    UserId,
    Username,
    Email,
    FirstName,
    LastName,
    /// The names of all roles.
    Roles,
    /// All permissions, as patterns.
    Permissions,
    IsSuperuser,
    /// Seconds since the epoch.
    CreatedAt,
}

/// A scope that the configuration declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomScope {
    pub name: String,
    /// What people read who are asked whether they agree.
    pub description: String,
    pub claims: Vec<(String, Source)>,
    pub told_in: Vec<Place>,
    /// What a token with it may do, as far as its user may.
    pub permissions: Vec<Pattern>,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    description: String,
    #[serde(default)]
    claims: BTreeMap<String, Source>,
    #[serde(default = "in_userinfo")]
    claims_in: Vec<Place>,
    #[serde(default)]
    permissions: Vec<String>,
}

fn in_userinfo() -> Vec<Place> {
    vec![Place::Userinfo]
}

/// Reads all of them.
///
/// # Errors
/// `Error::Invalid` naming the scope and what is wrong with it.
pub fn read(all: &[Map<String, Value>]) -> Result<Vec<CustomScope>> {
    let mut read: Vec<CustomScope> = Vec::new();
    for (at, fields) in all.iter().enumerate() {
        let name = fields.get("name").and_then(Value::as_str);
        let place = name.map_or_else(|| format!("[{at}]"), |name| format!(".{name}"));
        let scope = CustomScope::read(fields).map_err(|error| match error {
            Error::Invalid(FieldError { field, reason, .. }) => {
                Error::invalid(format!("oauth.scopes{place}.{field}"), reason)
            }
            other => other,
        })?;
        if read.iter().any(|other| other.name == scope.name) {
            return Err(Error::invalid(format!("oauth.scopes{place}.name"), "stands in the file twice"));
        }
        read.push(scope);
    }
    Ok(read)
}

impl CustomScope {
    fn read(fields: &Map<String, Value>) -> Result<Self> {
        let written = serde_json::from_value(Value::Object(fields.clone()));
        let Written { name, description, claims, claims_in, permissions } =
            written.map_err(|wrong| Error::invalid("fields", format!("cannot be read: {wrong}")))?;
        let is_one = Scopes::parse("name", &name)?.iter().eq([name.as_str()]);
        if !is_one || name.len() > MAX_NAME {
            return Err(Error::invalid("name", "must be one scope, of 64 characters at most"));
        }
        if STANDARD.iter().any(|(standard, _)| *standard == name) {
            return Err(Error::invalid("name", "is a scope of OpenID Connect"));
        }
        let description = parse_description(&description)?;
        if description.is_empty() {
            return Err(Error::invalid("description", "is required: people read it who are asked to agree"));
        }
        let taken =
            |claim: &&String| RESERVED.contains(&claim.as_str()) || claims::NAMES.contains(&claim.as_str());
        if let Some(claim) = claims.keys().find(|claim| claim.is_empty() || taken(claim)) {
            let reason = format!("has `{claim}`, which is not a name for a claim of one's own");
            return Err(Error::invalid("claims", reason));
        }
        let permissions = Pattern::parse_all("permissions", &permissions)?;
        if let Some(way_in) = OWN_WAYS_IN.iter().find(|name| permissions.iter().any(|one| one.matches(name)))
        {
            let reason = format!("has {way_in} in it: no client changes how its user gets in");
            return Err(Error::invalid("permissions", reason));
        }
        Ok(Self { name, description, claims: claims.into_iter().collect(), told_in: claims_in, permissions })
    }
}

impl Source {
    /// What it is of a user; `held`: all that the user may do.
    #[must_use]
    pub fn of(self, user: &User, held: &[String]) -> Option<Value> {
        let name = |name: &Option<crate::base::text::DisplayName>| {
            name.as_ref().map(|name| Value::String(name.as_str().to_owned()))
        };
        match self {
            Self::UserId => Some(Value::from(user.id)),
            Self::Username => Some(Value::String(user.username.to_string())),
            Self::Email => Some(Value::String(user.email.as_str().to_owned())),
            Self::FirstName => name(&user.first_name),
            Self::LastName => name(&user.last_name),
            Self::Roles => Some(Value::from(roles_of(user))),
            Self::Permissions => Some(Value::from(held.to_vec())),
            Self::IsSuperuser => Some(Value::Bool(user.is_superuser)),
            Self::CreatedAt => Some(Value::from(user.created_at.secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_one(text: Value) -> Result<Vec<CustomScope>> {
        let Value::Object(fields) = text else { panic!("no scope") };
        read(&[fields])
    }

    #[test]
    fn a_scope_is_read_with_its_claims_and_permissions() {
        let scope = json!({
            "name": "billing", "description": "see your bills", "claims": {"groups": "roles"},
            "claims_in": ["id_token", "access_token"], "permissions": ["billing:*:read"],
        });
        let read = read_one(scope).unwrap().remove(0);
        assert_eq!((read.name.as_str(), read.description.as_str()), ("billing", "see your bills"));
        assert_eq!(read.claims, [("groups".to_owned(), Source::Roles)]);
        assert_eq!(read.told_in, [Place::IdToken, Place::AccessToken]);
        assert_eq!(read.permissions[0].as_str(), "billing:*:read");
        let plain = read_one(json!({"name": "a", "description": "do it"})).unwrap();
        assert_eq!(plain[0].told_in, [Place::Userinfo]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_scope() {
        let good = json!({"name": "a", "description": "do it"});
        for (name, value, field) in [
            ("name", json!("openid"), "oauth.scopes.openid.name"),
            ("name", json!("a b"), "oauth.scopes.a b.name"),
            ("name", json!("a\"b"), "oauth.scopes.a\"b.name"),
            ("name", json!(1), "oauth.scopes[0].fields"),
            ("description", json!(""), "oauth.scopes.a.description"),
            ("claims", json!({"sub": "user_id"}), "oauth.scopes.a.claims"),
            ("claims", json!({"email": "username"}), "oauth.scopes.a.claims"),
            ("claims", json!({"groups": "password_hash"}), "oauth.scopes.a.fields"),
            ("claims_in", json!(["url"]), "oauth.scopes.a.fields"),
            ("permissions", json!(["a b"]), "oauth.scopes.a.permissions"),
            ("permissions", json!(["account:*"]), "oauth.scopes.a.permissions"),
            ("permissions", json!(["*"]), "oauth.scopes.a.permissions"),
            ("permission", json!([]), "oauth.scopes.a.fields"),
        ] {
            let mut scope = good.clone();
            scope[name] = value;
            match read_one(scope.clone()) {
                Err(Error::Invalid(wrong)) => assert_eq!(wrong.field, field, "{scope}"),
                other => panic!("{scope} {other:?}"),
            }
        }
        let Value::Object(fields) = good else { panic!("no scope") };
        assert!(read(&[fields.clone(), fields]).is_err(), "twice");
    }
}
