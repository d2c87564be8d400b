//! `/account/…`: what is shared by the pages about accounts.
use std::sync::Arc;

use futures_util::future::BoxFuture;
use poem::endpoint::{make, make_sync};
use poem::http::{Method, StatusCode};
use poem::{EndpointExt, Request, Response};

use super::mailed::Mailed;
use crate::account::Accounts;
use crate::base::{Error, Result};
use crate::config::Registration;
use crate::email_verification::EmailVerifications;
use crate::http::routes::Operations;
use crate::http::{Failure, envelope};
use crate::oauth::authorize::http::{BrowserApi, OWN_ACCOUNT, continuing, with_cookies};
use crate::oauth::authorize::parameters::Parameters;
use crate::oauth::page::{About, Field, Language, Shown, asset, context, judged, texts, with_retry};
use crate::password_reset::PasswordResets;
use crate::recovery::Recoveries;
use crate::registration::Registrations;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Everything that people see of accounts.
pub struct AccountPages {
    pub browser: Arc<BrowserApi>,
    pub accounts: Accounts,
    pub registrations: Arc<Registrations>,
    pub registration: Registration,
    pub resets: PasswordResets,
    pub addresses: Arc<EmailVerifications>,
    pub recoveries: Recoveries,
}

type Answer = BoxFuture<'static, poem::Result<Response>>;

/// A form, and what is said above it.
pub(super) struct Asked<'a> {
    /// The path that it is sent to, below `/account/`; the id of the form.
    pub page: &'static str,
    pub title: &'a str,
    pub text: &'a str,
    pub button: &'a str,
    pub fields: Vec<Field>,
    /// The request that it leads to afterwards.
    pub begun: Option<&'a (Parameters, String)>,
    /// Whether the link in a mail leads here.
    pub is_mailed: bool,
    /// Whether the mail can be sent once more.
    pub resends: bool,
}

/// What browsers go to. People see it: it is no part of the API's document.
#[must_use]
pub fn operations(pages: &Arc<AccountPages>) -> Operations {
    let page = |handler: fn(Arc<AccountPages>, Request) -> Answer| {
        let pages = Arc::clone(pages);
        make(move |request| handler(Arc::clone(&pages), request)).boxed()
    };
    let both =
        |handler| [Method::GET, Method::HEAD, Method::POST].map(|method| (method, page(handler))).into();
    let only = |handler| [Method::GET, Method::HEAD].map(|method| (method, page(handler))).into();
    let script = |text: &'static str| [(Method::GET, make_sync(move |_| asset(SCRIPT, text)).boxed())].into();
    let mut all: Operations = [
        ("/account/register", both(|pages, request| Box::pin(async move { pages.register(request).await }))),
        (
            "/account/forgot-password",
            both(|pages, request| Box::pin(async move { pages.forgot(request).await })),
        ),
        (OWN_ACCOUNT, only(|pages, request| Box::pin(async move { Ok(pages.passkeys(&request)) }))),
        ("/account/style.css", only(|pages, _| Box::pin(async move { Ok(pages.browser.pages.style()) }))),
        ("/account/logo", only(|pages, _| Box::pin(async move { pages.logo() }))),
        ("/account/passkeys.js", script(include_str!("passkeys.js"))),
        ("/account/mailed.js", script(include_str!("mailed.js"))),
    ]
    .map(|(path, methods)| (path.to_owned(), methods))
    .into();
    for kind in Mailed::ALL {
        let serve = |pages: &Arc<AccountPages>| {
            let pages = Arc::clone(pages);
            make(move |request| {
                let pages = Arc::clone(&pages);
                async move { pages.mailed(kind, request).await }
            })
            .boxed()
        };
        let methods = [Method::GET, Method::HEAD, Method::POST].map(|method| (method, serve(pages)));
        all.insert(format!("/account/{}", kind.page()), methods.into());
    }
    all
}

impl AccountPages {
    fn passkeys(&self, request: &Request) -> Response {
        let pages = &self.browser.pages;
        let shown = Shown::in_language(pages.language(request.headers(), None));
        let page = self.browser.pages.render("passkeys.html", shown, context! {});
        page.unwrap_or_else(|error| self.browser.failed(request, &error))
    }

    fn logo(&self) -> poem::Result<Response> {
        Ok(self.browser.pages.logo().ok_or(Failure(Error::NotFound("logo")))?)
    }

    /// The request that a page goes on with: the one that it was opened for, else the one that was begun in this browser.
    pub(super) fn begun(&self, request: &Request, fields: &Parameters) -> Option<(Parameters, String)> {
        let named = self.browser.parameters_of(fields.get("continue"));
        named.or_else(|| self.browser.remembered(request))
    }

    /// The language of a page, which is that of the request that it goes on with.
    pub(super) fn language(&self, request: &Request, begun: Option<&(Parameters, String)>) -> &Language {
        self.browser.language(request, begun.map(|(parameters, _)| parameters))
    }

    /// Shows a form; what went wrong with it before, if anything.
    pub(super) fn ask(
        &self,
        request: &Request,
        language: &Language,
        asked: Asked<'_>,
        error: Option<&Error>,
    ) -> Result<Response> {
        let texts = &language.texts;
        let mut fields = asked.fields;
        let rest = judged(&mut fields, texts, error).map(|error| texts::of_error(texts, error));
        let (form, cookies) = self.browser.form(request)?;
        let back = asked.begun.map(|(_, back)| back.as_str());
        let goes_to =
            asked.begun.map(|(parameters, _)| self.browser.goes_to(parameters)).transpose()?.flatten();
        let about = context! {
            form,
            fields,
            error => rest,
            page => asked.page,
            title => asked.title,
            text => asked.text,
            button => asked.button,
            continue => back,
            sign_in_query => continuing(back.unwrap_or(&self.browser.pages.path(OWN_ACCOUNT))),
            mailed => asked.is_mailed,
            resends => asked.resends,
        };
        let status = error.map_or(StatusCode::OK, envelope::status);
        let shown = Shown::in_language(language).with_status(status).going_to(goes_to.as_deref());
        let page = self.browser.pages.render("account_form.html", shown, about)?;
        Ok(with_cookies(with_retry(page, error), cookies))
    }

    /// Says that something was done, and leads on. `value`: what the text has room for.
    pub(super) fn tell(
        &self,
        language: &Language,
        (title, text, value): (&str, &str, Option<&str>),
        (href, label): (String, &str),
    ) -> Result<Response> {
        let about: About = context! { title, text, value, href, label };
        self.browser.pages.render("notice.html", Shown::in_language(language), about)
    }

    /// Where the way in is for whoever has just set something in order, and what it is called: on to the request that was
    /// begun, by way of signing in where nobody is.
    pub(super) fn way_on<'l>(
        &self,
        request: &Request,
        language: &'l Language,
        begun: Option<&(Parameters, String)>,
    ) -> Result<(String, &'l str)> {
        let own = self.browser.pages.path(OWN_ACCOUNT);
        let back = begun.map_or(own.as_str(), |(_, back)| back.as_str());
        if self.browser.browser(request)?.is_some() {
            return Ok((back.to_owned(), &language.texts.go_on));
        }
        let page = self.browser.pages.path("/oauth2/sign-in");
        Ok((format!("{page}?{}", continuing(back)), &language.texts.back_to_sign_in))
    }
}
