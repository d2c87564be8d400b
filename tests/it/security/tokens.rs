//! What stands for somebody: never the same twice, and no bit of it more likely than another.
use std::collections::BTreeSet;

use auth_service::base::{Secret, SystemEntropy};
use auth_service::crypto::refresh_token::Holder;
use auth_service::crypto::user_token::{self, Kind};
use auth_service::crypto::{RefreshToken, key_token};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;

use crate::support::{PASSWORD, Setup, jwt};

const SAMPLES: u32 = 10_000;
/// Random bits that each of them has at least.
const BITS: usize = 256;

/// How often each bit of the last 32 bytes before the proof is set.
struct Seen {
    texts: BTreeSet<String>,
    set: [u32; BITS],
}

impl Seen {
    fn new() -> Self {
        Self { texts: BTreeSet::new(), set: [0; BITS] }
    }

    fn take(&mut self, text: &Secret, random: &[u8]) {
        assert_eq!(random.len() * 8, BITS);
        assert!(self.texts.insert(text.expose().to_owned()), "the same twice");
        for (bit, count) in self.set.iter_mut().enumerate() {
            *count += u32::from(random[bit / 8] >> (bit % 8) & 1);
        }
    }

    /// Eight standard deviations: by chance once in some million million runs.
    fn check(&self, what: &str) {
        assert_eq!(self.texts.len(), SAMPLES as usize, "{what}");
        let even = SAMPLES / 2 - 400..=SAMPLES / 2 + 400;
        assert!(self.set.iter().all(|count| even.contains(count)), "{what} leans: {:?}", self.set);
    }
}

fn decoded(text: &Secret) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&text.expose()[4..]).unwrap()
}

#[test]
fn of_ten_thousand_refresh_tokens_none_is_like_another() {
    let (mac, mut seen) = (hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]), Seen::new());
    for _ in 0..SAMPLES {
        // Of one session and one generation: what differs is what is random.
        let text = RefreshToken::generate(&mac, &SystemEntropy, &[7; 16], 0).reveal(Holder::Session);
        let raw = decoded(&text);
        seen.take(&text, &raw[20..52]);
    }
    seen.check("a refresh token");
}

#[test]
fn of_ten_thousand_tokens_of_one_user_none_is_like_another() {
    for kind in [Kind::PasswordReset, Kind::Login, Kind::Recovery, Kind::TrustedDevice, Kind::EmailLogin] {
        let mut seen = Seen::new();
        for _ in 0..SAMPLES {
            let (text, _) = user_token::generate(kind, 1, &SystemEntropy);
            let raw = decoded(&text);
            seen.take(&text, &raw[8..]);
        }
        seen.check(kind.prefix());
    }
}

#[test]
fn of_ten_thousand_texts_of_one_key_none_is_like_another() {
    let mut seen = Seen::new();
    for _ in 0..SAMPLES {
        let (text, _) = key_token::generate(true, &[7; 16], &SystemEntropy);
        let secret = text.expose().split('_').nth(2).unwrap();
        let byte = |at: usize| u8::from_str_radix(&secret[at * 2..at * 2 + 2], 16).unwrap();
        let random: Vec<_> = (0..32).map(byte).collect();
        seen.take(&text, &random);
    }
    seen.check("an API key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_at_once_share_nothing() {
    let app = Setup::default().with("throttle.state", "off").with("password.queue", "500").start().await;
    app.register("ann").await;
    let logins = join_all((0..200).map(|_| app.log_in("ann", PASSWORD))).await;
    let all = logins.iter().flat_map(|person| {
        let tokens = &person.tokens;
        let id = jwt::claims(&tokens.access)["jti"].as_str().unwrap().to_owned();
        assert!(id.len() >= 22, "{id} holds less than 128 bits");
        [tokens.access.clone(), id, tokens.refresh.clone(), tokens.csrf.clone(), person.session()]
    });
    assert_eq!(all.collect::<BTreeSet<_>>().len(), 5 * 200);
}
