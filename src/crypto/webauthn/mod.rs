//! WebAuthn (Level 3): what a browser's authenticator is asked, and whether its answer is good. Only this folder knows
//! the library.
//!
//! The library draws the challenges itself (32 bytes of the system's generator). What it wants to know again when the
//! answer comes is handed out as text, for the caller to keep where no client can change it.
mod answer;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    Credential, DiscoverableAuthentication, Passkey, PasskeyRegistration, Url, Uuid, Webauthn,
    WebauthnBuilder, WebauthnError,
};

pub use answer::{Assertion, Attestation};

use crate::base::{Error, Result};
use answer::aaguid_of;

/// Bytes of a user handle: random, for the authenticator keeps it in the clear (WebAuthn section 14.6.1).
pub const HANDLE_BYTES: usize = 16;
/// Most bytes of a credential id (WebAuthn section 7.1, step 25).
const MAX_CREDENTIAL_ID: usize = 1023;
/// Most bytes that are stored of a credential: room for a chain of certificates, though nobody asks for one.
const MAX_STORED: usize = 16 * 1024;
/// The one that passkeys are made for: a domain, and the origins whose pages may use them.
#[derive(Debug)]
pub struct RelyingParty {
    library: Webauthn,
    id: String,
}

/// A credential by what names it to a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    pub id: Vec<u8>,
    pub transports: Vec<String>,
}

/// Whom a passkey is made for, as its authenticator shows it.
pub struct Account<'a> {
    pub handle: [u8; HANDLE_BYTES],
    pub name: &'a str,
    pub display_name: &'a str,
}

/// What a browser is asked, and what has to be known again when its answer comes.
pub struct Asked {
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    pub options: Value,
    pub state: String,
}

/// A new credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Everything that the library wants to know of it again, public key included.
    pub stored: String,
    pub descriptor: Descriptor,
    /// The make of the authenticator, if it says so; nobody vouches for it.
    pub aaguid: Option<[u8; 16]>,
    pub seen: Seen,
}

/// What an authenticator says of a credential each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How often it was used; always 0 for those that do not count.
    pub counter: u32,
    /// Whether it may be copied to other devices, and whether it was.
    pub backup_eligible: bool,
    pub backed_up: bool,
}

/// Why an answer is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Unreadable,
    OtherChallenge,
    OtherOrigin,
    Framed,
    OtherRelyingParty,
    OtherKind,
    UserNotPresent,
    UserNotVerified,
    Signature,
    CounterWentBack,
    BackupState,
    Unsupported,
}

impl Flaw {
    /// For the audit trail.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OtherChallenge => "other_challenge",
            Self::OtherOrigin => "other_origin",
            Self::Framed => "framed",
            Self::OtherRelyingParty => "other_relying_party",
            Self::OtherKind => "other_kind",
            Self::UserNotPresent => "user_not_present",
            Self::UserNotVerified => "user_not_verified",
            Self::Signature => "signature",
            Self::CounterWentBack => "counter_went_back",
            Self::BackupState => "backup_state",
            Self::Unsupported => "unsupported",
        }
    }

    /// For whoever registers a passkey.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "cannot be read",
            Self::OtherChallenge => "answers another challenge",
            Self::OtherOrigin => "was made for another origin",
            Self::Framed => "was made in a frame of another origin",
            Self::OtherRelyingParty => "was made for another relying party",
            Self::OtherKind => "is the answer to another question",
            Self::UserNotPresent => "was made without its user",
            Self::UserNotVerified => "was made without verifying its user",
            Self::Signature => "has a wrong signature",
            Self::CounterWentBack => "has a counter that went back",
            Self::BackupState => "contradicts itself about backups",
            Self::Unsupported => "is of a kind that is not supported",
        }
    }
}

