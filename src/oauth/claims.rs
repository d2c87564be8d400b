//! What clients learn of a user (OpenID Connect Core section 5.1). Pure.
use serde_json::{Map, Value};

use crate::account::User;
use crate::oauth::grant::model::Consented;
use crate::oauth::scope::{OPENID, claims_of};

/// Claims about a user, by name.
pub type UserClaims = Map<String, Value>;

/// Every claim about a user that there can be.
pub const NAMES: &[&str] = &[
    "sub",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "updated_at",
    "email",
    "email_verified",
];

/// What the scopes of an access token, and the claims that were asked for one by one, come to in an answer of
/// `/oauth2/userinfo`.
#[must_use]
pub fn for_userinfo(user: &User, email_verified: bool, consented: &Consented, scope: &str) -> UserClaims {
    let mut claims = of(user, email_verified, scope.split(' ').flat_map(claims_of));
    claims.extend(of(user, email_verified, consented.userinfo_claims.iter().map(String::as_str)));
    claims
}

/// Those that were asked for in the ID token itself; what scopes stand for is in the answer of `/oauth2/userinfo` (OpenID
/// Connect Core section 5.4).
#[must_use]
pub fn for_id_token(user: &User, email_verified: bool, consented: &Consented) -> UserClaims {
    of(user, email_verified, consented.id_token_claims.iter().map(String::as_str))
}

/// Whether it is about a login at all.
#[must_use]
pub fn is_openid(consented: &Consented) -> bool {
    consented.scopes.has(OPENID)
}

fn of<'a>(user: &User, email_verified: bool, wanted: impl Iterator<Item = &'a str>) -> UserClaims {
    let mut claims = Map::new();
    for name in wanted {
        if let Some(value) = value_of(user, email_verified, name) {
            claims.insert(name.to_owned(), value);
        }
    }
    claims
}

fn value_of(user: &User, email_verified: bool, name: &str) -> Option<Value> {
    let (first, last) = (user.first_name.as_ref(), user.last_name.as_ref());
    let text = |text: &str| Some(Value::String(text.to_owned()));
    match name {
        "name" => {
            let parts: Vec<_> =
                first.into_iter().chain(last).map(crate::base::text::DisplayName::as_str).collect();
            if parts.is_empty() { text(user.username.as_str()) } else { text(&parts.join(" ")) }
        }
        "given_name" => first.and_then(|name| text(name.as_str())),
        "family_name" => last.and_then(|name| text(name.as_str())),
        "preferred_username" => text(user.username.as_str()),
        "updated_at" => Some(Value::from(user.updated_at.secs())),
        "email" => text(user.email.as_str()),
        "email_verified" => Some(Value::Bool(email_verified)),
        _ => None,
    }
}
