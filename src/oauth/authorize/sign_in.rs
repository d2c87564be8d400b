//! `/oauth2/sign-in`: a passkey, or a password and a second factor where one is asked for. The same logins as those of the API.
use poem::http::{HeaderValue, StatusCode};
use poem::{Request, Response};

use super::http::{BrowserApi, continuing, encoded, fields_of, see_other, with_cookies};
use super::parameters::Parameters;
use crate::base::{Error, Result, SecondFactor, Secret};
use crate::http::forward_path::RETURN_TO;
use crate::http::{envelope, newcomer};
use crate::login::service::{Credentials, LoggedIn, Offered};
use crate::oauth::page::{Field, Language, Shown, context, judged, texts, with_retry};
use crate::passkey::Reply;
use crate::rbac::Initiator;
use crate::session::http::cookies_of;

/// What a page of the sign-in is about.
pub(crate) struct Page<'p> {
    /// The request that it leads back to.
    pub back: &'p str,
    pub parameters: &'p Parameters,
    pub username: &'p str,
    pub language: &'p Language,
}

/// Gives an address behind a proxy as it is led to, if anything may lead there.
pub type Returns = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What the page that signs in leads to.
#[derive(Debug, Clone, Copy)]
pub struct SignInOffers {
    /// Making an account.
    pub registration: bool,
    /// Another password, by mail.
    pub forgotten: bool,
}

/// A login that waits for its second factor.
struct Waiting<'w> {
    mfa_token: &'w str,
    /// With what it can be finished.
    methods: Vec<&'w str>,
}

impl BrowserApi {
    pub(super) async fn sign_in(&self, mut request: Request) -> poem::Result<Response> {
        let (is_answer, fields) = fields_of(&mut request).await;
        let Some((parameters, back)) = self.parameters_of(fields.get("continue")) else {
            let error = Error::Malformed(
                "This page is opened by an application that wants its user to sign in".into(),
            );
            return Ok(self.failed(&request, &error));
        };
        let hint = parameters.get("login_hint").unwrap_or_default();
        let username = fields.get("username").unwrap_or(hint);
        let language = self.language(&request, Some(&parameters));
        let page = Page { back: &back, parameters: &parameters, username, language };
        let answer = if is_answer {
            self.take_sign_in(&request, &fields, &page).await
        } else {
            self.sign_in_page(&request, &page, None)
        };
        Ok(answer.unwrap_or_else(|error| self.failed(&request, &error)))
    }

    async fn take_sign_in(
        &self,
        request: &Request,
        fields: &Parameters,
        page: &Page<'_>,
    ) -> Result<Response> {
        self.check_form(request, fields)?;
        let outcome = self.log_in(request, fields, page).await.map_err(of_passkey);
        match (fields.get("mfa_token"), outcome) {
            (
                Some(mfa_token),
                Err(error @ (Error::InvalidMfaCode | Error::TooManyAttempts { .. } | Error::Invalid(_))),
            ) => {
                let methods = fields.get("methods").unwrap_or_default().split(' ').collect();
                self.second_factor_page(request, page, &Waiting { mfa_token, methods }, Some(&error))
            }
            // Sent twice, and the other one has signed in.
            (Some(_), Err(Error::InvalidToken | Error::TokenExpired)) if self.browser(request)?.is_some() => {
                Ok(see_other(page.back, Vec::new()))
            }
            (_, Err(error)) if is_told(&error) => self.sign_in_page(request, page, Some(&error)),
            (_, outcome) => self.after_first(request, page, outcome),
        }
    }

