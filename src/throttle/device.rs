//! Browsers that have logged in before: a cookie that says so (OWASP, "device cookies"). It is no credential; it lets its
//! holder guess on while others flood the account. Another password forgets all of them.
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::account::User;
use crate::base::{Env, Result, constant_time_eq, entropy};
use crate::crypto::MasterKey;
use crate::rbac::Initiator;

const ID: usize = 8;
const MAC: usize = 16;

/// Makes and knows such cookies.
#[derive(Clone)]
pub struct Devices {
    mac: Arc<hmac::Key>,
    env: Env,
}

impl Devices {
    /// # Errors
    /// `Error::Internal` if no key can be derived.
    pub fn new(master: &MasterKey, env: Env) -> Result<Self> {
        Ok(Self { mac: Arc::new(master.mac("known devices")?), env })
    }

    /// The cookie of a device on which a user has logged in.
    #[must_use]
    pub fn cookie(&self, user: &User) -> String {
        let id: [u8; ID] = entropy::bytes(self.env.entropy.as_ref());
        URL_SAFE_NO_PAD.encode([&id[..], &self.tag(user, id)].concat())
    }

    /// The number of the device that a cookie of this user is from.
    #[must_use]
    pub fn known(&self, user: &User, cookie: &str) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(cookie).ok().filter(|bytes| bytes.len() == ID + MAC)?;
        let (id, tag) = bytes.split_first_chunk::<ID>()?;
        constant_time_eq(tag, &self.tag(user, *id)).then(|| u64::from_be_bytes(*id))
    }

    /// The number of the device that somebody comes from, if it is one of this user.
    #[must_use]
    pub fn of(&self, by: &Initiator, user: &User) -> Option<u64> {
        self.known(user, by.known_device.as_ref()?.expose())
    }

    fn tag(&self, user: &User, id: [u8; ID]) -> [u8; MAC] {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(&user.id.to_be_bytes());
        context.update(&user.password_changed_at.micros().to_be_bytes());
        context.update(&id);
        let mut tag = [0; MAC];
        tag.copy_from_slice(&context.sign().as_ref()[..MAC]);
        tag
    }
}
