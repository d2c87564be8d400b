//! Settings: defaults, then a TOML file, then the environment, then flags; checked once, plain fields from then on.
mod color;
mod declared;
mod forward;
mod mail;
mod provider;
mod section;
mod settings;
mod source;
mod value;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use color::Color;
pub use declared::{Clients, DeclaredClient, Scopes};
pub use forward::Forward;
pub use provider::{Declared, Oauth};
pub use settings::{
    Config, Http, Keys, Log, Mail, Mfa, Pages, Passkeys, Password, RateLimit, SETTINGS, Sessions, Store,
    Tokens,
};
pub use source::{Flags, load};
pub use value::{
    ClientRegistration, IpNets, Language, LogFormat, LogLevel, MailSink, Names, Origins, PublicUrl,
    Registration, SmtpSecurity, Switch, Verification, Words,
};

use crate::base::{Error, Result};
use crate::crypto::{Cost, Issuer};

/// The file that is read from the data directory if it is there.
pub const FILE_NAME: &str = "config.toml";

/// How what is declared looks like: each a table of its own.
const SAMPLES: &[(&str, &str)] = &[
    (
        "oauth.scopes",
        "#[[oauth.scopes]]\n\
     #name = \"billing\"\n\
     #description = \"see your bills\"\n\
     #claims = { groups = \"roles\" }\n\
     #claims_in = [\"userinfo\", \"id_token\", \"access_token\"]\n\
     #permissions = [\"billing:*:read\"]\n",
    ),
    (
        "oauth.clients",
        "#[[oauth.clients]]\n\
     #client_id = \"photos\"\n\
     #client_name = \"Photo album\"\n\
     #client_secret_file = \"/run/secrets/photos\"\n\
     #redirect_uris = [\"https://photos.example.org/callback\"]\n\
     #scope = \"openid profile email\"\n",
    ),
    (
        "forward.rules",
        "#[[forward.rules]]\n\
     #host = \"wiki.example.org\"\n\
     #paths = [\"/admin/**\"]\n\
     #methods = [\"GET\"]\n\
     #networks = [\"10.0.0.0/8\"]\n\
     #access = \"user\"\n\
     #roles = [\"editor\"]\n\
     #permissions = [\"wiki:pages:write\"]\n\
     #second_factor = true\n",
    ),
];

/// One setting as people see it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its place in the file, sections before dots.
    pub key: &'static str,
    /// Its default, in TOML.
    pub default: &'static str,
    /// What may be said.
    pub allowed: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// A setting in force, and who set it.
#[derive(Debug, Clone, Serialize)]
pub struct InForce {
    pub key: &'static str,
    pub value: String,
    pub source: String,
}

/// Seconds by which clocks may differ.
const MIN_DPOP_WINDOW_SECS: i64 = 10;

impl Config {
    /// Where clients find this server. Without `public_url` it is where it listens.
    #[must_use]
    pub fn public_url(&self) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(self.listen))
    }

    /// Whose tokens this server makes and takes.
    #[must_use]
    pub fn issuer(&self) -> Issuer {
        let issuer = self.public_url().to_string();
        let audience = match self.tokens.audience.as_str() {
            "" => issuer.clone(),
            named => named.to_owned(),
        };
        Issuer { issuer, audience }
    }

    /// The domain that passkeys are made for, if there can be any.
    #[must_use]
    pub fn rp_id(&self) -> Option<String> {
        let url = self.public_url();
        let named = match self.passkeys.rp_id.as_str() {
            "" => url.host(),
            named => named,
        };
        url.refuses_passkeys().is_none().then(|| named.to_owned())
    }

    /// The file of the master key.
    #[must_use]
    pub fn master_key_file(&self) -> PathBuf {
        self.keys.master_key_file.0.clone().unwrap_or_else(|| self.data_dir.join("master.key"))
    }

    /// What no value can say alone.
    fn check(self) -> Result<Self> {
        if !self.password.cost().is_possible() {
            return Err(Error::invalid(
                "password.memory_kib",
                "must be at least 8 for each lane of parallelism",
            ));
        }
        if self.tokens.needs_secret() && self.tokens.shared_secret_file.0.is_none() {
            let reason = "must name a file with the shared secret when tokens.algorithm is HS256";
            return Err(Error::invalid("tokens.shared_secret_file", reason));
        }
        if self.oauth.dpop_window_secs < MIN_DPOP_WINDOW_SECS {
            return Err(Error::invalid("oauth.dpop_window_secs", "must be 10 at least"));
        }
        let host = self.public_url().host().to_owned();
        let is_above = |id: &str| host == id || id.contains('.') && host.ends_with(&format!(".{id}"));
        if !self.passkeys.rp_id.is_empty() && !is_above(&self.passkeys.rp_id) {
            let reason = "must be the host of public_url, or a domain above it";
            return Err(Error::invalid("passkeys.rp_id", reason));
        }
        self.check_mail()?;
        self.check_forward()?;
        self.check_pages()?;
        Ok(self)
    }
}

impl Password {
    /// What one hash costs.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        Cost { memory_kib: self.memory_kib, iterations: self.iterations, parallelism: self.parallelism }
    }
}

impl Tokens {
    fn needs_secret(&self) -> bool {
        self.algorithm == crate::crypto::Algorithm::Hs256
    }
}

/// The commented file with every setting and its default.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# Settings of auth-service. Every one is optional; what stands here is the default.\n\
         # The same names work in the environment: AUTH_LISTEN, AUTH_RATE_LIMIT__REQUESTS_PER_HOUR.\n\
         # Flags come before the environment, the environment before this file.\n",
    );
    let mut section = "";
    for setting in SETTINGS.iter().flat_map(|part| part.iter()) {
        let (here, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        let sample = SAMPLES.iter().find(|(key, _)| *key == setting.key);
        if here != section {
            text.push_str(&format!("\n[{here}]\n"));
            section = here;
        }
        text.push('\n');
        for line in setting.doc.lines() {
            text.push_str(&format!("#{line}\n"));
        }
        match sample {
            // A list of tables cannot stand beside an empty one.
            Some((_, sample)) => text.push_str(&format!("# Allowed: {}.\n{sample}", setting.allowed)),
            None => {
                text.push_str(&format!("# Allowed: {}.\n{name} = {}\n", setting.allowed, setting.default));
            }
        }
    }
    text
}

/// Whether a directory has a configuration file of its own.
#[must_use]
pub fn file_in(data_dir: &Path) -> Option<PathBuf> {
    Some(data_dir.join(FILE_NAME)).filter(|path| path.is_file())
}
