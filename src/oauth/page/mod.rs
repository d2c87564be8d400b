//! Pages that people see: rendered here, in their language, and working without JavaScript. They own no rules.
use std::collections::BTreeSet;
use std::sync::OnceLock;

mod brand;
mod fields;
mod language;
pub mod texts;

pub use brand::{Brand, Logo};
pub use fields::{Field, judged};
pub use language::{Language, Languages};
pub use minijinja::context;
use minijinja::{Environment, HtmlEscape, UndefinedBehavior, Value};
use poem::Response;
use poem::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    REFERRER_POLICY, RETRY_AFTER, VARY,
};
use poem::http::{HeaderMap, HeaderName, StatusCode};
use url::Url;

use crate::base::{Error, Result};
use crate::config::Config;
use crate::http::envelope;
use crate::http::error_pages::ErrorPages;
use crate::http::forward_path::SIGN_IN;
use crate::http::protocol::is_protocol;

const FRAME_OPTIONS: HeaderName = HeaderName::from_static("x-frame-options");
/// What a picture may do that is opened by itself: nothing. One that is made of text could hold scripts.
const LOGO_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

/// What a page is about.
pub type About = Value;

/// The pages, parsed once.
pub struct Pages {
    /// Parsed when the first page is wanted: many servers never show one.
    all: OnceLock<Environment<'static>>,
    pub brand: Brand,
    pub languages: Languages,
    /// The path of the public URL, before every path of ours.
    base: String,
    /// Its scheme, host and port.
    origin: String,
}

/// How a page is shown.
#[derive(Clone, Copy)]
pub struct Shown<'p> {
    pub status: StatusCode,
    /// Where its form may lead in the end, beside this server.
    pub goes_to: Option<&'p str>,
    /// Whether another host shows it: its style is asked for at this server.
    pub elsewhere: bool,
    pub language: &'p Language,
}

impl<'p> Shown<'p> {
    /// As a page usually is.
    #[must_use]
    pub fn in_language(language: &'p Language) -> Self {
        Self { status: StatusCode::OK, goes_to: None, elsewhere: false, language }
    }

    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    #[must_use]
    pub fn going_to(self, goes_to: Option<&'p str>) -> Self {
        Self { goes_to, ..self }
    }
}

macro_rules! templates {
    ($($file:literal)+) => { &[ $( ($file, include_str!($file)) ),+ ] };
}

const TEMPLATES: &[(&str, &str)] = templates! {
    "layout.html" "fields.html" "alert.html" "sign_in.html" "second_factor.html" "select_account.html"
    "mail_sign_in.html" "consent.html" "sign_out.html" "signed_out.html" "form_post.html" "error.html"
    "account_form.html" "notice.html" "passkeys.html" "device.html" "device_confirm.html" "device_done.html"
};

fn environment() -> Result<Environment<'static>> {
    let mut all = Environment::new();
    all.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    all.add_filter("filled", filled);
    for (file, text) in TEMPLATES {
        all.add_template(file, text).map_err(Error::internal)?;
    }
    Ok(all)
}

impl Pages {
    /// `name`: what the service is called where no other name is set for pages.
    ///
    /// # Errors
    /// `Error::Invalid` naming the setting that is wrong.
    pub fn open(config: &Config, name: String) -> Result<Self> {
        let settings = &config.pages;
        let name = if settings.name.is_empty() { name } else { settings.name.clone() };
        let languages = Languages::open(&settings.language, settings.language_dir.0.as_deref())?;
        let url = config.public_url();
        let (base, origin) = (url.path().to_owned(), url.origin().to_owned());
        Ok(Self { all: OnceLock::new(), brand: Brand::open(config, name)?, languages, base, origin })
    }

    /// The language of a page: the one that the application wants, or the browser.
    #[must_use]
    pub fn language(&self, headers: &HeaderMap, ui_locales: Option<&str>) -> &Language {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        self.languages.choose(ui_locales, accepted.unwrap_or_default())
    }

