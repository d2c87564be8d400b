//! Which language a page has: those of the program, and those that a directory adds.
use std::borrow::Cow;
use std::fs;
use std::path::Path;

use minijinja::Value;

use super::texts::{Texts, de, en};
use crate::base::{Error, Result};

const SETTING: &str = "pages.language_dir";

/// A language that pages can have.
pub struct Language {
    /// As BCP 47 names it.
    pub tag: String,
    pub texts: Texts,
    /// The texts, for templates.
    pub(super) shown: Value,
}

/// All of them, the usual one first.
pub struct Languages(Vec<Language>);

impl Language {
    fn new(tag: &str, texts: Texts) -> Self {
        let shown = Value::from_pairs(texts.named());
        Self { tag: tag.to_owned(), texts, shown }
    }
}

impl Languages {
    /// Those of the program, and over them those of a directory. `usual`: the one for whoever wants none that there is.
    ///
    /// # Errors
    /// `Error::Invalid` naming `pages.language_dir` and the file that is broken, or `pages.language` for one that there is not.
    pub fn open(usual: &str, directory: Option<&Path>) -> Result<Self> {
        let mut all = vec![Language::new("en", en::TEXTS), Language::new("de", de::TEXTS)];
        if let Some(directory) = directory {
            add(&mut all, directory)?;
        }
        let Some(at) = all.iter().position(|language| language.tag.eq_ignore_ascii_case(usual)) else {
            let known: Vec<_> = all.iter().map(|language| language.tag.as_str()).collect();
            let reason = format!("must be one that there is: {}", known.join(", "));
            return Err(Error::invalid("pages.language", reason));
        };
        all.swap(0, at);
        Ok(Self(all))
    }

    /// The first of `ui_locales` that there is (OpenID Connect Core section 3.1.2.1), else the one that the browser wants
    /// most (RFC 9110 section 12.5.4), else the usual one.
    #[must_use]
    pub fn choose(&self, ui_locales: Option<&str>, accepted: &str) -> &Language {
        let asked = ui_locales.unwrap_or_default().split(' ').find_map(|tag| self.find(tag));
        let language = asked.or_else(|| self.wanted(accepted));
        language.unwrap_or_else(|| self.usual())
    }

    /// What `ui_locales_supported` says.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        self.0.iter().map(|language| language.tag.clone()).collect()
    }

    /// Every language.
    pub fn iter(&self) -> impl Iterator<Item = &Language> {
        self.0.iter()
    }

    fn usual(&self) -> &Language {
        // There is one at least: `open` has found it.
        &self.0[0]
    }

    /// The language of a tag, or of what stands before its regions (RFC 4647 section 3.4).
    fn find(&self, tag: &str) -> Option<&Language> {
        let mut tag = tag;
        while !tag.is_empty() {
            if let Some(found) = self.0.iter().find(|language| language.tag.eq_ignore_ascii_case(tag)) {
                return Some(found);
            }
            tag = tag.rsplit_once('-').map_or("", |(before, _)| before);
        }
        None
    }

    fn wanted(&self, header: &str) -> Option<&Language> {
        let mut best: Option<(f32, &Language)> = None;
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let Some(language) = parts.next().and_then(|tag| self.find(tag)) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
            let weight = weight.unwrap_or(0.0);
            if weight > 0.0 && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

fn broken(name: &str, cause: impl std::fmt::Display) -> Error {
    Error::invalid(SETTING, format!("has a broken file, {name}: {cause}"))
}

/// Reads `xx.json`, an object of texts, for each language that is to be added or said in other words.
fn add(all: &mut Vec<Language>, directory: &Path) -> Result<()> {
    let shown = directory.display().to_string();
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(|cause| broken(&shown, cause))? {
        paths.push(entry.map_err(|cause| broken(&shown, cause))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let tag = name.strip_suffix(".json").filter(|tag| is_tag(tag));
        let tag = tag.ok_or_else(|| broken(&name, "is not called like a language, as in `fr.json`"))?;
        let text = fs::read_to_string(&path).map_err(|cause| broken(&name, cause))?;
        let said: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|cause| broken(&name, cause))?;
        let known = all.iter().position(|language| language.tag.eq_ignore_ascii_case(tag));
        let texts = known.map_or(en::TEXTS, |at| all[at].texts.clone());
        let language = Language::new(tag, with(texts, &said).map_err(|cause| broken(&name, cause))?);
        match known {
            Some(at) => all[at] = language,
            None => all.push(language),
        }
    }
    Ok(())
}

fn is_tag(text: &str) -> bool {
    (2..=35).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Texts in other words: each with room for as many values as before.
fn with(mut texts: Texts, said: &serde_json::Map<String, serde_json::Value>) -> Result<Texts, String> {
    for (name, text) in said {
        let place = texts.get_mut(name).ok_or_else(|| format!("`{name}` is the name of no text"))?;
        let text = text.as_str().ok_or_else(|| format!("`{name}` must be a text"))?;
        let room = place.matches("{}").count();
        if text.matches("{}").count() != room {
            return Err(format!("`{name}` must have `{{}}` {room} times"));
        }
        *place = Cow::Owned(text.to_owned());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages() -> Languages {
        Languages::open("en", None).unwrap()
    }

    #[test]
    fn what_the_application_wants_comes_before_what_the_browser_wants() {
        let all = languages();
        for (asked, accepted, tag) in [
            (None, "", "en"),
            (None, "fr, de;q=0.5, en;q=0.4", "de"),
            (None, "de-AT", "de"),
            (None, "de;q=0, fr", "en"),
            (None, "de;q=x, ;;,", "en"),
            (Some("fr-CA de-CH en"), "en", "de"),
            (Some("fr"), "de", "de"),
            (Some(""), "de", "de"),
            (Some("EN-gb"), "de", "en"),
        ] {
            assert_eq!(all.choose(asked, accepted).tag, tag, "{asked:?} {accepted}");
        }
        assert_eq!(Languages::open("de", None).unwrap().choose(None, "fr").tag, "de");
    }

    #[test]
    fn a_directory_adds_languages_and_other_words() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("fr.json"), r#"{"sign_in": "Se connecter"}"#).unwrap();
        fs::write(dir.path().join("de.json"), r#"{"sign_in": "Einloggen"}"#).unwrap();
        let all = Languages::open("fr", Some(dir.path())).unwrap();
        assert_eq!(all.tags(), ["fr", "de", "en"]);
        assert_eq!(all.choose(None, "").texts.sign_in, "Se connecter");
        assert_eq!(all.choose(None, "").texts.password, "Password", "what is not said is English");
        assert_eq!(all.choose(None, "de").texts.sign_in, "Einloggen");
        for (name, text, words) in [
            ("fr.json", "{", "EOF"),
            ("fr.json", r#"{"sign_inn": "x"}"#, "`sign_inn` is the name of no text"),
            ("fr.json", r#"{"sign_in": 1}"#, "must be a text"),
            ("fr.json", r#"{"signed_in_as": "moi"}"#, "must have `{}` 1 times"),
            ("fr.txt", "{}", "not called like a language"),
            ("..json", "{}", ""),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), text).unwrap();
            match Languages::open("en", Some(dir.path())) {
                Err(Error::Invalid(wrong)) => {
                    assert_eq!(wrong.field, SETTING);
                    assert!(wrong.reason.contains(words) && wrong.reason.contains(name), "{}", wrong.reason);
                }
                Ok(_) => assert!(words.is_empty(), "{name} is taken"),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(
            matches!(Languages::open("fr", None), Err(Error::Invalid(wrong)) if wrong.field == "pages.language")
        );
    }
}
