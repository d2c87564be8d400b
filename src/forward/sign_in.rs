//! `/auth/forward/sign-in`: how a browser gets the cookie that passes reverse proxies, and back to the page that was asked for.
//!
//! Login CSRF: the cookie is that of the session which this very browser has here, by a cookie that no other host can read or
//! set (`__Host-`). A link to this page signs nobody in as somebody else; the form that signs in has its own guard. What leads
//! back is looked at each time, and put together anew.
use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::http::Method;
use poem::{EndpointExt, Request, Response};

use super::http::Forward;
use crate::base::{Error, Result};
use crate::http::forward_path::{RETURN_TO, SIGN_IN};
use crate::http::routes::Operations;
use crate::oauth::authorize::http::{BrowserApi, continuing, see_other};
use crate::oauth::authorize::parameters::Parameters;
use crate::session::AccessToken;

const SECOND_FACTOR: &str = "second_factor";
/// The texts have it in every language.
pub const WRONG_RETURN: &str = "No page that this server guards has the address to lead back to";
pub const NO_FACTOR: &str = "The page needs a second factor, and your account has none: set one up first";

/// What browsers go to on their way through a proxy.
pub struct ForwardPages {
    pub browser: Arc<BrowserApi>,
    pub forward: Arc<Forward>,
}

/// Where a browser signs in that is to come back to an address.
#[must_use]
pub fn address(public_url: &str, back: &str, second_factor: bool) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(RETURN_TO, back);
    if second_factor {
        query.append_pair(SECOND_FACTOR, "true");
    }
    format!("{}{SIGN_IN}?{}", public_url.trim_end_matches('/'), query.finish())
}

/// What browsers go to. People see it: it is no part of the API's document.
#[must_use]
pub fn operations(pages: &Arc<ForwardPages>) -> Operations {
    let page = || {
        let pages = Arc::clone(pages);
        make_sync(move |request| pages.serve(&request)).boxed()
    };
    [(SIGN_IN.to_owned(), [Method::GET, Method::HEAD].map(|method| (method, page())).into())].into()
}

impl ForwardPages {
    fn serve(&self, request: &Request) -> Response {
        self.open(request).unwrap_or_else(|error| self.browser.failed(request, &error))
    }

    fn open(&self, request: &Request) -> Result<Response> {
        let fields = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
        let back = fields.get(RETURN_TO).filter(|_| fields.repeated.is_none());
        let back = back.and_then(|back| self.forward.returns(back));
        let back = back.ok_or(Error::Malformed(WRONG_RETURN.into()))?;
        let wants_two = fields.get(SECOND_FACTOR) == Some("true");
        let Some(browser) = self.browser.browser(request)? else { return Ok(self.sign_in(&back, wants_two)) };
        let lifetime = browser.session.expires_at.secs_since(self.forward.passers.env.now());
        let proven = AccessToken::of_session(browser.session);
        if wants_two && !proven.satisfies_policy() {
            if self.browser.logins.mfa.can_show(browser.user.id)? {
                return Ok(self.sign_in(&back, true));
            }
            return Err(Error::Refused(NO_FACTOR));
        }
        let text = self.forward.passers.tokens.text(&proven);
        let cookie = self.forward.cookie.holding(text.expose(), lifetime)?;
        Ok(see_other(&back, vec![cookie]))
    }

    /// Has somebody sign in, and come back here.
    fn sign_in(&self, back: &str, second_factor: bool) -> Response {
        let pages = &self.browser.pages;
        let here = address(&pages.path(""), back, second_factor);
        see_other(&format!("{}?{}", pages.path("/oauth2/sign-in"), continuing(&here)), Vec::new())
    }
}
