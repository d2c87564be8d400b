//! What mails look like: templates of the program, and those that take their place.
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use minijinja::{Environment, UndefinedBehavior, context};

use super::model::{Kind, Letter, Written};
use crate::base::{Error, Result, Secret, Timestamp};
use crate::config::Language;
use crate::rbac::Initiator;

/// What the first line of a text begins with.
const SUBJECT: &str = "Subject: ";
const LAYOUT: &str = "layout.html";
/// Characters of what a client calls itself, as a mail shows it.
const MAX_DEVICE: usize = 80;

macro_rules! embedded {
    ($($name:literal)+) => {
        /// The templates of the program.
        const EMBEDDED: &[(&str, &str)] = &[
            (LAYOUT, include_str!("templates/layout.html")),
            $(
                (concat!("en/", $name, ".txt"), include_str!(concat!("templates/en/", $name, ".txt"))),
                (concat!("en/", $name, ".html"), include_str!(concat!("templates/en/", $name, ".html"))),
                (concat!("de/", $name, ".txt"), include_str!(concat!("templates/de/", $name, ".txt"))),
                (concat!("de/", $name, ".html"), include_str!(concat!("templates/de/", $name, ".html"))),
            )+
        ];
    };
}

embedded! {
    "verify_email" "reset_password" "confirm_email" "sign_in" "email_change_asked" "email_changed" "password_changed"
    "new_login" "factor_added" "factor_removed" "recovery_codes_low" "session_stolen" "already_registered"
}

/// Writes mails.
pub struct Templates {
    /// Parsed when the first mail is written, but tried at once where they are not those of the program alone.
    all: OnceLock<Environment<'static>>,
    /// What the service is called, and where it is.
    service: String,
    public_url: String,
    language: Language,
}

impl Templates {
    /// Those of the program, and over them those of a directory. Then every one is tried.
    ///
    /// # Errors
    /// `Error::Invalid` naming `mail.template_dir` and the file that is none of ours, or is broken.
    pub fn open(
        directory: Option<&Path>,
        language: Language,
        (service, public_url): (String, String),
    ) -> Result<Self> {
        let templates = Self { all: OnceLock::new(), service, public_url, language };
        if let Some(directory) = directory {
            let mut all = embedded()?;
            replace(&mut all, directory)?;
            templates.all.get_or_init(|| all);
            templates.check()?;
        }
        Ok(templates)
    }

    fn all(&self) -> Result<&Environment<'static>> {
        match self.all.get() {
            Some(all) => Ok(all),
            None => embedded().map(|all| self.all.get_or_init(|| all)),
        }
    }

    /// Writes a mail, in the language of whoever has caused it.
    ///
    /// # Errors
    /// `Error::Internal` for a template that does not take what it is given; they were all tried before.
    pub fn write(&self, letter: &Letter) -> Result<Written> {
        let language = wanted(&letter.by.languages).unwrap_or(self.language);
        self.write_in(letter, language).map_err(|(name, cause)| Error::internal(format!("{name}: {cause}")))
    }

    fn write_in(&self, letter: &Letter, language: Language) -> Result<Written, (String, String)> {
        let names = ["txt", "html"].map(|form| format!("{}/{}.{form}", code(language), letter.kind.name()));
        let (text, html) = (&names[0], &names[1]);
        let all = self.all().map_err(|cause| (LAYOUT.to_owned(), cause.to_string()))?;
        let render = |name: &String, subject: &str| {
            let template = all.get_template(name).map_err(|cause| (name.clone(), cause.to_string()))?;
            let values = self.values(letter, language, subject);
            template.render(values).map_err(|cause| (name.clone(), with_causes(&cause)))
        };
        let whole = render(text, "")?;
        let no_subject = || (text.clone(), format!("must begin with `{SUBJECT}`"));
        let (first, body) = whole.split_once('\n').ok_or_else(no_subject)?;
        let subject = first.strip_prefix(SUBJECT).map(str::trim).filter(|subject| !subject.is_empty());
        let subject = plain(subject.ok_or_else(no_subject)?);
        let html = render(html, &subject)?;
        Ok(Written { to: letter.to.clone(), subject, text: body.trim_start().to_owned(), html })
    }

    /// What a template may show. No value has a line break, so none can be a header of its own.
    fn values(&self, letter: &Letter, language: Language, subject: &str) -> minijinja::Value {
        let fact = |name: &str| {
            let found = letter.facts.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| plain(value)).unwrap_or_default()
        };
        let link = letter.link.as_ref();
        let expose = |secret: &Secret| secret.expose().to_owned();
        let address = |link: &super::model::Link| {
            format!("{}/account/{}#token={}", self.public_url, link.page, link.token.expose())
        };
        context! {
            language => code(language),
            subject => subject,
            service => plain(&self.service),
            username => plain(&letter.username),
            time => readable(letter.at),
            address => if letter.by.address.is_empty() { "-".to_owned() } else { plain(&letter.by.address) },
            device => device(&letter.by.user_agent),
            link => link.map(address).unwrap_or_default(),
            token => link.map(|link| expose(&link.token)).unwrap_or_default(),
            code => link.and_then(|link| link.code.as_ref()).map(expose).unwrap_or_default(),
            duration => link.map(|link| duration(link.expires_at.secs_since(letter.at), language)).unwrap_or_default(),
            new_email => fact("new_email"),
            method => methods(&fact("method"), language),
            left => fact("left"),
        }
    }

    /// Writes one mail of each kind in each language.
    fn check(&self) -> Result<()> {
        for kind in Kind::ALL {
            for language in [Language::English, Language::German] {
                self.write_in(&sample(*kind), language).map_err(|(name, cause)| broken(&name, &cause))?;
            }
        }
        Ok(())
    }
}

