//! Tells clients: wakes up for each session that ends, and now and then for those that are told again. Every client has a lane
//! of its own, so that one that is slow or dead keeps nobody waiting but itself.
use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};
use serde_json::{Value, json};
use tokio::task::{self, JoinSet};

use super::change;
use super::model::{Attempt, Delivery, rest};
use super::service::Backchannel;
use super::table::{self, Lane};
use crate::base::{Id, Result, Secret, Timestamp, entropy};
use crate::oauth::client::{self, Client};
use crate::store::WriteTx;

/// How often it is looked whether something is due, when nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Clients that are told at a time; others wait for their turn.
const MOST_LANES: usize = 16;
/// Deliveries of one client that are taken at once, and sent at the same time.
const OF_LANE: usize = 16;
const AT_ONCE: usize = 4;
/// Of an answer; nothing of it is kept but the name of an error.
const MAX_ANSWER_BYTES: usize = 8 * 1024;
/// Seconds that a logout token is good (section 2.4 asks for two minutes at most).
pub const TOKEN_SECS: i64 = 120;
/// What a logout token is about (section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Which clients are being told, and which are left alone for a while.
#[derive(Default)]
struct Lanes {
    running: JoinSet<Result<Served>>,
    busy: HashMap<task::Id, Lane>,
    /// After how many times in vain, and until when.
    resting: HashMap<Lane, (u32, Timestamp)>,
    /// Whose turn it was last.
    last: Option<Lane>,
}

/// What came of a turn of a lane.
struct Served {
    heard: usize,
    /// Nothing got through.
    is_in_vain: bool,
}

