//! `/account/register` and `/account/forgot-password`: where people without a way in begin.
use poem::{Request, Response};

use super::http::{AccountPages, Asked};
use crate::account::NewUser;
use crate::base::text::Email;
use crate::base::{Error, Result, Secret};
use crate::config::Registration;
use crate::http::RequestInfo;
use crate::login::service::Credentials;
use crate::oauth::authorize::http::{OWN_ACCOUNT, continuing, fields_of, see_other, with_cookies};
use crate::oauth::authorize::parameters::Parameters;
use crate::oauth::page::{Field, Language};
use crate::rbac::Who;

type Begun = Option<(Parameters, String)>;

impl AccountPages {
    pub(super) async fn register(&self, mut request: Request) -> poem::Result<Response> {
        let (is_answer, fields) = fields_of(&mut request).await;
        let begun = self.begun(&request, &fields);
        let language = self.language(&request, begun.as_ref());
        let answer = if self.registration == Registration::Closed {
            Err(Error::Forbidden("users:write".into()))
        } else if is_answer {
            self.take_registration(&request, &fields, &begun).await
        } else {
            self.ask(&request, language, registration(language, &fields, &begun), None)
        };
        let answer = match answer {
            Err(error @ Error::Invalid(_)) => {
                self.ask(&request, language, registration(language, &fields, &begun), Some(&error))
            }
            answer => answer,
        };
        Ok(answer.unwrap_or_else(|error| self.browser.failed(&request, &error)))
    }

    async fn take_registration(
        &self,
        request: &Request,
        fields: &Parameters,
        begun: &Begun,
    ) -> Result<Response> {
        self.browser.check_form(request, fields)?;
        let text = |name: &str| fields.get(name).unwrap_or_default();
        let (name, password) = (text("username"), Secret::new(text("password")));
        let new = NewUser::parse((name, text("email")), (None, None), password.clone())?;
        let email = new.email.to_string();
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        if self.registration == Registration::Hidden {
            self.registrations.ask(by, new).await?;
            return self.told_of_mail(request, begun, &email);
        }
        self.accounts.register(by, new).await?;
        if self.accounts.verifies {
            return self.told_of_mail(request, begun, &email);
        }
        let own = self.browser.pages.path(OWN_ACCOUNT);
        let back = begun.as_ref().map_or(own.as_str(), |(_, back)| back.as_str());
        let credentials = Credentials { login: name.to_owned(), password, code: None, device: None };
        let outcome = self.browser.logins.with_password(self.browser.newcomer(request)?, credentials).await;
        Ok(match outcome {
            Ok(logged_in) => see_other(back, self.browser.cookies_of_login(&logged_in)?),
            // The account is made, and the way in is known.
            Err(_) => {
                let page = self.browser.pages.path("/oauth2/sign-in");
                see_other(&format!("{page}?{}", continuing(back)), Vec::new())
            }
        })
    }

    fn told_of_mail(&self, request: &Request, begun: &Begun, email: &str) -> Result<Response> {
        let language = self.language(request, begun.as_ref());
        let texts = &language.texts;
        let told = (&*texts.registered_mail_title, &*texts.registered_mail_text, Some(email));
        let way = self.way_on(request, language, begun.as_ref())?;
        let page = self.tell(language, told, way)?;
        self.remembering(page, begun)
    }

    /// The page, for a browser that knows later what was begun.
    fn remembering(&self, page: Response, begun: &Begun) -> Result<Response> {
        let cookies = begun.as_ref().map(|(_, back)| self.browser.remember(back)).transpose()?;
        Ok(with_cookies(page, cookies.unwrap_or_default()))
    }

    pub(super) async fn forgot(&self, mut request: Request) -> poem::Result<Response> {
        let (is_answer, fields) = fields_of(&mut request).await;
        let begun = self.begun(&request, &fields);
        let language = self.language(&request, begun.as_ref());
        let answer = if is_answer {
            self.take_forgotten(&request, &fields, &begun).await
        } else {
            self.ask(&request, language, forgotten(language, &fields, &begun), None)
        };
        let answer = match answer {
            Err(error @ Error::Invalid(_)) => {
                self.ask(&request, language, forgotten(language, &fields, &begun), Some(&error))
            }
            answer => answer,
        };
        Ok(answer.unwrap_or_else(|error| self.browser.failed(&request, &error)))
    }

    /// What it says is the same whether anybody has the address or not.
    async fn take_forgotten(
        &self,
        request: &Request,
        fields: &Parameters,
        begun: &Begun,
    ) -> Result<Response> {
        self.browser.check_form(request, fields)?;
        let email = Email::parse(fields.get("email").unwrap_or_default())?;
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        self.resets.mail(by, &email).await?;
        let language = self.language(request, begun.as_ref());
        let texts = &language.texts;
        let told = (&*texts.mail_sent_title, &*texts.mail_sent_text, Some(email.as_str()));
        let page = self.tell(language, told, self.way_on(request, language, begun.as_ref())?)?;
        self.remembering(page, begun)
    }
}

fn registration<'a>(language: &'a Language, typed: &Parameters, begun: &'a Begun) -> Asked<'a> {
    let texts = &language.texts;
    Asked {
        page: "register",
        title: &texts.register_title,
        text: "",
        button: &texts.make_account,
        fields: vec![
            Field::text("username", &texts.username, "username")
                .with_hint(&texts.username_hint)
                .holding(typed.get("username")),
            Field::email("email", &texts.email).holding(typed.get("email")),
            Field::password("password", &texts.password, "new-password").with_hint(&texts.new_password_hint),
        ],
        begun: begun.as_ref(),
        is_mailed: false,
        resends: false,
    }
}

fn forgotten<'a>(language: &'a Language, typed: &Parameters, begun: &'a Begun) -> Asked<'a> {
    let texts = &language.texts;
    Asked {
        page: "forgot-password",
        title: &texts.forgot_title,
        text: &texts.forgot_text,
        button: &texts.send_mail,
        fields: vec![Field::email("email", &texts.email).holding(typed.get("email"))],
        begun: begun.as_ref(),
        is_mailed: false,
        resends: false,
    }
}
