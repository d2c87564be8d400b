//! Forward authentication, made of what is shared.
use std::sync::Arc;

use super::shared::Shared;
use crate::base::Result;
use crate::config::Config;
use crate::forward::rule::declaration;
use crate::forward::{Forward, ForwardTokens, IdentityHeaders, Passers, Returns, Rules};
use crate::http::ForwardCookie;
use crate::http::limit::RateLimiter;
use crate::oauth::page::Pages;

impl Shared {
    pub fn forward_rules(&self, config: &Config) -> Result<Rules> {
        let declared = declaration::read(&config.forward.rules.0)?;
        Ok(Rules::new(self.store.clone(), self.env.clone(), declared))
    }

    pub fn forward(
        &self,
        config: &Config,
        rules: &Rules,
        (pages, limiter): (&Arc<Pages>, &Arc<RateLimiter>),
    ) -> Result<Forward> {
        let (settings, url) = (&config.forward, config.public_url());
        let passers = Passers {
            env: self.env.clone(),
            live: self.live.clone(),
            keys: self.api_keys(config),
            roles: self.roles.clone(),
            custom: self.minter.custom.clone(),
            tokens: ForwardTokens::new(&self.master)?,
            failures: self.failures.clone(),
            tells_unverified: settings.unverified_email,
        };
        Ok(Forward {
            rules: rules.clone(),
            passers,
            headers: IdentityHeaders::new(settings)?,
            cookie: ForwardCookie::new(&url, &settings.cookie_domain),
            returns: Returns {
                is_https: url.is_https(),
                host: url.host().to_owned(),
                domain: settings.cookie_domain.clone(),
                ports: settings.ports.0.clone(),
            },
            trusted: config.trusted_proxies.clone(),
            public_url: url.to_string(),
            pages: Arc::clone(pages),
            limiter: Arc::clone(limiter),
        })
    }
}
