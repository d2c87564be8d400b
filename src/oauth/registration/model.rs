//! What a client that registers itself may be. Pure.
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::text::{LookupKey, is_visible};
use crate::base::{Entropy, Error, Result, Secret, Timestamp, constant_time_eq, entropy};
use crate::crypto::sha256;
use crate::oauth::client::model::{GrantType, Metadata};
use crate::oauth::scope::Scopes;

/// Secret scanners find leaked ones by it.
const PREFIX: &str = "asa_";
/// How a client that nobody vouches for may come by tokens: a user stands behind each.
const GRANTS: &[GrantType] = &[GrantType::AuthorizationCode, GrantType::RefreshToken];
/// Shorter names of ours may stand within names of others.
const MIN_PART: usize = 5;
/// How often it is written that a client is used.
const DAY_SECS: i64 = 24 * 3600;

/// Who may register a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Administrators alone.
    Off,
    /// Whoever has an initial access token.
    Token,
    /// Anybody.
    Open,
}

/// What clients that register themselves may be.
#[derive(Debug, Clone)]
pub struct Policy {
    pub mode: Mode,
    /// All that they may ask for; never none.
    pub scopes: Scopes,
    /// What they may ask tokens for (RFC 8707).
    pub resources: Vec<String>,
    /// How many there may be that nobody vouches for.
    pub max_clients: u64,
    /// Seconds after which one of those is removed that nobody uses.
    pub keep_secs: i64,
    /// What we are called ourselves.
    pub own_names: Vec<String>,
}

/// How a client manages what it has registered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The hash of its registration access token; none for a client whose document says what it is.
    pub token: Option<[u8; 32]>,
    /// That of the one before, until the new one was used: an answer that got lost locks nobody out.
    pub previous: Option<[u8; 32]>,
    /// Seconds after which it is removed if nobody uses it; none if somebody has vouched for it.
    pub keep_secs: Option<i64>,
    /// When it was registered, or got a token for the last time; to the day.
    pub used_at: Timestamp,
    /// When it is looked at: its end at one time, which may have moved since.
    pub filed_at: Option<Timestamp>,
    /// Until when its document is believed, if it has one.
    pub fresh_until: Option<Timestamp>,
}

/// The token that a client has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The good one.
    Current,
    /// The good one, and the one before has had its time.
    Settles,
    /// The one before, whose successor nobody has used yet.
    Previous,
}

/// A registration access token, and the hash that is stored of it. 256 random bits need no slow hash (OWASP ASVS 5.0, 6.5.2).
#[must_use]
pub fn generate_token(rng: &dyn Entropy) -> (Secret, [u8; 32]) {
    let random = Zeroizing::new(entropy::bytes::<32>(rng));
    let text = Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&random[..])));
    let hash = sha256(&[text.expose().as_bytes()]);
    (text, hash)
}

impl Registration {
    #[must_use]
    pub fn new(token: [u8; 32], keep_secs: Option<i64>, now: Timestamp) -> Self {
        let filed_at = keep_secs.map(|secs| now.plus_secs(secs));
        let token = Some(token);
        Self { token, previous: None, keep_secs, used_at: now, filed_at, fresh_until: None }
    }

    /// That of a client which manages itself by its document.
    #[must_use]
    pub fn of_document(fresh_until: Timestamp, keep_secs: i64, now: Timestamp) -> Self {
        Self {
            token: None,
            fresh_until: Some(fresh_until),
            ..Self::new(<[u8; 32]>::default(), Some(keep_secs), now)
        }
    }

    /// Which of its tokens a text is.
    #[must_use]
    pub fn shown(&self, text: &str) -> Option<Shown> {
        let hash = sha256(&[text.as_bytes()]);
        let is = |known: Option<[u8; 32]>| known.is_some_and(|known| constant_time_eq(&known, &hash));
        let (is_current, is_previous) = (is(self.token), is(self.previous));
        match (is_current, is_previous) {
            (true, _) if self.previous.is_some() => Some(Shown::Settles),
            (true, _) => Some(Shown::Current),
            (false, true) => Some(Shown::Previous),
            (false, false) => None,
        }
    }

    /// With another token; the one that was shown stays good until the new one is used.
    #[must_use]
    pub fn rotated(self, token: [u8; 32], shown: &str) -> Self {
        Self { token: Some(token), previous: Some(sha256(&[shown.as_bytes()])), ..self }
    }

    /// The one before its token has had its time.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { previous: None, ..self }
    }

    /// When it is removed if nobody uses it.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.keep_secs.map(|secs| self.used_at.plus_secs(secs))
    }

    /// Used `now`, if that is not known yet.
    #[must_use]
    pub fn used(&self, now: Timestamp) -> Option<Self> {
        let is_news = self.keep_secs.is_some() && now >= self.used_at.plus_secs(DAY_SECS);
        is_news.then(|| Self { used_at: now, ..self.clone() })
    }
}