impl Backchannel {
    /// Sends until the task is dropped. What was being sent then may be sent twice; nothing is lost.
    pub async fn run(self) {
        let mut lanes = Lanes::default();
        loop {
            if let Err(error) = self.start_due(&mut lanes) {
                tracing::warn!(?error, "what clients are to be told cannot be read");
            }
            tokio::select! {
                Some(_) = self.next(&mut lanes) => {}
                () = self.outbox.wake.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Tries everything whose time has come, once.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    ///
    /// # Returns
    /// How many have heard.
    pub async fn deliver_due(&self) -> Result<usize> {
        let (mut lanes, mut heard) = (Lanes::default(), 0);
        loop {
            self.start_due(&mut lanes)?;
            match self.next(&mut lanes).await {
                Some(more) => heard += more,
                None => return Ok(heard),
            }
        }
    }

    /// Gives a turn to every client for which something is due, and that has none; each in its order.
    fn start_due(&self, lanes: &mut Lanes) -> Result<()> {
        let now = self.env.now();
        let all = self.store.get(|tx| table::lanes(tx, now))?;
        let (before, after): (Vec<_>, Vec<_>) = all.into_iter().partition(|lane| Some(*lane) <= lanes.last);
        for lane in after.into_iter().chain(before) {
            let is_busy = lanes.busy.values().any(|busy| *busy == lane);
            let is_resting = lanes.resting.get(&lane).is_some_and(|(_, until)| now < *until);
            if lanes.busy.len() >= MOST_LANES {
                break;
            }
            if !is_busy && !is_resting {
                let turn = lanes.running.spawn(self.clone().serve(lane));
                lanes.busy.insert(turn.id(), lane);
                lanes.last = Some(lane);
            }
        }
        Ok(())
    }

    /// Waits for the end of a turn; `None` when there is none.
    ///
    /// # Returns
    /// How many have heard.
    async fn next(&self, lanes: &mut Lanes) -> Option<usize> {
        let ended = lanes.running.join_next_with_id().await?;
        let (id, served) = match ended {
            Ok((id, served)) => {
                (id, served.inspect_err(|error| tracing::warn!(?error, "a client is not told")))
            }
            Err(error) => {
                tracing::error!(%error, "the telling of a client panicked");
                (error.id(), Ok(Served { heard: 0, is_in_vain: true }))
            }
        };
        let lane = lanes.busy.remove(&id)?;
        match served {
            Ok(Served { heard, is_in_vain: false }) => {
                lanes.resting.remove(&lane);
                Some(heard)
            }
            _ => {
                let times = lanes.resting.get(&lane).map_or(0, |(times, _)| *times).saturating_add(1);
                let until = self.env.now().plus_secs(rest(times, self.chance()));
                lanes.resting.insert(lane, (times, until));
                Some(0)
            }
        }
    }

    /// One turn of a client.
    async fn serve(self, lane: Lane) -> Result<Served> {
        let now = self.env.now();
        let (due, client) = self.store.get(|tx| {
            let due = table::due(tx, lane, now, OF_LANE)?;
            let client = due.first().map(|first| client::table::by_id(tx, &first.client)).transpose()?;
            Ok((due, client.flatten()))
        })?;
        let attempts = due.into_iter().map(|delivery| self.attempt(client.as_ref(), delivery));
        let tried: Vec<_> = stream::iter(attempts).buffer_unordered(AT_ONCE).collect().await;
        let heard = tried.iter().filter(|one| one.state.name() == "delivered").count();
        let is_in_vain = !tried.is_empty() && tried.iter().all(Delivery::is_waiting);
        let change = move |tx: &mut WriteTx| tried.iter().try_for_each(|one| change::settle(tx, one, now));
        self.store.write(change).await?;
        Ok(Served { heard, is_in_vain })
    }

    /// One attempt, and what became of the delivery.
    async fn attempt(&self, client: Option<&Client>, delivery: Delivery) -> Delivery {
        let now = self.env.now();
        // One that was deleted and made anew is another.
        let client = client.filter(|client| delivery.created_at >= client.created_at);
        let uri = client.and_then(|client| client.metadata.backchannel_logout_uri.as_deref());
        let Some((client, uri)) = client.zip(uri) else {
            return delivery.given_up("the client does not want to be told any more", now);
        };
        if now >= delivery.deadline() {
            return delivery.given_up("it was not reached in time", now);
        }
        let (status, trouble) = match self.logout_token(client, &delivery) {
            Ok(token) => self.send(uri, &token).await,
            Err(error) => {
                tracing::error!(?error, client = %client.id, "no logout token can be made");
                (None, "no logout token can be made for it".to_owned())
            }
        };
        let tried = delivery.tried(Attempt { at: self.env.now(), status, trouble }, self.chance());
        let (state, attempts) = (tried.state.name(), tried.attempts);
        tracing::info!(client = %client.id, delivery = %tried.id, state, attempts, status, "a client was told of a logout");
        tried
    }

    /// What tells the client of the end (section 2.4): never with a nonce, so that it is taken for no ID token.
    fn logout_token(&self, client: &Client, delivery: &Delivery) -> Result<Secret> {
        let (iat, rng) = (self.env.now(), self.env.entropy.as_ref());
        let claims = json!({
            "iss": self.minter.issuer(),
            "sub": self.minter.subject(client, delivery.user),
            "aud": client.id.as_str(),
            "iat": iat.secs(),
            "exp": iat.plus_secs(TOKEN_SECS).secs(),
            "jti": Id::<Attempt>::from_bytes(entropy::bytes(rng)).to_string(),
            "sid": delivery.sid.to_string(),
            "events": {EVENT: {}},
        });
        self.minter.sign(client.metadata.id_token_algorithm, "logout+jwt", &claims)
    }

    /// Posts a logout token (section 2.5).
    ///
    /// # Returns
    /// The status of the answer, and what was wrong.
    async fn send(&self, uri: &str, token: &Secret) -> (Option<u16>, String) {
        // What is in a JWT needs no encoding.
        let form = format!("logout_token={}", token.expose());
        let request = Request::post(uri).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let Ok(request) = request.body(Bytes::from(form)) else {
            return (None, "it is no URL that this server goes to".to_owned());
        };
        match self.outbound.send(request, MAX_ANSWER_BYTES).await {
            Ok(answer) => (Some(answer.status().as_u16()), error_in(&answer)),
            Err(failure) => (None, failure.to_string()),
        }
    }

    fn chance(&self) -> u32 {
        u32::from_be_bytes(entropy::bytes(self.env.entropy.as_ref()))
    }
}

/// The name of the error that an answer tells of (section 2.8), if it has the form of one: it goes into a list.
fn error_in(answer: &Response<Bytes>) -> String {
    let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let error = body.as_ref().and_then(|body| body["error"].as_str()).unwrap_or_default();
    let is_name = error.len() <= 64 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_name { error.to_owned() } else { String::new() }
}
