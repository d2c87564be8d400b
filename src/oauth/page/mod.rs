//! Pages that people see on their way to a client: rendered here, and working without JavaScript. They own no rules.
pub use minijinja::context;
use minijinja::{Environment, Value};
use poem::Response;
use poem::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
};
use poem::http::{HeaderName, StatusCode};
use url::Url;

use crate::base::{Error, Result};

const FRAME_OPTIONS: HeaderName = HeaderName::from_static("x-frame-options");

/// What a page is about.
pub type About = Value;

/// The pages, parsed once.
pub struct Pages {
    all: Environment<'static>,
    /// What the service is called.
    name: String,
    /// The path of the public URL, before every path of ours.
    base: String,
}

impl Pages {
    /// # Errors
    /// `Error::Internal` for a page that cannot be parsed.
    pub fn new(name: String, base: String) -> Result<Self> {
        let mut all = Environment::new();
        for (file, text) in [
            ("layout.html", include_str!("layout.html")),
            ("sign_in.html", include_str!("sign_in.html")),
            ("second_factor.html", include_str!("second_factor.html")),
            ("consent.html", include_str!("consent.html")),
            ("sign_out.html", include_str!("sign_out.html")),
            ("signed_out.html", include_str!("signed_out.html")),
            ("device.html", include_str!("device.html")),
            ("device_confirm.html", include_str!("device_confirm.html")),
            ("device_done.html", include_str!("device_done.html")),
            ("form_post.html", include_str!("form_post.html")),
            ("error.html", include_str!("error.html")),
        ] {
            all.add_template(file, text).map_err(Error::internal)?;
        }
        Ok(Self { all, name, base })
    }

    /// A page; `goes_to`: where its form may lead in the end, beside this server.
    ///
    /// # Errors
    /// `Error::Internal` for a page that cannot be rendered.
    pub fn render(
        &self,
        file: &str,
        status: StatusCode,
        goes_to: Option<&str>,
        about: Value,
    ) -> Result<Response> {
        let template = self.all.get_template(file).map_err(Error::internal)?;
        let page = context! { service => self.name.as_str(), base => self.base.as_str(), ..about };
        let html = template.render(page).map_err(Error::internal)?;
        let mut response = Response::builder().status(status).body(html);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Without any referrer browsers would say `Origin: null` with its form, as they do for pages of nobody (Fetch
        // standard, «append a request Origin header»). Other sites learn nothing either way.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        let policy = HeaderValue::try_from(policy(goes_to)).map_err(Error::internal)?;
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        Ok(response)
    }

    /// The path of one of this server's pages.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Nothing from anywhere but this server. Browsers hold the whole way of a form against `form-action`, its redirects
/// included.
fn policy(goes_to: Option<&str>) -> String {
    let target = goes_to.and_then(|uri| Url::parse(uri).ok()).map(|url| match url.host_str() {
        Some(_) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
        _ => format!("{}:", url.scheme()),
    });
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'self' {}; frame-ancestors 'none'",
        target.unwrap_or_default()
    )
}
