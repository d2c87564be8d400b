//! What every request passes on its way in, and every answer on its way out, in this order: request id, CORS,
//! who it is, rate limit, origin, time and size limits, the handler; then the envelope and the headers.
use std::cell::OnceCell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use poem::http::header::{
    ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, USER_AGENT, VARY, X_CONTENT_TYPE_OPTIONS,
};
use poem::http::{Method, StatusCode, Uri, Version};
use poem::{Endpoint, IntoResponse, Request, Response};
use tokio::time::Sleep;
use tracing::Instrument;

use super::address::{client_address, client_network};
use super::allow::AllowTable;
use super::body::Bodies;
use super::caller::{self, Authenticator, Credential, Presented};
use super::cookies::Cookies;
use super::envelope::{self, Failure, TimedOut};
use super::error_pages::ErrorPages;
use super::info::{RequestInfo, shown_user_agent};
use super::limit::{Allowance, Client, RateLimiter};
use super::public_path::without;
use super::routes::Routes;
use super::{cors, csrf, forward_path, limit, protocol};
use crate::base::{Clock, Entropy, Env, Error, Result, entropy};
use crate::config::{Config, IpNets, Origins, PublicUrl};
use crate::rbac::{Initiator, Who};

/// An API answers with data: nothing of it may be run, framed or fetched from.
const CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const HSTS: &str = "max-age=31536000; includeSubDomains";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// About as many as `dress` adds.
const COMMON_HEADERS: usize = 8;
const MAX_REQUEST_ID: usize = 128;
/// Paths that supervisors, browsers and other services ask again and again.
const UNLIMITED: &[&str] = &["/health", "/docs", "/.well-known", "/oauth2/jwks"];

/// Everything around the routes.
pub struct Gate {
    inner: Routes,
    clock: Arc<dyn Clock>,
    authenticator: Arc<dyn Authenticator>,
    limiter: Arc<RateLimiter>,
    cookies: Cookies,
    public_url: PublicUrl,
    origins: Origins,
    trusted_proxies: IpNets,
    time_limit: Duration,
    bodies: Bodies,
    allow: AllowTable,
    ids: RequestIds,
    pages: Option<Arc<dyn ErrorPages>>,
}

impl Gate {
    /// Puts the gate before `inner`.
    pub fn new(
        inner: Routes,
        config: &Config,
        env: &Env,
        authenticator: Arc<dyn Authenticator>,
        limiter: Arc<RateLimiter>,
        allow: AllowTable,
    ) -> Self {
        let public_url = config.public_url();
        Self {
            inner,
            clock: Arc::clone(&env.clock),
            authenticator,
            limiter,
            cookies: Cookies::new(&public_url),
            public_url,
            origins: config.cors_origins.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            time_limit: Duration::from_secs(config.http.request_timeout_secs),
            bodies: Bodies::new(config.http.max_body_bytes),
            allow,
            ids: RequestIds::new(env.entropy.as_ref()),
            pages: None,
        }
    }

    /// The same with pages for people.
    #[must_use]
    pub fn with_pages(self, pages: Arc<dyn ErrorPages>) -> Self {
        Self { pages: Some(pages), ..self }
    }
}

impl Endpoint for Gate {
    type Output = Response;

    /// A request is large, and each async function that takes one copies it into its future: so what can be done
    /// at once is done before there is a future.
    fn call(&self, mut request: Request) -> impl Future<Output = poem::Result<Response>> + Send {
        self.strip_public_path(&mut request);
        let about = About::of(&request, self.ids.of(request.headers()), &self.origins);
        let way = match cors::preflight(&request, about.origin.as_ref()) {
            Some(response) => Way::Answered(response),
            // redb may panic on a damaged page; the client shall hear of it, and its connection go on.
            None => catch_unwind(AssertUnwindSafe(|| self.way_of(request, &about)))
                .unwrap_or_else(|_| Way::Refused(Error::internal("admission panicked"))),
        };
        async move {
            let (allowance, outcome) = match way {
                Way::Answered(response) => (None, Ok(response)),
                Way::Refused(error) => (Allowance::used_up(&error), Err(Failure(error).into())),
                Way::Admitted(allowance, work) => (allowance, self.within_time(work).await),
            };
            let mut response = outcome.unwrap_or_else(|error| self.explain(&error, &about));
            self.dress(response.headers_mut(), about, allowance);
            Ok(response)
        }
    }
}

/// What is still to be said of a request when it is gone.
struct About {
    id: String,
    method: Method,
    uri: Uri,
    origin: Option<HeaderValue>,
    /// Who it is and from where, as soon as that is known.
    info: OnceCell<Arc<RequestInfo>>,
}

