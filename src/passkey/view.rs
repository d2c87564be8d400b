//! How passkeys come and go on the wire.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem_openapi::Object;
use poem_openapi::types::{Any, Example};
use serde::Serialize;
use serde_json::{Value, json};

use super::model::{Passkey, parse_name};
use super::service::{Question, Reply};
use crate::base::{Page, Result, Timestamp};

/// A passkey as its user sees it.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct PasskeyView {
    pub id: String,
    pub name: String,
    /// By what it is named to browsers: for `PublicKeyCredential.signalUnknownCredential()`.
    pub credential_id: String,
    /// The domain that it was made for.
    pub rp_id: String,
    /// The make of the authenticator, if it says so.
    pub aaguid: Option<String>,
    pub transports: Vec<String>,
    /// Whether it may be copied to the user's other devices.
    pub backup_eligible: bool,
    /// Whether it was, when it was used last.
    pub backed_up: bool,
    pub created_at: String,
    pub last_used_at: Option<String>,
    pub last_used_address: Option<String>,
    /// When its counter went back: there may be a copy.
    pub counter_went_back_at: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct PasskeyList {
    pub items: Vec<PasskeyView>,
    pub next_cursor: Option<String>,
}

/// What a browser is asked.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct QuestionView {
    /// To be sent back with the answer, within 5 minutes.
    pub challenge_id: String,
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    pub options: Any<Value>,
}

#[derive(Object)]
#[oai(example)]
pub struct StartRegistrationBody {
    /// What it is to be called.
    pub name: Option<String>,
}

#[derive(Object)]
#[oai(example)]
pub struct FinishRegistrationBody {
    pub challenge_id: String,
    /// What `navigator.credentials.create()` has given, by its `toJSON()`.
    pub credential: Any<Value>,
    /// What it is to be called, instead of what was said at the start.
    pub name: Option<String>,
}

#[derive(Object)]
#[oai(example)]
pub struct StartLoginBody {
    /// May be there, and changes nothing: the browser shows whose passkeys it has, and the answer says nothing about
    /// accounts.
    pub username: Option<String>,
}

#[derive(Object)]
#[oai(example)]
pub struct FinishLoginBody {
    pub challenge_id: String,
    /// What `navigator.credentials.get()` has given, by its `toJSON()`.
    pub credential: Any<Value>,
    /// For how many days this device is to be trusted: then a password is enough on it, too.
    pub trust_device_days: Option<u32>,
}

/// The answer of a browser beside other things.
#[derive(Object)]
#[oai(example)]
pub struct PasskeyAnswer {
    pub challenge_id: String,
    /// What `navigator.credentials.get()` has given, by its `toJSON()`.
    pub credential: Any<Value>,
}

#[derive(Object)]
#[oai(example)]
pub struct RenameBody {
    pub name: String,
}

impl PasskeyView {
    #[must_use]
    pub fn of(passkey: Passkey) -> Self {
        let (last_used_at, last_used_address) =
            passkey.last_used.map(|last| (last.at.rfc3339(), last.address)).unzip();
        Self {
            id: passkey.id.to_string(),
            name: passkey.name,
            credential_id: URL_SAFE_NO_PAD.encode(&passkey.credential),
            rp_id: passkey.rp_id,
            aaguid: passkey.aaguid.map(uuid_text),
            transports: passkey.transports,
            backup_eligible: passkey.backup_eligible,
            backed_up: passkey.backed_up,
            created_at: passkey.created_at.rfc3339(),
            last_used_at,
            last_used_address,
            counter_went_back_at: passkey.counter_went_back_at.map(Timestamp::rfc3339),
        }
    }
}

impl PasskeyList {
    #[must_use]
    pub fn of(page: Page<Passkey>) -> Self {
        let items = page.items.into_iter().map(PasskeyView::of).collect();
        Self { items, next_cursor: page.next_cursor }
    }
}

impl QuestionView {
    #[must_use]
    pub fn of(question: Question) -> Self {
        Self { challenge_id: question.challenge_id, options: Any(question.options) }
    }
}

impl PasskeyAnswer {
    /// What a browser has answered.
    #[must_use]
    pub fn reply(self) -> Reply {
        Reply { challenge_id: self.challenge_id, credential: self.credential.0 }
    }
}

impl FinishRegistrationBody {
    /// What a browser has answered, and what the passkey is to be called.
    ///
    /// # Errors
    /// `Error::Invalid` naming `name`.
    pub fn read(self) -> Result<(Reply, Option<String>)> {
        let name = self.name.as_deref().map(parse_name).transpose()?;
        Ok((Reply { challenge_id: self.challenge_id, credential: self.credential.0 }, name))
    }
}

/// RFC 9562 section 4.
fn uuid_text(bytes: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

impl Example for PasskeyView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            name: "Laptop".into(),
            credential_id: some_bytes(),
            rp_id: "id.example.org".into(),
            aaguid: Some("adce0002-35bc-c60a-648b-0b25f1f05503".into()),
            transports: vec!["internal".into()],
            backup_eligible: true,
            backed_up: true,
            created_at: "2025-06-15T11:09:03Z".into(),
            last_used_at: Some("2025-06-15T11:20:00Z".into()),
            last_used_address: Some("203.0.113.7".into()),
            counter_went_back_at: None,
        }
    }
}

impl Example for PasskeyList {
    fn example() -> Self {
        Self { items: vec![PasskeyView::example()], next_cursor: None }
    }
}

/// What stands for bytes in examples.
fn some_bytes() -> String {
    URL_SAFE_NO_PAD.encode("an example of some bytes")
}

impl Example for QuestionView {
    fn example() -> Self {
        let options = json!({
            "challenge": some_bytes(),
            "rpId": "id.example.org",
            "allowCredentials": [],
            "userVerification": "required",
            "timeout": 300_000,
        });
        Self { challenge_id: "asw_AAAAAAAAAAI…".into(), options: Any(options) }
    }
}

fn example_credential(response: Value) -> Any<Value> {
    Any(json!({
        "id": some_bytes(),
        "rawId": some_bytes(),
        "type": "public-key",
        "clientExtensionResults": {},
        "response": response,
    }))
}

impl Example for StartRegistrationBody {
    fn example() -> Self {
        Self { name: Some("Laptop".into()) }
    }
}

impl Example for FinishRegistrationBody {
    fn example() -> Self {
        let response = json!({"clientDataJSON": some_bytes(), "attestationObject": some_bytes()});
        Self {
            challenge_id: "asw_AAAAAAAAAAI…".into(), credential: example_credential(response), name: None
        }
    }
}

impl Example for StartLoginBody {
    fn example() -> Self {
        Self { username: None }
    }
}

impl Example for FinishLoginBody {
    fn example() -> Self {
        let PasskeyAnswer { challenge_id, credential } = PasskeyAnswer::example();
        Self { challenge_id, credential, trust_device_days: None }
    }
}

impl Example for PasskeyAnswer {
    fn example() -> Self {
        let response = json!({
            "clientDataJSON": some_bytes(),
            "authenticatorData": some_bytes(),
            "signature": some_bytes(),
            "userHandle": some_bytes(),
        });
        Self { challenge_id: "asw_AAAAAAAAAAI…".into(), credential: example_credential(response) }
    }
}

impl Example for RenameBody {
    fn example() -> Self {
        Self { name: "Laptop".into() }
    }
}
