//! `/device`: the code that a device shows, and whether its user lets it have what it asks for.
//!
//! Whoever has led somebody here may have a device of his own (RFC 8628 section 5.4). So nothing is ever given without a
//! press of the button: not when the code came in the link, not to clients of our own, not to those that were agreed to before.
use std::sync::Arc;

use poem::endpoint::make;
use poem::http::{Method, StatusCode};
use poem::{EndpointExt, Request, Response};

use super::model::UserCode;
use super::service::{Asked, DeviceRequests};
use crate::base::{Error, Result};
use crate::http::RequestInfo;
use crate::http::envelope::status;
use crate::http::routes::Operations;
use crate::oauth::authorize::consent::words_of;
use crate::oauth::authorize::http::{BrowserApi, see_other, with_cookies};
use crate::oauth::authorize::parameters::Parameters;
use crate::oauth::authorize::service::Browser;
use crate::oauth::page::{Shown, context, texts, with_retry};
use crate::rbac::Who;

/// Where users go.
pub const PATH: &str = "/device";

/// What users of devices see.
pub struct DevicePages {
    pub browser: Arc<BrowserApi>,
    pub devices: DeviceRequests,
}

/// What browsers go to. People see it: it is no part of the API's document.
#[must_use]
pub fn operations(pages: &Arc<DevicePages>) -> Operations {
    let page = || {
        let pages = Arc::clone(pages);
        make(move |request| {
            let pages = Arc::clone(&pages);
            async move { Ok::<_, poem::Error>(pages.serve(request).await) }
        })
        .boxed()
    };
    [(PATH.to_owned(), [Method::GET, Method::HEAD, Method::POST].map(|method| (method, page())).into())]
        .into()
}

impl DevicePages {
    async fn serve(&self, mut request: Request) -> Response {
        let answer = if request.method() == Method::POST {
            let fields = Parameters::parse(&request.take_body().into_vec().await.unwrap_or_default());
            self.take(&request, &fields).await
        } else {
            let fields = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
            self.open(&request, &fields)
        };
        answer.unwrap_or_else(|error| self.browser.failed(&request, &error))
    }

    /// The page that a code is typed into; one that came in the link stands there already. It is not looked up: that another
    /// site leads here costs nobody a guess.
    fn open(&self, request: &Request, fields: &Parameters) -> Result<Response> {
        let typed = fields.get("user_code").unwrap_or_default();
        match UserCode::parse(typed) {
            Some(code) if self.browser.browser(request)?.is_none() => Ok(self.sign_in(&code)),
            _ => self.entry(request, typed, None),
        }
    }

    async fn take(&self, request: &Request, fields: &Parameters) -> Result<Response> {
        self.browser.check_form(request, fields)?;
        let typed = fields.get("user_code").unwrap_or_default();
        let Some(code) = UserCode::parse(typed) else {
            let error = Error::Malformed("The code has eight letters, as the device shows them".into());
            return self.entry(request, typed, Some(&error));
        };
        let Some(browser) = self.browser.browser(request)? else { return Ok(self.sign_in(&code)) };
        let network = RequestInfo::of(request)?.address;
        let asked = match self.devices.find(browser.user.id, network, &code) {
            Ok(asked) => asked,
            Err(error @ (Error::NotFound(_) | Error::TooManyAttempts { .. })) => {
                return self.entry(request, typed, Some(&error));
            }
            Err(error) => return Err(error),
        };
        let of_user = self.browser.authorization.signed_in(&asked.client, &asked.request.wanted, &browser)?;
        if !of_user.is_allowed {
            return Err(Error::Forbidden("a role that the application is for".into()));
        }
        if of_user.is_limited {
            return Err(Error::MfaEnrolmentRequired);
        }
        match fields.get("answer") {
            None => self.confirm(request, &code, &asked, &browser),
            // What is not a clear yes is none.
            Some(said) => self.answer(request, asked, &browser, said == "agree").await,
        }
    }

    async fn answer(
        &self,
        request: &Request,
        asked: Asked,
        browser: &Browser,
        agrees: bool,
    ) -> Result<Response> {
        let client = Arc::clone(&asked.client);
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        self.devices.answer(by, asked, browser, agrees).await?;
        let about = context! { client => client.metadata.name.as_str(), agrees };
        let shown = Shown::in_language(self.browser.language(request, None));
        self.browser.pages.render("device_done.html", shown, about)
    }

    /// Leads to the page where users sign in, which leads back here.
    fn sign_in(&self, code: &UserCode) -> Response {
        let back = format!("{}?user_code={}", self.browser.pages.path(PATH), code.shown());
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("continue", &back).finish();
        see_other(&format!("{}?{query}", self.browser.pages.path("/oauth2/sign-in")), Vec::new())
    }

    fn entry(&self, request: &Request, typed: &str, error: Option<&Error>) -> Result<Response> {
        let (form, cookies) = self.browser.form(request)?;
        let language = self.browser.language(request, None);
        let t = &language.texts;
        let told = error.map(|error| match error {
            Error::NotFound(_) => t.device_unknown.to_string(),
            error => texts::of_error(t, error),
        });
        let about = context! { form, user_code => typed, error => told };
        let status = error.map_or(StatusCode::OK, status);
        let shown = Shown::in_language(language).with_status(status);
        let page = with_retry(self.browser.pages.render("device.html", shown, about)?, error);
        Ok(with_cookies(page, cookies))
    }

    fn confirm(
        &self,
        request: &Request,
        code: &UserCode,
        asked: &Asked,
        browser: &Browser,
    ) -> Result<Response> {
        let (form, cookies) = self.browser.form(request)?;
        let Asked { request: wanted, client, .. } = asked;
        let language = self.browser.language(request, None);
        let custom = &self.browser.authorization.minter.custom;
        let about = context! {
            form,
            user_code => code.shown(),
            client => client.metadata.name.as_str(),
            username => browser.user.username.as_str(),
            wanted => words_of(&language.texts, &wanted.wanted.all_scopes(), custom),
            resources => wanted.wanted.resources.clone(),
            address => wanted.address.as_str(),
            program => wanted.user_agent.as_str(),
        };
        let page = self.browser.pages.render("device_confirm.html", Shown::in_language(language), about)?;
        Ok(with_cookies(page, cookies))
    }
}
