//! `/oauth2/authorize`, and the pages on the way: signing in, choosing an account, agreeing.
use std::sync::Arc;

use poem::endpoint::{make, make_sync};
use poem::http::header::{LOCATION, SET_COOKIE};
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{EndpointExt, Request, Response};

use super::decide::Decision;
use super::parameters::Parameters;
use super::request::{AuthorizationRequest, Destination, Refusal, ResponseMode};
use super::service::{Authorization, Browser, Checked};
pub use super::sign_in::{Returns, SignInOffers};
use crate::base::{Error, Result, constant_time_eq};
use crate::email_login::EmailLogins;
use crate::http::address::client_network;
use crate::http::forward_path::SIGN_IN;
use crate::http::limit::{self, RateLimiter};
use crate::http::routes::Operations;
use crate::http::{Cookies, RequestInfo};
use crate::login::Logins;
use crate::oauth::client::Client;
use crate::oauth::client_document::ClientDocuments;
use crate::oauth::device;
use crate::oauth::entrance::counted_by;
use crate::oauth::page::texts::{self, WRONG_CLIENT};
use crate::oauth::page::{Language, Pages, Shown, asset, context};
use crate::passkey::Passkeys;
use crate::rbac::Who;
use crate::session::Sessions;

/// What a page brings along that is none of the client's: when the request came.
const BEGAN: &str = "began";
/// And which account its user has chosen for it.
pub(super) const ACCOUNT: &str = "account";
const OWN: &[&str] = &[BEGAN, ACCOUNT];
/// The page about one's own account.
pub(crate) const OWN_ACCOUNT: &str = "/account/passkeys";
/// Where requests come in.
const PATH: &str = "/oauth2/authorize";
const SELECT_ACCOUNT: &str = "/oauth2/select-account";

/// Everything that people see on their way to a client.
pub struct BrowserApi {
    pub authorization: Authorization,
    pub logins: Logins,
    pub passkeys: Passkeys,
    pub email_logins: Arc<EmailLogins>,
    pub sessions: Sessions,
    pub cookies: Arc<Cookies>,
    pub pages: Arc<Pages>,
    pub documents: ClientDocuments,
    /// How many documents of clients are read in an hour, for one network and of one host.
    pub fetching: Arc<RateLimiter>,
    pub offers: SignInOffers,
    /// The address behind a proxy that a sign-in may lead back to, if it is one.
    pub returns: Arc<Returns>,
}

/// What browsers go to. People see it: it is no part of the API's document.
#[must_use]
pub fn operations(api: &Arc<BrowserApi>) -> Operations {
    let page = |handler: fn(Arc<BrowserApi>, Request) -> BoxedAnswer| {
        let api = Arc::clone(api);
        make(move |request| handler(Arc::clone(&api), request)).boxed()
    };
    let both =
        |handler| [Method::GET, Method::HEAD, Method::POST].map(|method| (method, page(handler))).into();
    let script = |text: &'static str| [(Method::GET, make_sync(move |_| asset(SCRIPT, text)).boxed())].into();
    [
        (PATH, both(|api, request| Box::pin(async move { api.authorize(request).await }))),
        ("/oauth2/sign-in", both(|api, request| Box::pin(async move { api.sign_in(request).await }))),
        (
            "/oauth2/mail-sign-in",
            both(|api, request| Box::pin(async move { api.sign_in_by_mail(request).await })),
        ),
        (SELECT_ACCOUNT, both(|api, request| Box::pin(async move { api.select_account(request).await }))),
        ("/oauth2/consent", both(|api, request| Box::pin(async move { api.consent(request).await }))),
        ("/oauth2/logout", both(|api, request| Box::pin(async move { api.log_out(request).await }))),
        ("/oauth2/form-post.js", script(include_str!("../page/form_post.js"))),
        ("/oauth2/passkey.js", script(include_str!("../page/passkey.js"))),
    ]
    .map(|(path, methods)| (path.to_owned(), methods))
    .into()
}

