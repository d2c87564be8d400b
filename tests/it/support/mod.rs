//! A real server on a socket, with the clock and the randomness in the test's hands.
mod authenticator;
mod disk;
mod envelope;
pub mod jwt;
pub mod layers;
mod operations;
pub mod papers;
mod people;
mod raw;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use auth_service::account::NewUser;
use auth_service::app::App;
use auth_service::base::{Env, ManualClock, Secret, SystemEntropy, Timestamp};
use auth_service::config::{Config, Flags, load};
use auth_service::rbac::Initiator;
use auth_service::serve::serve_listener;
use auth_service::store::{Disk, Options, Store};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use authenticator::{Authenticator, bytes, text};
pub use disk::FaultyDisk;
pub use envelope::{check_contract_time, check_envelope, envelope};
pub use operations::{Operation, PUBLIC, golden, operations};
pub use people::{Person, Tokens, set_cookie};
pub use raw::{Raw, RawAnswer};

/// Good for every user of every test.
pub const PASSWORD: &str = "correct horse 81 battery";
/// When every test begins: 15 January 2027, 08:00.
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
    listener: JoinHandle<()>,
}

/// How a test wants its server.
pub struct Setup {
    pub settings: Vec<(String, String)>,
    pub routes: fn(poem::Route) -> poem::Route,
    pub disk: Option<Arc<dyn Disk>>,
    pub data_dir: Option<tempfile::TempDir>,
    pub now: Timestamp,
}

impl Default for Setup {
    fn default() -> Self {
        Self { settings: Vec::new(), routes: |route| route, disk: None, data_dir: None, now: START }
    }
}

impl Setup {
    /// Another value for a setting, by its key: `("rate_limit.requests_per_hour", "5")`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The public URL that clients use; tokens of a server outlive its restart only with one.
    pub fn at(self, public_url: &str) -> Self {
        self.with("public_url", public_url)
    }

    /// Routes of the test's own beside the server's.
    pub fn routes(self, routes: fn(poem::Route) -> poem::Route) -> Self {
        Self { routes, ..self }
    }

    pub async fn start(self) -> TestApp {
        Box::pin(TestApp::start_with(self)).await
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
        let options = Options::in_directory(data_dir.path(), auth_service::app::SCHEMA);
        let store = match setup.disk {
            Some(disk) => Store::open_disk(disk, options),
            None => Store::open(data_dir.path(), options),
        };
        let clock = Arc::new(ManualClock::at(setup.now));
        let env = Env { clock: clock.clone(), entropy: Arc::new(SystemEntropy) };
        let limits = config.http.clone();
        // In a box: without optimisation every caller has a copy of the future on its stack.
        let app = Box::pin(App::open(config, env, store.unwrap())).await.unwrap();
        app.declare().await.unwrap();
        let endpoint = Arc::new(app.endpoint(setup.routes));
        let (stop, stopped) = watch::channel(false);
        let listener = tokio::spawn(serve_listener(tcp, endpoint, limits, stopped));
        let spec = app.spec().unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { app, clock, address, client: client.build().unwrap(), spec, data_dir, stop, listener }
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

    /// A connection for bytes that no client library would send.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// A registered user, logged in.
    pub async fn user(&self, name: &str) -> Person<'_> {
        self.register(name).await;
        self.log_in(name, PASSWORD).await
    }

    /// A superuser, logged in. Nobody becomes one over HTTP.
    pub async fn superuser(&self, name: &str) -> Person<'_> {
        let email = format!("{name}@example.com");
        let new = NewUser::parse((name, &email), (None, None), Secret::new(PASSWORD));
        let new = NewUser { is_superuser: true, ..new.unwrap() };
        self.app.accounts.create(Initiator::host(), new).await.unwrap();
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
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        self.person(Tokens::from(answer).await)
    }

    /// Someone who holds tokens, of this server or of one before it.
    pub fn person(&self, tokens: Tokens) -> Person<'_> {
        Person { app: self, tokens }
    }

    /// Sends a request that must work, and gives its JSON.
    pub async fn json(&self, request: RequestBuilder, status: u16) -> Value {
        let answer = request.send().await.unwrap();
        let got = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(got, status, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends a request that must work and has nothing to say.
    pub async fn done(&self, request: RequestBuilder) {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert_eq!((status, answer.text().await.unwrap().as_str()), (StatusCode::NO_CONTENT, ""));
    }

    /// Sends a request that must fail, and checks all of the error.
    ///
    /// Gives its `details`.
    pub async fn fails(&self, request: RequestBuilder, status: u16, code: &str) -> Value {
        let request = request.build().unwrap();
        let method = request.method().clone();
        let answer = self.client.execute(request).await.unwrap();
        self.failure(method, answer, status, code).await
    }

    /// Sends a request whose value for `field` must be refused.
    ///
    /// Gives the reason.
    pub async fn refuses(&self, request: RequestBuilder, field: &str) -> String {
        let details = self.fails(request, 400, "VALIDATION_ERROR").await;
        assert_eq!(details["field"], field, "{details}");
        details["reason"].as_str().unwrap().to_owned()
    }

    /// Stops as at the end of the process: running requests finish, the store closes; the data directory stays.
    pub async fn stop(self) -> tempfile::TempDir {
        self.stop.send(true).unwrap();
        self.listener.await.unwrap();
        let store = self.app.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        self.data_dir
    }

    /// A new server on the same data directory, at the same time of the day.
    pub async fn restart(self, setup: Setup) -> Self {
        use auth_service::base::Clock;
        let now = self.clock.now();
        let data_dir = Some(self.stop().await);
        Setup { data_dir, now, ..setup }.start().await
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
        let exact = paths.get_key_value(path);
        let (_, operations) = exact.or_else(|| paths.iter().find(|(template, _)| fits(template)))?;
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
        let documented = self.documented(&method, &path, answer.status());
        let got = answer.status().as_u16();
        let (details, ..) = envelope(answer, code).await;
        assert_eq!(got, status, "{method} {path}: {code}");
        if let Some(codes) = documented {
            assert!(
                codes.iter().any(|known| known == code),
                "{method} {path} does not document {code}: {codes:?}"
            );
        }
        details
    }
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
