//! What becomes of a request that is right: a page, an error, or a code. Pure.
use super::request::{AuthorizationRequest, Refusal};
use crate::base::Timestamp;

/// What is known of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct SignedIn {
    pub auth_time: Timestamp,
    /// Whether it was chosen for this request.
    pub is_chosen: bool,
    /// Whether it may use this client at all.
    pub is_allowed: bool,
    /// Whether it has let the client have all this before, or is not asked.
    pub has_consented: bool,
    /// Whether it has to set its own account in order first.
    pub is_limited: bool,
    /// Whether it has signed in as the client cannot do without.
    pub is_strong_enough: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    SignIn,
    /// Whether it is the account that is signed in.
    SelectAccount,
    AskConsent,
    Issue,
    Refuse(Refusal),
}

/// Decides `now`. `began`: when this request came for the first time, if it comes back from a page; what was shown since
/// counts as an answer to `prompt` and `max_age`.
#[must_use]
pub fn decide(
    request: &AuthorizationRequest,
    user: Option<&SignedIn>,
    began: Option<Timestamp>,
    now: Timestamp,
) -> Decision {
    let prompt = request.prompt;
    let refuse = |error, description| Decision::Refuse(Refusal { error, description });
    let Some(user) = user.filter(|user| is_fresh(request, user, began, now)) else {
        if prompt.none {
            return refuse("login_required", "the user has to sign in");
        }
        return Decision::SignIn;
    };
    if prompt.select_account && !user.is_chosen && !has_just_signed_in(user, began) {
        return Decision::SelectAccount;
    }
    if !user.is_allowed {
        return refuse("access_denied", "the user may not use this client");
    }
    if !user.is_strong_enough {
        return refuse(
            "unmet_authentication_requirements",
            "the user has not signed in in a way that acr asks for",
        );
    }
    if user.is_limited {
        return refuse("interaction_required", "the user has to set the account in order first");
    }
    if !user.has_consented || prompt.consent {
        if prompt.none {
            return refuse("consent_required", "the user has to agree");
        }
        return Decision::AskConsent;
    }
    Decision::Issue
}

/// Whether whoever is signed in need not sign in again.
fn is_fresh(
    request: &AuthorizationRequest,
    user: &SignedIn,
    began: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let too_old = request.max_age.is_some_and(|seconds| now.secs_since(user.auth_time) > seconds);
    has_just_signed_in(user, began) || !request.prompt.sign_in && !too_old
}

/// Whether whoever is signed in has done so for this request.
fn has_just_signed_in(user: &SignedIn, began: Option<Timestamp>) -> bool {
    began.is_some_and(|began| user.auth_time >= began)
}

#[cfg(test)]
mod tests {
    use super::super::request::{Destination, Essential, Prompt, ResponseMode};
    use super::*;
    use crate::oauth::grant::model::Consented;
    use crate::oauth::scope::Scopes;

    const NOW: Timestamp = Timestamp::from_secs(10_000);

    fn request(prompt: Prompt, max_age: Option<i64>) -> AuthorizationRequest {
        AuthorizationRequest {
            destination: Destination {
                redirect_uri: "https://a.example/".into(),
                mode: ResponseMode::Query,
                state: None,
            },
            wanted: Consented {
                scopes: Scopes::default(),
                resources: Vec::new(),
                id_token_claims: Vec::new(),
                userinfo_claims: Vec::new(),
            },
            nonce: None,
            challenge: None,
            key: None,
            prompt,
            max_age,
            login_hint: None,
            id_token_hint: None,
            essential: Essential::default(),
            kept_as: None,
        }
    }

    fn user(age: i64) -> SignedIn {
        let auth_time = NOW.plus_secs(-age);
        SignedIn {
            auth_time,
            is_chosen: false,
            is_allowed: true,
            has_consented: true,
            is_limited: false,
            is_strong_enough: true,
        }
    }

    fn error(decision: Decision) -> &'static str {
        match decision {
            Decision::Refuse(refusal) => refusal.error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_prompt_nobody_is_asked_twice() {
        let plain = request(Prompt::default(), None);
        assert_eq!(decide(&plain, None, None, NOW), Decision::SignIn);
        assert_eq!(decide(&plain, Some(&user(9_000)), None, NOW), Decision::Issue);
        let stranger = SignedIn { has_consented: false, ..user(1) };
        assert_eq!(decide(&plain, Some(&stranger), None, NOW), Decision::AskConsent);
    }

    #[test]
    fn prompt_none_shows_no_page() {
        let none = request(Prompt { none: true, ..Prompt::default() }, Some(60));
        assert_eq!(error(decide(&none, None, None, NOW)), "login_required");
        assert_eq!(error(decide(&none, Some(&user(61)), None, NOW)), "login_required");
        let stranger = SignedIn { has_consented: false, ..user(1) };
        assert_eq!(error(decide(&none, Some(&stranger), None, NOW)), "consent_required");
        assert_eq!(decide(&none, Some(&user(60)), None, NOW), Decision::Issue);
    }

    #[test]
    fn who_has_just_signed_in_for_this_request_is_not_asked_again() {
        let began = Some(NOW.plus_secs(-30));
        let asks = request(Prompt { sign_in: true, ..Prompt::default() }, Some(0));
        assert_eq!(decide(&asks, Some(&user(1)), None, NOW), Decision::SignIn);
        assert_eq!(decide(&asks, Some(&user(31)), began, NOW), Decision::SignIn);
        assert_eq!(decide(&asks, Some(&user(30)), began, NOW), Decision::Issue);
    }

    #[test]
    fn an_account_is_chosen_once_for_a_request() {
        let began = Some(NOW.plus_secs(-30));
        let asks = request(Prompt { select_account: true, ..Prompt::default() }, None);
        assert_eq!(decide(&asks, None, began, NOW), Decision::SignIn);
        assert_eq!(decide(&asks, Some(&user(31)), began, NOW), Decision::SelectAccount);
        assert_eq!(decide(&asks, Some(&user(30)), began, NOW), Decision::Issue);
        let chosen = SignedIn { is_chosen: true, ..user(31) };
        assert_eq!(decide(&asks, Some(&chosen), None, NOW), Decision::Issue);
        let stranger = SignedIn { has_consented: false, ..chosen };
        assert_eq!(decide(&asks, Some(&stranger), None, NOW), Decision::AskConsent);
    }

    #[test]
    fn who_may_not_use_the_client_is_refused_before_it_agrees() {
        let plain = request(Prompt::default(), None);
        let kept_out = SignedIn { is_allowed: false, has_consented: false, ..user(1) };
        assert_eq!(error(decide(&plain, Some(&kept_out), None, NOW)), "access_denied");
    }
}
