//! The end of a client where it is told of logouts: a server of its own on a socket, which answers as a test wants.
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_service::base::Tick;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// How it answers.
#[derive(Clone, Copy)]
pub enum Says {
    Status(u16),
    /// 400 with a body.
    No(&'static str),
    /// Nothing, ever.
    Nothing,
    /// Somewhere else.
    Elsewhere(SocketAddr),
}

/// What it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub method: String,
    pub path: String,
    pub content_type: String,
    /// Names and values of the form.
    pub form: Vec<(String, String)>,
}

pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    says: Mutex<Says>,
    heard: Mutex<Vec<Heard>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Heard {
    /// The logout token, which has to be all that was said.
    pub fn token(&self) -> &str {
        let [(name, value)] = &self.form[..] else { panic!("{self:?}") };
        assert_eq!(name, "logout_token");
        value
    }
}

impl Receiver {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            says: Mutex::new(Says::Status(200)),
            heard: Mutex::new(Vec::new()),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| Arc::clone(&state).answer(request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state }
    }

    pub fn uri(&self) -> String {
        format!("http://{}/out?app=1", self.address)
    }

    pub fn says(&self, says: Says) {
        *self.state.says.lock().unwrap() = says;
    }

    /// What it was told since it was asked last.
    pub fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.state.heard.lock().unwrap())
    }

    /// Most that it was told at the same time.
    pub fn most_at_once(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }

    /// Waits until it was told so many times.
    pub async fn hears(&self, count: usize, within: Duration) -> Vec<Heard> {
        let began = Tick::now();
        while self.state.heard.lock().unwrap().len() < count {
            let heard = self.state.heard.lock().unwrap().len();
            assert!(began.elapsed() < within, "{heard} of {count}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.heard()
    }
}

impl State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(open, Ordering::SeqCst);
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let content_type = head.headers.get("content-type").map(|value| value.to_str().unwrap().to_owned());
        self.heard.lock().unwrap().push(Heard {
            method: head.method.to_string(),
            path: head.uri.to_string(),
            content_type: content_type.unwrap_or_default(),
            form: form_urlencoded::parse(&body).into_owned().collect(),
        });
        let says = *self.says.lock().unwrap();
        let answer = match says {
            Says::Status(status) => Response::builder().status(status).body(Full::default()),
            Says::No(text) => Response::builder().status(400).body(Full::from(text)),
            Says::Elsewhere(address) => {
                let to = format!("http://{address}/elsewhere");
                Response::builder().status(302).header("location", to).body(Full::default())
            }
            Says::Nothing => std::future::pending().await,
        };
        tokio::task::yield_now().await;
        self.open.fetch_sub(1, Ordering::SeqCst);
        Ok(answer.unwrap())
    }
}
