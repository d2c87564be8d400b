//! `/oauth2/authorize`, and the pages on the way: `/oauth2/sign-in` and `/oauth2/consent`.
use std::sync::Arc;

use poem::endpoint::{make, make_sync};
use poem::http::header::{LOCATION, SET_COOKIE};
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{EndpointExt, Request, Response};

use super::decide::Decision;
use super::parameters::Parameters;
use super::request::{AuthorizationRequest, Destination, Refusal, ResponseMode};
use super::service::{Authorization, Browser, Checked};
use crate::base::{Error, Result, constant_time_eq};
use crate::http::routes::Operations;
use crate::http::{Cookies, RequestInfo};
use crate::login::Logins;
use crate::oauth::client::Client;
use crate::oauth::device;
use crate::oauth::page::{Pages, context};
use crate::rbac::Who;
use crate::session::Sessions;

/// What a page brings along that is none of the client's: when the request came.
const BEGAN: &str = "began";
/// Where requests come in.
const PATH: &str = "/oauth2/authorize";

/// Everything that people see on their way to a client.
pub struct BrowserApi {
    pub authorization: Authorization,
    pub logins: Logins,
    pub sessions: Sessions,
    pub cookies: Arc<Cookies>,
    pub pages: Pages,
}

/// What browsers go to. People see it: it is no part of the API's document.
#[must_use]
pub fn operations(api: &Arc<BrowserApi>) -> Operations {
    let page = |handler: fn(Arc<BrowserApi>, Request) -> BoxedAnswer| {
        let api = Arc::clone(api);
        make(move |request| handler(Arc::clone(&api), request)).boxed()
    };
    let both = |handler| [(Method::GET, page(handler)), (Method::POST, page(handler))].into();
    [
        (PATH, both(|api, request| Box::pin(async move { api.authorize(request).await }))),
        ("/oauth2/sign-in", both(|api, request| Box::pin(async move { api.sign_in(request).await }))),
        ("/oauth2/consent", both(|api, request| Box::pin(async move { api.consent(request).await }))),
        ("/oauth2/logout", both(|api, request| Box::pin(async move { api.log_out(request).await }))),
        ("/oauth2/form-post.js", [(Method::GET, make_sync(|_| script()).boxed())].into()),
    ]
    .map(|(path, methods)| (path.to_owned(), methods))
    .into()
}

type BoxedAnswer = futures_util::future::BoxFuture<'static, poem::Result<Response>>;

fn script() -> Response {
    Response::builder()
        .content_type("text/javascript; charset=utf-8")
        .body(include_str!("../page/form_post.js"))
}

impl BrowserApi {
    /// A request for a code, by GET or by POST (OpenID Connect Core section 3.1.2.1).
    async fn authorize(&self, mut request: Request) -> poem::Result<Response> {
        if request.method() == Method::POST {
            // Browsers keep our cookies back from what another site posts, and send them where they are led to.
            let body = request.take_body().into_vec().await.unwrap_or_default();
            let way = format!("{}?{}", self.pages.path(PATH), encoded(&body));
            return Ok(see_other(&way, Vec::new()));
        }
        let parameters = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
        Ok(self.answer(&request, &parameters, None).await.unwrap_or_else(|error| self.failed(&error)))
    }

    /// Decides about a request, and does what was decided. `agreed`: what the user has said on the page that asks.
    pub(super) async fn answer(
        &self,
        request: &Request,
        parameters: &Parameters,
        agreed: Option<bool>,
    ) -> Result<Response> {
        let Checked { client, destination, request: checked } = match self.authorization.check(parameters)? {
            Ok(checked) => checked,
            Err(why) => {
                return self.pages.render(
                    "error.html",
                    StatusCode::BAD_REQUEST,
                    None,
                    context! { error => why },
                );
            }
        };
        let asked = match checked {
            Ok(asked) => asked,
            Err(refusal) => return self.refuse(&client, &destination, refusal),
        };
        let browser = self.browser(request)?;
        let query = parameters.to_query(&[BEGAN]);
        let began = self.authorization.began(&query, parameters.get(BEGAN));
        let decision = self.authorization.decide(&client, &asked, browser.as_ref(), began)?;
        match (decision, browser, agreed) {
            (Decision::Refuse(refusal), ..) => self.refuse(&client, &destination, refusal),
            (Decision::AskConsent, Some(_), Some(false)) => {
                let (error, description) = ("access_denied", "the user does not agree");
                self.refuse(&client, &destination, Refusal { error, description })
            }
            (Decision::AskConsent, Some(browser), Some(true)) => {
                self.issue(request, &client, &asked, &browser, true).await
            }
            (Decision::Issue, Some(browser), _) => {
                self.issue(request, &client, &asked, &browser, false).await
            }
            (Decision::AskConsent, Some(_), None) => Ok(self.go_to("/oauth2/consent", &query, parameters)),
            (Decision::SignIn, ..) | (_, None, _) => Ok(self.go_to("/oauth2/sign-in", &query, parameters)),
        }
    }