/// The templates of the program.
fn embedded() -> Result<Environment<'static>> {
    let mut all = Environment::new();
    all.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in EMBEDDED {
        all.add_template(name, text).map_err(Error::internal)?;
    }
    Ok(all)
}

fn broken(name: &str, cause: &str) -> Error {
    Error::invalid("mail.template_dir", format!("has a broken template, {name}: {cause}"))
}

fn with_causes(cause: &minijinja::Error) -> String {
    let line = cause.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    format!("{cause}{line}")
}

fn replace(all: &mut Environment<'static>, directory: &Path) -> Result<()> {
    for (name, text) in files(directory, "")? {
        if !EMBEDDED.iter().any(|(known, _)| *known == name) {
            let reason = format!("has {name}, which is the name of no template");
            return Err(Error::invalid("mail.template_dir", reason));
        }
        let added = all.add_template_owned(name.clone(), text);
        added.map_err(|cause| broken(&name, &with_causes(&cause)))?;
    }
    Ok(())
}

/// The files of a directory and of those in it, by their names from there. Hidden ones are somebody else's.
fn files(directory: &Path, prefix: &str) -> Result<Vec<(String, String)>> {
    let unreadable = |name: &str, cause: std::io::Error| {
        Error::invalid("mail.template_dir", format!("cannot be read: {name}: {cause}"))
    };
    let mut found = Vec::new();
    let shown = directory.display().to_string();
    for entry in fs::read_dir(directory).map_err(|cause| unreadable(&shown, cause))? {
        let path = entry.map_err(|cause| unreadable(&shown, cause))?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if name.rsplit('/').next().is_some_and(|name| name.starts_with('.')) {
            continue;
        }
        if path.is_dir() && prefix.is_empty() {
            found.extend(files(&path, &format!("{name}/"))?);
        } else {
            let text = fs::read_to_string(&path).map_err(|cause| unreadable(&name, cause))?;
            found.push((name, text));
        }
    }
    Ok(found)
}

fn sample(kind: Kind) -> Letter {
    let link = super::model::Link {
        page: "page",
        token: Secret::new("token"),
        code: Some(Secret::new("12345678")),
        expires_at: Timestamp::from_secs(1800),
    };
    Letter {
        kind,
        user: 1,
        username: "testuser".to_owned(),
        to: "test@example.com".to_owned(),
        by: Initiator::default(),
        at: Timestamp::default(),
        link: kind.has_link().then_some(link),
        facts: vec![("new_email", "new@example.com".to_owned()), ("method", "totp".to_owned())],
    }
}

fn code(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::German => "de",
    }
}

/// The first language of an `Accept-Language` that there is, by its weights (RFC 9110 section 12.5.4).
fn wanted(header: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for range in header.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let primary = parts.next().unwrap_or_default().split('-').next().unwrap_or_default().to_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        let language = match primary.as_str() {
            "en" => Language::English,
            "de" => Language::German,
            _ => continue,
        };
        let weight = weight.unwrap_or(0.0);
        if weight > 0.0 && best.is_none_or(|(known, _)| weight > known) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

/// A value without control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !crate::base::text::rearranges(*c)).collect()
}

/// What a client calls itself, without anything that a mail program would make a link of: it is not ours to say.
fn device(user_agent: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '(' | ')' | ';' | '-' | '_');
    user_agent
        .chars()
        .map(|c| if harmless(c) { c } else { ' ' })
        .take(MAX_DEVICE)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// `2027-01-15 08:00 UTC`
fn readable(time: Timestamp) -> String {
    let text = time.contract_form();
    format!("{} UTC", text.get(..16).unwrap_or_default().replace('T', " "))
}

