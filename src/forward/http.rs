//! `/auth/forward`: whether a request to something behind a reverse proxy may pass. What it answers, and to whom, is in the
//! hands of the proxies of `trusted_proxies`: nobody else is told anything, and nobody else's word counts.
//!
//! The request's own credentials say who it is: the cookie for hosts below `forward.cookie_domain`, an API key (`X-API-Key`, or
//! as the password of its owner with Basic), a bearer token. Passwords are none: each request would be a guess that costs a hash,
//! and a way past second factors. Which of two credentials counts nobody has to guess: if both are good, both have to be of
//! one subject. One that is none of ours is the application's.
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, HeaderMap, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use poem::http::{HeaderName, HeaderValue, StatusCode};
use poem::{Request, Response};

use super::identity::IdentityHeaders;
use super::original::{Dialect, Original, overriding};
use super::returns::Returns;
use super::rule::model::{Person, Reason, Verdict};
use super::rule::path::readings;
use super::rule::{Asked, RuleBook, Rules};
use super::service::{Passer, Passers};
use super::sign_in;
use crate::base::{Error, Result};
use crate::config::IpNets;
use crate::http::address::told_address;
use crate::http::limit::{RateLimiter, client_of};
use crate::http::{Failure, ForwardCookie, RequestInfo, envelope};
use crate::oauth::page::Pages;
use crate::rbac::{Actor, Who};

const API_KEY: &str = "x-api-key";
/// Where nginx is to lead a browser.
const AUTH_LOCATION: HeaderName = HeaderName::from_static("x-auth-location");
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"API key as password\", charset=\"UTF-8\"");

/// What answers proxies.
pub struct Forward {
    pub rules: Rules,
    pub passers: Passers,
    pub headers: IdentityHeaders,
    pub cookie: ForwardCookie,
    pub returns: Returns,
    pub trusted: IpNets,
    /// Where this server's pages are: its public URL.
    pub public_url: String,
    pub pages: Arc<Pages>,
    pub limiter: Arc<RateLimiter>,
}

/// Who somebody is, or why that cannot be said.
struct Shown {
    actor: Option<Actor>,
    /// A credential that browsers do not send by themselves.
    by_hand: bool,
    error: Error,
}

impl Forward {
    /// The address behind a proxy that somebody may be led back to, if it is one.
    #[must_use]
    pub fn returns(&self, text: &str) -> Option<String> {
        let book = self.rules.book().ok()?;
        self.returns.allowed(text, |host| book.knows(host))
    }

    /// Answers a proxy.
    ///
    /// # Errors
    /// What was wrong with the question, or with this server.
    pub fn answer(&self, request: &Request) -> poem::Result<Response> {
        self.decide(request).map_err(|error| Failure(error).into())
    }

    fn decide(&self, request: &Request) -> Result<Response> {
        let peer = request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
        if !peer.is_some_and(|peer| self.trusted.contains(peer)) {
            return Err(Error::Refused("Only reverse proxies may ask this: trusted_proxies says which"));
        }
        let (original, headers) = (Original::read(request)?, request.headers());
        let readings = readings(&original.target).map_err(|why| Error::Malformed(why.into()))?;
        let overriding = overriding(headers)?;
        let address = told_address(headers, &self.trusted);
        let shown = self.identify(request, &original, address)?;
        self.count(shown.actor.as_ref())?;
        let book = self.rules.book()?;
        let methods = original.methods(&overriding);
        let asked = Asked { host: &original.host, readings: &readings, methods: &methods, address };
        let info = RequestInfo::of(request)?;
        let passer = shown.actor.as_ref().map(|actor| {
            let is_limited = info.authenticator.is_limited(actor)?;
            Ok(Passer { actor, roles: &self.passers.roles, is_limited })
        });
        let passer = passer.transpose()?;
        let (verdict, rule) = book.judge(&asked, passer.as_ref().map(|passer| passer as &dyn Person));
        match verdict {
            Verdict::Pass => self.pass(shown.actor.as_ref()),
            Verdict::SignIn => Ok(self.ask(request, &original, &book, &shown)),
            Verdict::SecondFactor => Ok(self.ask_more(request, &original, &book)),
            Verdict::Refuse(reason) => {
                let rule = rule.map(|rule| rule.id.to_string());
                self.note(info, shown.actor.as_ref(), (&original, reason, rule));
                Ok(self.refuse(request, &original, reason))
            }
        }
    }

