//! `/oauth2/mail-sign-in`: a mailed code, or the link beside it, in place of the password.
use poem::http::StatusCode;
use poem::{Request, Response};

use super::http::{BrowserApi, continuing, fields_of, with_cookies};
use super::parameters::Parameters;
use super::sign_in::Page;
use crate::base::text::Email;
use crate::base::{Error, Result, Secret};
use crate::email_login::service::Shared;
use crate::http::{RequestInfo, envelope};
use crate::oauth::page::{Field, Shown, context, judged, texts, with_retry};
use crate::rbac::Who;

impl BrowserApi {
    pub(super) async fn sign_in_by_mail(&self, mut request: Request) -> poem::Result<Response> {
        let (is_answer, fields) = fields_of(&mut request).await;
        let Some((parameters, back)) = self.parameters_of(fields.get("continue")) else {
            let error = Error::Malformed(
                "This page is opened by an application that wants its user to sign in".into(),
            );
            return Ok(self.failed(&request, &error));
        };
        let language = self.language(&request, Some(&parameters));
        let page = Page { back: &back, parameters: &parameters, username: "", language };
        let answer = if is_answer {
            self.take_mail(&request, &fields, &page).await
        } else {
            self.mail_page(&request, &fields, &page, (None, None))
        };
        Ok(answer.unwrap_or_else(|error| self.failed(&request, &error)))
    }

    async fn take_mail(&self, request: &Request, fields: &Parameters, page: &Page<'_>) -> Result<Response> {
        self.check_form(request, fields)?;
        let email = match Email::parse(fields.get("email").unwrap_or_default()) {
            Ok(email) => email,
            Err(error) => return self.mail_page(request, fields, page, (None, Some(&error))),
        };
        let shown = email.to_string();
        let Some(code) = fields.get("code") else {
            let by = RequestInfo::of(request)?.initiator(Who::Nobody);
            self.email_logins.start(by, &email).await?;
            let answer = self.mail_page(request, fields, page, (Some(&shown), None))?;
            return Ok(with_cookies(answer, self.remember(page.back)?));
        };
        let device = self.cookies.trusted_device(request.headers()).map(Secret::new);
        let mailed = Shared::Code { email, code: Secret::new(code) };
        let outcome = self.email_logins.finish(self.newcomer(request)?, mailed, device).await;
        match outcome {
            Err(error @ (Error::Invalid(_) | Error::TooManyAttempts { .. })) => {
                self.mail_page(request, fields, page, (Some(&shown), Some(&error)))
            }
            outcome => self.after_first(request, page, outcome),
        }
    }

    /// `sent`: to which address a mail is on its way.
    fn mail_page(
        &self,
        request: &Request,
        typed: &Parameters,
        page: &Page<'_>,
        (sent, error): (Option<&str>, Option<&Error>),
    ) -> Result<Response> {
        if !self.email_logins.is_on {
            return Err(Error::NotFound("page"));
        }
        let texts = &page.language.texts;
        let mut fields = match sent {
            Some(_) => vec![Field::text("code", &texts.mailed_code, "one-time-code").of_digits()],
            None => vec![Field::email("email", &texts.email).holding(typed.get("email"))],
        };
        let rest = judged(&mut fields, texts, error).map(|error| texts::of_error(texts, error));
        let (form, cookies) = self.form(request)?;
        let about = context! {
            form,
            fields,
            sent,
            error => rest,
            continue => page.back,
            continue_query => continuing(page.back),
        };
        let status = error.map_or(StatusCode::OK, envelope::status);
        let shown = Shown::in_language(page.language).with_status(status);
        let goes_to = self.goes_to(page.parameters)?;
        let shown = shown.going_to(goes_to.as_deref());
        let answer = with_cookies(self.pages.render("mail_sign_in.html", shown, about)?, cookies);
        Ok(with_retry(answer, error))
    }
}
