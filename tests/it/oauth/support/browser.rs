//! A browser without JavaScript: cookies with their paths, forms with their hidden fields, and no redirect unseen.
use std::collections::BTreeMap;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

use crate::support::{PASSWORD, TestApp};

pub struct Browser<'a> {
    pub app: &'a TestApp,
    /// By name: the path below which each is sent, and its value.
    pub cookies: BTreeMap<String, (String, String)>,
}

/// What has come: a page, or a redirect to somewhere else.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// A form, as it would be sent if nothing were typed.
#[derive(Debug, Clone)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app, cookies: BTreeMap::new() }
    }

    /// One request, with the cookies that belong to it.
    pub async fn send(&mut self, method: Method, path: &str, fields: &[(String, String)]) -> Page {
        let mut request = self.app.request(method.clone(), path);
        if method == Method::POST {
            request = with_form(request, fields);
        }
        self.take(self.with_cookies(request, path)).await
    }

    /// Sends a form of a page of the server, whose origin browsers say unless the page forbids every referrer (Fetch standard,
    /// «append a request Origin header»).
    async fn send_from(&mut self, page: &Page, path: &str, fields: &[(String, String)]) -> Page {
        let policy = page.headers.get(REFERRER_POLICY).map(|value| value.to_str().unwrap());
        let origin = if policy == Some("no-referrer") { "null".into() } else { self.app.url("") };
        let request = with_form(self.app.request(Method::POST, path), fields).header(ORIGIN, origin);
        self.take(self.with_cookies(request, path)).await
    }

    fn with_cookies(&self, request: RequestBuilder, path: &str) -> RequestBuilder {
        let sent = self.cookies.iter().filter(|(_, (below, _))| path.starts_with(below.as_str()));
        let sent: Vec<_> = sent.map(|(name, (_, value))| format!("{name}={value}")).collect();
        if sent.is_empty() { request } else { request.header(COOKIE, sent.join("; ")) }
    }

    /// What an answer holds, for one who keeps no cookies.
    pub async fn read(answer: reqwest::Response) -> Page {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Page { status, headers, text: answer.text().await.unwrap() }
    }

    async fn take(&mut self, request: RequestBuilder) -> Page {
        let page = Self::read(request.send().await.unwrap()).await;
        let headers = page.headers.clone();
        for set in headers.get_all(SET_COOKIE) {
            let text = set.to_str().unwrap();
            let mut parts = text.split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let path = parts.find_map(|part| part.strip_prefix("Path=")).unwrap();
            assert!(text.contains("SameSite=Lax"), "{text}");
            if text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), (path.to_owned(), value.to_owned()));
            }
        }
        page
    }

    /// Opens a page, and goes on as long as it is led about here.
    pub async fn open(&mut self, path: &str) -> Page {
        let page = self.send(Method::GET, path, &[]).await;
        self.follow(page).await
    }

    pub async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..5 {
            let Some(path) = page.location().filter(|uri| uri.starts_with('/')) else { return page };
            assert_eq!(page.status, 303, "{path}");
            page = self.send(Method::GET, &path, &[]).await;
        }
        panic!("led in a circle: {page:?}");
    }

    /// Fills in a form of a page, sends it, and goes where it leads.
    pub async fn submit(&mut self, page: &Page, id: &str, typed: &[(&str, &str)]) -> Page {
        let form = page.form(id);
        let typed = typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields: Vec<_> = form.fields.into_iter().chain(typed).collect();
        let answer = self.send_from(page, &form.action, &fields).await;
        self.follow(answer).await
    }

    pub async fn sign_in(&mut self, page: &Page, name: &str) -> Page {
        self.submit(page, "sign-in", &[("username", name), ("password", PASSWORD)]).await
    }

    pub async fn agree(&mut self, page: &Page) -> Page {
        self.submit(page, "consent", &[("answer", "agree")]).await
    }

    /// Opens a page and does what it is asked: what it says in the end.
    pub async fn through(&mut self, path: &str, name: &str) -> Page {
        let mut page = self.open(path).await;
        if page.has_form("sign-in") {
            page = self.sign_in(&page, name).await;
        }
        if page.has_form("consent") {
            page = self.agree(&page).await;
        }
        page
    }
}

impl Page {
    pub fn location(&self) -> Option<String> {
        self.headers.get(LOCATION).map(|value| value.to_str().unwrap().to_owned())
    }

    pub fn has_form(&self, id: &str) -> bool {
        self.text.contains(&format!("id=\"{id}\">"))
    }

    pub fn form(&self, id: &str) -> Form {
        let end = format!("id=\"{id}\">");
        let (before, rest) = self.text.split_once(&end).unwrap_or_else(|| panic!("no form {id}: {self:?}"));
        let head = before.rsplit_once("<form").unwrap().1;
        assert!(head.contains("method=\"post\""), "{head}");
        let body = rest.split_once("</form>").unwrap().0;
        let fields = body.split("<input type=\"hidden\"").skip(1);
        let fields = fields.map(|input| (attribute(input, "name"), attribute(input, "value")));
        Form { action: attribute(head, "action"), fields: fields.collect() }
    }

    /// Where a link leads.
    pub fn link(&self, id: &str) -> String {
        let link =
            self.text.split_once(&format!("id=\"{id}\" href=")).unwrap_or_else(|| panic!("{id}: {self:?}"));
        attribute(&format!("href={}", link.1), "href")
    }

    /// What it says is wrong.
    pub fn alert(&self) -> &str {
        let rest = self.text.split_once("role=\"alert\">").unwrap_or_else(|| panic!("{self:?}")).1;
        rest.split_once('<').unwrap().0
    }

    /// The parameters that the answer takes along to the client.
    pub fn answer(&self, redirect_uri: &str) -> BTreeMap<String, String> {
        let location = self.location().unwrap_or_else(|| panic!("goes nowhere: {self:?}"));
        assert_eq!(self.status, 303, "{location}");
        let rest = location.strip_prefix(redirect_uri).unwrap_or_else(|| panic!("{location}"));
        parameters(&rest[1..])
    }

    /// Checks that it is a page for people with an error, and leads nowhere.
    pub fn is_error_page(&self, part: &str) {
        assert!((400..500).contains(&self.status), "{self:?}");
        assert_eq!(self.location(), None);
        assert!(self.text.contains("role=\"alert\"") && self.text.contains(part), "{}", self.text);
        self.is_shielded();
    }

    /// Checks what keeps a page out of frames and caches.
    pub fn is_shielded(&self) {
        let header = |name: &str| self.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(header("x-frame-options"), Some("DENY"));
        assert_eq!(header("cache-control"), Some("no-store"));
        assert!(header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert!(
            header("referrer-policy") == Some("same-origin")
                && header("access-control-allow-origin").is_none()
        );
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
    }
}

fn with_form(request: RequestBuilder, fields: &[(String, String)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("Content-Type", "application/x-www-form-urlencoded").body(body)
}

/// Names and values of a query; each must be there once.
pub fn parameters(query: &str) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let count = pairs.len();
    let all: BTreeMap<_, _> = pairs.into_iter().collect();
    assert_eq!(all.len(), count, "{query}");
    all
}

fn attribute(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{name} in {text}"));
    let raw = rest.split_once('"').unwrap().0;
    raw.replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
