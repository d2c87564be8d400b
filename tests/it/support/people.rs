//! Those who call: with a bearer token, or with the cookies of a browser.
use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::TestApp;

/// What a login or refresh has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub csrf: String,
    pub body: Value,
}

/// A user in a session.
#[derive(Clone)]
pub struct Person<'a> {
    pub app: &'a TestApp,
    pub tokens: Tokens,
}

impl Tokens {
    pub async fn from(answer: Response) -> Self {
        let cookie = |name: &str| {
            let set = set_cookie(answer.headers(), name);
            set.split(';').next().unwrap().split_once('=').unwrap().1.to_owned()
        };
        let (access, refresh, csrf) =
            (cookie("access_token_cookie"), cookie("refresh_token_cookie"), cookie("csrf_access_token"));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["access_token"], access.as_str());
        Self { access, refresh, csrf, body }
    }
}

/// The one `Set-Cookie` of a name, with or without the prefix that https adds.
pub fn set_cookie(headers: &HeaderMap, name: &str) -> String {
    let all = headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    let bare = |text: &str| text.replacen("__Host-", "", 1).replacen("__Secure-", "", 1);
    let mine: Vec<_> = all.filter(|text| bare(text).starts_with(&format!("{name}="))).collect();
    assert_eq!(mine.len(), 1, "{name}: {mine:?}");
    mine[0].to_owned()
}

impl Person<'_> {
    /// Its number, as the token says.
    pub fn id(&self) -> u64 {
        super::jwt::claims(&self.tokens.access)["user_id"].as_u64().unwrap()
    }

    /// As a program calls.
    pub fn bearer(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, path).bearer_auth(&self.tokens.access)
    }

    /// As a browser calls, without the CSRF header.
    pub fn cookie(&self, method: Method, path: &str) -> RequestBuilder {
        let cookie = format!("access_token_cookie={}", self.tokens.access);
        self.app.request(method, path).header(COOKIE, cookie)
    }

    /// As a page calls: cookies, and the CSRF header.
    pub fn page(&self, method: Method, path: &str) -> RequestBuilder {
        self.cookie(method, path).header("X-CSRF-Token", &self.tokens.csrf)
    }

    /// The request that presents the refresh token.
    pub fn refresh_request(&self) -> RequestBuilder {
        self.app
            .request(Method::POST, "/auth/token/refresh")
            .header(COOKIE, format!("refresh_token_cookie={}", self.tokens.refresh))
            .header("X-CSRF-Token", &self.tokens.csrf)
    }

    /// Presents the refresh token, and goes on with what comes.
    pub async fn refreshed(&self) -> Self {
        let answer = self.refresh_request().send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        Self { app: self.app, tokens: Tokens::from(answer).await }
    }

    /// Shows again who it is.
    pub async fn proven(&self) -> Self {
        let body = serde_json::json!({"password": super::PASSWORD});
        let request = self.bearer(Method::POST, "/auth/reauthenticate").json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        Self { app: self.app, tokens: Tokens::from(answer).await }
    }

    /// Ends the session.
    pub async fn log_out(&self) {
        let said = self.app.json(self.bearer(Method::POST, "/auth/logout"), 200).await;
        assert_eq!(said["message"], "Logout successful");
    }

    /// The profile, as the server shows it.
    pub async fn profile(&self) -> Value {
        self.app.json(self.bearer(Method::GET, "/auth/me"), 200).await
    }

    /// The status of `GET /auth/me` with the access token.
    pub async fn status(&self) -> u16 {
        self.bearer(Method::GET, "/auth/me").send().await.unwrap().status().as_u16()
    }

    /// Checks that no token of this session is taken any more.
    pub async fn is_out(&self, code: &str) {
        self.app.fails(self.bearer(Method::GET, "/auth/me"), 401, code).await;
        self.app.fails(self.cookie(Method::GET, "/auth/me"), 401, code).await;
        self.app.fails(self.refresh_request(), 401, "TOKEN_REVOKED").await;
    }

    /// The text of a new API key of its own.
    pub async fn key(&self, body: Value) -> String {
        let made = self.app.json(self.bearer(Method::POST, "/auth/api-keys").json(&body), 201).await;
        made["key"].as_str().unwrap().to_owned()
    }

    /// The session's id, as the token says it.
    pub fn session(&self) -> String {
        super::jwt::claims(&self.tokens.access)["sid"].as_str().unwrap().to_owned()
    }
}
