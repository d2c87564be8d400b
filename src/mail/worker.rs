//! Hands mails on: wakes up for each new one, and now and then for those that are tried again.
use std::time::Duration;

use super::model::Queued;
use super::service::{Mailer, about};
use super::sink::Outcome;
use super::table::{DECOYS, MAILS};
use crate::audit::{self, Event};
use crate::base::{Result, Timestamp, entropy};
use crate::rbac::Initiator;
use crate::store::{Sweep, WriteTx};

/// How often it is looked whether a mail is due, when nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Mails that are taken at once.
const AT_ONCE: usize = 50;
/// So many attempts without a mail server, and the others wait for the next look.
const MOST_IN_VAIN: usize = 3;

/// How mails end whose time is over, tried or held.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: MAILS.name(),
    end: |tx, key, now| {
        let Some(queued) = MAILS.by_key(tx, key)? else { return Ok(None) };
        if queued.attempts > 0 {
            give_up(tx, &queued, "expired", now)?;
        } else {
            MAILS.remove(tx, &queued)?;
        }
        Ok(None)
    },
}];

impl Mailer {
    /// Sends until the task is dropped. A mail that was being sent then may be sent twice; none is lost.
    pub async fn run(self) {
        if !self.delivers() {
            return;
        }
        loop {
            if let Err(error) = self.deliver_due().await {
                tracing::warn!(?error, "mails cannot be read from the queue, or not taken out of it");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // A time-out is a reason to look, as good as a new mail.
            let _ = tokio::time::timeout(LOOK_EVERY, self.0.wake.notified()).await;
        }
    }

    /// Tries everything whose time has come, once.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    ///
    /// # Returns
    /// How many have left.
    pub async fn deliver_due(&self) -> Result<usize> {
        let (mut sent, mut in_vain) = (0, 0);
        loop {
            let now = self.0.env.now();
            // First, since they do not wait for a mail server.
            let has_dropped = self.drop_decoys(now).await?;
            let due = self.0.store.get(|tx| MAILS.due(tx, now, AT_ONCE))?;
            if due.is_empty() && !has_dropped {
                return Ok(sent);
            }
            for queued in due {
                match self.deliver(queued).await? {
                    Outcome::Sent => (sent, in_vain) = (sent + 1, 0),
                    Outcome::Unreachable(_) => in_vain += 1,
                    Outcome::Later(_) | Outcome::Refused(_) => in_vain = 0,
                }
                if in_vain >= MOST_IN_VAIN {
                    return Ok(sent);
                }
            }
        }
    }

    /// Takes decoys out, as a mail is that has left.
    ///
    /// # Returns
    /// Whether there were any.
    async fn drop_decoys(&self, now: Timestamp) -> Result<bool> {
        let due = self.0.store.get(|tx| DECOYS.due(tx, now, AT_ONCE))?;
        if due.is_empty() {
            return Ok(false);
        }
        let change = move |tx: &mut WriteTx| due.iter().try_for_each(|decoy| DECOYS.remove(tx, decoy));
        self.0.store.write(change).await.map(|()| true)
    }

    async fn deliver(&self, queued: Queued) -> Result<Outcome> {
        let now = self.0.env.now();
        if now >= queued.expires_at {
            let outcome = Outcome::Refused("its time is over".to_owned());
            return self.give_up(queued, "expired").await.map(|()| outcome);
        }
        let outcome = match self.open(&queued) {
            Ok(written) => self.0.sink.send(&queued, &written).await,
            Err(_) => Outcome::Refused("it does not open".to_owned()),
        };
        match &outcome {
            Outcome::Sent => {
                tracing::info!(mail = %queued.id, kind = queued.kind_name(), "mail sent");
                self.0.store.write(move |tx| MAILS.remove(tx, &queued)).await?;
            }
            Outcome::Refused(why) => self.give_up(queued, why).await?,
            Outcome::Later(why) | Outcome::Unreachable(why) => self.put_off(queued, why).await?,
        }
        Ok(outcome)
    }

    async fn put_off(&self, queued: Queued, why: &str) -> Result<()> {
        let (mail, kind) = (queued.id, queued.kind_name());
        let chance = u32::from_be_bytes(entropy::bytes(self.0.env.entropy.as_ref()));
        let tried = queued.tried(why.to_owned(), chance, self.0.env.now());
        tracing::warn!(%mail, kind, attempts = tried.attempts, why, "mail not sent; it is tried again");
        let change = move |tx: &mut WriteTx| match MAILS.by_id(tx, tried.id)? {
            Some(_) => MAILS.update(tx, &tried),
            // Somebody has discarded it meanwhile.
            None => Ok(()),
        };
        self.0.store.write(change).await
    }

    async fn give_up(&self, queued: Queued, why: &str) -> Result<()> {
        let (now, why) = (self.0.env.now(), why.to_owned());
        tracing::warn!(mail = %queued.id, kind = queued.kind_name(), why, "mail given up");
        self.0.store.write(move |tx| give_up(tx, &queued, &why, now)).await
    }
}

fn give_up(tx: &mut WriteTx, queued: &Queued, why: &str, now: Timestamp) -> Result<()> {
    MAILS.remove(tx, queued)?;
    let event = Event::failed(&Initiator::system(), "mail.given_up", now).with("reason", why);
    let event = event.with("attempts", queued.attempts.to_string());
    audit::table::append(tx, about(tx, event, queued)?)
}