impl From<WebauthnError> for Flaw {
    fn from(error: WebauthnError) -> Self {
        tracing::debug!(?error, "an answer of an authenticator is not good");
        match error {
            WebauthnError::MismatchedChallenge => Self::OtherChallenge,
            WebauthnError::InvalidRPOrigin => Self::OtherOrigin,
            WebauthnError::CredentialCrossOrigin => Self::Framed,
            WebauthnError::InvalidRPIDHash => Self::OtherRelyingParty,
            WebauthnError::InvalidClientDataType => Self::OtherKind,
            WebauthnError::UserNotPresent => Self::UserNotPresent,
            WebauthnError::UserNotVerified => Self::UserNotVerified,
            WebauthnError::AuthenticationFailure | WebauthnError::SignatureInvalid => Self::Signature,
            WebauthnError::CredentialPossibleCompromise => Self::CounterWentBack,
            WebauthnError::CredentialBackupEligibilityInconsistent
            | WebauthnError::CredentialMayNotBeHardwareBound => Self::BackupState,
            WebauthnError::AttestationNotSupported | WebauthnError::CredentialAlteredAlgFromRequest => {
                Self::Unsupported
            }
            _ => Self::Unreadable,
        }
    }
}

impl RelyingParty {
    /// `origins`: whose pages may use its passkeys, its own first.
    ///
    /// # Errors
    /// `Error::Invalid` naming `passkeys.rp_id` unless it is the domain of the first origin, or one above it.
    pub fn new(id: &str, name: &str, origins: &[String]) -> Result<Self> {
        let wrong =
            || Error::invalid("passkeys.rp_id", "must be the host of public_url, or a domain above it");
        let urls: Vec<Url> = origins.iter().filter_map(|origin| Url::parse(origin).ok()).collect();
        let own = urls.first().filter(|_| urls.len() == origins.len()).ok_or_else(wrong)?;
        let builder = WebauthnBuilder::new(id, own).map_err(|_| wrong())?.rp_name(name);
        let builder = urls.iter().skip(1).fold(builder, WebauthnBuilder::append_allowed_origin);
        Ok(Self { library: builder.build().map_err(Error::internal)?, id: id.to_owned() })
    }

    /// Its domain.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose pages may use its passkeys, its own first.
    #[must_use]
    pub fn origins(&self) -> String {
        let all = self.library.get_allowed_origins().iter();
        all.map(|origin| origin.origin().ascii_serialization()).collect::<Vec<_>>().join(", ")
    }

    /// Asks for a new passkey: one that the authenticator finds by itself later, whose user it verifies, and that is none
    /// of those `known`.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn ask_for_new(&self, account: &Account, known: &[Descriptor]) -> Result<Asked> {
        let handle = Uuid::from_bytes(account.handle);
        let (asked, state) = self
            .library
            .start_passkey_registration(handle, account.name, account.display_name, None)
            .map_err(Error::internal)?;
        let mut options = serde_json::to_value(asked.public_key).map_err(Error::internal)?;
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        options["excludeCredentials"] = listed(known);
        Ok(Asked { options, state: serde_json::to_string(&state).map_err(Error::internal)? })
    }

    /// Asks for the proof of a passkey: of one of those `allowed`, or, when there are none, of any that the
    /// authenticator finds for this relying party. The user is to be verified.
    ///
    /// # Errors
    /// As [`RelyingParty::ask_for_new`].
    pub fn ask_for_proof(&self, allowed: &[Descriptor]) -> Result<Asked> {
        let (asked, state) = self.library.start_discoverable_authentication().map_err(Error::internal)?;
        let mut options = serde_json::to_value(asked.public_key).map_err(Error::internal)?;
        options["allowCredentials"] = listed(allowed);
        Ok(Asked { options, state: serde_json::to_string(&state).map_err(Error::internal)? })
    }

    /// Checks the answer to [`RelyingParty::ask_for_new`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn register(&self, state: &str, answer: &Attestation) -> Result<Registered, Flaw> {
        let state: PasskeyRegistration = serde_json::from_str(state).map_err(|_| Flaw::Unreadable)?;
        let passkey = self.library.finish_passkey_registration(&answer.parsed, &state)?;
        let stored = serde_json::to_string(&passkey).map_err(|_| Flaw::Unreadable)?;
        let credential = Credential::from(passkey);
        // The browser names the credential outside of what it has been made of.
        if credential.cred_id != answer.parsed.raw_id || credential.cred_id.len() > MAX_CREDENTIAL_ID {
            return Err(Flaw::Unreadable);
        }
        if stored.len() > MAX_STORED {
            return Err(Flaw::Unsupported);
        }
        Ok(Registered {
            stored,
            aaguid: aaguid_of(&answer.parsed.response.attestation_object),
            seen: Seen {
                counter: credential.counter,
                backup_eligible: credential.backup_eligible,
                backed_up: credential.backup_state,
            },
            descriptor: Descriptor { id: credential.cred_id, transports: answer.transports.clone() },
        })
    }

    /// Checks the answer to [`RelyingParty::ask_for_proof`] against what is stored of its credential.
    ///
    /// # Errors
    /// What is wrong with it.
    ///
    /// # Returns
    /// What is to be stored from now on, and what the authenticator said.
    pub fn prove(&self, state: &str, answer: &Assertion, stored: &str) -> Result<(String, Seen), Flaw> {
        let state: DiscoverableAuthentication = serde_json::from_str(state).map_err(|_| Flaw::Unreadable)?;
        let mut passkey: Passkey = serde_json::from_str(stored).map_err(|_| Flaw::Unreadable)?;
        let proof = self.library.finish_discoverable_authentication_v2(&answer.0, state, &passkey)?;
        passkey.update_credential(&proof).ok_or(Flaw::Unreadable)?;
        let seen = Seen {
            counter: proof.counter(),
            backup_eligible: proof.backup_eligible(),
            backed_up: proof.backup_state(),
        };
        Ok((serde_json::to_string(&passkey).map_err(|_| Flaw::Unreadable)?, seen))
    }
}

