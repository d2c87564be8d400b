//! What clients learn of a user (OpenID Connect Core section 5.1). Pure.
use serde_json::{Map, Value, json};

use crate::account::User;
use crate::contact::Contact;
use crate::contact::model::Address;
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
    "phone_number",
    "phone_number_verified",
    "address",
];

/// All that is known of a user.
#[derive(Clone, Copy)]
pub struct About<'u> {
    pub user: &'u User,
    pub email_verified: bool,
    pub contact: Option<&'u Contact>,
}

/// What the scopes of an access token, and the claims that were asked for one by one, come to in an answer of
/// `/oauth2/userinfo`.
#[must_use]
pub fn for_userinfo(about: About<'_>, consented: &Consented, scope: &str) -> UserClaims {
    let mut claims = of(about, scope.split(' ').flat_map(claims_of));
    claims.extend(of(about, consented.userinfo_claims.iter().map(String::as_str)));
    claims
}

/// Those that were asked for in the ID token itself; what scopes stand for is in the answer of `/oauth2/userinfo` (OpenID
/// Connect Core section 5.4).
#[must_use]
pub fn for_id_token(about: About<'_>, consented: &Consented) -> UserClaims {
    of(about, consented.id_token_claims.iter().map(String::as_str))
}

/// Whether it is about a login at all.
#[must_use]
pub fn is_openid(consented: &Consented) -> bool {
    consented.scopes.has(OPENID)
}

fn of<'a>(about: About<'_>, wanted: impl Iterator<Item = &'a str>) -> UserClaims {
    let mut claims = Map::new();
    for name in wanted {
        if let Some(value) = value_of(about, name) {
            claims.insert(name.to_owned(), value);
        }
    }
    claims
}

fn value_of(About { user, email_verified, contact }: About<'_>, name: &str) -> Option<Value> {
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
        "phone_number" => contact?.phone_number.as_deref().and_then(text),
        // Nobody has called there.
        "phone_number_verified" => contact?.phone_number.as_ref().map(|_| Value::Bool(false)),
        "address" => contact?.address.as_ref().map(address),
        _ => None,
    }
}

/// The parts that there are, and all of them together (OpenID Connect Core section 5.1.1).
fn address(known: &Address) -> Value {
    let parts = [
        ("street_address", &known.street_address),
        ("locality", &known.locality),
        ("region", &known.region),
        ("postal_code", &known.postal_code),
        ("country", &known.country),
    ];
    let mut claim = Map::new();
    claim.insert("formatted".to_owned(), json!(known.formatted()));
    for (name, part) in parts {
        if let Some(part) = part {
            claim.insert(name.to_owned(), json!(part));
        }
    }
    Value::Object(claim)
}
