//! Initial access tokens on the wire.
use poem_openapi::Object;
use poem_openapi::types::{Example, ParseFromJSON};
use serde::Serialize;
use serde_json::{Map, Value};

use super::model::{InitialToken, NewInitialToken};
use crate::base::{Error, Page, Result, Secret, SeededEntropy, Timestamp};

/// A token that is asked for.
#[derive(Object)]
#[oai(example)]
pub struct NewInitialTokenBody {
    /// What it is for: 1 to 100 characters.
    pub name: String,
    /// How many clients can be registered with it; 1 by default, at most 10000.
    pub max_uses: Option<u32>,
    /// How long; a day by default, at most 366 of them.
    pub lifetime_seconds: Option<i64>,
}

/// A token, without its text.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct InitialTokenView {
    pub id: String,
    pub name: String,
    /// How many clients were registered with it.
    pub uses: u32,
    pub max_uses: u32,
    pub created_at: String,
    pub expires_at: String,
}

/// A token with its text, which is shown once.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct MadeInitialTokenView {
    pub token: String,
    #[oai(flatten)]
    #[serde(flatten)]
    pub about: InitialTokenView,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct InitialTokenList {
    pub items: Vec<InitialTokenView>,
    pub next_cursor: Option<String>,
}

impl NewInitialTokenBody {
    /// Of the fields of the API, as the command line says them.
    ///
    /// # Errors
    /// `Error::Invalid` for what is no field's value.
    pub fn from_fields(fields: Map<String, Value>) -> Result<Self> {
        Self::parse_from_json(Some(Value::Object(fields)))
            .map_err(|wrong| Error::invalid("fields", wrong.into_message()))
    }
}

impl TryFrom<NewInitialTokenBody> for NewInitialToken {
    type Error = Error;

    fn try_from(body: NewInitialTokenBody) -> Result<Self> {
        Self::parse(&body.name, body.max_uses, body.lifetime_seconds)
    }
}

impl InitialTokenView {
    #[must_use]
    pub fn of(token: &InitialToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.clone(),
            uses: token.uses,
            max_uses: token.max_uses,
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.rfc3339(),
        }
    }
}

impl MadeInitialTokenView {
    #[must_use]
    pub fn of((token, text): &(InitialToken, Secret)) -> Self {
        Self { token: text.expose().to_owned(), about: InitialTokenView::of(token) }
    }
}

impl InitialTokenList {
    #[must_use]
    pub fn of(page: Page<InitialToken>) -> Self {
        Self { items: page.items.iter().map(InitialTokenView::of).collect(), next_cursor: page.next_cursor }
    }
}

/// The same in every run.
fn example() -> (InitialToken, Secret) {
    let new = NewInitialToken { name: "Build servers".into(), max_uses: 5, lifetime_secs: 86_400 };
    InitialToken::generate(new, Timestamp::from_secs(1_749_985_743), &SeededEntropy::new(1))
}

impl Example for NewInitialTokenBody {
    fn example() -> Self {
        Self { name: "Build servers".into(), max_uses: Some(5), lifetime_seconds: None }
    }
}

impl Example for InitialTokenView {
    fn example() -> Self {
        Self::of(&example().0)
    }
}

impl Example for MadeInitialTokenView {
    fn example() -> Self {
        Self::of(&example())
    }
}

impl Example for InitialTokenList {
    fn example() -> Self {
        Self { items: vec![InitialTokenView::example()], next_cursor: None }
    }
}
