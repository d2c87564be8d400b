//! A relying party: a client of the server, which checks what it is told.
use std::collections::BTreeMap;

use auth_service::crypto::sha256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use crate::support::{Person, TestApp};

pub const CALLBACK: &str = "https://photos.example/cb";
pub const VERIFIER: &str = "a-verifier-that-nobody-else-has-heard-of-0123456789";

pub struct Party<'a> {
    pub app: &'a TestApp,
    pub id: String,
    pub secret: Option<String>,
    /// `token_endpoint_auth_method`
    pub method: String,
}

/// An authorization request, or the body of a token request.
#[derive(Clone)]
pub struct Fields(pub Vec<(String, String)>);

impl<'a> Party<'a> {
    /// A client that may have codes and refresh tokens, but for what `also` says.
    pub async fn register(root: &Person<'a>, also: Value) -> Self {
        let mut body = json!({
            "client_name": "Photo album",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            // RS256, the default, takes a second to make its keys.
            "id_token_signed_response_alg": "ES256",
        });
        let members = also.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(members);
        let made = root.app.json(root.bearer(Method::POST, "/oauth-clients").json(&body), 201).await;
        Self {
            app: root.app,
            id: made["client_id"].as_str().unwrap().to_owned(),
            secret: made["client_secret"].as_str().map(str::to_owned),
            method: made["token_endpoint_auth_method"].as_str().unwrap().to_owned(),
        }
    }

    /// One whose users are not asked whether they agree.
    pub async fn ours(root: &Person<'a>) -> Self {
        Self::register(root, json!({"first_party": true})).await
    }

    /// A request that can be granted.
    pub fn asks(&self) -> Fields {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(&[VERIFIER.as_bytes()]));
        Fields(Vec::new())
            .with("response_type", "code")
            .with("client_id", &self.id)
            .with("redirect_uri", CALLBACK)
            .with("scope", "openid profile email")
            .with("state", "a state & more")
            .with("nonce", "n-1")
            .with("code_challenge", &challenge)
            .with("code_challenge_method", "S256")
    }

    /// The answer that a user's browser brings for a request.
    pub async fn answer(
        &self,
        browser: &mut Browser<'_>,
        asked: &Fields,
        user: &str,
    ) -> BTreeMap<String, String> {
        self.checked(&browser.through(&asked.path(), user).await)
    }

    /// An answer whose `state` and `iss` are right.
    pub fn checked(&self, page: &Page) -> BTreeMap<String, String> {
        let answer = page.answer(CALLBACK);
        assert_eq!(answer["state"], "a state & more");
        assert_eq!(answer["iss"], issuer(self.app));
        answer
    }

    /// A code that a user has given.
    pub async fn code(&self, browser: &mut Browser<'_>, user: &str) -> String {
        self.answer(browser, &self.asks(), user).await["code"].clone()
    }

    /// What redeems a code.
    #[expect(clippy::unused_self, reason = "reads as what a client does")]
    pub fn redeems(&self, code: &str) -> Fields {
        Fields(Vec::new())
            .with("grant_type", "authorization_code")
            .with("code", code)
            .with("redirect_uri", CALLBACK)
            .with("code_verifier", VERIFIER)
    }

    #[expect(clippy::unused_self, reason = "reads as what a client does")]
    pub fn refreshes(&self, token: &Value) -> Fields {
        Fields(Vec::new())
            .with("grant_type", "refresh_token")
            .with("refresh_token", token["refresh_token"].as_str().unwrap_or("none"))
    }

    /// A request of the client, which proves who it is as it has registered.
    pub fn request(&self, path: &str, fields: Fields) -> RequestBuilder {
        let secret = self.secret.clone().unwrap_or_default();
        match self.method.as_str() {
            "client_secret_basic" => {
                let header = STANDARD.encode(format!("{}:{secret}", self.id));
                fields.post(self.app, path).header("Authorization", format!("Basic {header}"))
            }
            "client_secret_post" => {
                fields.with("client_id", &self.id).with("client_secret", &secret).post(self.app, path)
            }
            _ => fields.with("client_id", &self.id).post(self.app, path),
        }
    }

    /// Asks for tokens, and gets them.
    pub async fn tokens(&self, fields: Fields) -> Value {
        let answer = self.request("/oauth2/token", fields).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("pragma").as_deref(), Some("no-cache"));
        assert!(header("content-type").unwrap().starts_with("application/json"));
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        let tokens: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
        tokens
    }

    /// Asks for tokens, and does not get them.
    pub async fn fails(&self, fields: Fields, status: u16, error: &str) -> String {
        is_refused(self.request("/oauth2/token", fields).send().await.unwrap(), status, error).await
    }

    /// The whole way: a user's tokens.
    pub async fn log_in(&self, browser: &mut Browser<'_>, user: &str) -> Value {
        let code = self.code(browser, user).await;
        self.tokens(self.redeems(&code)).await
    }

    /// [`Party::log_in`] with other scopes.
    pub async fn log_in_for(&self, browser: &mut Browser<'_>, user: &str, scope: &str) -> Value {
        let answer = self.answer(browser, &self.asks().with("scope", scope), user).await;
        self.tokens(self.redeems(&answer["code"])).await
    }

    pub fn userinfo(&self, tokens: &Value) -> RequestBuilder {
        let token = tokens["access_token"].as_str().unwrap();
        self.app.request(Method::GET, "/oauth2/userinfo").bearer_auth(token)
    }

    /// Whether the tokens are good: both of them, or none.
    pub async fn are_good(&self, tokens: &Value) -> bool {
        let access = self.userinfo(tokens).send().await.unwrap().status() == 200;
        let refresh = self.request("/oauth2/token", self.refreshes(tokens)).send().await.unwrap();
        assert_eq!(access, refresh.status() == 200, "one is good and the other is not");
        access
    }

    /// What the server says of a token when this client asks.
    pub async fn introspect(&self, token: &Value) -> Value {
        let fields = Fields(Vec::new()).with("token", token.as_str().unwrap());
        self.app.json(self.request("/oauth2/introspect", fields), 200).await
    }
}

impl Fields {
    /// With another value for a field, or one more.
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut all = self.without(name);
        all.0.push((name.to_owned(), value.to_owned()));
        all
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// With a field once more, whether it is there or not.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn text(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// Where a browser goes with them.
    pub fn path(&self) -> String {
        format!("/oauth2/authorize?{}", self.text())
    }

    pub fn post(&self, app: &TestApp, path: &str) -> RequestBuilder {
        let request = app.request(Method::POST, path).body(self.text());
        request.header("Content-Type", "application/x-www-form-urlencoded")
    }
}

/// Checks an error in the form of RFC 6749 section 5.2, and gives what it says.
pub async fn is_refused(answer: Response, status: u16, error: &str) -> String {
    let (got, headers) = (answer.status().as_u16(), answer.headers().clone());
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{got} {text}"));
    assert_eq!((got, &body["error"]), (status, &json!(error)), "{text}");
    assert!(header("content-type").unwrap().starts_with("application/json"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(header("www-authenticate").is_some(), status == 401 || error == "insufficient_scope");
    let said = body["error_description"].as_str().unwrap();
    assert!(said.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\'), "{said}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{text}");
    said.to_owned()
}

/// Whom tokens are of.
pub fn issuer(app: &TestApp) -> String {
    format!("http://localhost:{}", app.address.port())
}
