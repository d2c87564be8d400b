//! Golden bytes of mails, and of what they are about.
use auth_service::account::User;
use auth_service::base::Id;
use auth_service::base::text::Email;
use auth_service::email_login::model::Mailed;
use auth_service::email_verification::model::{Change, Standing};
use auth_service::mail::model::{Queued, Turns};
use auth_service::password_reset::table::MailedReset;
use auth_service::registration::model::Wanted;

use super::{TIME, check, user};

#[test]
fn mails_are_written_as_ever() {
    let queued = Queued {
        id: Id::from_bytes(*b"0123456789abcdef"),
        kind: 2,
        user: 300,
        created_at: TIME,
        expires_at: TIME.plus_secs(1800),
        attempts: 3,
        next_at: TIME.plus_secs(240),
        trouble: "the mail server says 451".to_owned(),
        sealed: vec![1, 2, 254],
    };
    check("mail.queue", &queued, |_| queued.clone());
    let turns = Turns { at: vec![TIME, TIME.plus_secs(1)] };
    check("mail.turns", &turns, |_| turns.clone());
}

#[test]
fn what_is_known_of_an_address_is_written_as_ever() {
    let email = || Email::parse("Unal+x@bücher.example").unwrap();
    let standing = Standing { verified: Some((email(), TIME)), is_required: true };
    check("email_verification", &standing, |_| standing.clone());
    let change = Change { email: email(), hash: [0xab; 32], expires_at: TIME };
    check("email_change", &change, |_| change.clone());
}

#[test]
fn what_was_asked_for_by_mail_is_written_as_ever() {
    let User { username, email, first_name, last_name, password_hash, .. } = user();
    let (hash, expires_at) = ([0xab; 32], TIME);
    let address = email.clone();
    let wanted = Wanted { username, email, first_name, last_name, password_hash, hash, expires_at };
    check("registration", &wanted, |_| wanted.clone());
    let mailed = Mailed { email: address, token: hash, code: [0xcd; 32], wrong: 9, expires_at };
    check("email_login", &mailed, |_| mailed.clone());
    let mailed = MailedReset { email: mailed.email, hash, expires_at };
    check("password_reset.mailed", &mailed, |_| mailed.clone());
}