    /// # Errors
    /// `Error::Internal` for a page that cannot be rendered.
    pub fn render(&self, file: &str, shown: Shown<'_>, about: About) -> Result<Response> {
        let all = match self.all.get() {
            Some(all) => all,
            None => environment().map(|all| self.all.get_or_init(|| all))?,
        };
        let template = all.get_template(file).map_err(Error::internal)?;
        let page = context! {
            service => self.brand.name.as_str(),
            has_logo => self.brand.logo.is_some(),
            base => if shown.elsewhere { format!("{}{}", self.origin, self.base) } else { self.base.clone() },
            lang => shown.language.tag.as_str(),
            t => shown.language.shown.clone(),
            ..about
        };
        let html = template.render(page).map_err(Error::internal)?;
        let mut response = Response::builder().status(shown.status).body(html);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Without any referrer browsers would say `Origin: null` with its form, as they do for pages of nobody (Fetch
        // standard, «append a request Origin header»). Other sites learn nothing either way.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(VARY, HeaderValue::from_static("accept-language"));
        let language = HeaderValue::try_from(shown.language.tag.as_str()).map_err(Error::internal)?;
        headers.insert(CONTENT_LANGUAGE, language);
        let policy = HeaderValue::try_from(policy(shown.goes_to)).map_err(Error::internal)?;
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        Ok(response)
    }

    /// A page that shows others in frames: of their origins, and of no more.
    ///
    /// # Errors
    /// As [`Pages::render`].
    pub fn render_with_frames(
        &self,
        file: &str,
        shown: Shown<'_>,
        frames: &[String],
        about: About,
    ) -> Result<Response> {
        let mut response = self.render(file, shown, about)?;
        let origins: BTreeSet<_> = frames.iter().filter_map(|uri| Url::parse(uri).ok()).collect();
        let origins: BTreeSet<_> = origins.iter().map(|url| url.origin().ascii_serialization()).collect();
        if !origins.is_empty() {
            let origins: Vec<_> = origins.into_iter().collect();
            let policy = format!("{}; frame-src {}", policy(shown.goes_to), origins.join(" "));
            let policy = HeaderValue::try_from(policy).map_err(Error::internal)?;
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        Ok(response)
    }

    /// The page for what went wrong, as an answer of another host: that of something behind a proxy.
    #[must_use]
    pub fn of_error_elsewhere(&self, language: &Language, error: &Error) -> Response {
        let mut response = self.error_page(Shown { elsewhere: true, ..Shown::in_language(language) }, error);
        let origin = &self.origin;
        let policy = format!(
            "default-src 'none'; style-src {origin}; img-src {origin} data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::try_from(policy) {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }

    /// The page for what went wrong; the log has the cause.
    #[must_use]
    pub fn of_error(&self, language: &Language, error: &Error) -> Response {
        self.error_page(Shown::in_language(language), error)
    }

    fn error_page(&self, shown: Shown<'_>, error: &Error) -> Response {
        let status = envelope::status(error);
        if status.is_server_error() {
            tracing::error!(?error, "a page could not be shown");
        }
        let about = context! { error => texts::of_error(&shown.language.texts, error) };
        let page = self.render("error.html", shown.with_status(status), about);
        let bare = || Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).finish();
        with_retry(page.unwrap_or_else(|_| bare()), Some(error))
    }

    /// The path of one of this server's pages.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The style sheet. It is asked for anew each time: a page and its looks are of one version.
    #[must_use]
    pub fn style(&self) -> Response {
        asset("text/css; charset=utf-8", self.brand.style.clone())
    }

    /// The picture, where there is one.
    #[must_use]
    pub fn logo(&self) -> Option<Response> {
        let logo = self.brand.logo.as_ref()?;
        let mut response = asset(logo.kind, logo.bytes.clone());
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(LOGO_POLICY));
        Some(response)
    }
}

/// A script, or what else belongs to a page.
pub fn asset(kind: &'static str, body: impl Into<poem::Body>) -> Response {
    Response::builder().header(CONTENT_TYPE, kind).header(CACHE_CONTROL, "no-cache").body(body)
}

/// Says when to come again, where an error knows.
#[must_use]
pub fn with_retry(mut response: Response, error: Option<&Error>) -> Response {
    if let Some(seconds) = error.and_then(envelope::retry_after) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

impl ErrorPages for Pages {
    /// What is below these paths is for people, but for its scripts and pictures.
    fn page(&self, path: &str, languages: &str, error: &Error) -> Option<Response> {
        let is_page = path == "/device"
            || path == SIGN_IN
            || path.starts_with("/account/")
            || path.starts_with("/oauth2/") && !is_protocol(path);
        let is_for_people = is_page && path != "/oauth2/jwks" && !path.contains('.');
        is_for_people.then(|| self.of_error(self.languages.choose(None, languages), error))
    }
}

/// A text with values where it has room for them, each of them in an element if one is named. Neither the text nor a value is
/// markup.
fn filled(text: &str, value: Value, element: Option<&str>) -> Value {
    let value = value.to_string();
    let value = HtmlEscape(&value);
    let value = match element {
        Some(name) => format!("<{name}>{value}</{name}>"),
        None => value.to_string(),
    };
    Value::from_safe_string(HtmlEscape(text).to_string().replace("{}", &value))
}

/// Nothing from anywhere but this server. Browsers hold the whole way of a form against `form-action`, its redirects
/// included.
fn policy(goes_to: Option<&str>) -> String {
    let target = goes_to.and_then(|uri| Url::parse(uri).ok()).map(|url| match url.host_str() {
        Some(_) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
        _ => format!("{}:", url.scheme()),
    });
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'self' {}; frame-ancestors 'none'",
        target.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_a_text_is_no_markup() {
        let shown = filled("<b> {} & {}", Value::from("<i>{}\"</i>"), Some("strong")).to_string();
        assert!(!shown.contains("<i>") && !shown.contains("<b>"), "{shown}");
        assert!(shown.contains("<strong>&lt;i&gt;") && shown.contains("&amp;"), "{shown}");
        assert_eq!(filled("in {}", Value::from(7), None).to_string(), "in 7");
    }

    #[test]
    fn every_page_can_be_parsed() {
        let all = environment().unwrap();
        assert_eq!(all.templates().count(), TEMPLATES.len());
    }

    #[test]
    fn a_form_leads_to_the_client_and_nowhere_else() {
        let action =
            |uri| policy(uri).split("form-action ").nth(1).unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(action(None).trim(), "'self'");
        assert_eq!(action(Some("https://a.example:8443/cb?x=1")), "'self' https://a.example:8443");
        assert_eq!(action(Some("com.example.app:/cb")), "'self' com.example.app:");
        assert!(!policy(None).contains("unsafe"));
    }
}
