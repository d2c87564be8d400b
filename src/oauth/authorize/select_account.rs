//! `/oauth2/select-account`: whether it is the account that is signed in (`prompt=select_account`).
use poem::{Request, Response};

use super::http::{ACCOUNT, BrowserApi, continuing, fields_of, see_other, with_cookies};
use super::parameters::Parameters;
use crate::base::{Error, Result};
use crate::oauth::page::{Shown, context};

impl BrowserApi {
    pub(super) async fn select_account(&self, mut request: Request) -> poem::Result<Response> {
        let (is_answer, fields) = fields_of(&mut request).await;
        let Some((parameters, back)) = self.parameters_of(fields.get("continue")) else {
            let error = Error::Malformed("This page is opened by an application that wants something".into());
            return Ok(self.failed(&request, &error));
        };
        let answer = if is_answer {
            self.take_account(&request, &fields, &back)
        } else {
            self.accounts_page(&request, &parameters, &back)
        };
        Ok(answer.unwrap_or_else(|error| self.failed(&request, &error)))
    }

    fn take_account(&self, request: &Request, fields: &Parameters, back: &str) -> Result<Response> {
        self.check_form(request, fields)?;
        match (fields.get("answer"), fields.get(ACCOUNT)) {
            // Whether it is good, the request itself looks at.
            (Some("this"), Some(mark)) => {
                let chosen =
                    form_urlencoded::Serializer::new(String::new()).append_pair(ACCOUNT, mark).finish();
                Ok(see_other(&format!("{back}&{chosen}"), Vec::new()))
            }
            _ => {
                let page = self.pages.path("/oauth2/sign-in");
                Ok(see_other(&format!("{page}?{}", continuing(back)), Vec::new()))
            }
        }
    }

    fn accounts_page(&self, request: &Request, parameters: &Parameters, back: &str) -> Result<Response> {
        // Nobody is signed in any more: the request itself knows what to do then.
        let Some(browser) = self.browser(request)? else { return Ok(see_other(back, Vec::new())) };
        let (form, cookies) = self.form(request)?;
        let account = self.account_mark((&Self::query_of(parameters), &form), &browser);
        let about = context! {
            form,
            continue => back,
            client => self.client_name(parameters)?,
            username => browser.user.username.as_str(),
            account,
        };
        let shown = Shown::in_language(self.language(request, Some(parameters)));
        let goes_to = self.goes_to(parameters)?;
        let shown = shown.going_to(goes_to.as_deref());
        Ok(with_cookies(self.pages.render("select_account.html", shown, about)?, cookies))
    }
}