/// What ways to prove who one is are called, by their names with spaces between them.
fn methods(names: &str, language: Language) -> String {
    let word = |name| match (name, language) {
        ("totp", Language::English) => "an authenticator app",
        ("totp", Language::German) => "eine Authenticator-App",
        ("passkey", Language::English) => "a passkey",
        ("passkey", Language::German) => "ein Passkey",
        ("passkey_after_password", Language::English) => "a passkey after the password",
        ("passkey_after_password", Language::German) => "ein Passkey nach dem Passwort",
        ("recovery_codes", Language::English) => "new recovery codes",
        ("recovery_codes", Language::German) => "neue Wiederherstellungscodes",
        (other, _) => other,
    };
    names.split(' ').map(word).collect::<Vec<_>>().join(", ")
}

fn duration(secs: i64, language: Language) -> String {
    let (hours, minutes) = (secs / 3600, secs / 60);
    match language {
        Language::English if hours >= 2 => format!("{hours} hours"),
        Language::English => format!("{minutes} minutes"),
        Language::German if hours >= 2 => format!("{hours} Stunden"),
        Language::German => format!("{minutes} Minuten"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(directory: Option<&Path>) -> Result<Templates> {
        let names = ("id.example".to_owned(), "https://id.example/auth".to_owned());
        Templates::open(directory, Language::English, names)
    }

    #[test]
    fn the_language_is_the_one_that_is_wanted_most() {
        for (header, language) in [
            ("de-DE,de;q=0.9,en;q=0.8", Some(Language::German)),
            ("fr, en;q=0.3, de;q=0.7", Some(Language::German)),
            ("EN-gb", Some(Language::English)),
            ("de;q=0, fr", None),
            ("de;q=x", None),
            ("", None),
            (";;,,q=1", None),
        ] {
            assert_eq!(wanted(header), language, "{header}");
        }
    }

    #[test]
    fn every_mail_of_the_program_can_be_written() {
        templates(None).unwrap().check().unwrap();
    }

    #[test]
    fn a_value_is_neither_a_header_nor_markup() {
        let mut letter = sample(Kind::NewLogin);
        letter.username = "a\r\nBcc: x@y.zz\n<b>&".to_owned();
        letter.by.user_agent = "see http://evil.example/\r\n<script>".to_owned();
        let written = templates(None).unwrap().write(&letter).unwrap();
        assert!(!written.subject.contains('\n') && written.html.contains("aBcc: x@y.zz&lt;b&gt;&amp;"));
        assert!(
            written.text.contains("aBcc: x@y.zz<b>&") && !written.text.contains("\nBcc"),
            "{}",
            written.text
        );
        for part in [&written.text, &written.html] {
            assert!(!part.contains("evil.example") && !part.contains("<script>"), "{part}");
        }
    }

    #[test]
    fn a_mail_holds_link_and_token_in_both_forms_and_languages() {
        for (languages, words) in [("en", "Choose another password"), ("de", "Neues Passwort")] {
            let mut letter = sample(Kind::ResetPassword);
            letter.by.languages = languages.to_owned();
            let written = templates(None).unwrap().write(&letter).unwrap();
            assert!(written.subject.contains(words), "{}", written.subject);
            assert!(written.text.contains("https://id.example/auth/account/page#token=token\n"));
            assert!(written.html.contains("<code>token</code>") && written.html.contains(words));
            assert!(written.text.contains("30 Minuten") == (languages == "de"));
        }
    }

    #[test]
    fn a_broken_or_unknown_template_is_named() {
        for (name, text, words) in [
            ("en/reset_password.txt", "no subject", "must begin with"),
            ("en/reset_password.txt", "Subject: x\n{{ nothing }}", "undefined"),
            ("de/sign_in.html", "{% if %}", "syntax"),
            ("layout.html", "{% block body %}", "syntax"),
            ("en/reset_pasword.txt", "Subject: x\n", "no template"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            fs::write(dir.path().join(name), text).unwrap();
            let Err(Error::Invalid(wrong)) = templates(Some(dir.path())) else { panic!("{name} is taken") };
            assert_eq!(wrong.field, "mail.template_dir");
            assert!(wrong.reason.contains(name) && wrong.reason.contains(words), "{}", wrong.reason);
        }
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("en")).unwrap();
        fs::write(dir.path().join("en/sign_in.txt"), "Subject: Ours\n\n{{ code }} and {{ link }}\n").unwrap();
        let written = templates(Some(dir.path())).unwrap().write(&sample(Kind::SignIn)).unwrap();
        assert_eq!((written.subject.as_str(), written.text.split(' ').next()), ("Ours", Some("12345678")));
    }
}
