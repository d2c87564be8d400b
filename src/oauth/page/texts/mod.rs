//! What pages say, in every language that comes with the program. A file for each language: one that lacks a text, or has one
//! too many, does not compile.
use std::borrow::Cow;

pub mod de;
pub mod en;
mod words;

pub use words::{WRONG_CLIENT, of_error, of_reason};

macro_rules! texts {
    ($($name:ident)+) => {
        /// Every text that pages have; `{}` stands for a value.
        #[derive(Debug, Clone)]
        pub struct Texts { $( pub $name: Cow<'static, str>, )+ }

        impl Texts {
            /// The texts by their names.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, &str)> {
                vec![ $( (stringify!($name), &*self.$name), )+ ]
            }

            /// The place of a text.
            pub fn get_mut(&mut self, name: &str) -> Option<&mut Cow<'static, str>> {
                match name { $( stringify!($name) => Some(&mut self.$name), )+ _ => None }
            }
        }
    };
}

/// The texts of a language.
macro_rules! language {
    ($($name:ident: $text:literal,)+) => {
        $crate::oauth::page::texts::Texts { $( $name: std::borrow::Cow::Borrowed($text), )+ }
    };
}
use language;

texts! {
    go_on or_else signed_in_as
    sign_in sign_in_for username_or_email password sign_in_passkey no_account register_link forgot_link mail_link
    second_title second_app second_passkey second_either code use_passkey trust_device
    consent_title consent_of unchecked own_word consent_wants consent_at goes_to this_device agree refuse somebody_else
    scope_openid scope_profile scope_email scope_phone scope_address scope_offline_access scope_other
    select_title select_text go_on_as other_account
    sign_out_title sign_out signed_out going_back go_on_now going_on
    error_title back_to_sign_in
    register_title username username_hint email new_password new_password_hint make_account
    registered_mail_title registered_mail_text
    forgot_title forgot_text send_mail mail_sent_title mail_sent_text
    reset_title reset_text mailed_token choose_password reset_done_title reset_done_text
    verify_title verify_text verify_button verify_done_title verify_done_text resend_text resend_button
    confirm_title confirm_text confirm_done_text
    mail_sign_in_title mail_sign_in_text mail_link_title mail_link_text mailed_code mailed_code_text
    recover_title recover_text recover_password_hint recover_done_title recover_done_text your_account
    passkeys_title passkeys_unknown passkeys_script passkey_name passkey_name_hint passkey_add passkey_added passkey_remove
    passkey_removed passkey_used passkey_unused passkey_several passkey_single passkey_none end_others others_ended sign_in_again
    script_needed
    wrong_credentials wrong_passkey wrong_code login_over account_disabled email_not_verified too_many_attempts rate_limited
    unavailable internal form_foreign origin_foreign registration_closed not_found csrf_other
    client_unknown client_wrong redirect_missing redirect_unregistered request_over opened_sign_in opened_consent
    logout_unregistered logout_mismatch
    is_required is_taken not_an_email username_length username_characters username_letter username_scripts name_length
    name_controls name_invisible password_length password_common password_username password_email password_blocked
    password_leaked password_easy token_not_good
    device_title device_text device_wants device_act device_from device_program device_warning device_done_title device_done
    device_refused_title device_refused device_unknown device_malformed forbidden set_in_order
    pass_denied pass_second_factor pass_no_factor pass_wrong_return
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_room_for_the_same_values_in_every_language() {
        let (english, german) = (en::TEXTS, de::TEXTS);
        for ((name, one), (_, other)) in english.named().into_iter().zip(german.named()) {
            assert_eq!(one.matches("{}").count(), other.matches("{}").count(), "{name}");
            assert!(!one.trim().is_empty() && one.trim() == one && other.trim() == other, "{name}");
        }
        assert!(english.named().len() > 100, "the list has lost its texts");
    }
}
