//! `/oauth2/consent`: whether the user lets the client have what it asks for.
use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use url::Url;

use super::http::{BrowserApi, see_other, with_cookies};
use super::parameters::Parameters;
use crate::base::{Error, Result};
use crate::oauth::custom::CustomScopes;
use crate::oauth::page::context;
use crate::oauth::scope::{OFFLINE_ACCESS, OPENID, Scopes};

/// What scopes are in the words of people.
const WORDS: &[(&str, &str)] = &[
    (OPENID, "know who you are"),
    ("profile", "see your name and user name"),
    ("email", "see your e-mail address"),
    ("phone", "see your telephone number"),
    ("address", "see your postal address"),
    (OFFLINE_ACCESS, "keep this access while you are away"),
];

/// What scopes are in the words of people; for one that is not known, its name.
pub(in crate::oauth) fn words_of(scopes: &Scopes, custom: &CustomScopes) -> Vec<String> {
    let words = |scope| {
        let standard = WORDS.iter().find(|(name, _)| *name == scope).map(|(_, words)| *words);
        standard.or_else(|| custom.words_of(scope)).map(str::to_owned)
    };
    scopes.iter().map(|scope| words(scope).unwrap_or_else(|| format!("use «{scope}»"))).collect()
}

impl BrowserApi {
    pub(super) async fn consent(&self, mut request: Request) -> poem::Result<Response> {
        let is_answer = request.method() == Method::POST;
        let text = if is_answer {
            request.take_body().into_vec().await.unwrap_or_default()
        } else {
            request.uri().query().unwrap_or_default().as_bytes().to_vec()
        };
        let fields = Parameters::parse(&text);
        let Some((parameters, back)) = self.parameters_of(fields.get("continue")) else {
            let error = Error::Malformed("This page is opened by an application that wants something".into());
            return Ok(self.failed(&error));
        };
        let answer = if is_answer {
            self.take_consent(&request, &fields, &parameters).await
        } else {
            self.consent_page(&request, &parameters, &back)
        };
        Ok(answer.unwrap_or_else(|error| self.failed(&error)))
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
        let uri = &asked.destination.redirect_uri;
        let goes_to = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
        let about = context! {
            form,
            continue => back,
            client => client.metadata.name.as_str(),
            username => browser.user.username.as_str(),
            wanted => words_of(&asked.wanted.all_scopes(), &self.authorization.minter.custom),
            resources => asked.wanted.resources,
            goes_to => goes_to.unwrap_or_else(|| "a program on this device".to_owned()),
        };
        Ok(with_cookies(self.pages.render("consent.html", StatusCode::OK, Some(uri), about)?, cookies))
    }
}
