//! The pages that links in mails lead to. Programs that look into mails open links, too: nothing happens before the form is sent.
use poem::{Request, Response};

use super::http::{AccountPages, Asked};
use crate::base::{Error, Result, Secret};
use crate::email_login::service::Shared;
use crate::http::{RequestInfo, newcomer};
use crate::oauth::authorize::http::{OWN_ACCOUNT, fields_of, with_cookies};
use crate::oauth::authorize::parameters::Parameters;
use crate::oauth::authorize::sign_in::Page;
use crate::oauth::page::{Field, Language};
use crate::rbac::Who;
use crate::session::http::cookies_of;

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mailed {
    Reset,
    Verify,
    Confirm,
    SignIn,
    Recover,
}

type Begun = Option<(Parameters, String)>;

impl Mailed {
    pub(super) const ALL: [Self; 5] = [Self::Reset, Self::Verify, Self::Confirm, Self::SignIn, Self::Recover];

    /// What links call it.
    pub(super) fn page(self) -> &'static str {
        match self {
            Self::Reset => "reset-password",
            Self::Verify => "verify-email",
            Self::Confirm => "confirm-email",
            Self::SignIn => "sign-in",
            Self::Recover => "recover",
        }
    }

    fn asked<'a>(
        self,
        language: &'a Language,
        typed: &Parameters,
        begun: &'a Begun,
        resends: bool,
    ) -> Asked<'a> {
        let t = &language.texts;
        let (title, text, button) = match self {
            Self::Reset => (&t.reset_title, &t.reset_text, &t.choose_password),
            Self::Verify => (&t.verify_title, &t.verify_text, &t.verify_button),
            Self::Confirm => (&t.confirm_title, &t.confirm_text, &t.verify_button),
            Self::SignIn => (&t.mail_link_title, &t.mail_link_text, &t.sign_in),
            Self::Recover => (&t.recover_title, &t.recover_text, &t.go_on),
        };
        let token = Field::text("token", &t.mailed_token, "off").holding(typed.get("token"));
        let password = Field::password("new_password", &t.new_password, "new-password");
        let password = match self {
            Self::Reset => Some(password.with_hint(&t.new_password_hint)),
            Self::Recover => Some(password.with_hint(&t.recover_password_hint).optional()),
            _ => None,
        };
        Asked {
            page: self.page(),
            title,
            text,
            button,
            fields: [token].into_iter().chain(password).collect(),
            begun: begun.as_ref(),
            is_mailed: true,
            resends,
        }
    }
}

impl AccountPages {
    pub(super) async fn mailed(&self, kind: Mailed, mut request: Request) -> poem::Result<Response> {
        let (is_answer, fields) = fields_of(&mut request).await;
        let begun = self.begun(&request, &fields);
        let language = self.language(&request, begun.as_ref());
        let answer = if is_answer {
            self.take_mailed(kind, &request, &fields, &begun).await
        } else {
            self.mailed_page(kind, &request, (language, &Parameters::default(), &begun), None)
        };
        let answer = match answer {
            Err(error @ (Error::Invalid(_) | Error::TooManyAttempts { .. })) => {
                self.mailed_page(kind, &request, (language, &fields, &begun), Some(&error))
            }
            answer => answer,
        };
        Ok(answer.unwrap_or_else(|error| self.browser.failed(&request, &error)))
    }

    fn mailed_page(
        &self,
        kind: Mailed,
        request: &Request,
        (language, typed, begun): (&Language, &Parameters, &Begun),
        error: Option<&Error>,
    ) -> Result<Response> {
        let resends = kind == Mailed::Verify && self.browser.browser(request)?.is_some();
        self.ask(request, language, kind.asked(language, typed, begun, resends), error)
    }