impl About {
    fn of(request: &Request, id: String, origins: &Origins) -> Self {
        let origin = cors::allowed_origin(request.headers(), origins);
        Self {
            id,
            method: request.method().clone(),
            uri: request.uri().clone(),
            origin,
            info: OnceCell::new(),
        }
    }
}

/// What becomes of a request.
enum Way<'a> {
    Answered(Response),
    Refused(Error),
    Admitted(Option<Allowance>, BoxFuture<'a, poem::Result<Response>>),
}

impl Gate {
    /// A proxy may or may not strip the path of the public URL; both work. What is a path of ours already was
    /// stripped, even if it begins like the public URL's (`/auth`).
    fn strip_public_path(&self, request: &mut Request) {
        let prefix = self.public_url.path();
        if prefix.is_empty() || forward_path::is_asked(request) || self.allow.knows(request.uri().path()) {
            return;
        }
        if let Some(uri) = without(request.uri(), prefix) {
            *request.uri_mut() = uri;
        }
    }

    fn way_of(&self, mut request: Request, about: &About) -> Way<'_> {
        let allowance = match self.admit(&mut request, about) {
            Ok(allowance) => allowance,
            Err(error) => return Way::Refused(error),
        };
        if request.method().is_safe() || forward_path::is_asked(&request) {
            // What a safe request brings along says nothing (RFC 9110 section 9.3.1), and nobody reads it.
            drop(request.take_body());
            return Way::Admitted(allowance, self.inner.call(request));
        }
        let span = tracing::info_span!(
            "request",
            request_id = about.id,
            method = %about.method,
            path = about.uri.path()
        );
        let time = tokio::time::sleep(self.time_limit);
        Way::Admitted(allowance, Box::pin(self.read_and_call(request, time).instrument(span)))
    }

    async fn read_and_call(&self, mut request: Request, time: Sleep) -> poem::Result<Response> {
        // The place of a large body is kept until it is no longer needed.
        let _place = tokio::select! {
            biased;
            place = self.bodies.read(&mut request) => place?,
            () = time => return Err(TimedOut::Reading.into()),
        };
        self.inner.call(request).await
    }

    /// The answer for an error, of whatever kind.
    fn explain(&self, error: &poem::Error, about: &About) -> Response {
        if let (Some(info), Some(Failure(ours))) = (about.info.get(), error.downcast_ref())
            && is_suspicious(ours)
        {
            self.authenticator.refused(info.presenter(), about.method.as_str(), about.uri.path(), ours);
        }
        if error.status() == StatusCode::METHOD_NOT_ALLOWED {
            self.other_method(error, about)
        } else {
            self.render(error, about)
        }
    }

    fn render(&self, error: &poem::Error, about: &About) -> Response {
        let (id, path) = (about.id.as_str(), about.uri.path());
        let for_people = || {
            let languages = about.info.get().and_then(|info| info.languages.as_ref()?.to_str().ok());
            let error = envelope::domain_error(error)?;
            self.pages.as_ref()?.page(path, languages.unwrap_or_default(), &error)
        };
        if let Some(page) = for_people() {
            page
        } else if protocol::is_protocol(path) {
            envelope::render_protocol(error, path, id)
        } else {
            envelope::render(error, id, self.clock.now())
        }
    }

    /// Says which methods a path takes (RFC 9110 section 15.5.6), and answers OPTIONS with them.
    fn other_method(&self, error: &poem::Error, about: &About) -> Response {
        let mut response = if about.method == Method::OPTIONS {
            StatusCode::NO_CONTENT.into_response()
        } else {
            self.render(error, about)
        };
        if let Ok(methods) = HeaderValue::try_from(self.allow.methods(about.uri.path())) {
            response.headers_mut().insert(ALLOW, methods);
        }
        response
    }

    /// Finds out who it is and whether it may ask at all.
    fn admit(&self, request: &mut Request, about: &About) -> Result<Option<Allowance>> {
        check_host(request)?;
        let peer = request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
        let peer = peer.ok_or_else(|| Error::internal("a request from no address"))?;
        let address = client_address(peer, request.headers(), &self.trusted_proxies);
        let user_agent = request.headers().get(USER_AGENT).cloned();
        let nobody =
            || Initiator::at(Who::Nobody, address, shown_user_agent(user_agent.as_ref()), about.id.clone());
        let (authenticator, headers) = (self.authenticator.as_ref(), request.headers());
        // Programs prove who they are to these endpoints in a way of their own; proxies pass on what others have sent.
        let protocol = protocol::is_protocol(request.uri().path()) || forward_path::is_asked(request);
        let presented = if protocol {
            Ok(None)
        } else {
            caller::identify(authenticator, &self.cookies, headers, address, &nobody)
        };
        let authenticator = Arc::clone(&self.authenticator);
        let (id, languages) = (about.id.clone(), request.headers().get(ACCEPT_LANGUAGE).cloned());
        let info = Arc::new(RequestInfo { address, presented, authenticator, id, user_agent, languages });
        request.extensions_mut().insert(Arc::clone(&info));
        let info = about.info.get_or_init(|| info);
        if protocol {
            return Ok(None);
        }
        let allowance = self.count(request.uri().path(), address, &info.presented)?;
        if !request.method().is_safe() && !is_by_hand(&info.presented) {
            csrf::check_origin(request, &self.public_url, &self.origins)?;
        }
        Ok(allowance)
    }

    fn count(
        &self,
        path: &str,
        address: IpAddr,
        presented: &Result<Option<Presented>>,
    ) -> Result<Option<Allowance>> {
        if is_unlimited(path) {
            return Ok(None);
        }
        let (client, quota) = match presented {
            Ok(Some(somebody)) => limit::client_of(&somebody.actor),
            _ => (Client::Address(client_network(address)), None),
        };
        self.limiter.count(client, quota, self.clock.now())
    }

    /// Runs a handler within the time that a request has; a panic is an error.
    async fn within_time(&self, work: BoxFuture<'_, poem::Result<Response>>) -> poem::Result<Response> {
        match tokio::time::timeout(self.time_limit, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(envelope::panicked()),
            Err(_) => Err(TimedOut::Working.into()),
        }
    }

    /// The headers of every answer; a handler's own are kept.
    fn dress(&self, headers: &mut HeaderMap, about: About, allowance: Option<Allowance>) {
        headers.reserve(COMMON_HEADERS);
        if let Some(allowance) = allowance {
            self.limiter.describe(headers, allowance);
        }
        if protocol::is_for_any_origin(about.uri.path()) {
            cors::allow_any(headers);
        } else if let Some(origin) = about.origin {
            cors::allow(headers, origin);
        }
        if !self.origins.0.is_empty() {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Ok(id) = HeaderValue::try_from(about.id) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CONTENT_POLICY));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if self.public_url.is_https() {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
        }
    }
}

