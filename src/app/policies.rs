//! Settings, in the words of the features.
use std::time::Duration;

use crate::account::PasswordPolicy;
use crate::audit::service::Retention;
use crate::base::{Error, Result};
use crate::breach::BreachFilter;
use crate::config::{ClientRegistration, Config, Switch};
use crate::crypto::webauthn::RelyingParty;
use crate::forward::identity::IdentityHeaders;
use crate::http::limit::RateLimiter;
use crate::keys::KeyPolicy;
use crate::mfa;
use crate::oauth::custom::CustomScope;
use crate::oauth::scope::Scopes;
use crate::oauth::{backchannel, custom, dpop, grant, registration};
use crate::outbound::{Networks, Outbound};
use crate::passkey::Reach;
use crate::session::tokens::Lifetimes;
use crate::throttle::{self, Limits};

/// How signing keys are made and rotated.
pub(super) fn keys(config: &Config) -> KeyPolicy {
    KeyPolicy {
        algorithm: config.tokens.algorithm,
        issuer: config.issuer(),
        shared_secret_file: config.tokens.shared_secret_file.0.clone(),
        rotation_days: config.keys.rotation_days,
        signed_lifetime_secs: [
            config.tokens.access_lifetime_secs,
            config.oauth.access_lifetime_secs,
            config.oauth.id_token_lifetime_secs,
            backchannel::worker::TOKEN_SECS,
        ]
        .into_iter()
        .fold(0, i64::max),
    }
}

/// How long what clients get lasts.
pub(super) fn oauth(config: &Config) -> grant::tokens::Lifetimes {
    grant::tokens::Lifetimes {
        access: config.oauth.access_lifetime_secs,
        id_token: config.oauth.id_token_lifetime_secs,
        refresh: config.oauth.refresh_lifetime_secs,
        grant: config.oauth.grant_lifetime_secs,
        replay: config.tokens.refresh_replay_secs,
    }
}

/// How proofs of possession are judged.
pub(super) fn dpop(config: &Config) -> dpop::Policy {
    dpop::Policy {
        public_url: config.public_url().to_string(),
        window_secs: config.oauth.dpop_window_secs,
        requires_nonce: config.oauth.dpop_nonce_required,
    }
}

/// The scopes that the configuration declares.
pub(super) fn scopes(config: &Config) -> Result<Vec<CustomScope>> {
    custom::model::read(&config.declared.scopes.0)
}

/// What applications behind proxies are told in.
pub(super) fn forward_headers(config: &Config) -> Result<()> {
    IdentityHeaders::new(&config.forward).map(drop)
}

/// What clients may be that register themselves.
pub(super) fn client_registration(config: &Config) -> Result<registration::Policy> {
    const DAY_SECS: i64 = 24 * 3600;
    let said = &config.client_registration;
    let scopes = Scopes::parse("client_registration.scope", &said.scope)?;
    if scopes.is_empty() {
        return Err(Error::invalid("client_registration.scope", "must have one at least"));
    }
    Ok(registration::Policy {
        mode: match said.state {
            ClientRegistration::Off => registration::Mode::Off,
            ClientRegistration::Token => registration::Mode::Token,
            ClientRegistration::Open => registration::Mode::Open,
        },
        scopes,
        resources: said.resources.0.clone(),
        max_clients: said.max_clients,
        keep_secs: said.unused_days.saturating_mul(DAY_SECS),
        own_names: vec![service_name(config), config.public_url().host().to_owned()],
    })
}

/// How many documents of clients are read.
pub(super) fn fetching(config: &Config) -> Result<RateLimiter> {
    RateLimiter::new(config.client_documents.per_hour, config.rate_limit.max_clients)
}

/// How many clients a network may register.
pub(super) fn registering(config: &Config) -> Result<RateLimiter> {
    RateLimiter::new(config.client_registration.per_hour, config.rate_limit.max_clients)
}