    /// Counts a request with a key that has a limit of its own. That of everybody is for this server: a page has many parts.
    fn count(&self, actor: Option<&Actor>) -> Result<()> {
        match actor.map(client_of) {
            Some((client, quota @ Some(_))) => {
                self.limiter.count(client, quota, self.passers.env.now()).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn pass(&self, actor: Option<&Actor>) -> Result<Response> {
        let mut response = Response::default();
        response.headers_mut().reserve(16);
        self.headers.tell(response.headers_mut(), actor, &self.passers)?;
        Ok(response)
    }

    fn identify(&self, request: &Request, original: &Original<'_>, address: Option<IpAddr>) -> Result<Shown> {
        let (headers, info) = (request.headers(), RequestInfo::of(request)?);
        let by = || info.initiator(Who::Nobody);
        let key = single(headers, API_KEY)?.map(|text| self.passers.by_key(text, address, &by));
        let given = single(headers, AUTHORIZATION.as_str())?;
        let authorization = given.and_then(|text| self.by_authorization(text, original, address, &by));
        // Browsers send passwords of the application by themselves.
        let is_basic = |text: &str| text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("basic "));
        let by_hand = key.is_some() || given.is_some_and(|text| !is_basic(text));
        let cookie = self.cookie.value(headers)?.map(|text| self.passers.by_cookie(text));
        let mut shown = Shown { actor: None, by_hand, error: Error::Unauthenticated };
        for outcome in [key, authorization, cookie].into_iter().flatten() {
            match (outcome, &shown.actor) {
                (Ok(actor), Some(other)) if actor.subject.id() != other.subject.id() => {
                    let why = "The request has credentials of two subjects: which shall count?";
                    return Err(Error::Malformed(why.into()));
                }
                (Ok(actor), None) => shown.actor = Some(actor),
                (Err(error @ (Error::Unavailable(_) | Error::Internal(_))), _) => return Err(error),
                (Err(error), _) if shown.error == Error::Unauthenticated => shown.error = error,
                _ => {}
            }
        }
        Ok(shown)
    }

    fn by_authorization(
        &self,
        text: &str,
        original: &Original<'_>,
        address: Option<IpAddr>,
        by: &dyn Fn() -> crate::rbac::Initiator,
    ) -> Option<Result<Actor>> {
        let (scheme, rest) = text.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(self.passers.by_token(rest, &audiences(original)));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let read = || {
            let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            text.split_once(':').map(|(name, key)| (name.to_owned(), key.to_owned()))
        };
        Some(match read() {
            Some((name, key)) => self.passers.by_name_and_key((&name, &key), address, by),
            None => Err(Error::InvalidToken),
        })
    }

    /// Where somebody signs in who wants to go on with a request, if it can be led there and back.
    fn way(&self, request: &Request, original: &Original<'_>, book: &RuleBook) -> Option<String> {
        if !original.is_navigation(request.headers()) {
            return None;
        }
        self.returns.allowed(&original.url(), |host| book.knows(host))
    }

    /// Somebody has to say who it is.
    fn ask(&self, request: &Request, original: &Original<'_>, book: &RuleBook, shown: &Shown) -> Response {
        let way = self.way(request, original, book).filter(|_| !shown.by_hand);
        let way = way.map(|back| sign_in::address(&self.public_url, &back, false));
        self.lead(request, original, way, &shown.error)
    }

    /// Somebody has to show a second factor.
    fn ask_more(&self, request: &Request, original: &Original<'_>, book: &RuleBook) -> Response {
        let way =
            self.way(request, original, book).map(|back| sign_in::address(&self.public_url, &back, true));
        match way {
            None => self.refuse(request, original, Reason::SecondFactor),
            way => self.lead(request, original, way, &Error::Unauthenticated),
        }
    }

    /// Leads a browser elsewhere, as far as its proxy can; without a way there is the error.
    fn lead(
        &self,
        request: &Request,
        original: &Original<'_>,
        way: Option<String>,
        error: &Error,
    ) -> Response {
        let way = way.and_then(|way| HeaderValue::try_from(way).ok());
        match (way, original.dialect) {
            (Some(way), Dialect::Forwarded | Dialect::Prefix) => {
                let mut response = Response::builder().status(StatusCode::FOUND).finish();
                response.headers_mut().insert(LOCATION, way);
                response
            }
            (way, _) => {
                let mut response = self.render(request, error);
                if way.is_none() && !is_browser(request.headers()) {
                    response.headers_mut().append(WWW_AUTHENTICATE, BASIC);
                }
                if let Some(way) = way {
                    response.headers_mut().insert(AUTH_LOCATION, way);
                }
                response
            }
        }
    }

    fn refuse(&self, request: &Request, original: &Original<'_>, reason: Reason) -> Response {
        let error = Error::Refused(words_of(reason));
        if !original.is_navigation(request.headers()) {
            return self.render(request, &error);
        }
        let language = self.pages.language(request.headers(), None);
        self.pages.of_error_elsewhere(language, &error)
    }

    fn render(&self, request: &Request, error: &Error) -> Response {
        let id = RequestInfo::of(request).map_or("", |info| info.id());
        envelope::render(&Failure(error.clone()).into(), id, self.passers.env.now())
    }

    /// Keeps account of somebody who wanted to pass and may not.
    fn note(
        &self,
        info: &RequestInfo,
        actor: Option<&Actor>,
        (original, reason, rule): (&Original<'_>, Reason, Option<String>),
    ) {
        let by = info.initiator(actor.map(Actor::who).unwrap_or_default());
        let path = original.target.split('?').next().unwrap_or_default();
        let rule = rule.unwrap_or_default();
        self.passers.refused(&by, (&original.method, &original.host, path), (reason.name(), &rule));
    }
}

/// What a token has to be for: the origin of what is asked for, with and without the slash at its end.
fn audiences(original: &Original<'_>) -> [String; 2] {
    let origin = Original { target: "".into(), ..original.clone() }.url();
    [format!("{origin}/"), origin]
}

/// Browsers would open a window for a user name, which is no page of ours.
fn is_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    agent.starts_with(b"Mozilla/")
        || headers.contains_key("sec-fetch-mode")
        || headers.contains_key(ACCEPT_LANGUAGE)
}

fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>> {
    let mut all = headers.get_all(name).iter();
    let first = all.next();
    if all.next().is_some() {
        return Err(Error::Malformed(format!("The header {name} came twice").into()));
    }
    // What is no text is the application's.
    Ok(first.and_then(|value| value.to_str().ok()))
}

const fn words_of(reason: Reason) -> &'static str {
    match reason {
        Reason::SecondFactor => "A second factor is needed here, which is shown in a browser",
        Reason::Permission => "A permission is missing that is needed here",
        Reason::Role => "A role is missing that is needed here",
        Reason::Account => "The account has to be set in order first",
        Reason::Rule => "Nobody may pass here",
        Reason::NoRule => "No rule lets anybody pass here",
        Reason::Address => "The proxy does not say where the request comes from (X-Forwarded-For)",
    }
}
