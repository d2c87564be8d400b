//! Where settings come from, and which one wins.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::declared::names;
use super::settings::{Config, SETTINGS};
use super::value::Value;
use super::{InForce, Setting, file_in};
use crate::base::{Error, Result};

/// What may hold secrets: shown by the names of its parts.
const DECLARED: &[&str] = &["oauth.clients"];
const ENV_PREFIX: &str = "AUTH_";

/// What the command line said.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The file to read instead of `config.toml` in the data directory.
    pub config: Option<PathBuf>,
    pub data_dir: Option<String>,
    pub listen: Option<String>,
    pub public_url: Option<String>,
}

/// One thing that was said, and where.
struct Said {
    value: toml::Value,
    source: String,
}

/// What was said of each setting; later sources have replaced earlier ones.
pub struct Values(BTreeMap<&'static str, Said>);

/// Reads all sources.
///
/// # Errors
/// `Error::Invalid` naming the setting, where it was said, and what is allowed; `Error::Unavailable` for a file
/// that cannot be read.
pub fn load(
    flags: &Flags,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(Config, Vec<InForce>)> {
    let environment = environment_values(environment)?;
    let mut values = Values::defaults()?;
    let data_dir = flags.data_dir.clone().or_else(|| text_of(&environment, "data_dir"));
    let in_data_dir = || file_in(Path::new(data_dir.as_deref().unwrap_or("./data")));
    if let Some(file) = flags.config.clone().or_else(in_data_dir) {
        values.read_file(&file)?;
    }
    values.0.extend(environment);
    let flags = [("data_dir", &flags.data_dir), ("listen", &flags.listen), ("public_url", &flags.public_url)];
    for (key, said) in flags {
        if let Some(text) = said {
            let source = format!("flag --{}", key.replace('_', "-"));
            values.0.insert(key, Said { value: toml::Value::String(text.clone()), source });
        }
    }
    let config = Config::read(&values)?.check()?;
    Ok((config, values.in_force()))
}

fn text_of(values: &BTreeMap<&'static str, Said>, key: &str) -> Option<String> {
    values.get(key).and_then(|said| said.value.as_str()).map(str::to_owned)
}

fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().flat_map(|section| section.iter())
}

fn environment_values(all: impl Iterator<Item = (String, String)>) -> Result<BTreeMap<&'static str, Said>> {
    let mut values = BTreeMap::new();
    for (name, text) in all {
        let Some(rest) = name.strip_prefix(ENV_PREFIX) else { continue };
        let key = rest.replace("__", ".").to_lowercase();
        let source = format!("environment variable {name}");
        let setting = known(&key, &source)?;
        values.insert(setting.key, Said { value: toml::Value::String(text), source });
    }
    Ok(values)
}

/// The setting of that name; for any other name an error that helps.
fn known(key: &str, source: &str) -> Result<&'static Setting> {
    settings().find(|setting| setting.key == key).ok_or_else(|| {
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        let same =
            |setting: &&Setting| setting.key.rsplit_once('.').map_or("", |(section, _)| section) == section;
        let beside: Vec<_> = settings().filter(same).map(|setting| setting.key).collect();
        let known = if beside.is_empty() {
            "there is no such section; `auth-service config example` prints all settings".to_owned()
        } else {
            format!("known here: {}", beside.join(", "))
        };
        Error::invalid(key.to_owned(), format!("is not a setting ({source}); {known}"))
    })
}