/// Where requests to others go, and for how long.
pub(super) fn outbound(config: &Config) -> Result<Outbound> {
    let settings = &config.outbound;
    let networks = Networks::new(settings.allowed_networks.0.clone());
    Outbound::new(networks, Duration::from_secs(settings.timeout_secs), settings.ca_file.0.as_deref())
}

/// How long events are kept.
pub(super) fn retention(config: &Config) -> Retention {
    const BYTES_PER_MIB: u64 = 1024 * 1024;
    Retention { days: config.audit.retention_days, bytes: config.audit.max_mib.saturating_mul(BYTES_PER_MIB) }
}

/// How long sessions and tokens last.
pub(super) fn lifetimes(config: &Config) -> Lifetimes {
    Lifetimes {
        access: config.tokens.access_lifetime_secs,
        refresh: config.tokens.refresh_lifetime_secs,
        replay: config.tokens.refresh_replay_secs,
        session: config.sessions.max_lifetime_secs,
        per_user: config.sessions.max_per_user,
    }
}

/// What passwords may be; opens the filter of those that are known from breaches.
pub(super) fn passwords(config: &Config) -> Result<PasswordPolicy> {
    let said = &config.password;
    let breached = said.breach_filter.0.as_deref().map(BreachFilter::open).transpose()?;
    if let Some(filter) = &breached {
        tracing::info!(hashes = filter.entries(), "passwords that are known from breaches are refused");
    }
    Ok(PasswordPolicy {
        blocked_words: said.blocked_words.0.clone(),
        min_strength: said.min_strength.0,
        breached,
    })
}

/// Who has to have a second factor, and what is said of it.
pub(super) fn mfa(config: &Config) -> mfa::Policy {
    mfa::Policy {
        required_for: config.mfa.required_for.0.clone(),
        issuer: service_name(config),
        trusted_device_days: config.mfa.trusted_device_days,
        rp_id: config.rp_id(),
    }
}

/// For whom passkeys are; says so where there can be none.
pub(super) fn reach(config: &Config) -> Result<Reach> {
    let (url, settings) = (config.public_url(), &config.passkeys);
    let related = settings.related_origins.0.clone();
    if let Some(reason) = url.refuses_passkeys() {
        tracing::warn!(public_url = %url, reason, "there can be no passkeys");
        return Ok(Reach { party: Err(reason), related });
    }
    let name = if settings.rp_name.is_empty() { url.host() } else { &settings.rp_name };
    let origins = [&[url.origin().to_owned()], related.as_slice()].concat();
    let party = RelyingParty::new(&config.rp_id().unwrap_or_default(), name, &origins)?;
    Ok(Reach { party: Ok(party), related })
}

/// How fast somebody may guess.
pub(super) fn throttle(config: &Config) -> throttle::service::Policy {
    /// Seconds after which one guess is forgotten: of a pair slowly, of what others can raise too more quickly.
    const PAIR_RELIEF: u32 = 600;
    const SHARED_RELIEF: u32 = 60;
    /// Seconds that what others do keeps somebody waiting at most.
    const SHARED_WAIT: u32 = 60;
    /// A /48 of IPv6 may hold more than one customer.
    const NETWORKS_OF_SITE: u32 = 4;
    let said = &config.throttle;
    let shared = |free| Limits { free, longest: SHARED_WAIT, relief: SHARED_RELIEF };
    throttle::service::Policy {
        is_on: said.state == Switch::On,
        pair: Limits { free: said.free_guesses, longest: said.longest_wait_secs, relief: PAIR_RELIEF },
        account: shared(said.free_guesses_everywhere),
        network: shared(said.free_guesses_of_network),
        site: shared(said.free_guesses_of_network.saturating_mul(NETWORKS_OF_SITE)),
    }
}

/// What the service is called towards people.
pub(super) fn service_name(config: &Config) -> String {
    match config.mfa.issuer.as_str() {
        "" => config.public_url().host().to_owned(),
        named => named.to_owned(),
    }
}

/// How often clients may ask.
pub(super) fn limiter(config: &Config) -> Result<RateLimiter> {
    RateLimiter::new(config.rate_limit.requests_per_hour, config.rate_limit.max_clients)
}
