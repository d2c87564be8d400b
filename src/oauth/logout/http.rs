//! `/oauth2/logout`, by GET and by POST.
use std::sync::Arc;

use poem::http::Method;
use poem::{Request, Response};

use crate::base::{Error, Result};
use crate::http::RequestInfo;
use crate::oauth::authorize::http::{BrowserApi, encoded, see_other, with_cookies};
use crate::oauth::authorize::parameters::Parameters;
use crate::oauth::authorize::service::Browser;
use crate::oauth::client::{Client, ClientId};
use crate::oauth::page::{Shown, context};
use crate::rbac::Who;

const PATH: &str = "/oauth2/logout";
/// What the user has said on this page.
const ANSWER: &str = "answer";
/// Seconds that a browser has for what it is to open, before it is led on.
const PATIENCE_SECS: u32 = 3;
/// What is this page's own, and not the client's.
const OWN: &[&str] = &["form", ANSWER];

/// What a client has said of the end that it wants.
struct Wish {
    /// The client, if it is known which.
    client: Option<Arc<Client>>,
    /// The session that its ID token is about.
    session: Option<String>,
}

impl BrowserApi {
    pub(in crate::oauth) async fn log_out(&self, mut request: Request) -> poem::Result<Response> {
        let is_posted = request.method() == Method::POST;
        let text = if is_posted {
            request.take_body().into_vec().await.unwrap_or_default()
        } else {
            request.uri().query().unwrap_or_default().as_bytes().to_vec()
        };
        let parameters = Parameters::parse(&text);
        if is_posted && parameters.get(ANSWER).is_none() {
            // Browsers keep our cookies back from what another site posts, and send them where they are led to.
            return Ok(see_other(&format!("{}?{}", self.pages.path(PATH), encoded(&text)), Vec::new()));
        }
        let answer = self.end_session(&request, &parameters).await;
        Ok(answer.unwrap_or_else(|error| self.failed(&request, &error)))
    }

    async fn end_session(&self, request: &Request, parameters: &Parameters) -> Result<Response> {
        let wish = self.wish(parameters)?;
        let goes_to = match (parameters.get("post_logout_redirect_uri"), &wish.client) {
            (None, _) => None,
            (Some(uri), Some(client)) if wish.session.is_some() && is_registered(client, uri) => Some(uri),
            // Where nobody vouches for it, nobody is sent (section 3).
            (Some(_), _) => {
                let why = "The application wants to go back to an address that it has not registered, or has not said who it is \
                           (post_logout_redirect_uri, id_token_hint).";
                return Err(Error::Malformed(why.into()));
            }
        };
        let Some(browser) = self.browser(request)? else {
            return self.signed_out(request, parameters, goes_to, &[]);
        };
        let has_agreed = parameters.get(ANSWER) == Some("yes");
        let sid = self.authorization.sid(browser.session.id)?.to_string();
        let is_its_own = wish.session.is_some_and(|session| session == sid);
        // Whoever merely links to this page signs nobody out (section 2).
        if !is_its_own && !has_agreed {
            return self.ask(request, parameters, &browser, goes_to);
        }
        if has_agreed {
            self.check_form(request, parameters)?;
        }
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        let farewells = self.authorization.farewells(browser.session.id)?;
        self.sessions.revoke(by, browser.user.id, browser.session.id).await?;
        self.signed_out(request, parameters, goes_to, &farewells)
    }

    /// What the client has said. A hint that is none is as good as none: it may be from before a change of keys.
    fn wish(&self, parameters: &Parameters) -> Result<Wish> {
        let authorization = &self.authorization;
        let hint =
            parameters.get("id_token_hint").and_then(|hint| authorization.minter.verify(hint, "JWT").ok());
        let of_hint = hint.as_ref().and_then(|claims| claims["aud"].as_str()).map(str::to_owned);
        let named = parameters.get("client_id").map(str::to_owned);
        if of_hint.is_some() && named.is_some() && of_hint != named {
            return Err(Error::Malformed("client_id is not the one that id_token_hint was made for".into()));
        }
        let id = of_hint.or(named).and_then(|id| ClientId::parse(&id).ok());
        let client = id.map(|id| authorization.clients.find(&id)).transpose()?.flatten();
        let session = hint.and_then(|claims| claims["sid"].as_str().map(str::to_owned));
        Ok(Wish { client, session })
    }

    fn ask(
        &self,
        request: &Request,
        parameters: &Parameters,
        browser: &Browser,
        goes_to: Option<&str>,
    ) -> Result<Response> {
        let (form, cookies) = self.form(request)?;
        let rest = parameters.to_query(OWN);
        let rest: Vec<(String, String)> = form_urlencoded::parse(rest.as_bytes()).into_owned().collect();
        let about = context! { form, rest, username => browser.user.username.as_str() };
        let shown = Shown::in_language(self.language(request, Some(parameters))).going_to(goes_to);
        Ok(with_cookies(self.pages.render("sign_out.html", shown, about)?, cookies))
    }

    /// Back to where the client wants its user; at once, unless the browser has to open something on the way.
    fn signed_out(
        &self,
        request: &Request,
        parameters: &Parameters,
        goes_to: Option<&str>,
        farewells: &[String],
    ) -> Result<Response> {
        let cookies = self.cookies.cleared()?;
        let goes_to = goes_to.map(|uri| with_state(uri, parameters.get("state")));
        match goes_to {
            Some(uri) if farewells.is_empty() => Ok(see_other(&uri, cookies)),
            goes_to => {
                let about = context! { goes_to, farewells => farewells.to_vec(), patience => PATIENCE_SECS };
                let shown = Shown::in_language(self.language(request, Some(parameters)));
                let page = self.pages.render_with_frames("signed_out.html", shown, farewells, about)?;
                Ok(with_cookies(page, cookies))
            }
        }
    }
}

fn with_state(uri: &str, state: Option<&str>) -> String {
    let state = state.map(|state| ("state", state));
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(state).finish();
    let separator = match (text.is_empty(), uri.contains('?')) {
        (true, _) => "",
        (_, true) => "&",
        (_, false) => "?",
    };
    format!("{uri}{separator}{text}")
}

fn is_registered(client: &Client, uri: &str) -> bool {
    client.metadata.post_logout_redirect_uris.iter().any(|own| own.admits(uri))
}