type BoxedAnswer = futures_util::future::BoxFuture<'static, poem::Result<Response>>;

/// Bytes of a posted request, which leads on as an address: what browsers and proxies take.
const LONGEST_REQUEST: usize = 16 * 1024;
const SCRIPT: &str = "text/javascript; charset=utf-8";

impl BrowserApi {
    /// A request for a code, by GET or by POST (OpenID Connect Core section 3.1.2.1).
    async fn authorize(&self, mut request: Request) -> poem::Result<Response> {
        if request.method() == Method::POST {
            // Browsers keep our cookies back from what another site posts, and send them where they are led to.
            let body = request.take_body().into_vec().await.unwrap_or_default();
            if body.len() > LONGEST_REQUEST {
                let why = "The application asks for more than fits into an address: it can push its request (RFC 9126)";
                return Ok(self.failed(&request, &Error::Malformed(why.into())));
            }
            let way = format!("{}?{}", self.pages.path(PATH), encoded(&body));
            return Ok(see_other(&way, Vec::new()));
        }
        let outer = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
        let answer = match self.authorization.read(outer, OWN).await {
            Ok(parameters) => match self.meet(&request, &parameters).await {
                Ok(()) => self.answer(&request, &parameters, None).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        Ok(answer.unwrap_or_else(|error| self.failed(&request, &error)))
    }

    /// Reads what a client says of itself, if it has to be read. Strangers have us ask others: neither for one network nor of one
    /// host without end.
    async fn meet(&self, request: &Request, parameters: &Parameters) -> Result<()> {
        let asked = parameters.get("client_id").unwrap_or_default();
        let Some((id, url)) = self.documents.due(asked)? else { return Ok(()) };
        let (info, now) = (RequestInfo::of(request)?, self.authorization.env.now());
        self.fetching.count(limit::Client::Address(client_network(info.address)), None, now)?;
        self.fetching.count(counted_by(url.host_str().unwrap_or_default()), None, now)?;
        self.documents.fetch(info.initiator(Who::Nobody), id).await.map_err(|error| match error {
            Error::Invalid(wrong) => {
                Error::Malformed(format!("{WRONG_CLIENT}{} {}", wrong.field, wrong.reason).into())
            }
            other => other,
        })
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
                let language = self.language(request, Some(parameters));
                let about = context! { error => texts::of_reason(&language.texts, why) };
                let shown = Shown::in_language(language).with_status(StatusCode::BAD_REQUEST);
                return self.pages.render("error.html", shown, about);
            }
        };
        let browser = self.browser(request)?;
        let asked = match checked {
            Ok(asked) => asked,
            // Nobody has looked at where it leads to: it leads there those alone who have signed in here, unless it asks for
            // nothing to be shown (RFC 9700 section 4.11.2).
            Err(refusal)
                if client.is_on_its_word()
                    && browser.is_none()
                    && parameters.get("prompt") != Some("none") =>
            {
                return Err(Error::Malformed(refusal.description.into()));
            }
            Err(refusal) => return self.refuse(request, &client, &destination, refusal),
        };
        let query = parameters.to_query(OWN);
        let known = self.cookies.form(request.headers()).unwrap_or_default();
        let began = self.authorization.began((&query, known), parameters.get(BEGAN));
        let is_chosen =
            browser.as_ref().is_some_and(|browser| self.is_chosen((&query, known), parameters, browser));
        let decision = self.authorization.decide(&client, &asked, browser.as_ref(), (began, is_chosen))?;
        match (decision, browser, agreed) {
            (Decision::Refuse(refusal), ..) => {
                self.authorization.give_up(&asked).await?;
                self.refuse(request, &client, &destination, refusal)
            }
            (Decision::AskConsent, Some(_), Some(false)) => {
                let (error, description) = ("access_denied", "the user does not agree");
                self.authorization.give_up(&asked).await?;
                self.refuse(request, &client, &destination, Refusal { error, description })
            }
            (Decision::SelectAccount, Some(_), _) => self.go_to(request, SELECT_ACCOUNT, &query, parameters),
            (Decision::AskConsent, Some(browser), Some(true)) => {
                self.issue(request, &client, &asked, &browser, true).await
            }
            (Decision::Issue, Some(browser), _) => {
                self.issue(request, &client, &asked, &browser, false).await
            }
            (Decision::AskConsent, Some(_), None) => {
                self.go_to(request, "/oauth2/consent", &query, parameters)
            }
            (Decision::SignIn, ..) | (_, None, _) => {
                self.go_to(request, "/oauth2/sign-in", &query, parameters)
            }
        }
    }