/// The metadata that a client gets that asks for `asked`.
///
/// # Errors
/// `Error::Invalid` naming `client_name`, `grant_types` or `scope`.
pub fn admitted(asked: Metadata, policy: &Policy) -> Result<Metadata> {
    check_name(&asked.name, &policy.own_names)?;
    if let Some(other) = asked.grants.iter().find(|grant| !GRANTS.contains(grant)) {
        let reason = format!("has {}, which is not for clients that register themselves", other.name());
        return Err(Error::invalid("grant_types", reason));
    }
    let scopes = match &asked.scopes {
        none if none.is_empty() => policy.scopes.clone(),
        some => some.within(&policy.scopes),
    };
    if scopes.is_empty() {
        let reason = format!("must have one of {} at least", policy.scopes);
        return Err(Error::invalid("scope", reason));
    }
    Ok(Metadata { scopes, ..asked })
}

/// A name is the client's own word: it has nothing that cannot be seen, and is not like one of ours.
fn check_name(name: &str, own: &[String]) -> Result<()> {
    if name.chars().any(hides) || !is_visible(name) {
        return Err(Error::invalid("client_name", "has characters that cannot be seen"));
    }
    let given = skeleton(name);
    let imitates = |own: &String| {
        let own = skeleton(own);
        !own.is_empty()
            && (given == own || own.len() >= MIN_PART && given.windows(own.len()).any(|part| part == own))
    };
    if own.iter().any(imitates) {
        return Err(Error::invalid("client_name", "is like the name of this service"));
    }
    Ok(())
}

/// What a name looks like, without what stands between its letters.
fn skeleton(name: &str) -> Vec<u8> {
    let letters: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    // Some look like capitals (0 like O).
    LookupKey::of(&letters).prefix().to_ascii_lowercase()
}

/// Whether a character takes no room, or changes the order of others (Unicode Standard Annex 9).
fn hides(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Everything but the hashes.
impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("keep_secs", &self.keep_secs)
            .field("used_at", &self.used_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    fn policy() -> Policy {
        Policy {
            mode: Mode::Open,
            scopes: Scopes::parse("scope", "openid email").unwrap(),
            resources: Vec::new(),
            max_clients: 1,
            keep_secs: 1,
            own_names: vec!["id.example.org".into(), "Acid".into()],
        }
    }

    fn refused(asked: Metadata) -> Option<String> {
        match admitted(asked, &policy()) {
            Ok(_) => None,
            Err(Error::Invalid(wrong)) => Some(wrong.field.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_that_imitates_ours_or_hides_something_is_refused() {
        for bad in [
            "id.example.org",
            "ID Example Org login",
            "My id-example-org",
            "ıd.examp1e.org",
            "ACID",
            "Асіd",
            "photo\u{200b}s",
            "soto\u{202e}hp",
            "\u{2066}photos\u{2069}",
            "photos\u{e0041}",
            "\u{2800}",
        ] {
            assert_eq!(refused(Metadata::named(bad)).as_deref(), Some("client_name"), "{bad:?}");
        }
        for good in ["Photos", "example", "Fotoalbum Ünal", "相册", "Acidity", "Photos ❤️"] {
            assert_eq!(refused(Metadata::named(good)), None, "{good}");
        }
    }

    #[test]
    fn it_gets_the_scopes_that_there_are_for_it_and_never_all_by_asking_for_none() {
        let asks =
            |scope| Metadata { scopes: Scopes::parse("scope", scope).unwrap(), ..Metadata::named("A") };
        let gets = |scope| admitted(asks(scope), &policy()).unwrap().scopes.to_string();
        assert_eq!(gets(""), "openid email");
        assert_eq!(gets("admin email"), "email");
        assert_eq!(refused(asks("admin")).as_deref(), Some("scope"));
    }

    #[test]
    fn a_user_stands_behind_each_of_its_tokens() {
        let asks = |grants: &[GrantType]| Metadata { grants: grants.to_vec(), ..Metadata::named("A") };
        assert_eq!(refused(asks(GRANTS)), None);
        let all = asks(&[GrantType::AuthorizationCode, GrantType::ClientCredentials]);
        assert_eq!(refused(all).as_deref(), Some("grant_types"));
    }

    #[test]
    fn the_token_before_is_good_until_the_next_is_used() {
        let (rng, now) = (SeededEntropy::new(1), Timestamp::from_secs(100));
        let ((one, hash), (two, next)) = (generate_token(&rng), generate_token(&rng));
        let first = Registration::new(hash, Some(60), now);
        assert_eq!(first.shown(one.expose()), Some(Shown::Current));
        assert_eq!((first.shown(two.expose()), first.shown("")), (None, None));
        let second = first.rotated(next, one.expose());
        assert_eq!(second.shown(one.expose()), Some(Shown::Previous));
        assert_eq!(second.shown(two.expose()), Some(Shown::Settles));
        let settled = second.settled();
        assert_eq!((settled.shown(one.expose()), settled.shown(two.expose())), (None, Some(Shown::Current)));
    }

    #[test]
    fn that_it_is_used_is_written_once_a_day_and_moves_its_end() {
        let (at, day) = (Timestamp::from_secs, DAY_SECS);
        let registration = Registration::new([1; 32], Some(2 * day), at(0));
        assert!(registration.used(at(day - 1)).is_none());
        assert_eq!(registration.used(at(day)).unwrap().ends_at(), Some(at(3 * day)));
        assert!(Registration::new([1; 32], None, at(0)).used(at(day)).is_none());
    }
}
