//! What the file declares beside settings. Read here, and judged by those whose fields they are.
use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use super::value::Value;
use crate::base::{Error, Result, Secret};

const NAME: &str = "client_id";

/// A client of the OAuth 2.0 server as it stands in the file.
#[derive(Clone)]
pub struct DeclaredClient {
    /// Under the names of the API.
    pub fields: Map<String, Json>,
    pub secret: Option<Secret>,
    /// The file with the secret, its first line.
    pub secret_file: Option<PathBuf>,
}

/// Clients of the OAuth 2.0 server.
#[derive(Debug, Clone, Default)]
pub struct Clients(pub Vec<DeclaredClient>);

/// Scopes of one's own, as they stand in the file.
#[derive(Debug, Clone, Default)]
pub struct Scopes(pub Vec<Map<String, Json>>);

/// Rules for reverse proxies, as they stand in the file.
pub type Rules = Scopes;

impl Value for Scopes {
    /// As JSON.
    fn from_text(text: &str) -> Option<Self> {
        let text = if text.is_empty() { "[]" } else { text };
        serde_json::from_str(text).ok().map(Self)
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        let items = value.as_array()?;
        serde_json::to_value(items).and_then(serde_json::from_value).ok().map(Self)
    }
}

impl DeclaredClient {
    /// What it is called in requests.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.fields.get(NAME).and_then(Json::as_str)
    }

    fn read(item: Json) -> Option<Self> {
        let Json::Object(mut fields) = item else { return None };
        let secret = taken(&mut fields, "client_secret").ok()?.map(Secret::new);
        let secret_file = taken(&mut fields, "client_secret_file").ok()?.map(PathBuf::from);
        Some(Self { fields, secret, secret_file })
    }
}

/// Takes a text out, if it is there.
fn taken(fields: &mut Map<String, Json>, name: &'static str) -> Result<Option<String>> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::invalid(name, "must be a text")),
    }
}

impl Value for Clients {
    /// As JSON.
    fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let Json::Array(items) = serde_json::from_str(text).ok()? else { return None };
        items.into_iter().map(DeclaredClient::read).collect::<Option<_>>().map(Self)
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        let items = value.as_array()?.iter().map(|item| serde_json::to_value(item).ok());
        items.map(|item| item.and_then(DeclaredClient::read)).collect::<Option<_>>().map(Self)
    }
}

/// Everything but the secrets.
impl fmt::Debug for DeclaredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredClient").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// The names of what is declared, for who asks what is in force: the rest may hold secrets.
#[must_use]
pub fn names(value: &toml::Value) -> String {
    let clients = Clients::from_toml(value).or_else(|| value.as_str().and_then(Clients::from_text));
    let clients = clients.unwrap_or_default().0;
    let names = clients.iter().map(|client| toml::Value::String(client.id().unwrap_or_default().to_owned()));
    toml::Value::Array(names.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "not-to-be-seen-by-anybody-0123456789";

    #[test]
    fn a_client_reads_from_text_and_toml_alike() {
        let file =
            format!("v = [{{ client_id = \"a\", client_secret = \"{SECRET}\", redirect_uris = [\"x\"] }}]");
        let table: toml::Table = file.parse().unwrap();
        let text = format!(r#"[{{"client_id": "a", "client_secret": "{SECRET}", "redirect_uris": ["x"]}}]"#);
        let (one, other) = (Clients::from_toml(&table["v"]).unwrap(), Clients::from_text(&text).unwrap());
        assert_eq!((&one.0[0].fields, one.0[0].id()), (&other.0[0].fields, Some("a")));
        assert_eq!(one.0[0].secret, Some(Secret::new(SECRET)));
        assert_eq!(names(&table["v"]), "[\"a\"]");
        assert_eq!(names(&toml::Value::String(text)), "[\"a\"]");
        assert!(!format!("{one:?}").contains(SECRET));
    }

    #[test]
    fn what_is_no_list_of_clients_is_refused() {
        for bad in ["{}", "[1]", "[[]]", r#"[{"client_secret": 1}]"#, r#"[{"client_secret_file": []}]"#, "x"]
        {
            assert!(Clients::from_text(bad).is_none(), "{bad}");
        }
        assert!(Clients::from_text("").unwrap().0.is_empty());
    }
}