    /// Leads to a page, which leads back to this request; as one that this browser has come with.
    fn go_to(&self, request: &Request, page: &str, query: &str, parameters: &Parameters) -> Result<Response> {
        let (browser, cookies) = self.form(request)?;
        let about = (query, browser.as_str());
        let began = match parameters.get(BEGAN) {
            Some(began) if self.authorization.began(about, Some(began)).is_some() => began.to_owned(),
            _ => self.authorization.mark(about),
        };
        // Whoever is to choose has not chosen yet.
        let account = parameters.get(ACCOUNT).filter(|_| page != SELECT_ACCOUNT).map(|mark| (ACCOUNT, mark));
        let account = form_urlencoded::Serializer::new(String::new()).extend_pairs(account).finish();
        let separator = if account.is_empty() { "" } else { "&" };
        let back = format!("{}?{query}&{BEGAN}={began}{separator}{account}", self.pages.path(PATH));
        Ok(see_other(&format!("{}?{}", self.pages.path(page), continuing(&back)), cookies))
    }

    /// What says for a request of a browser (its query, and what forms there hold) that its user has chosen an account: that of
    /// a session.
    pub(super) fn account_mark(&self, (query, form): (&str, &str), browser: &Browser) -> String {
        self.authorization.mark((&of_session(query, browser), form))
    }

    /// A request as it came.
    pub(super) fn query_of(parameters: &Parameters) -> String {
        parameters.to_query(OWN)
    }

    /// Remembers in the browser which request was begun, for the page that a mail leads to.
    pub(crate) fn remember(&self, back: &str) -> Result<Vec<HeaderValue>> {
        // More than browsers keep: then the page ends here.
        const MOST: usize = 3000;
        let query = back.strip_prefix(&self.pages.path(PATH)).and_then(|rest| rest.strip_prefix('?'));
        let query = query.filter(|query| query.len() <= MOST);
        query.map(|query| self.cookies.of_begun(query)).into_iter().collect()
    }

    /// The request that was begun in this browser.
    pub(crate) fn remembered(&self, request: &Request) -> Option<(Parameters, String)> {
        let query = self.cookies.begun(request.headers())?;
        self.parameters_of(Some(&format!("{}?{query}", self.pages.path(PATH))))
    }

    fn is_chosen(&self, (query, form): (&str, &str), parameters: &Parameters, browser: &Browser) -> bool {
        let query = of_session(query, browser);
        self.authorization.began((&query, form), parameters.get(ACCOUNT)).is_some()
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
        let fields = vec![("code", code.expose().to_owned())];
        self.send_back(request, client, &asked.destination, fields)
    }

    fn refuse(
        &self,
        request: &Request,
        client: &Client,
        destination: &Destination,
        refusal: Refusal,
    ) -> Result<Response> {
        let Refusal { error, description } = refusal;
        let fields = vec![("error", error.to_owned()), ("error_description", description.to_owned())];
        self.send_back(request, client, destination, fields)
    }