    async fn log_in(&self, request: &Request, fields: &Parameters, page: &Page<'_>) -> Result<LoggedIn> {
        let by = self.newcomer(request)?;
        let reply = fields.get("credential").map(|text| reply(fields, text)).transpose()?;
        let code = || fields.get("code").ok_or_else(|| Error::invalid("code", "is required"));
        match (fields.get("mfa_token"), reply) {
            (Some(token), reply) => {
                let offered = match reply {
                    Some(reply) => Offered::Passkey(reply),
                    None => Offered::Code(Secret::new(code()?)),
                };
                let days = fields.get("trust").map(|_| self.authorization.policy.trusted_device_days);
                self.logins.verify(by, token, offered, days).await
            }
            (None, Some(reply)) => self.passkeys.log_in(by, reply, None).await,
            (None, None) => {
                let credentials = Credentials {
                    login: page.username.to_owned(),
                    password: Secret::new(fields.get("password").unwrap_or_default()),
                    code: None,
                    device: self.cookies.trusted_device(request.headers()).map(Secret::new),
                };
                self.logins.with_password(by, credentials).await
            }
        }
    }

    /// Whoever signs in. The access token of a browser that was here before may be over long ago; its session need not be.
    pub(crate) fn newcomer(&self, request: &Request) -> Result<Initiator> {
        let by = newcomer(request, &self.cookies)?;
        let before = self.browser(request)?.map(|browser| browser.session.id);
        Ok(Initiator { replaces: by.replaces.or(before), ..by })
    }

    /// Leads on after a login, or asks for what it lacks.
    pub(crate) fn after_first(
        &self,
        request: &Request,
        page: &Page<'_>,
        outcome: Result<LoggedIn>,
    ) -> Result<Response> {
        match outcome {
            Ok(logged_in) => {
                let mut cookies = self.cookies_of_login(&logged_in)?;
                // What was begun goes on now: a mail that is opened later leads back to nothing old.
                if self.cookies.begun(request.headers()).is_some() {
                    cookies.push(self.cookies.without_begun()?);
                }
                Ok(see_other(page.back, cookies))
            }
            Err(Error::MfaRequired(SecondFactor { mfa_token, methods })) => {
                let waiting = Waiting { mfa_token: mfa_token.expose(), methods };
                self.second_factor_page(request, page, &waiting, None)
            }
            Err(error) => Err(error),
        }
    }

    /// Where a sign-in leads back to that something behind a proxy needs; the page there looks at it once more.
    pub(super) fn behind_proxy(&self, path: &str, query: &str) -> (Parameters, String) {
        let mut parameters = Parameters::default();
        let said = Parameters::parse(query.as_bytes());
        parameters.leads_to = said.get(RETURN_TO).and_then(|to| (self.returns)(to));
        (parameters, format!("{path}?{}", encoded(query.as_bytes())))
    }

    /// The page that asks who somebody is; what went wrong before, if anything.
    pub(crate) fn sign_in_page(
        &self,
        request: &Request,
        page: &Page<'_>,
        error: Option<&Error>,
    ) -> Result<Response> {
        let texts = &page.language.texts;
        let mut fields = vec![
            Field::text("username", &texts.username_or_email, "username webauthn")
                .holding(Some(page.username)),
            Field::password("password", &texts.password, "current-password"),
        ];
        let rest = judged(&mut fields, texts, error).map(|error| texts::of_error(texts, error));
        let (form, cookies) = self.form(request)?;
        let about = context! {
            form,
            fields,
            error => rest,
            continue => page.back,
            continue_query => continuing(page.back),
            client => self.client_name(page.parameters)?,
            passkeys => self.passkeys.reach.party.is_ok(),
            register => self.offers.registration,
            forgot => self.offers.forgotten,
            mail => self.email_logins.is_on,
        };
        self.page("sign_in.html", page, error, (about, cookies))
    }

