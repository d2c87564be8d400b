//! What went wrong, in the words of a language.
use std::borrow::Cow;

use super::Texts;
use crate::base::Error;

/// Where the text of a reason stands, by what the services say.
type Place = fn(&Texts) -> &Cow<'static, str>;

const REASONS: &[(&str, Place)] = &[
    ("is required", |t| &t.is_required),
    ("is taken", |t| &t.is_taken),
    ("is not an e-mail address", |t| &t.not_an_email),
    ("must have 1 to 64 characters", |t| &t.username_length),
    ("may have letters, digits, '.', '_' and '-' only", |t| &t.username_characters),
    ("must have a letter or a digit", |t| &t.username_letter),
    ("mixes letters of different scripts", |t| &t.username_scripts),
    ("must have at most 100 characters", |t| &t.name_length),
    ("must not have control characters", |t| &t.name_controls),
    ("has nothing that can be seen", |t| &t.name_invisible),
    ("must have 8 to 256 characters", |t| &t.password_length),
    ("is one of the most common passwords", |t| &t.password_common),
    ("must not hold the user name", |t| &t.password_username),
    ("must not hold the e-mail address", |t| &t.password_email),
    ("must not hold a word that this service blocks", |t| &t.password_blocked),
    ("is in a list of passwords that were stolen from other services", |t| &t.password_leaked),
    ("is too easy to guess", |t| &t.password_easy),
    ("is not valid, was used already, or has expired", |t| &t.token_not_good),
    ("The application is not known here (client_id).", |t| &t.client_unknown),
    ("The application has not said where to go back to (redirect_uri).", |t| &t.redirect_missing),
    ("The application wants to go back to an address that it has not registered (redirect_uri).", |t| {
        &t.redirect_unregistered
    }),
    ("What the application asked for is over, or was answered already (request_uri).", |t| &t.request_over),
    ("What the application asked for was answered already", |t| &t.request_over),
    ("This page is opened by an application that wants its user to sign in", |t| &t.opened_sign_in),
    ("This page is opened by an application that wants something", |t| &t.opened_consent),
    (
        "The application wants to go back to an address that it has not registered, or has not said who it is \
         (post_logout_redirect_uri, id_token_hint).",
        |t| &t.logout_unregistered,
    ),
    ("client_id is not the one that id_token_hint was made for", |t| &t.logout_mismatch),
    ("The code has eight letters, as the device shows them", |t| &t.device_malformed),
    ("A second factor is needed here, which is shown in a browser", |t| &t.pass_second_factor),
    ("A permission is missing that is needed here", |t| &t.pass_denied),
    ("A role is missing that is needed here", |t| &t.pass_denied),
    ("Nobody may pass here", |t| &t.pass_denied),
    ("No rule lets anybody pass here", |t| &t.pass_denied),
    ("The account has to be set in order first", |t| &t.set_in_order),
    ("No page that this server guards has the address to lead back to", |t| &t.pass_wrong_return),
    ("The page needs a second factor, and your account has none: set one up first", |t| &t.pass_no_factor),
    ("The form was made for another browser, or cookies are off", |t| &t.form_foreign),
    ("The request comes from a page of another origin", |t| &t.origin_foreign),
];

/// Stands before what is wrong with a client, which is told as it is: whoever has made the client reads it.
pub const WRONG_CLIENT: &str = "What the application says of itself cannot be taken: ";

/// A reason in the words of a language; as it is where there are none.
#[must_use]
pub fn of_reason(texts: &Texts, reason: &str) -> String {
    if let Some(why) = reason.strip_prefix(WRONG_CLIENT) {
        return texts.client_wrong.replace("{}", why);
    }
    let known = REASONS.iter().find(|(known, _)| *known == reason);
    known.map_or_else(|| reason.to_owned(), |(_, place)| place(texts).to_string())
}

/// An error in the words of a language. What is wrong with a field stands at the field.
#[must_use]
pub fn of_error(texts: &Texts, error: &Error) -> String {
    let in_seconds = |text: &str, seconds: &u64| text.replace("{}", &seconds.to_string());
    let plain = |text: &Cow<'static, str>| text.to_string();
    match error {
        Error::Invalid(wrong) => of_reason(texts, &wrong.reason),
        Error::Malformed(why) => of_reason(texts, why),
        Error::CsrfFailed(why) if REASONS.iter().any(|(known, _)| known == why) => of_reason(texts, why),
        Error::CsrfFailed(_) => plain(&texts.csrf_other),
        Error::InvalidCredentials => plain(&texts.wrong_credentials),
        Error::PasskeyRefused => plain(&texts.wrong_passkey),
        Error::InvalidMfaCode => plain(&texts.wrong_code),
        Error::InvalidToken | Error::TokenExpired | Error::TokenRevoked => plain(&texts.login_over),
        Error::AccountDisabled => plain(&texts.account_disabled),
        Error::EmailNotVerified => plain(&texts.email_not_verified),
        Error::TooManyAttempts { retry_after_secs } => in_seconds(&texts.too_many_attempts, retry_after_secs),
        Error::RateLimited { retry_after_secs, .. } => in_seconds(&texts.rate_limited, retry_after_secs),
        Error::Busy { .. } | Error::Unavailable(_) => plain(&texts.unavailable),
        Error::Internal(_) => plain(&texts.internal),
        Error::NotFound(_) => plain(&texts.not_found),
        Error::Forbidden(permission) if permission == "users:write" => plain(&texts.registration_closed),
        Error::Forbidden(_) => plain(&texts.forbidden),
        Error::Refused(why) => of_reason(texts, why),
        Error::MfaEnrolmentRequired | Error::PasswordChangeRequired => plain(&texts.set_in_order),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{de, en};
    use super::*;
    use crate::account::NewUser;
    use crate::base::Secret;
    use crate::oauth::page::texts::Texts;

    fn reason(error: Error) -> String {
        match error {
            Error::Invalid(wrong) => wrong.reason.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_form_of_an_account_is_refused_for_is_said_in_every_language() {
        let long = "a".repeat(101);
        let new = |name: &str, email: &str, first: &str| {
            NewUser::parse((name, email), (Some(first), None), Secret::new("correct horse 81 battery"))
        };
        let refused = [
            new("", "a@example.com", ""),
            new("a b", "a@example.com", ""),
            new("...", "a@example.com", ""),
            new("pаypal", "a@example.com", ""),
            new("ann", "nowhere", ""),
            new("ann", "a@example.com", &long),
            new("ann", "a@example.com", "a\u{7}"),
            new("ann", "a@example.com", "\u{200b}"),
        ];
        let words = |texts: &Texts, reason: &str| of_reason(texts, reason);
        for error in refused {
            let reason = reason(error.unwrap_err());
            for texts in [en::TEXTS, de::TEXTS] {
                assert_ne!(words(&texts, &reason), reason);
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_client_is_told_in_every_language_with_its_name() {
        for texts in [en::TEXTS, de::TEXTS] {
            let said = of_reason(&texts, &format!("{WRONG_CLIENT}redirect_uris is required"));
            assert_eq!(said, texts.client_wrong.replace("{}", "redirect_uris is required"));
        }
    }

    #[test]
    fn an_error_tells_nothing_of_the_inside() {
        for error in [Error::internal("a secret path"), Error::unavailable("a secret path")] {
            assert!(!of_error(&en::TEXTS, &error).contains("secret"));
        }
        assert!(
            of_error(&de::TEXTS, &Error::TooManyAttempts { retry_after_secs: 7 }).contains("in 7 Sekunden")
        );
    }
}