fn listed(credentials: &[Descriptor]) -> Value {
    let one = |credential: &Descriptor| {
        let id = URL_SAFE_NO_PAD.encode(&credential.id);
        if credential.transports.is_empty() {
            json!({"type": "public-key", "id": id})
        } else {
            json!({"type": "public-key", "id": id, "transports": credential.transports})
        }
    };
    Value::Array(credentials.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn relying_party() -> RelyingParty {
        RelyingParty::new("example.org", "Example", &["https://id.example.org".to_owned()]).unwrap()
    }

    #[test]
    fn a_relying_party_is_the_host_or_a_domain_above_it() {
        let new = |id: &str, origin: &str| RelyingParty::new(id, "x", &[origin.to_owned()]).is_ok();
        assert!(new("localhost", "http://localhost:8000") && new("id.example.org", "https://id.example.org"));
        assert!(new("example.org", "https://id.example.org:8443"));
        for (id, origin) in [
            ("other.org", "https://id.example.org"),
            ("ample.org", "https://example.org"),
            ("127.0.0.1", "http://127.0.0.1:8000"),
            ("example.org", "nowhere"),
        ] {
            assert!(!new(id, origin), "{id} {origin}");
        }
    }

    /// What is in stores out there, as this version of the library has written it.
    pub(super) const STORED: &str = include_str!("stored.json");

    #[test]
    fn what_was_stored_is_read_as_ever() {
        let passkey: Passkey = serde_json::from_str(STORED.trim()).unwrap();
        let credential = Credential::from(passkey);
        assert_eq!((credential.counter, credential.backup_eligible), (7, true));
        assert!(credential.cred_id.len() == 32 && credential.backup_state);
    }

    #[test]
    fn what_is_asked_needs_a_verified_user_and_a_key_that_is_found_by_itself() {
        let account = Account { handle: [7; HANDLE_BYTES], name: "ann", display_name: "Ann" };
        let known = [Descriptor { id: vec![1, 2, 3], transports: vec!["usb".to_owned()] }];
        let asked = relying_party().ask_for_new(&account, &known).unwrap().options;
        assert_eq!(asked["rp"], json!({"name": "Example", "id": "example.org"}));
        assert_eq!(asked["user"]["id"], URL_SAFE_NO_PAD.encode([7; HANDLE_BYTES]));
        assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(asked["attestation"], "none");
        assert_eq!(
            asked["excludeCredentials"],
            json!([{"type": "public-key", "id": "AQID", "transports": ["usb"]}])
        );
        let asked = relying_party().ask_for_proof(&[]).unwrap().options;
        assert_eq!((&asked["allowCredentials"], &asked["rpId"]), (&json!([]), &json!("example.org")));
        assert_eq!(asked["userVerification"], "required");
    }
}
