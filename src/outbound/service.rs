//! One request to another server, within bounds.
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{OnceCell, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use url::{Host, Url};

use super::addresses::Networks;
use super::tls;
use crate::base::Result;

/// Requests at a time; more wait, within their time.
const MAX_AT_ONCE: usize = 128;
/// Of the head of an answer.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Of all addresses of a name, this many are tried.
const MAX_ADDRESSES: usize = 4;

/// The way of requests to other servers. One connection for each; no redirect is followed, no cookie kept, no proxy asked.
#[derive(Clone)]
pub struct Outbound {
    networks: Networks,
    timeout: Duration,
    own: Arc<[CertificateDer<'static>]>,
    /// Read when first needed: many servers ask nobody.
    tls: Arc<OnceCell<Arc<ClientConfig>>>,
    slots: Arc<Semaphore>,
}

/// Why there is no answer. `Display` is fit for whoever has said where to go: it tells nothing of the inner network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is no URL that this server goes to, whatever lies there.
    Url,
    /// Its name leads nowhere, or only where this server does not go; never which.
    Address,
    /// No connection, or not one that proves whose it is.
    Connection,
    /// What came back is no HTTP, or broke off.
    Answer,
    /// The answer is larger than it may be.
    TooLarge,
    /// It took too long.
    Timeout,
}

impl Outbound {
    /// # Errors
    /// `Error::Invalid` naming `outbound.ca_file` when it cannot be used.
    pub fn new(networks: Networks, timeout: Duration, ca_file: Option<&std::path::Path>) -> Result<Self> {
        let own = ca_file.map(tls::read_ca_file).transpose()?.unwrap_or_default();
        Ok(Self {
            networks,
            timeout,
            own: own.into(),
            tls: Arc::new(OnceCell::new()),
            slots: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        })
    }

    /// Whether a URL is one that this server could go to, before anything is looked up: https, or http where the host of this
    /// server has named networks; with a host, and without user and password.
    #[must_use]
    pub fn takes(&self, url: &Url) -> bool {
        let is_clear = url.scheme() == "http" && !self.networks.is_empty();
        (url.scheme() == "https" || is_clear)
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    }

    /// Asks for a JSON document.
    ///
    /// # Errors
    /// As [`Outbound::send`].
    pub async fn get(&self, url: &str, max_bytes: usize) -> Result<Response<Bytes>, Failure> {
        let request = Request::get(url).header(ACCEPT, "application/json").body(Bytes::new());
        self.send(request.map_err(|_| Failure::Url)?, max_bytes).await
    }

    /// Asks another server: `request` has its whole URL as its URI. An answer of any status is an answer, a redirect among
    /// them; its body has at most `max_bytes`.
    ///
    /// # Errors
    /// [`Failure`], each within the time that the settings allow.
    pub async fn send(&self, request: Request<Bytes>, max_bytes: usize) -> Result<Response<Bytes>, Failure> {
        let work = async {
            let _slot = self.slots.acquire().await.map_err(|_| Failure::Timeout)?;
            self.exchange(request, max_bytes).await
        };
        tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, request: Request<Bytes>, max_bytes: usize) -> Result<Response<Bytes>, Failure> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| Failure::Url)?;
        if !self.takes(&url) {
            return Err(Failure::Url);
        }
        let is_tls = url.scheme() == "https";
        let stream = self.connect(&url, is_tls).await?;
        let request = in_origin_form(request, &url)?;
        let answer = if is_tls {
            let name = server_name(&url)?;
            let config = self.tls.get_or_try_init(|| self.read_roots()).await?;
            let stream = TlsConnector::from(config.clone()).connect(name, stream).await;
            talk(TokioIo::new(stream.map_err(|_| Failure::Connection)?), request).await?
        } else {
            talk(TokioIo::new(stream), request).await?
        };
        bounded(answer, max_bytes).await
    }

    /// Many small files: not on a thread that answers others.
    async fn read_roots(&self) -> Result<Arc<ClientConfig>, Failure> {
        let own = self.own.clone();
        let read = tokio::task::spawn_blocking(move || tls::client_config(&own)).await;
        read.ok().and_then(Result::ok).ok_or(Failure::Connection)
    }

    /// A connection to an address of the URL's host, judged after it was looked up: what is connected to is what was judged.
    async fn connect(&self, url: &Url, is_tls: bool) -> Result<TcpStream, Failure> {
        let port = url.port_or_known_default().ok_or(Failure::Url)?;
        let found: Vec<SocketAddr> = match url.host() {
            Some(Host::Domain(name)) => {
                lookup_host((name, port)).await.map_err(|_| Failure::Address)?.collect()
            }
            Some(Host::Ipv4(address)) => vec![(address, port).into()],
            Some(Host::Ipv6(address)) => vec![(address, port).into()],
            None => return Err(Failure::Url),
        };
        let admitted = found.into_iter().filter(|one| self.networks.admit(one.ip(), is_tls));
        let mut outcome = Err(Failure::Address);
        for address in admitted.take(MAX_ADDRESSES) {
            // One that does not answer leaves time for the others.
            let tried = tokio::time::timeout(self.timeout / 2, TcpStream::connect(address)).await;
            match tried {
                Ok(Ok(stream)) => return Ok(stream),
                _ => outcome = Err(Failure::Connection),
            }
        }
        outcome
    }
}

/// The request as the server itself gets it (RFC 9112 section 3.2.1).
fn in_origin_form(mut request: Request<Bytes>, url: &Url) -> Result<Request<Full<Bytes>>, Failure> {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let host = HeaderValue::try_from(host).map_err(|_| Failure::Url)?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| Failure::Url)?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!("auth-service/", env!("CARGO_PKG_VERSION"))));
    Ok(request.map(Full::new))
}

fn server_name(url: &Url) -> Result<ServerName<'static>, Failure> {
    match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| Failure::Url),
        Some(Host::Ipv4(address)) => Ok(std::net::IpAddr::from(address).into()),
        Some(Host::Ipv6(address)) => Ok(std::net::IpAddr::from(address).into()),
        None => Err(Failure::Url),
    }
}

/// Sends the request; the connection is driven along, and ends with the answer.
async fn talk<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(stream)
        .await
        .map_err(|_| Failure::Answer)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|_| Failure::Answer)
}

async fn bounded(answer: Response<Incoming>, max_bytes: usize) -> Result<Response<Bytes>, Failure> {
    let (head, body) = answer.into_parts();
    match Limited::new(body, max_bytes).collect().await {
        Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
        Err(cause) if cause.is::<LengthLimitError>() => Err(Failure::TooLarge),
        Err(_) => Err(Failure::Answer),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "it is no URL that this server goes to",
            Self::Address => "its host is not known, or lies where this server does not go",
            Self::Connection => "there is no connection to it that can be trusted",
            Self::Answer => "its answer is no HTTP, or broke off",
            Self::TooLarge => "its answer is too large",
            Self::Timeout => "it took too long",
        })
    }
}

impl std::error::Error for Failure {}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("networks", &self.networks).finish_non_exhaustive()
    }
}
