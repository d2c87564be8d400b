//! A device code for tokens, once, as soon as its user has agreed (RFC 8628 section 3.4).
use std::sync::Arc;

use super::service::{TokenAnswer, TokenEndpoint, TokenRequest, aimed, required};
use crate::base::Result;
use crate::crypto::sha256;
use crate::http::ProtocolFailure;
use crate::oauth::client::Client;
use crate::oauth::device::model::Worth;
use crate::oauth::device::{change, table};
use crate::oauth::error::invalid_grant;
use crate::oauth::grant::change::Redeemed;
use crate::oauth::grant::model::Code;
use crate::rbac::Initiator;
use crate::store::WriteTx;

/// What a device hears as long as its user has not answered.
pub const PENDING: &str = "authorization_pending";

impl TokenEndpoint {
    /// Answers a device that asks whether its user has agreed; spends its code and mints what it is worth, in this order.
    pub(super) async fn redeem_device_code(
        &self,
        by: Initiator,
        client: Arc<Client>,
        request: TokenRequest,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let hash = sha256(&[required(request.device_code.as_ref(), "device_code")?.as_bytes()]);
        let asked = self.store.get(|tx| table::find(tx, &hash))?.filter(|asked| asked.is_of(&client));
        let asked = asked.ok_or_else(worthless)?;
        let now = self.env.now();
        match asked.worth(now) {
            Worth::Pending if self.pace.is_too_fast(hash, now) => {
                Err(ProtocolFailure::new("slow_down", "the device asks too fast: wait five seconds longer"))
            }
            Worth::Pending => Err(ProtocolFailure::new(PENDING, "the user has not answered yet")),
            Worth::Refused => Err(ProtocolFailure::new("access_denied", "the user does not agree")),
            Worth::Over => Err(ProtocolFailure::new("expired_token", "the time of the device code is over")),
            Worth::Spent => {
                self.end_what_came_of_device(by, hash).await?;
                Err(worthless())
            }
            Worth::Code(code) => self.redeem_approved(by, client, request, (hash, *code)).await,
        }
    }

    async fn redeem_approved(
        &self,
        by: Initiator,
        client: Arc<Client>,
        request: TokenRequest,
        (hash, code): ([u8; 32], Code),
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let now = self.env.now();
        let resources = aimed(request.resources, &code.consented.resources)?;
        let (grant, refresh_token) = self.grant_of(&client, (&code, request.key), now);
        let (live, written) = (self.grants.clone(), grant);
        let change = move |tx: &mut WriteTx| change::redeem(tx, &live, (&hash, &code), &written, (&by, now));
        match self.store.write(change).await? {
            Redeemed::Once(live) => {
                self.pace.forget(&hash);
                self.answer(&client, &live, (&resources, request.key), refresh_token)
            }
            Redeemed::Again | Redeemed::Worthless => Err(worthless()),
        }
    }

    async fn end_what_came_of_device(&self, by: Initiator, hash: [u8; 32]) -> Result<()> {
        let (live, now) = (self.grants.clone(), self.env.now());
        self.store.write(move |tx: &mut WriteTx| change::end_reused(tx, &live, &hash, (&by, now))).await
    }
}

/// One answer for whatever is wrong with a device code itself.
fn worthless() -> ProtocolFailure {
    invalid_grant("the device code is not one of this client's, was redeemed already, or is over")
}
