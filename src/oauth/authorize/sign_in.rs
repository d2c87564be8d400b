//! `/oauth2/sign-in`: password, then a second factor where one is asked for. The same logins as those of the API.
use poem::http::{HeaderValue, Method, StatusCode};
use poem::{Request, Response};

use super::http::{BrowserApi, see_other, with_cookies};
use super::parameters::Parameters;
use crate::base::{Error, Result, SecondFactor, Secret};
use crate::http::newcomer;
use crate::login::service::{Credentials, LoggedIn, Offered};
use crate::oauth::page::context;
use crate::rbac::Initiator;
use crate::session::http::cookies_of;

/// What a page of the sign-in is about.
struct Page<'p> {
    /// The request that it leads back to.
    back: &'p str,
    parameters: &'p Parameters,
    username: &'p str,
}

impl BrowserApi {
    pub(super) async fn sign_in(&self, mut request: Request) -> poem::Result<Response> {
        let is_answer = request.method() == Method::POST;
        let text = if is_answer {
            request.take_body().into_vec().await.unwrap_or_default()
        } else {
            request.uri().query().unwrap_or_default().as_bytes().to_vec()
        };
        let fields = Parameters::parse(&text);
        let Some((parameters, back)) = self.parameters_of(fields.get("continue")) else {
            let error = Error::Malformed(
                "This page is opened by an application that wants its user to sign in".into(),
            );
            return Ok(self.failed(&error));
        };
        let hint = parameters.get("login_hint").unwrap_or_default();
        let page =
            Page { back: &back, parameters: &parameters, username: fields.get("username").unwrap_or(hint) };
        let answer = if is_answer {
            self.take_sign_in(&request, &fields, &page).await
        } else {
            self.sign_in_page(&request, &page, StatusCode::OK, None)
        };
        Ok(answer.unwrap_or_else(|error| self.failed(&error)))
    }

    async fn take_sign_in(
        &self,
        request: &Request,
        fields: &Parameters,
        page: &Page<'_>,
    ) -> Result<Response> {
        self.check_form(request, fields)?;
        let by = newcomer(request, &self.cookies)?;
        // The access token of a browser that was here before may be over long ago; its session need not be.
        let before = self.browser(request)?.map(|browser| browser.session.id);
        let by = Initiator { replaces: by.replaces.or(before), ..by };
        let outcome = match (fields.get("mfa_token"), fields.get("code")) {
            (Some(token), Some(code)) => {
                self.logins.verify(by, token, Offered::Code(Secret::new(code)), None).await
            }
            _ => {
                let headers = request.headers();
                let credentials = Credentials {
                    login: page.username.to_owned(),
                    password: Secret::new(fields.get("password").unwrap_or_default()),
                    code: None,
                    device: self.cookies.trusted_device(headers).map(Secret::new),
                };
                self.logins.with_password(by, credentials).await
            }
        };
        match outcome {
            Ok(logged_in) => Ok(see_other(page.back, self.cookies_of_login(&logged_in)?)),
            Err(Error::MfaRequired(SecondFactor { mfa_token, .. })) => {
                self.second_factor_page(request, page, StatusCode::OK, mfa_token.expose(), None)
            }
            Err(error @ Error::InvalidMfaCode) => {
                let token = fields.get("mfa_token").unwrap_or_default();
                self.second_factor_page(request, page, StatusCode::UNAUTHORIZED, token, Some(&error))
            }
            Err(error) if is_told(&error) => {
                self.sign_in_page(request, page, crate::http::envelope::status(&error), Some(&error))
            }
            Err(error) => Err(error),
        }
    }

    fn sign_in_page(
        &self,
        request: &Request,
        page: &Page,
        status: StatusCode,
        error: Option<&Error>,
    ) -> Result<Response> {
        let (form, cookies) = self.form(request)?;
        let about = context! {
            form,
            continue => page.back,
            username => page.username,
            client => self.client_name(page.parameters)?,
            error => error.map(ToString::to_string),
        };
        self.page("sign_in.html", status, page, (about, cookies))
    }

    fn second_factor_page(
        &self,
        request: &Request,
        page: &Page,
        status: StatusCode,
        mfa_token: &str,
        error: Option<&Error>,
    ) -> Result<Response> {
        let (form, cookies) = self.form(request)?;
        let error = error.map(ToString::to_string);
        let about = context! { form, continue => page.back, mfa_token, error };
        self.page("second_factor.html", status, page, (about, cookies))
    }

    fn page(
        &self,
        file: &str,
        status: StatusCode,
        page: &Page,
        (about, cookies): (crate::oauth::page::About, Vec<HeaderValue>),
    ) -> Result<Response> {
        let goes_to = page.parameters.get("redirect_uri");
        Ok(with_cookies(self.pages.render(file, status, goes_to, about)?, cookies))
    }

    /// What the application is called, if there is one.
    fn client_name(&self, parameters: &Parameters) -> Result<Option<String>> {
        Ok(self.authorization.check(parameters)?.ok().map(|checked| checked.client.metadata.name.clone()))
    }

    fn cookies_of_login(&self, logged_in: &LoggedIn) -> Result<Vec<HeaderValue>> {
        let mut cookies = cookies_of(&self.cookies, &logged_in.granted)?;
        if let Some(value) = &logged_in.known_device {
            cookies.push(self.cookies.of_known_device(value)?);
        }
        Ok(cookies)
    }
}

/// Whether whoever types can do something about it.
fn is_told(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCredentials
            | Error::InvalidToken
            | Error::TokenExpired
            | Error::AccountDisabled
            | Error::EmailNotVerified
            | Error::TooManyAttempts { .. }
            | Error::Invalid(_)
    )
}