    /// Sends an answer to where the client wants it, with `state`, and with who it is from (RFC 9207).
    fn send_back(
        &self,
        request: &Request,
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
            let shown = Shown::in_language(self.language(request, None)).going_to(Some(uri));
            return self.pages.render("form_post.html", shown, about);
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
    pub(crate) fn browser(&self, request: &Request) -> Result<Option<Browser>> {
        let Some(text) = self.cookies.browser(request.headers()) else { return Ok(None) };
        let found = self.sessions.tokens.of_browser(text)?;
        Ok(found.map(|(session, user)| Browser { session, user }))
    }

    /// The language of a page: what an application wants, or the browser does.
    pub(crate) fn language(&self, request: &Request, parameters: Option<&Parameters>) -> &Language {
        self.pages.language(request.headers(), parameters.and_then(|all| all.get("ui_locales")))
    }

    /// The page for what went wrong; the log has the cause.
    pub(crate) fn failed(&self, request: &Request, error: &Error) -> Response {
        self.pages.of_error(self.language(request, None), error)
    }

    /// The value that a form of this browser has to hold, and the cookie that goes with it if it has none yet.
    pub(crate) fn form(&self, request: &Request) -> Result<(String, Vec<HeaderValue>)> {
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
    pub(crate) fn check_form(&self, request: &Request, fields: &Parameters) -> Result<()> {
        let (cookie, field) = (self.cookies.form(request.headers()), fields.get("form"));
        let fits = cookie.zip(field).is_some_and(|(a, b)| constant_time_eq(a.as_bytes(), b.as_bytes()));
        if fits {
            Ok(())
        } else {
            Err(Error::CsrfFailed("The form was made for another browser, or cookies are off"))
        }
    }

    /// Where a page leads afterwards: to the request that it was opened for, the code of a device, something behind a proxy,
    /// or the page about one's own account, and nowhere else.
    pub(crate) fn parameters_of(&self, back: Option<&str>) -> Option<(Parameters, String)> {
        let back = back?;
        if back == self.pages.path(OWN_ACCOUNT) {
            return Some((Parameters::default(), back.to_owned()));
        }
        let (path, query) = back.split_once('?')?;
        if path == self.pages.path(SIGN_IN) {
            return Some(self.behind_proxy(path, query));
        }
        let is_known = [PATH, device::page::PATH].into_iter().any(|known| self.pages.path(known) == path);
        let back = || format!("{path}?{}", encoded(query.as_bytes()));
        let outer = Parameters::parse(query.as_bytes());
        let parameters = self.authorization.read_again(outer.clone(), OWN).unwrap_or(outer);
        is_known.then(|| (parameters, back()))
    }
}

/// What a page was sent: whether it is the answer to a form, and what it says.
pub(crate) async fn fields_of(request: &mut Request) -> (bool, Parameters) {
    let is_answer = request.method() == Method::POST;
    let text = if is_answer {
        request.take_body().into_vec().await.unwrap_or_default()
    } else {
        request.uri().query().unwrap_or_default().as_bytes().to_vec()
    };
    (is_answer, Parameters::parse(&text))
}

/// A request and who it is for. No query has a line break.
fn of_session(query: &str, browser: &Browser) -> String {
    format!("{query}\n{}", browser.session.id)
}

/// The part of a query that says where a page leads afterwards.
pub(crate) fn continuing(back: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("continue", back).finish()
}

/// The same names and values, in characters that a header may hold.
pub(in crate::oauth) fn encoded(query: &[u8]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form_urlencoded::parse(query)).finish()
}

/// 303: whatever was sent here is not sent there (RFC 9700 section 4.12).
pub(crate) fn see_other(uri: &str, cookies: Vec<HeaderValue>) -> Response {
    let mut response = Response::builder().status(StatusCode::SEE_OTHER).finish();
    // A registered URI is ASCII, and all else is encoded.
    if let Ok(uri) = HeaderValue::try_from(uri) {
        response.headers_mut().insert(LOCATION, uri);
    }
    with_cookies(response, cookies)
}

pub(crate) fn with_cookies(mut response: Response, cookies: Vec<HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