    fn second_factor_page(
        &self,
        request: &Request,
        page: &Page<'_>,
        waiting: &Waiting<'_>,
        error: Option<&Error>,
    ) -> Result<Response> {
        let texts = &page.language.texts;
        let has = |method: &str| waiting.methods.contains(&method);
        let lead = match (has("passkey"), has("totp")) {
            (true, false) => &texts.second_passkey,
            (true, true) => &texts.second_either,
            (false, _) => &texts.second_app,
        };
        let is_wrong = matches!(error, Some(Error::InvalidMfaCode));
        let code = Field::text("code", &texts.code, "one-time-code");
        let mut fields = vec![if is_wrong { code.saying(&texts.wrong_code) } else { code }];
        let rest = judged(&mut fields, texts, error.filter(|_| !is_wrong));
        let rest = rest.map(|error| texts::of_error(texts, error));
        let (form, cookies) = self.form(request)?;
        let known = ["totp", "passkey", "recovery_code"].into_iter().filter(|method| has(method));
        let days = self.authorization.policy.trusted_device_days;
        let about = context! {
            form,
            fields,
            lead,
            error => rest,
            continue => page.back,
            mfa_token => waiting.mfa_token,
            methods => known.collect::<Vec<_>>().join(" "),
            passkey => has("passkey"),
            trust_days => (days > 0).then_some(days),
        };
        self.page("second_factor.html", page, error, (about, cookies))
    }

    fn page(
        &self,
        file: &str,
        page: &Page<'_>,
        error: Option<&Error>,
        (about, cookies): (crate::oauth::page::About, Vec<HeaderValue>),
    ) -> Result<Response> {
        let status = error.map_or(StatusCode::OK, envelope::status);
        let shown = Shown::in_language(page.language).with_status(status);
        let goes_to = self.goes_to(page.parameters)?;
        let shown = shown.going_to(goes_to.as_deref());
        Ok(with_cookies(with_retry(self.pages.render(file, shown, about)?, error), cookies))
    }

    /// What the application is called, if there is one.
    pub(super) fn client_name(&self, parameters: &Parameters) -> Result<Option<String>> {
        if let Some(uri) = &parameters.leads_to {
            return Ok(uri.split('/').nth(2).map(str::to_owned));
        }
        Ok(self.authorization.check(parameters)?.ok().map(|checked| checked.client.metadata.name.clone()))
    }

    /// Where a request leads in the end, if anywhere: browsers hold the whole way of a form against its page's policy.
    pub(crate) fn goes_to(&self, parameters: &Parameters) -> Result<Option<String>> {
        if parameters.leads_to.is_some() {
            return Ok(parameters.leads_to.clone());
        }
        Ok(self.authorization.check(parameters)?.ok().map(|checked| checked.destination.redirect_uri))
    }

    pub(crate) fn cookies_of_login(&self, logged_in: &LoggedIn) -> Result<Vec<HeaderValue>> {
        let mut cookies = cookies_of(&self.cookies, &logged_in.granted)?;
        if let Some((token, lifetime)) = &logged_in.device {
            cookies.push(self.cookies.of_trusted_device(token.expose(), *lifetime)?);
        }
        if let Some(value) = &logged_in.known_device {
            cookies.push(self.cookies.of_known_device(value)?);
        }
        Ok(cookies)
    }
}

/// What an authenticator has said, as the page's script has written it into the form.
fn reply(fields: &Parameters, credential: &str) -> Result<Reply> {
    let challenge_id = fields.get("challenge_id").unwrap_or_default().to_owned();
    let credential = serde_json::from_str(credential).map_err(|_| Error::PasskeyRefused)?;
    Ok(Reply { challenge_id, credential })
}

/// People cannot mend what is wrong with a passkey's answer.
fn of_passkey(error: Error) -> Error {
    match error {
        Error::Invalid(wrong) if matches!(&*wrong.field, "challenge_id" | "credential") => {
            Error::PasskeyRefused
        }
        other => other,
    }
}

/// Whether whoever types can do something about it.
fn is_told(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCredentials
            | Error::PasskeyRefused
            | Error::InvalidToken
            | Error::TokenExpired
            | Error::AccountDisabled
            | Error::EmailNotVerified
            | Error::TooManyAttempts { .. }
            | Error::Invalid(_)
    )
}
