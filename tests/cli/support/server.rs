//! A running server, which does not outlive its test.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::{Value, json};

use super::{PASSWORD, PATIENCE, Tokens, exit_code};

pub struct Server {
    child: Child,
    /// What it said on standard output when it was ready.
    pub greeting: String,
    pub address: SocketAddr,
    pub http: reqwest::Client,
    output: Option<JoinHandle<String>>,
    log: Option<JoinHandle<String>>,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let log = drain(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (say, hear) = mpsc::channel();
        let output = thread::spawn(move || {
            let mut rest = String::new();
            let mut line = String::new();
            // Nobody hears it when the test has stopped waiting.
            let _ = stdout.read_line(&mut line).map(|_| say.send(line));
            let _ = stdout.read_to_string(&mut rest);
            rest
        });
        let greeting = hear.recv_timeout(PATIENCE).unwrap_or_default();
        let address = greeting.split("listens on ").nth(1).and_then(|rest| rest.split(';').next());
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            child.kill().unwrap();
            panic!("no server: {greeting}{}", log.join().unwrap());
        };
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { child, greeting, address, http, output: Some(output), log: Some(log) }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    /// A user with [`PASSWORD`], logged in.
    pub async fn user(&self, name: &str) -> Tokens {
        let body = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        assert_eq!(self.post("/auth/register", &body).await.status(), StatusCode::CREATED);
        self.log_in(name, PASSWORD).await
    }

    pub async fn log_in(&self, name: &str, password: &str) -> Tokens {
        let answer = self.post("/auth/token", &json!({"username": name, "password": password})).await;
        assert_eq!(answer.status(), StatusCode::OK);
        Tokens::from(&answer)
    }

    /// The status of the profile's owner.
    pub async fn me(&self, tokens: &Tokens) -> u16 {
        let request = self.request(Method::GET, "/auth/me").bearer_auth(&tokens.access);
        request.send().await.unwrap().status().as_u16()
    }

    pub async fn refresh(&self, tokens: &Tokens) -> Response {
        let request = self.request(Method::POST, "/auth/token/refresh");
        let request = request.header("Cookie", format!("refresh_token_cookie={}", tokens.refresh));
        request.header("X-CSRF-Token", &tokens.csrf).send().await.unwrap()
    }

    /// The key set that it publishes.
    pub async fn keys(&self) -> Vec<Value> {
        let set: Value = self.get("/oauth2/jwks").await.json().await.unwrap();
        set["keys"].as_array().unwrap().clone()
    }

    /// A connection of a test's own, after sending it some bytes.
    pub fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    }

    /// How long its files may become, from now on.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    ///
    /// Gives the exit code (-1 when a signal ended it) and everything that it has written.
    pub fn wait(mut self) -> (i32, String) {
        let Some(code) = exit_code(&mut self.child) else { panic!("the server does not end") };
        let read = |reader: Option<JoinHandle<String>>| reader.unwrap().join().unwrap();
        (code, self.greeting.clone() + &read(self.output.take()) + &read(self.log.take()))
    }

    /// Has it stop in good order.
    ///
    /// Gives everything that it has written.
    pub fn stop(self) -> String {
        self.signal(Signal::TERM);
        let (code, written) = self.wait();
        assert_eq!(code, 0, "{written}");
        written
    }

    /// Ends it as a crash does.
    pub fn crash(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.wait().0, -1);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is all there is.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