    async fn take_mailed(
        &self,
        kind: Mailed,
        request: &Request,
        fields: &Parameters,
        begun: &Begun,
    ) -> Result<Response> {
        self.browser.check_form(request, fields)?;
        if kind == Mailed::Verify && fields.get("answer") == Some("resend") {
            return self.resend(request, begun).await;
        }
        let token = fields.get("token").ok_or_else(|| Error::invalid("token", "is required"))?.trim();
        let new_password = fields.get("new_password").map(Secret::new);
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        match kind {
            Mailed::Reset => {
                let new = new_password.ok_or_else(|| Error::invalid("new_password", "is required"))?;
                self.resets.finish(by, token, new).await?;
            }
            Mailed::Verify => {
                // What a hidden registration mails does the same for an account that is not there yet.
                if self.registrations.finish(by.clone(), token).await?.is_none() {
                    self.addresses.verify(by, token).await?;
                }
            }
            Mailed::Confirm => self.addresses.confirm(by, token).await?,
            Mailed::SignIn => return self.sign_in_with(request, token, begun).await,
            Mailed::Recover => return self.recover(request, token, new_password).await,
        }
        self.done(kind, request, begun)
    }

    fn done(&self, kind: Mailed, request: &Request, begun: &Begun) -> Result<Response> {
        let language = self.language(request, begun.as_ref());
        let t = &language.texts;
        let (title, text) = match kind {
            Mailed::Reset => (&t.reset_done_title, &t.reset_done_text),
            Mailed::Confirm => (&t.verify_done_title, &t.confirm_done_text),
            _ => (&t.verify_done_title, &t.verify_done_text),
        };
        let way = self.way_on(request, language, begun.as_ref())?;
        self.tell(language, (title, text, None), way)
    }

    async fn sign_in_with(&self, request: &Request, token: &str, begun: &Begun) -> Result<Response> {
        let (none, own) = (Parameters::default(), self.browser.pages.path(OWN_ACCOUNT));
        let (parameters, back) =
            begun.as_ref().map_or((&none, own.as_str()), |(parameters, back)| (parameters, back.as_str()));
        let language = self.language(request, begun.as_ref());
        let page = Page { back, parameters, username: "", language };
        let device = self.browser.cookies.trusted_device(request.headers()).map(Secret::new);
        let by = self.browser.newcomer(request)?;
        let outcome = self.browser.email_logins.finish(by, Shared::Link(Secret::new(token)), device).await;
        self.browser.after_first(request, &page, outcome)
    }

    async fn recover(&self, request: &Request, token: &str, new: Option<Secret>) -> Result<Response> {
        let cookies = &self.browser.cookies;
        let (granted, known) = self.recoveries.finish(newcomer(request, cookies)?, token, new).await?;
        let mut set = cookies_of(cookies, &granted)?;
        set.push(cookies.of_known_device(&known)?);
        let language = self.language(request, None);
        let t = &language.texts;
        let way = (self.browser.pages.path(OWN_ACCOUNT), &*t.your_account);
        let page = self.tell(language, (&t.recover_done_title, &t.recover_done_text, None), way)?;
        Ok(with_cookies(page, set))
    }

    /// Mails whoever is signed in once more how to show whose the address is.
    async fn resend(&self, request: &Request, begun: &Begun) -> Result<Response> {
        let browser = self.browser.browser(request)?.ok_or(Error::Unauthenticated)?;
        let by = RequestInfo::of(request)?.presenter();
        let language = self.language(request, begun.as_ref());
        let t = &language.texts;
        let way = self.way_on(request, language, begun.as_ref())?;
        match self.addresses.resend(by, &browser.user).await {
            Ok(()) => {
                let email = browser.user.email.to_string();
                let told = (&*t.registered_mail_title, &*t.registered_mail_text, Some(email.as_str()));
                self.tell(language, told, way)
            }
            Err(Error::Invalid(_)) => {
                self.tell(language, (&t.verify_done_title, &t.verify_done_text, None), way)
            }
            Err(error) => Err(error),
        }
    }
}
