//! A real server on a socket, with the clock and the randomness in the test's hands.
mod people;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use auth_service::app::App;
use auth_service::base::{Env, ManualClock, SystemEntropy, Timestamp};
use auth_service::config::{Config, Flags, load};
use auth_service::serve::serve_listener;
use auth_service::store::{Disk, Options, Store};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use people::{Person, Tokens};

/// Good for every user of every test.
pub const PASSWORD: &str = "correct horse 81 battery";
/// When every test begins.
pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A server of a test's own; it ends with the test.
pub struct TestApp {
    pub app: App,
    pub clock: Arc<ManualClock>,
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub spec: Value,
    pub data_dir: tempfile::TempDir,
    stop: watch::Sender<bool>,
}

/// How a test wants its server.
pub struct Setup {
    pub settings: Vec<(String, String)>,
    pub routes: fn(poem::Route) -> poem::Route,
    pub disk: Option<Arc<dyn Disk>>,
    pub data_dir: Option<tempfile::TempDir>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { settings: Vec::new(), routes: |route| route, disk: None, data_dir: None }
    }
}

impl Setup {
    /// Another value for a setting, by its key: `("rate_limit.requests_per_hour", "5")`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    pub async fn start(self) -> TestApp {
        TestApp::start_with(self).await
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        let data_dir = setup.data_dir.unwrap_or_else(|| tempfile::tempdir().unwrap());
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let config = config(data_dir.path(), address, &setup.settings);
        let options = Options::in_directory(data_dir.path());
        let store = match setup.disk {
            Some(disk) => Store::open_disk(disk, options),
            None => Store::open(data_dir.path(), options),
        };
        let clock = Arc::new(ManualClock::at(START));
        let env = Env { clock: clock.clone(), entropy: Arc::new(SystemEntropy) };
        let limits = config.http.clone();
        let app = App::open(config, env, store.unwrap()).await.unwrap();
        let endpoint = Arc::new(app.endpoint(setup.routes).unwrap());
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve_listener(tcp, endpoint, limits, stopped));
        let spec = app.spec().unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { app, clock, address, client: client.build().unwrap(), spec, data_dir, stop }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    /// A registered user, logged in.
    pub async fn user(&self, name: &str) -> Person<'_> {
        self.register(name).await;
        self.log_in(name, PASSWORD).await
    }

    /// Registers a user with [`PASSWORD`].
    pub async fn register(&self, name: &str) -> Value {
        let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        let answer = self.post("/auth/register", &body).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.unwrap()
    }

    /// Logs a user in.
    pub async fn log_in(&self, name: &str, password: &str) -> Person<'_> {
        let answer = self.post("/auth/token", &json!({"username": name, "password": password})).await;
        assert_eq!(answer.status(), StatusCode::OK);
        Person { app: self, tokens: Tokens::from(answer).await }
    }

    /// Stops listening and closes the store, as at the end of the process; the data directory stays.
    pub async fn stop(self) -> tempfile::TempDir {
        self.stop.send(true).unwrap();
        let store = self.app.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        self.data_dir
    }

    /// The errors that the spec says an operation can give with a status.
    fn documented(&self, method: &Method, path: &str, status: StatusCode) -> Option<Vec<String>> {
        let paths = self.spec["paths"].as_object().unwrap();
        let fits = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(&path).all(|(part, given)| part.starts_with('{') || part == given)
        };
        let (_, operations) = paths.iter().find(|(template, _)| fits(template))?;
        let operation = operations.get(method.as_str().to_lowercase())?;
        let content = &operation["responses"][status.as_str()]["content"]["application/json; charset=utf-8"];
        let examples = content["examples"].as_object().map(|examples| examples.keys().cloned().collect());
        Some(examples.unwrap_or_default())
    }

    /// Checks the whole envelope of an error, and that the spec names it, so that no test has to.
    ///
    /// Gives its `details`.
    pub async fn failure(&self, method: Method, answer: Response, status: u16, code: &str) -> Value {
        let path = answer.url().path().to_owned();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}: {code}");
        let documented = self.documented(&method, &path, answer.status());
        let (details, ..) = envelope(answer, code).await;
        if let Some(codes) = documented {
            assert!(
                codes.iter().any(|known| known == code),
                "{method} {path} does not document {code}: {codes:?}"
            );
        }
        details
    }
}

/// Checks the contract's envelope: every member, its type, and that the request id is the header's.
///
/// Gives `details` and `message`.
pub async fn envelope(answer: Response, code: &str) -> (Value, String) {
    let header = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(media_type, "application/json; charset=utf-8");
    let retry = answer.headers().contains_key("retry-after");
    assert_eq!(retry, matches!(answer.status().as_u16(), 429 | 503), "Retry-After");
    let body: Value = answer.json().await.unwrap();
    let error = &body["error"];
    let members: Vec<_> = error.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["code", "message", "details", "timestamp", "request_id"], "{body}");
    assert_eq!(error["code"], code, "{body}");
    assert_eq!(error["request_id"], header.as_str());
    assert!(error["details"].is_object(), "{body}");
    let timestamp = error["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 26 && &timestamp[19..20] == "." && !timestamp.ends_with('Z'), "{timestamp}");
    (error["details"].clone(), error["message"].as_str().unwrap().to_owned())
}

/// Small and quick, but for what a test asks for.
fn config(data_dir: &Path, address: SocketAddr, settings: &[(String, String)]) -> Config {
    let quick = [
        ("password.memory_kib", "8"),
        ("password.iterations", "1"),
        ("password.threads", "2"),
        ("rate_limit.requests_per_hour", "1000000"),
    ];
    let quick = quick.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let environment = quick.chain(settings.iter().cloned());
    let environment =
        environment.map(|(key, value)| (format!("AUTH_{}", key.replace('.', "__").to_uppercase()), value));
    let flags = Flags {
        data_dir: data_dir.to_str().map(str::to_owned),
        listen: Some(address.to_string()),
        ..Flags::default()
    };
    load(&flags, environment).unwrap().0
}
