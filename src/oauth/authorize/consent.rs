//! `/oauth2/consent`: whether the user lets the client have what it asks for.
use poem::{Request, Response};
use url::Url;

use super::http::{BrowserApi, continuing, fields_of, see_other, with_cookies};
use super::parameters::Parameters;
use crate::base::{Error, Result};
use crate::oauth::client::Client;
use crate::oauth::client::model::Registrar;
use crate::oauth::custom::CustomScopes;
use crate::oauth::page::texts::Texts;
use crate::oauth::page::{Shown, context};
use crate::oauth::scope::{OFFLINE_ACCESS, OPENID, Scopes};

/// What scopes are in the words of people; for one that is not known, its name.
pub(in crate::oauth) fn words_of(texts: &Texts, scopes: &Scopes, custom: &CustomScopes) -> Vec<String> {
    let words = |scope: &str| match (standard(texts, scope), custom.words_of(scope)) {
        (Some(words), _) => words.to_string(),
        (None, Some(words)) => words.to_owned(),
        (None, None) => texts.scope_other.replace("{}", scope),
    };
    scopes.iter().map(words).collect()
}

fn standard<'t>(texts: &'t Texts, scope: &str) -> Option<&'t str> {
    Some(match scope {
        OPENID => &texts.scope_openid,
        "profile" => &texts.scope_profile,
        "email" => &texts.scope_email,
        "phone" => &texts.scope_phone,
        "address" => &texts.scope_address,
        OFFLINE_ACCESS => &texts.scope_offline_access,
        _ => return None,
    })
}

impl BrowserApi {
    pub(super) async fn consent(&self, mut request: Request) -> poem::Result<Response> {
        let (is_answer, fields) = fields_of(&mut request).await;
        let Some((parameters, back)) = self.parameters_of(fields.get("continue")) else {
            let error = Error::Malformed("This page is opened by an application that wants something".into());
            return Ok(self.failed(&request, &error));
        };
        let answer = if is_answer {
            self.take_consent(&request, &fields, &parameters).await
        } else {
            self.consent_page(&request, &parameters, &back)
        };
        Ok(answer.unwrap_or_else(|error| self.failed(&request, &error)))
    }

    async fn take_consent(
        &self,
        request: &Request,
        fields: &Parameters,
        parameters: &Parameters,
    ) -> Result<Response> {
        self.check_form(request, fields)?;
        // What is not a clear yes is none.
        self.answer(request, parameters, Some(fields.get("answer") == Some("agree"))).await
    }

    fn consent_page(&self, request: &Request, parameters: &Parameters, back: &str) -> Result<Response> {
        let browser = self.browser(request)?;
        let checked = self.authorization.check(parameters)?.ok();
        let asked = checked.and_then(|checked| Some((checked.client, checked.request.ok()?)));
        // Nobody is signed in any more, or it cannot be granted: the request itself knows what to do then.
        let Some((browser, (client, asked))) = browser.zip(asked) else {
            return Ok(see_other(back, Vec::new()));
        };
        let (form, cookies) = self.form(request)?;
        let language = self.language(request, Some(parameters));
        let texts = &language.texts;
        let uri = &asked.destination.redirect_uri;
        let goes_to = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
        let about = context! {
            form,
            continue => back,
            continue_query => continuing(back),
            client => client.metadata.name.as_str(),
            is_own_word => client.is_on_its_word(),
            published_at => published_at(&client),
            username => browser.user.username.as_str(),
            wanted => words_of(texts, &asked.wanted.all_scopes(), &self.authorization.minter.custom),
            resources => asked.wanted.resources,
            goes_to => goes_to.unwrap_or_else(|| texts.this_device.to_string()),
        };
        let shown = Shown::in_language(language).going_to(Some(uri));
        Ok(with_cookies(self.pages.render("consent.html", shown, about)?, cookies))
    }
}

/// The host of a client whose name is the URL of what it says of itself.
fn published_at(client: &Client) -> Option<String> {
    let url = Url::parse(client.id.as_str()).ok().filter(|_| client.registrar == Registrar::Document);
    url.and_then(|url| url.host_str().map(str::to_owned))
}
