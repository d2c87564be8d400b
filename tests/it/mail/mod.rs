//! Mails: how they leave, what they say, and what their links are good for.
mod addresses;
mod attacks;
mod decoys;
mod devices;
mod factors;
mod held;
mod hidden;
mod notices;
mod pages;
mod proof;
mod queue;
mod settings;
mod sign_in;
mod smtp;
mod support;

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Setup, TestApp};

/// A mail as it has left.
#[derive(Debug, Clone)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub raw: String,
}

impl Mail {
    /// Reads what a mail server, or a file, was given.
    pub fn parse(raw: &str) -> Self {
        let header = |name: &str| {
            let line = raw.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_default().to_owned()
        };
        let part = raw.split("Content-Type: text/plain").nth(1).unwrap_or_default();
        let (head, body) = part.split_once("\r\n\r\n").unwrap_or_default();
        let body = body.split("\r\n--").next().unwrap_or_default();
        let text =
            if head.contains("quoted-printable") { unquoted(body) } else { body.replace("\r\n", "\n") };
        Self { to: header("To"), subject: header("Subject"), text, raw: raw.to_owned() }
    }

    /// The token in it that begins so, as somebody copies it.
    pub fn token(&self, prefix: &str) -> String {
        let lines: Vec<_> = self.text.lines().filter(|line| line.starts_with(prefix)).collect();
        assert_eq!(lines.len(), 1, "{}", self.text);
        assert!(self.text.contains(&format!("#token={}", lines[0])), "{}", self.text);
        lines[0].to_owned()
    }
}

/// RFC 2045 section 6.7.
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "").replace("\r\n", "\n");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' && after.len() >= 2 {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A server whose mails become files.
pub fn with_mail() -> Setup {
    Setup::default().with("mail.sink", "directory").with("mail.from", "Accounts <accounts@id.example>")
}

pub fn directory(app: &TestApp) -> PathBuf {
    app.data_dir.path().join("mail")
}

/// Everything that has left since the last time.
pub async fn mails(app: &TestApp) -> Vec<Mail> {
    app.app.mail.deliver_due().await.unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory(app)).into_iter().flatten() {
        let path = entry.unwrap().path();
        found.push(Mail::parse(&std::fs::read_to_string(&path).unwrap()));
        std::fs::remove_file(path).unwrap();
    }
    found
}

/// The one mail that has left since the last time.
pub async fn mail(app: &TestApp, to: &str) -> Mail {
    let mut all = mails(app).await;
    assert_eq!(all.len(), 1, "{:?}", all.iter().map(|mail| (&mail.to, &mail.subject)).collect::<Vec<_>>());
    let mail = all.remove(0);
    assert_eq!(mail.to, to, "{}", mail.subject);
    mail
}

/// Asks for a reset; the answer is the same for everybody.
pub async fn forget(app: &TestApp, email: &str) {
    let answer = app.post("/auth/password/forgot", &json!({"email": email})).await;
    assert_eq!(answer.status(), 202);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body, json!({"message": "If an account has this address, a mail is on its way"}));
}

/// Hands a token to an operation that must refuse it.
pub async fn refused(app: &TestApp, path: &str, body: Value) {
    let reason = app.refuses(app.request(Method::POST, path).json(&body), "token").await;
    assert_eq!(reason, "is not valid, was used already, or has expired");
}

/// The events of a kind that the trail has.
pub async fn events(app: &TestApp, action: &str) -> Vec<Value> {
    let filter = auth_service::audit::Filter { action: Some(action.to_owned()), ..Default::default() };
    let page = app.app.audit.search(filter, auth_service::base::PageRequest::all()).await.unwrap();
    let lines = page.items.iter().map(|entry| auth_service::audit::export::exported(entry, None).unwrap());
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}
