//! Clients of the configuration file, judged: by the same rules as those of the API, and no field passed over.
use std::collections::BTreeSet;
use std::fs;

use poem_openapi::registry::Registry;
use poem_openapi::types::ParseFromJSON;
use serde_json::{Map, Value};

use super::declared::Declared;
use super::service::NewClient;
use super::view::NewClientBody;
use crate::base::{Error, FieldError, Result, Secret};
use crate::config::DeclaredClient;

/// As many as a secret of 128 random bits has in hexadecimal digits: it is stored under a hash that is quick to make.
const MIN_SECRET: usize = 32;
const MAX_SECRET: usize = 512;
/// A text of few different characters is no random one.
const MIN_DIFFERENT: usize = 10;

/// Reads all of them, and the files that they name.
///
/// # Errors
/// `Error::Invalid` naming the client and the field that is wrong.
pub fn read(all: &[DeclaredClient]) -> Result<Vec<Declared>> {
    let (mut read, mut ids) = (Vec::new(), BTreeSet::new());
    for (at, client) in all.iter().enumerate() {
        let place = client.id().map_or_else(|| format!("[{at}]"), |id| format!(".{id}"));
        let declared = read_one(client).map_err(|error| at_client(&place, error))?;
        if !ids.insert(declared.id.clone()) {
            return Err(at_client(&place, Error::invalid("client_id", "stands in the file twice")));
        }
        read.push(declared);
    }
    Ok(read)
}

/// Says at which client something is wrong.
#[must_use]
pub fn at_client(place: &str, error: Error) -> Error {
    match error {
        Error::Invalid(FieldError { field, reason, .. }) => {
            Error::invalid(format!("oauth.clients{place}.{field}"), reason)
        }
        other => other,
    }
}

fn read_one(client: &DeclaredClient) -> Result<Declared> {
    let mut fields = client.fields.clone();
    let is_active = match fields.remove("is_active") {
        None => true,
        Some(Value::Bool(is_active)) => is_active,
        Some(_) => return Err(Error::invalid("is_active", "must be true or false")),
    };
    check_names(&fields)?;
    check_types(&fields)?;
    let NewClient { id, metadata, rules, .. } = NewClient::from_fields(fields)?;
    let id = id.ok_or_else(|| Error::invalid("client_id", "is required"))?;
    let secret = secret_of(client)?;
    if secret.is_some() != metadata.authentication.has_secret() {
        let reason = match &secret {
            Some(_) => "is for a client that proves who it is by a secret (token_endpoint_auth_method)",
            None => "is required, or client_secret_file, for this token_endpoint_auth_method",
        };
        return Err(Error::invalid("client_secret", reason));
    }
    Ok(Declared { id, is_active, metadata, rules, secret, sealed: Vec::new() })
}

/// Over the network a field that is not known is passed over; in a file it is a mistake.
fn check_names(fields: &Map<String, Value>) -> Result<()> {
    let known = Registry::new().create_fake_schema::<NewClientBody>().properties;
    match fields.keys().find(|name| !known.iter().any(|(known, _)| known == name)) {
        None => Ok(()),
        Some(name) => {
            let beside = ["is_active", "client_secret", "client_secret_file"];
            let known: Vec<_> = known.iter().map(|(name, _)| *name).chain(beside).collect();
            Err(Error::invalid(
                name.clone(),
                format!("is no field of a client; those are: {}", known.join(", ")),
            ))
        }
    }
}

/// Each by itself: all of them together would not say which one is wrong.
fn check_types(fields: &Map<String, Value>) -> Result<()> {
    for (name, value) in fields {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        if let Err(wrong) = NewClientBody::parse_from_json(Some(Value::Object(alone))) {
            return Err(Error::invalid(name.clone(), format!("cannot be read: {}", wrong.into_message())));
        }
    }
    Ok(())
}

fn secret_of(client: &DeclaredClient) -> Result<Option<Secret>> {
    match (&client.secret, &client.secret_file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(Error::invalid("client_secret_file", "says the same as client_secret: which shall count?"))
        }
        (Some(secret), None) => checked("client_secret", secret.expose()).map(Some),
        (None, Some(path)) => {
            let text = fs::read_to_string(path).map(zeroize::Zeroizing::new);
            // Somebody may have put the secret itself here: it is not repeated.
            let text = text
                .map_err(|cause| Error::invalid("client_secret_file", format!("cannot be read: {cause}")))?;
            checked("client_secret_file", text.lines().next().unwrap_or_default().trim()).map(Some)
        }
    }
}

fn checked(field: &'static str, text: &str) -> Result<Secret> {
    let different: BTreeSet<_> = text.bytes().collect();
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::invalid(field, "must be characters of ASCII, without spaces"));
    }
    if !(MIN_SECRET..=MAX_SECRET).contains(&text.len()) || different.len() < MIN_DIFFERENT {
        let reason = "must be 32 to 512 random characters, as `openssl rand -hex 32` prints them";
        return Err(Error::invalid(field, reason));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(text: Value) -> (String, String) {
        let Value::Object(fields) = text else { panic!("no client") };
        let secret = Some(Secret::new("3c2a9e7f61b04d58a1c9e2f7d6b3a405"));
        let client = DeclaredClient { fields, secret, secret_file: None };
        match read(&[client]) {
            Err(Error::Invalid(wrong)) => (wrong.field.into_owned(), wrong.reason.into_owned()),
            other => panic!("{:?}", other.map(|_| ())),
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_client() {
        let good = json!({"client_id": "a", "client_name": "A", "redirect_uris": ["https://a.example/"]});
        let with = |name: &str, value: Value| {
            let mut all = good.clone();
            all[name] = value;
            all
        };
        for (client, field) in [
            (with("redirect_uri", json!([])), "oauth.clients.a.redirect_uri"),
            (with("redirect_uris", json!(["http://a.example/"])), "oauth.clients.a.redirect_uris"),
            (with("redirect_uris", json!("https://a.example/")), "oauth.clients.a.redirect_uris"),
            (with("require_pkce", json!("no")), "oauth.clients.a.require_pkce"),
            (with("client_name", json!("")), "oauth.clients.a.client_name"),
            (with("is_active", json!("yes")), "oauth.clients.a.is_active"),
            (with("client_id", json!("1")), "oauth.clients.1.client_id"),
            (with("client_id", json!("")), "oauth.clients..client_id"),
            (
                json!({"client_name": "A", "redirect_uris": ["https://a.example/"]}),
                "oauth.clients[0].client_id",
            ),
            (with("token_endpoint_auth_method", json!("none")), "oauth.clients.a.client_secret"),
        ] {
            assert_eq!(refusal(client.clone()).0, field, "{client}");
        }
    }

    #[test]
    fn a_secret_is_long_and_random() {
        for bad in [
            "",
            "short",
            &"a".repeat(64),
            "0123456789abcdef0123456789abcde",
            "3c2a9e7f61b04d58 a1c9e2f7d6b3a405",
        ] {
            assert!(checked("client_secret", bad).is_err(), "{bad}");
        }
        assert!(checked("client_secret", "3c2a9e7f61b04d58a1c9e2f7d6b3a405").is_ok());
        assert!(checked("client_secret", &"0123456789".repeat(60)).is_err());
    }
}
