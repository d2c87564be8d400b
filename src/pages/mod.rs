//! Small pages for people, at `/account`. They own no rules: their scripts ask the API, as anybody may. Scripts and styles
//! are files of this server, so that a page can forbid every other one. What the link in a mail holds stands behind its `#`,
//! which no browser sends: `page.js` reads it there and hands it on.
use poem::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use poem::{Endpoint, Response, Route, endpoint::make_sync, get};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The routes of the pages, to be nested at `/account`.
#[must_use]
pub fn routes() -> Route {
    Route::new()
        .at("/passkeys", get(page(include_str!("passkeys.html"))))
        .at("/passkeys.js", get(asset(SCRIPT, include_str!("passkeys.js"))))
        .at("/reset-password", get(page(include_str!("reset_password.html"))))
        .at("/verify-email", get(page(include_str!("verify_email.html"))))
        .at("/confirm-email", get(page(include_str!("confirm_email.html"))))
        .at("/sign-in", get(page(include_str!("sign_in.html"))))
        .at("/recover", get(page(include_str!("recover.html"))))
        .at("/page.js", get(asset(SCRIPT, include_str!("page.js"))))
        .at("/style.css", get(asset(STYLE, include_str!("style.css"))))
}

fn page(text: &'static str) -> impl Endpoint {
    make_sync(move |_| {
        Response::builder().header(CONTENT_TYPE, HTML).header(CONTENT_SECURITY_POLICY, POLICY).body(text)
    })
}

/// Asked for anew each time: a page and its script are of one version.
fn asset(content_type: &'static str, text: &'static str) -> impl Endpoint {
    make_sync(move |_| {
        Response::builder().header(CONTENT_TYPE, content_type).header(CACHE_CONTROL, "no-cache").body(text)
    })
}