    /// Leads to a page, which leads back to this request.
    fn go_to(&self, page: &str, query: &str, parameters: &Parameters) -> Response {
        let began = match parameters.get(BEGAN) {
            Some(began) if self.authorization.began(query, Some(began)).is_some() => began.to_owned(),
            _ => self.authorization.mark(query),
        };
        let back = format!("{}?{query}&{BEGAN}={began}", self.pages.path(PATH));
        let text = form_urlencoded::Serializer::new(String::new()).append_pair("continue", &back).finish();
        see_other(&format!("{}?{text}", self.pages.path(page)), Vec::new())
    }

    async fn issue(
        &self,
        request: &Request,
        client: &Client,
        asked: &AuthorizationRequest,
        browser: &Browser,
        agreed: bool,
    ) -> Result<Response> {
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        let code = self.authorization.issue(by, client, asked, browser, agreed).await?;
        self.send_back(client, &asked.destination, vec![("code", code.expose().to_owned())])
    }

    fn refuse(&self, client: &Client, destination: &Destination, refusal: Refusal) -> Result<Response> {
        let Refusal { error, description } = refusal;
        let fields = vec![("error", error.to_owned()), ("error_description", description.to_owned())];
        self.send_back(client, destination, fields)
    }

    /// Sends an answer to where the client wants it, with `state`, and with who it is from (RFC 9207).
    fn send_back(
        &self,
        client: &Client,
        destination: &Destination,
        mut fields: Vec<(&'static str, String)>,
    ) -> Result<Response> {
        if let Some(state) = &destination.state {
            fields.push(("state", state.clone()));
        }
        fields.push(("iss", self.authorization.minter.issuer().to_owned()));
        let uri = &destination.redirect_uri;
        if destination.mode == ResponseMode::FormPost {
            let about = context! { client => client.metadata.name.as_str(), action => uri, fields };
            return self.pages.render("form_post.html", StatusCode::OK, Some(uri), about);
        }
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let separator = match (destination.mode, uri.contains('?')) {
            (ResponseMode::Fragment, _) => '#',
            (_, true) => '&',
            (_, false) => '?',
        };
        Ok(see_other(&format!("{uri}{separator}{text}"), Vec::new()))
    }

    /// Whoever is signed in in a browser.
    pub(in crate::oauth) fn browser(&self, request: &Request) -> Result<Option<Browser>> {
        let Some(text) = self.cookies.browser(request.headers()) else { return Ok(None) };
        let found = self.sessions.tokens.of_browser(text)?;
        Ok(found.map(|(session, user)| Browser { session, user }))
    }

    /// The page for what went wrong; the log has the cause.
    pub(in crate::oauth) fn failed(&self, error: &Error) -> Response {
        let status = crate::http::envelope::status(error);
        if status.is_server_error() {
            tracing::error!(?error, "a page could not be shown");
        }
        let about = context! { error => error.to_string() };
        let page = self.pages.render("error.html", status, None, about);
        page.unwrap_or_else(|_| Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).finish())
    }

    /// The value that a form of this browser has to hold, and the cookie that goes with it if it has none yet.
    pub(in crate::oauth) fn form(&self, request: &Request) -> Result<(String, Vec<HeaderValue>)> {
        if let Some(value) = self.cookies.form(request.headers()) {
            return Ok((value.to_owned(), Vec::new()));
        }
        let value = self.authorization.random_text();
        let cookie = self.cookies.of_form(&value)?;
        Ok((value, vec![cookie]))
    }

    /// Whether a form was made for this browser, and by us.
    ///
    /// # Errors
    /// `Error::CsrfFailed`.
    pub(in crate::oauth) fn check_form(&self, request: &Request, fields: &Parameters) -> Result<()> {
        let (cookie, field) = (self.cookies.form(request.headers()), fields.get("form"));
        let fits = cookie.zip(field).is_some_and(|(a, b)| constant_time_eq(a.as_bytes(), b.as_bytes()));
        if fits {
            Ok(())
        } else {
            Err(Error::CsrfFailed("The form was made for another browser, or cookies are off"))
        }
    }

    /// Where a page leads afterwards: to the request that it was opened for, or the code of a device, and nowhere else.
    pub(in crate::oauth) fn parameters_of(&self, back: Option<&str>) -> Option<(Parameters, String)> {
        let (path, query) = back?.split_once('?')?;
        let is_known = [PATH, device::page::PATH].into_iter().any(|known| self.pages.path(known) == path);
        let back = || format!("{path}?{}", encoded(query.as_bytes()));
        is_known.then(|| (Parameters::parse(query.as_bytes()), back()))
    }
}

/// The same names and values, in characters that a header may hold.
pub(in crate::oauth) fn encoded(query: &[u8]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form_urlencoded::parse(query)).finish()
}

/// 303: whatever was sent here is not sent there (RFC 9700 section 4.12).
pub(in crate::oauth) fn see_other(uri: &str, cookies: Vec<HeaderValue>) -> Response {
    let mut response = Response::builder().status(StatusCode::SEE_OTHER).finish();
    // A registered URI is ASCII, and all else is encoded.
    if let Ok(uri) = HeaderValue::try_from(uri) {
        response.headers_mut().insert(LOCATION, uri);
    }
    with_cookies(response, cookies)
}

pub(in crate::oauth) fn with_cookies(mut response: Response, cookies: Vec<HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
