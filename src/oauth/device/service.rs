//! What devices ask for, and what their users say to it.
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::change;
use super::model::{Answer, DeviceRequest, UserCode};
use crate::base::{Env, Error, Result, Secret, Timestamp, entropy};
use crate::crypto::sha256;
use crate::oauth::authorize::service::Browser;
use crate::oauth::client::{Client, LiveClients};
use crate::oauth::grant::model::{Consented, Proof};
use crate::oauth::logout;
use crate::rbac::{Initiator, SubjectId, ViaId, Who};
use crate::store::{Store, WriteTx};
use crate::throttle::{Guess, Throttle};

/// Secret scanners find leaked ones by it.
const PREFIX: &str = "asd_";
/// Of twenty thousand million user codes two would have to be the same.
const TRIES: usize = 3;

/// Requests of devices.
#[derive(Clone)]
pub struct DeviceRequests {
    pub store: Store,
    pub env: Env,
    pub clients: LiveClients,
    pub throttle: Throttle,
    /// Hashes user codes: there are few enough of them to try them all against a plain hash.
    pub codes: Arc<hmac::Key>,
    /// Seconds that a user has.
    pub lifetime: i64,
}

/// What a device gets first.
pub struct Started {
    pub device_code: Secret,
    pub user_code: UserCode,
}

/// What a user is asked about.
pub struct Asked {
    pub hash: [u8; 32],
    pub request: DeviceRequest,
    pub client: Arc<Client>,
}

impl DeviceRequests {
    /// Writes what a device asks for.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store takes no writes.
    pub async fn ask(&self, by: &Initiator, client: &Client, wanted: Consented) -> Result<Started> {
        let mut outcome = self.try_to_ask(by, client, wanted.clone()).await;
        for _ in 1..TRIES {
            if !matches!(outcome, Err(Error::Busy { .. })) {
                break;
            }
            outcome = self.try_to_ask(by, client, wanted.clone()).await;
        }
        outcome
    }

    async fn try_to_ask(&self, by: &Initiator, client: &Client, wanted: Consented) -> Result<Started> {
        let (rng, now) = (self.env.entropy.as_ref(), self.env.now());
        let user_code = UserCode::generate(rng);
        let random = Zeroizing::new(entropy::bytes::<32>(rng));
        let device_code = Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&random[..])));
        let hash = sha256(&[device_code.expose().as_bytes()]);
        let request = DeviceRequest {
            client: client.id.clone(),
            wanted,
            user_code: self.hash_of(&user_code),
            address: by.address.clone(),
            user_agent: by.user_agent.clone(),
            created_at: now,
            expires_at: now.plus_secs(self.lifetime),
            answer: Answer::None,
        };
        let by = by.clone();
        self.store.write(move |tx: &mut WriteTx| change::ask(tx, &hash, &request, &by)).await?;
        Ok(Started { device_code, user_code })
    }

    /// What the device asks for whose code a user has typed. It is counted as a guess.
    ///
    /// # Errors
    /// `Error::TooManyAttempts`; `Error::NotFound` for a code that there is not, or not any more.
    pub fn find(&self, user: u64, network: IpAddr, code: &UserCode) -> Result<Asked> {
        let ticket = self.throttle.admit(&Guess::UserCode { user, network })?;
        let (hash, now) = (self.hash_of(code), self.env.now());
        let found = self.store.get(|tx| change::open(tx, &hash, now))?;
        let Some((hash, request)) = found else { return Err(Error::NotFound("code")) };
        // Taken back, and no more: whoever has a device of his own would have as many guesses as he likes.
        ticket.give_back();
        let client = self.clients.find(&request.client)?.filter(|client| request.is_of(client));
        let client = client.ok_or(Error::NotFound("code"))?;
        Ok(Asked { hash, request, client })
    }

    /// Writes what a user says.
    ///
    /// # Errors
    /// Those of [`change::answer`].
    pub async fn answer(&self, by: Initiator, asked: Asked, browser: &Browser, agrees: bool) -> Result<()> {
        let (session, user) = (browser.session.clone(), &browser.user);
        let (user, name) = (user.id, user.username.to_string());
        let via = ViaId::Session(session.id);
        let by = Initiator { who: Who::Subject { id: SubjectId::User(user), name, via }, ..by };
        let sid = self.store.get(|tx| logout::table::sid(tx, session.id))?;
        let proof = Proof { session: session.id, sid, auth_time: session.auth_time, amr: session.amr };
        let now: Timestamp = self.env.now();
        let change = move |tx: &mut WriteTx| {
            let Asked { hash, client, .. } = &asked;
            change::answer(tx, (hash, client), (user, &proof, agrees), (&by, now))
        };
        self.store.write(change).await
    }

    fn hash_of(&self, code: &UserCode) -> [u8; 32] {
        let tag = hmac::sign(&self.codes, code.as_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}
