//! Second factors: an app, recovery codes, trusted devices, and what a session made without them may do.
mod enrolment;
mod flood;
mod gone;
mod login;
mod policy;
mod reauthentication;
mod recovery;
mod trusted_devices;

use auth_service::base::Clock;
use reqwest::header::COOKIE;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::support::{PASSWORD, Person, TestApp, Tokens};

/// Seconds of one step.
const STEP: i64 = 30;

/// A user with an app: it has a code for every time.
pub struct WithApp<'a> {
    pub person: Person<'a>,
    name: String,
    secret: String,
    pub recovery_codes: Vec<String>,
}

/// The code of an app at the server's time and some steps from it.
fn code_at(app: &TestApp, secret: &str, steps: i64) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap();
    let time = app.clock.now().secs() + steps * STEP;
    totp.generate(time.unsigned_abs()).to_string()
}

/// Gives a user an app, for tests of other parts.
pub async fn with_app(person: &Person<'_>) {
    WithApp::of(person).await;
}

impl<'a> WithApp<'a> {
    /// Sets an app up and turns it on.
    pub async fn of(person: &Person<'a>) -> WithApp<'a> {
        let app = person.app;
        let setup = app.json(person.bearer(Method::POST, "/auth/mfa/setup").json(&json!({})), 200).await;
        let secret = setup["secret"].as_str().unwrap().to_owned();
        let body = json!({"code": code_at(app, &secret, 0)});
        let answer = person.bearer(Method::POST, "/auth/mfa/enable").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let tokens = Tokens::from(answer).await;
        let texts = |codes: &Value| {
            let codes = codes.as_array().unwrap().iter();
            codes.map(|code| code.as_str().unwrap().to_owned()).collect()
        };
        let recovery_codes = texts(&tokens.body["recovery_codes"]);
        let name = crate::support::jwt::claims(&tokens.access)["username"].as_str().unwrap().to_owned();
        // Its first code is used: another one comes with the next step.
        app.clock.advance_secs(STEP);
        WithApp { person: Person { app, tokens }, name, secret, recovery_codes }
    }

    /// Trusts a device, and gives what its cookie says.
    pub async fn trust(&self) -> String {
        trusted_devices::trust(self, 2).await
    }

    fn app(&self) -> &'a TestApp {
        self.person.app
    }

    pub fn code(&self) -> String {
        code_at(self.app(), &self.secret, 0)
    }

    /// A code that is wrong now.
    fn wrong_code(&self) -> String {
        let taken: Vec<_> = (-2..=2).map(|steps| code_at(self.app(), &self.secret, steps)).collect();
        (0..20).map(|n| format!("{n:06}")).find(|code| !taken.contains(code)).unwrap()
    }

    /// What a password alone comes to: the token that goes on with it.
    pub async fn ask(&self) -> String {
        let body = json!({"username": self.name, "password": PASSWORD});
        let answer = self.app().post("/auth/token", &body).await;
        let details = self.app().failure(Method::POST, answer, 401, "MFA_REQUIRED").await;
        assert_eq!(details["methods"], json!(["totp", "recovery_code"]));
        details["mfa_token"].as_str().unwrap().to_owned()
    }

    pub async fn verify(&self, token: &str, code: &str) -> Response {
        self.app().post("/auth/mfa/verify", &json!({"mfa_token": token, "code": code})).await
    }

    async fn verify_fails(&self, token: &str, code: &str, expected: &str) {
        let answer = self.verify(token, code).await;
        self.app().failure(Method::POST, answer, 401, expected).await;
    }

    /// A whole login.
    async fn log_in(&self) -> Person<'a> {
        let token = self.ask().await;
        let answer = self.verify(&token, &self.code()).await;
        assert_eq!(answer.status(), 200);
        self.app().clock.advance_secs(STEP);
        Person { app: self.app(), tokens: Tokens::from(answer).await }
    }

    /// A login with a password on a device that has a cookie.
    pub async fn log_in_on(&self, device: &str) -> Response {
        let body = json!({"username": self.name, "password": PASSWORD});
        let cookie = format!("trusted_device_cookie={device}");
        self.app()
            .request(Method::POST, "/auth/token")
            .header(COOKIE, cookie)
            .json(&body)
            .send()
            .await
            .unwrap()
    }

    async fn status(&self) -> Value {
        self.app().json(self.person.bearer(Method::GET, "/auth/mfa/status"), 200).await
    }
}