/// Whether a refusal may be an attempt to get past it. One without any credential, or with one whose time is over,
/// happens to everybody; a login that fails has its own record.
fn is_suspicious(error: &Error) -> bool {
    matches!(
        error,
        Error::Forbidden(_)
            | Error::WrongNetwork
            | Error::CsrfFailed(_)
            | Error::InvalidToken
            | Error::TokenRevoked
            | Error::RateLimited { .. }
    )
}

/// The paths themselves and what lies below them, not every name that begins so.
fn is_unlimited(path: &str) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    UNLIMITED.iter().any(|free| path.strip_prefix(free).is_some_and(below))
}

/// Exactly one `Host`, so that a proxy before us and we cannot read two (RFC 9112 section 3.2).
fn check_host(request: &Request) -> Result<()> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let needed = request.version() == Version::HTTP_11;
    if second.is_some() || needed && first.is_none() {
        return Err(Error::Malformed("A request needs exactly one header Host".into()));
    }
    Ok(())
}

/// Whether a request carries what no browser sends by itself: a bearer token or an API key that is good. Any other
/// `Authorization` says nothing, for browsers add Basic on their own.
fn is_by_hand(presented: &Result<Option<Presented>>) -> bool {
    matches!(presented, Ok(Some(Presented { credential: Credential::Bearer | Credential::Key, .. })))
}

/// Request ids that differ from each other and from those of other runs. They name a request in logs and are
/// no secret.
struct RequestIds {
    run: u32,
    next: AtomicU64,
}

impl RequestIds {
    fn new(rng: &dyn Entropy) -> Self {
        Self { run: u32::from_be_bytes(entropy::bytes(rng)), next: AtomicU64::new(1) }
    }

    /// `req_` and 16 hexadecimal digits, written by hand: every request has one.
    fn next_id(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let number =
            u64::from(self.run) << 32 | self.next.fetch_add(1, Ordering::Relaxed) & u64::from(u32::MAX);
        let mut id = String::with_capacity(20);
        id.push_str("req_");
        for shift in (0..64).step_by(4).rev() {
            id.push(char::from(DIGITS[(number >> shift & 15) as usize]));
        }
        id
    }

    /// The one that came with the request, if it may stand in a log line; otherwise a new one.
    fn of(&self, headers: &HeaderMap) -> String {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(plain)
        });
        match given {
            Some(id) => id.to_owned(),
            None => self.next_id(),
        }
    }
}