impl Values {
    fn defaults() -> Result<Self> {
        let mut values = BTreeMap::new();
        for setting in settings() {
            let table: toml::Table = format!("v = {}", setting.default).parse().map_err(Error::internal)?;
            let value = table.get("v").cloned().ok_or_else(|| Error::internal(setting.key))?;
            values.insert(setting.key, Said { value, source: "default".to_owned() });
        }
        Ok(Self(values))
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let source = path.display().to_string();
        let text =
            fs::read_to_string(path).map_err(|e| Error::unavailable(format!("cannot read {source}: {e}")))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            // The line itself may hold a secret.
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::invalid(source.clone(), format!("is not TOML: line {line}: {}", e.message()))
        })?;
        self.read_table("", &table, &format!("file {source}"))
    }

    fn read_table(&mut self, prefix: &str, table: &toml::Table, source: &str) -> Result<()> {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            match value {
                toml::Value::Table(inner) => self.read_table(&format!("{key}."), inner, source)?,
                value => {
                    let setting = known(&key, source)?;
                    self.0.insert(setting.key, Said { value: value.clone(), source: source.to_owned() });
                }
            }
        }
        Ok(())
    }

    /// A setting's value; what was said last must be allowed.
    pub fn get<T: Value>(&self, key: &'static str) -> Result<T> {
        let said = self.0.get(key).ok_or_else(|| Error::internal(format!("no default for {key}")))?;
        let setting = known(key, &said.source)?;
        let from_text = said.value.as_str().filter(|_| !said.source.starts_with("file"));
        let value = T::from_toml(&said.value).or_else(|| from_text.and_then(T::from_text));
        value.filter(|_| within_bounds(setting, &said.value)).ok_or_else(|| {
            let (Said { value, source }, allowed) = (said, setting.allowed);
            let value = if DECLARED.contains(&key) { "what it is".to_owned() } else { value.to_string() };
            Error::invalid(key, format!("cannot be {value} ({source}); allowed: {allowed}"))
        })
    }

    fn in_force(&self) -> Vec<InForce> {
        let show = |setting: &'static Setting| {
            let said = self.0.get(setting.key)?;
            let is_declared = DECLARED.contains(&setting.key);
            let value = if is_declared { names(&said.value) } else { said.value.to_string() };
            Some(InForce { key: setting.key, value, source: said.source.clone() })
        };
        settings().filter_map(show).collect()
    }
}

/// «A whole number from 1» says that zero is not allowed.
fn within_bounds(setting: &Setting, value: &toml::Value) -> bool {
    let zero =
        value.as_integer() == Some(0) || value.as_str().and_then(|text| text.parse().ok()) == Some(0_u64);
    !(zero && setting.allowed.starts_with("a whole number from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(environment: &[(&str, &str)], file: Option<&str>) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            fs::write(dir.path().join("config.toml"), text).unwrap();
        }
        let flags = Flags { data_dir: dir.path().to_str().map(str::to_owned), ..Flags::default() };
        let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        load(&flags, environment).map(|(config, _)| config)
    }

    fn refusal(environment: &[(&str, &str)], file: Option<&str>) -> (String, String) {
        match load_with(environment, file) {
            Err(Error::Invalid(wrong)) => (wrong.field.into_owned(), wrong.reason.into_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let file = "registration = \"closed\"\n[rate_limit]\nrequests_per_hour = 5\n";
        let config = load_with(&[("AUTH_RATE_LIMIT__REQUESTS_PER_HOUR", "0")], Some(file)).unwrap();
        assert_eq!(config.rate_limit.requests_per_hour, 0);
        assert_eq!(config.registration, super::super::Registration::Closed);
        assert_eq!(config.http.max_connections, 10_000);
    }

    #[test]
    fn a_wrong_setting_is_named_with_what_is_allowed() {
        let (field, reason) = refusal(&[("AUTH_LISTEN", "nowhere")], None);
        assert_eq!(field, "listen");
        assert!(reason.contains("AUTH_LISTEN") && reason.contains("127.0.0.1:8000"), "{reason}");
        for (file, named) in [
            ("listn = 1", "listn"),
            ("[http]\nmax_conections = 1", "http.max_conections"),
            ("[nowhere]\na = 1", "nowhere.a"),
            ("[http]\nmax_connections = -1", "http.max_connections"),
            ("[http]\nmax_connections = 0", "http.max_connections"),
            ("[http]\nmax_connections = true", "http.max_connections"),
            ("registration = \"Open\"", "registration"),
            ("[password]\nmemory_kib = 7", "password.memory_kib"),
            ("[tokens]\nalgorithm = \"HS256\"", "tokens.shared_secret_file"),
            ("[oauth]\ndpop_window_secs = 9", "oauth.dpop_window_secs"),
            ("cors_origins = \"https://a.example\"", "cors_origins"),
        ] {
            assert_eq!(refusal(&[], Some(file)).0, named, "{file}");
        }
    }

    #[test]
    fn the_example_is_what_is_in_force_without_it() {
        let text = super::super::example();
        let config = load_with(&[], Some(&text)).unwrap();
        assert_eq!(format!("{:?}", config.http), format!("{:?}", load_with(&[], None).unwrap().http));
    }
}
