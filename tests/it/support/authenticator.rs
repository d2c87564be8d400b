//! An authenticator in software, and the browser before it: passkeys as a laptop would make them, and as an attacker would.
use auth_service::crypto::sha256;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;

/// Holds keys, and does what its fields say.
pub struct Authenticator {
    /// What the browser says the page's origin is.
    pub origin: String,
    /// What it says of the page around the page, if that is of another origin.
    pub is_framed: bool,
    /// Signs for another domain than that of the options.
    pub rp_id: Option<String>,
    pub is_present: bool,
    pub verifies: bool,
    /// Whether keys may be copied to other devices, and whether they were.
    pub backup: (bool, bool),
    /// Added to a key's counter at each use; 0 for a key that does not count.
    pub step: u32,
    pub aaguid: [u8; 16],
    pub keys: Vec<Key>,
}

/// A passkey.
pub struct Key {
    pub id: Vec<u8>,
    pub handle: Vec<u8>,
    pub rp_id: String,
    pub counter: u32,
    pair: EcdsaKeyPair,
}

impl Authenticator {
    /// One whose keys are on this device alone.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            is_framed: false,
            rp_id: None,
            is_present: true,
            verifies: true,
            backup: (false, false),
            step: 1,
            aaguid: [0xa5; 16],
            keys: Vec::new(),
        }
    }

    /// One whose keys are synchronised, and do not count.
    pub fn synchronised(origin: &str) -> Self {
        Self { backup: (true, true), step: 0, ..Self::new(origin) }
    }

    /// What `navigator.credentials.create()` gives, by `toJSON()`.
    pub fn create(&mut self, options: &Value) -> Value {
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        let rp_id = options["rp"]["id"].as_str().unwrap();
        let excluded = options["excludeCredentials"].as_array().unwrap();
        assert!(excluded.iter().all(|one| self.keys.iter().all(|key| bytes(&one["id"]) != key.id)), "known");
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let (id, handle) = (sha256(&[pair.public_key().as_ref()]).to_vec(), bytes(&options["user"]["id"]));
        self.keys.push(Key { id, handle, rp_id: rp_id.to_owned(), counter: self.step, pair });
        self.attest(options, self.keys.len() - 1)
    }

    /// [`Authenticator::create`] with a key that it holds already, which an honest one would not do.
    pub fn attest(&self, options: &Value, held: usize) -> Value {
        let key = &self.keys[held];
        let mut data = self.data(&key.rp_id, key.counter, ATTESTED);
        data.extend_from_slice(&self.aaguid);
        data.extend_from_slice(&(key.id.len() as u16).to_be_bytes());
        data.extend_from_slice(&key.id);
        data.extend_from_slice(&key.cose());
        let object = [&b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData"[..], &cbor_bytes(&data)].concat();
        let client = self.client("webauthn.create", &options["challenge"]);
        json!({
            "id": text(&key.id),
            "rawId": text(&key.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": true}},
            "response": {
                "clientDataJSON": text(&client),
                "attestationObject": text(&object),
                "authenticatorData": text(&data),
                "transports": ["internal", "hybrid"],
                "publicKeyAlgorithm": -7,
            },
        })
    }

    /// What `navigator.credentials.get()` gives, by `toJSON()`: with the first of its keys that the options allow.
    pub fn get(&mut self, options: &Value) -> Value {
        let allowed = options["allowCredentials"].as_array().unwrap();
        let is_allowed = |key: &&mut Key| {
            key.rp_id == options["rpId"].as_str().unwrap()
                && (allowed.is_empty() || allowed.iter().any(|one| bytes(&one["id"]) == key.id))
        };
        let key = self.keys.iter_mut().find(is_allowed).expect("a passkey that fits");
        key.counter += self.step;
        let (id, handle, counter) = (key.id.clone(), key.handle.clone(), key.counter);
        let data = self.data(options["rpId"].as_str().unwrap(), counter, 0);
        let client = self.client("webauthn.get", &options["challenge"]);
        let key = self.keys.iter().find(|key| key.id == id).unwrap();
        let signed = [&data[..], &sha256(&[&client])].concat();
        let signature = key.pair.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": text(&id),
            "rawId": text(&id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": text(&client),
                "authenticatorData": text(&data),
                "signature": text(signature.as_ref()),
                "userHandle": text(&handle),
            },
        })
    }

    fn data(&self, rp_id: &str, counter: u32, also: u8) -> Vec<u8> {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = also
            | flag(self.is_present, USER_PRESENT)
            | flag(self.verifies, USER_VERIFIED)
            | flag(self.backup.0, BACKUP_ELIGIBLE)
            | flag(self.backup.1, BACKED_UP);
        let domain = self.rp_id.as_deref().unwrap_or(rp_id);
        [&sha256(&[domain.as_bytes()])[..], &[flags], &counter.to_be_bytes()].concat()
    }

    fn client(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let said = json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.is_framed});
        said.to_string().into_bytes()
    }
}

impl Key {
    /// The public key (RFC 9053 section 7.1.1): EC2, ES256, P-256, and the two coordinates.
    fn cose(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (cbor_bytes(&point[1..33]), cbor_bytes(&point[33..65]));
        [&b"\xa5\x01\x02\x03\x26\x20\x01\x21"[..], &x, b"\x22", &y].concat()
    }
}

/// A byte string (RFC 8949 section 3.1).
fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let head = match length {
        0..=255 => vec![0x58, length as u8],
        _ => [&[0x59][..], &length.to_be_bytes()].concat(),
    };
    [head, bytes.to_vec()].concat()
}

/// Bytes as WebAuthn's JSON has them.
pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// [`text`], read.
pub fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}
