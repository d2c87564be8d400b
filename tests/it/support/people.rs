//! Those who call: with a bearer token, or with the cookies of a browser.
use reqwest::header::{COOKIE, SET_COOKIE};
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
pub struct Person<'a> {
    pub app: &'a TestApp,
    pub tokens: Tokens,
}

impl Tokens {
    pub async fn from(answer: Response) -> Self {
        let cookie = |name: &str| {
            let all = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
            let mut mine = all.filter_map(|text| text.strip_prefix(&format!("{name}=")));
            mine.next().unwrap().split(';').next().unwrap().to_owned()
        };
        let (access, refresh, csrf) =
            (cookie("access_token_cookie"), cookie("refresh_token_cookie"), cookie("csrf_access_token"));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["access_token"], access.as_str());
        Self { access, refresh, csrf, body }
    }
}

impl Person<'_> {
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

    /// Presents the refresh token.
    pub async fn refresh(&self) -> Response {
        self.app
            .request(Method::POST, "/auth/token/refresh")
            .header(COOKIE, format!("refresh_token_cookie={}", self.tokens.refresh))
            .header("X-CSRF-Token", &self.tokens.csrf)
            .send()
            .await
            .unwrap()
    }

    /// Presents the refresh token, and goes on with what comes.
    pub async fn refreshed(&self) -> Self {
        let answer = self.refresh().await;
        assert_eq!(answer.status(), 200);
        Self { app: self.app, tokens: Tokens::from(answer).await }
    }

    /// The status of `GET /auth/me` with the access token.
    pub async fn status(&self) -> u16 {
        self.bearer(Method::GET, "/auth/me").send().await.unwrap().status().as_u16()
    }
}
