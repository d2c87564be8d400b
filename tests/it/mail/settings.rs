//! Settings of mails that cannot be used together are refused by name.
use auth_service::base::Error;
use auth_service::config::{Flags, load};

fn refusal(settings: &[(&str, &str)]) -> Option<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: dir.path().to_str().map(str::to_owned), ..Flags::default() };
    let named = |key: &str| format!("AUTH_{}", key.replace('.', "__").to_uppercase());
    let environment = settings.iter().map(|(key, value)| (named(key), (*value).to_owned()));
    match load(&flags, environment) {
        Ok(_) => None,
        Err(Error::Invalid(wrong)) => Some((wrong.field.into_owned(), wrong.reason.into_owned())),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn what_needs_mail_says_so() {
    for (key, value) in
        [("registration", "hidden"), ("registration_verify", "required"), ("mail.sign_in", "true")]
    {
        let (field, reason) = refusal(&[(key, value)]).unwrap();
        assert_eq!((field.as_str(), reason.contains("mail.sink")), (key, true), "{reason}");
        let with = [(key, value), ("mail.sink", "directory"), ("mail.from", "a@b.cd")];
        assert_eq!(refusal(&with), None, "{key}");
    }
}

#[test]
fn a_way_that_lacks_something_names_it() {
    let smtp = ("mail.sink", "smtp");
    let from = ("mail.from", "a@b.cd");
    let host = ("mail.smtp_host", "mail.example");
    let user = ("mail.smtp_username", "ann");
    let file = ("mail.smtp_password_file", "/nowhere");
    for (settings, named) in [
        (vec![smtp], "mail.from"),
        (vec![smtp, from], "mail.smtp_host"),
        (vec![smtp, from, host, user], "mail.smtp_password_file"),
        (vec![smtp, from, host, user, file, ("mail.smtp_security", "none")], "mail.smtp_security"),
        (vec![smtp, from, host, ("mail.smtp_port", "65536")], "mail.smtp_port"),
        (vec![("mail.sink", "file")], "mail.sink"),
        (vec![("mail.language", "fr")], "mail.language"),
        (vec![("mail.sign_in", "yes")], "mail.sign_in"),
    ] {
        assert_eq!(refusal(&settings).map(|(field, _)| field).as_deref(), Some(named), "{settings:?}");
    }
    assert_eq!(refusal(&[smtp, from, host, user, file]), None);
}
