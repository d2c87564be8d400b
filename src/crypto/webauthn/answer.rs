//! What authenticators answer, read: every member that is needed is there, and is what it says it is.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use crate::base::{Error, Result};

const MAX_TRANSPORTS: usize = 8;
/// Characters of an origin that are shown.
const MAX_ORIGIN: usize = 100;

/// What is in an attestation, by name; the rest is not needed.
const ATTESTED: &[&str] = &["id", "rawId", "type", "response.clientDataJSON", "response.attestationObject"];
const ASSERTED: &[&str] =
    &["id", "rawId", "type", "response.clientDataJSON", "response.authenticatorData", "response.signature"];

/// What `navigator.credentials.create()` has given, in the form of `toJSON()`.
pub struct Attestation {
    pub(super) parsed: RegisterPublicKeyCredential,
    pub(super) transports: Vec<String>,
}

/// What `navigator.credentials.get()` has given, in the form of `toJSON()`.
pub struct Assertion(pub(super) PublicKeyCredential);

impl Attestation {
    /// # Errors
    /// `Error::Invalid` naming `credential` for what is none.
    pub fn parse(value: Value) -> Result<Self> {
        check_members(&value, ATTESTED)?;
        let transports = transports_of(&value["response"]["transports"]);
        let parsed: RegisterPublicKeyCredential = serde_json::from_value(value).map_err(unreadable)?;
        check_id(&parsed.id, &parsed.raw_id, &parsed.type_)?;
        Ok(Self { parsed, transports })
    }

    /// Of what page the browser says it was made for.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        origin_in(&self.parsed.response.client_data_json)
    }
}

impl Assertion {
    /// # Errors
    /// `Error::Invalid` naming `credential` for what is none.
    pub fn parse(value: Value) -> Result<Self> {
        check_members(&value, ASSERTED)?;
        let parsed: PublicKeyCredential = serde_json::from_value(value).map_err(unreadable)?;
        check_id(&parsed.id, &parsed.raw_id, &parsed.type_)?;
        Ok(Self(parsed))
    }

    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        self.0.get_credential_id()
    }

    /// Whose it is, as the authenticator has kept it.
    #[must_use]
    pub fn user_handle(&self) -> Option<&[u8]> {
        self.0.get_user_unique_id()
    }

    /// Of what page the browser says it was made for.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        origin_in(&self.0.response.client_data_json)
    }

    /// The counter that it claims (WebAuthn section 6.1): to be believed once [`RelyingParty::prove`](super::RelyingParty::prove) has been asked.
    #[must_use]
    pub fn counter(&self) -> Option<u32> {
        let bytes = self.0.response.authenticator_data.get(33..37)?;
        bytes.first_chunk().copied().map(u32::from_be_bytes)
    }
}

/// For people who look for what is wrong: it may be anything.
fn origin_in(client_data: &[u8]) -> Option<String> {
    let said: Value = serde_json::from_slice(client_data).ok()?;
    let shown = |c: &char| c.is_ascii_graphic();
    Some(said["origin"].as_str()?.chars().filter(shown).take(MAX_ORIGIN).collect())
}

fn unreadable(_: serde_json::Error) -> Error {
    Error::invalid("credential", "is not what PublicKeyCredential.toJSON() gives")
}

/// Names the first member that is not there.
fn check_members(value: &Value, members: &[&str]) -> Result<()> {
    let is_there = |path: &&&str| {
        let found = path.split('.').try_fold(value, |value, name| value.get(name));
        found.is_some_and(Value::is_string)
    };
    match members.iter().find(|path| !is_there(path)) {
        Some(path) => Err(Error::invalid("credential", format!("needs the text `{path}`"))),
        None => Ok(()),
    }
}

fn check_id(id: &str, raw: &[u8], ty: &str) -> Result<()> {
    if ty != "public-key" {
        return Err(Error::invalid("credential", "must be of the type `public-key`"));
    }
    if id != URL_SAFE_NO_PAD.encode(raw) {
        return Err(Error::invalid("credential", "has an `id` that is not its `rawId`"));
    }
    Ok(())
}

/// Words of the specification, and those of a later one.
fn transports_of(value: &Value) -> Vec<String> {
    let is_word = |text: &&str| {
        (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    let words = value.as_array().into_iter().flatten().filter_map(Value::as_str).filter(is_word);
    words.take(MAX_TRANSPORTS).map(str::to_owned).collect()
}

/// The AAGUID in an attestation object that has been found good: 16 bytes after the hash of the relying party, the flags
/// and the counter of its authenticator data (WebAuthn section 6.5.1). All zeros say nothing.
pub(super) fn aaguid_of(attestation: &[u8]) -> Option<[u8; 16]> {
    const NAME: &[u8] = b"\x68authData";
    const BEFORE: usize = 32 + 1 + 4;
    let start = attestation.windows(NAME.len()).rposition(|bytes| bytes == NAME)? + NAME.len();
    // The head of a CBOR byte string with a length of one byte or two (RFC 8949 section 3).
    let head = match attestation.get(start)? {
        0x58 => 2,
        0x59 => 3,
        _ => return None,
    };
    let aaguid = attestation.get(start + head + BEFORE..)?.first_chunk::<16>().copied()?;
    (aaguid != [0; 16]).then_some(aaguid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::tests::{STORED, relying_party};
    use super::super::{Account, HANDLE_BYTES};
    use super::*;

    #[test]
    fn what_a_credential_lacks_is_named() {
        let whole = json!({
            "id": "AQID", "rawId": "AQID", "type": "public-key",
            "response": {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"},
        });
        assert!(Assertion::parse(whole.clone()).is_ok());
        for path in ASSERTED {
            let mut lacking = whole.clone();
            let pointer = format!("/{}", path.replace('.', "/"));
            *lacking.pointer_mut(&pointer).unwrap() = json!(5);
            let Err(Error::Invalid(wrong)) = Assertion::parse(lacking) else { panic!("{path}") };
            assert!(wrong.field == "credential" && wrong.reason.contains(path), "{wrong:?}");
        }
        for (pointer, value) in [("/id", "AQIE"), ("/type", "password"), ("/response/signature", "!")] {
            let mut wrong = whole.clone();
            *wrong.pointer_mut(pointer).unwrap() = json!(value);
            assert!(Assertion::parse(wrong).is_err(), "{pointer}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(object: Vec<u8>, data in "\\PC{0,60}", with_name: bool) {
            let rp = relying_party();
            let mut object = object;
            if with_name {
                object.extend_from_slice(b"\x68authData\x58\x20");
            }
            let _ = aaguid_of(&object);
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let account = Account { handle: [7; HANDLE_BYTES], name: "ann", display_name: "Ann" };
            let state = rp.ask_for_new(&account, &[]).unwrap().state;
            let attestation = json!({
                "id": "AQID", "rawId": "AQID", "type": "public-key",
                "response": {"clientDataJSON": encode(data.as_bytes()), "attestationObject": encode(&object)},
            });
            prop_assert!(rp.register(&state, &Attestation::parse(attestation).unwrap()).is_err());
            let state = rp.ask_for_proof(&[]).unwrap().state;
            let assertion = json!({
                "id": "AQID", "rawId": "AQID", "type": "public-key",
                "response": {
                    "clientDataJSON": encode(data.as_bytes()),
                    "authenticatorData": encode(&object),
                    "signature": encode(&object),
                },
            });
            let assertion = Assertion::parse(assertion).unwrap();
            let _ = (assertion.counter(), assertion.user_handle());
            prop_assert!(rp.prove(&state, &assertion, STORED.trim()).is_err());
        }
    }
}
