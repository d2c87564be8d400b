//! Rows of a file of accounts, and what became of them. Pure: no files, no store.
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::account::{NewUser, User};
use crate::base::text::{DisplayName, LookupKey};
use crate::base::{Error, Result, Secret, Timestamp};
use crate::crypto::ForeignHash;
use crate::rbac::RoleName;
use crate::rbac::model::{SUPERUSER, USER, roles_of};

/// How many rows one change of the store takes: so many share a commit, and so long others wait for it.
pub const ROWS_AT_ONCE: usize = 500;
/// The fields that are taken; others are ignored.
pub const FIELDS: [&str; 7] =
    ["username", "email", "first_name", "last_name", "password_hash", "is_active", "roles"];
const MAX_ROLES: usize = 100;
/// Of what stands for a user name in a refused row.
const MAX_SHOWN: usize = 64;

/// How a file of accounts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// With a line of column names first (RFC 4180).
    Csv,
}

/// A row as it stands in the file. It holds a password hash, so it has no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Row {
    /// The line of the file on which it begins, from 1.
    pub number: u64,
    pub username: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub password_hash: Option<String>,
    pub is_active: Option<bool>,
    pub roles: Vec<String>,
}

/// An account that is to be made of a row, every field of it checked.
pub struct Arrival {
    pub row: u64,
    new: NewUser,
    is_active: bool,
    password_hash: String,
}

/// A row that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub row: u64,
    /// As far as it is known.
    pub username: Option<String>,
    /// None when the row as a whole cannot be read.
    pub field: Option<String>,
    pub reason: String,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    Imported {
        row: u64,
        username: String,
        /// None in a dry run.
        id: Option<u64>,
    },
    Refused(Refused),
}

/// How many rows there were. In a dry run `imported` are those that would have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub rows: u64,
    pub imported: u64,
    pub refused: u64,
    pub dry_run: bool,
}

/// The totals, and every row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub totals: Totals,
    pub refused: Vec<Refused>,
}

/// An account as it is written out, in the fields that an import takes.
#[derive(Serialize, Deserialize)]
pub struct Exported {
    pub id: u64,
    pub username: String,
    pub email: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    pub is_active: bool,
    pub roles: Vec<String>,
    pub created_at: String,
}

impl Format {
    /// `jsonl` or `csv`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "jsonl" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// By the ending of a file's name.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

impl Row {
    /// Checks every field, and that the password hash is of a form that can be verified.
    ///
    /// # Errors
    /// The row as refused, with its first wrong field.
    pub fn parse(self) -> Result<Arrival, Refused> {
        let (row, username) = (self.number, self.username.clone());
        self.arrival().map_err(|error| Refused::by(&error, row, username.as_deref()))
    }

    fn arrival(self) -> Result<Arrival> {
        let username = self.username.ok_or_else(|| Error::invalid("username", "is required"))?;
        let email = self.email.ok_or_else(|| Error::invalid("email", "is required"))?;
        let names = (self.first_name.as_deref(), self.last_name.as_deref());
        let new = NewUser::parse((&username, &email), names, Secret::new(""))?;
        let password_hash = self.password_hash.unwrap_or_default();
        if !password_hash.is_empty() {
            ForeignHash::parse(&password_hash)?;
        }
        let (is_superuser, roles) = parse_roles(self.roles)?;
        let new = NewUser { is_superuser, roles, ..new };
        Ok(Arrival { row: self.number, new, is_active: self.is_active.unwrap_or(true), password_hash })
    }
}

/// The role of everyone is not given: it is there.
fn parse_roles(mut roles: Vec<String>) -> Result<(bool, Vec<RoleName>)> {
    if roles.len() > MAX_ROLES {
        return Err(Error::invalid("roles", format!("must be at most {MAX_ROLES}")));
    }
    let is_superuser = roles.iter().any(|role| role == SUPERUSER);
    roles.retain(|role| ![SUPERUSER, USER].contains(&role.as_str()));
    Ok((is_superuser, RoleName::parse_all("roles", &roles)?))
}

impl Arrival {
    #[must_use]
    pub fn username(&self) -> &str {
        self.new.username.as_str()
    }

    /// The roles that it is given, that of superusers included.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        let superuser = self.new.is_superuser.then_some(SUPERUSER);
        let given = self.new.roles.iter().map(RoleName::as_str);
        superuser.into_iter().chain(given).map(str::to_owned).collect()
    }

    /// Under which its names are found: user name and e-mail address.
    #[must_use]
    pub fn keys(&self) -> (LookupKey, LookupKey) {
        (self.new.username.lookup_key(), self.new.email.lookup_key())
    }

    /// The account, once it has an id.
    #[must_use]
    pub fn into_user(self, id: u64, now: Timestamp) -> User {
        User { is_active: self.is_active, ..self.new.into_user(id, self.password_hash, now) }
    }
}

impl Refused {
    /// Of a row that cannot be read as a whole.
    pub fn unread(row: u64, reason: impl Into<String>) -> Self {
        Self { row, username: None, field: None, reason: reason.into() }
    }

    /// For an error that is about the row: see [`Refused::is_about_row`].
    #[must_use]
    pub fn by(error: &Error, row: u64, username: Option<&str>) -> Self {
        let (field, reason) = match error {
            Error::Invalid(wrong) => (wrong.field.to_string(), wrong.reason.to_string()),
            Error::Forbidden(missing) => {
                ("roles".to_owned(), format!("hold `{missing}`, which whoever imports does not"))
            }
            other => ("row".to_owned(), other.to_string()),
        };
        Self { row, username: username.map(shown), field: Some(field), reason }
    }

    /// Whether an error is about one row; any other ends an import.
    #[must_use]
    pub fn is_about_row(error: &Error) -> bool {
        matches!(error, Error::Invalid(_) | Error::Forbidden(_))
    }
}

/// What of a text that may be anything can be printed: not much, and nothing that moves a terminal's cursor.
fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(MAX_SHOWN).map(plain).collect()
}

impl Outcome {
    #[must_use]
    pub fn row(&self) -> u64 {
        match self {
            Self::Imported { row, .. } | Self::Refused(Refused { row, .. }) => *row,
        }
    }
}

impl Totals {
    pub fn count(&mut self, outcome: &Outcome) {
        self.rows += 1;
        match outcome {
            Outcome::Imported { .. } => self.imported += 1,
            Outcome::Refused(_) => self.refused += 1,
        }
    }
}

impl Exported {
    /// `password_hashes`: whether it is written out how the password is verified.
    #[must_use]
    pub fn of(user: User, password_hashes: bool) -> Self {
        let name = |name: Option<DisplayName>| name.map(|name| name.as_str().to_owned());
        let mut roles = roles_of(&user);
        roles.retain(|role| role != USER);
        Self {
            id: user.id,
            username: user.username.to_string(),
            email: user.email.to_string(),
            first_name: name(user.first_name),
            last_name: name(user.last_name),
            password_hash: Some(user.password_hash).filter(|hash| password_hashes && !hash.is_empty()),
            is_active: user.is_active,
            roles,
            created_at: user.created_at.rfc3339(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(username: &str) -> Row {
        let own = |text: &str| Some(text.to_owned());
        Row { number: 7, username: own(username), email: own(&format!("{username}@b.cd")), ..Row::default() }
    }

    fn field(row: Row) -> String {
        match row.parse() {
            Ok(arrival) => panic!("{} is good", arrival.username()),
            Err(refused) => refused.field.unwrap(),
        }
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let user = row("ann").parse().ok().unwrap().into_user(3, Timestamp::from_secs(9));
        assert!(
            user.is_active && !user.is_superuser && user.password_hash.is_empty() && user.roles.is_empty()
        );
        assert_eq!((user.id, user.created_at, user.first_name), (3, Timestamp::from_secs(9), None));
        let given = |roles: &[&str]| {
            let roles = roles.iter().map(|&role| role.to_owned()).collect();
            Row { roles, is_active: Some(false), ..row("ann") }.parse().ok().unwrap()
        };
        assert_eq!(given(&["user", "b", "superuser", "a", "b"]).roles(), ["superuser", "a", "b"]);
        let user = given(&["superuser"]).into_user(1, Timestamp::default());
        assert!(user.is_superuser && !user.is_active && user.roles.is_empty());
    }

    #[test]
    fn the_first_wrong_field_is_named_and_nothing_secret_is_repeated() {
        let own = |text: &str| Some(text.to_owned());
        let many = || vec!["a".to_owned(); MAX_ROLES + 1];
        assert_eq!(field(Row { username: None, ..row("ann") }), "username");
        assert_eq!(field(Row { email: None, ..row("ann") }), "email");
        assert_eq!(field(Row { first_name: own("\u{7}"), ..row("ann") }), "first_name");
        assert_eq!(field(Row { password_hash: own("secret"), ..row("ann") }), "password_hash");
        assert_eq!(field(Row { roles: vec!["A".to_owned()], ..row("ann") }), "roles");
        assert_eq!(field(Row { roles: many(), ..row("ann") }), "roles");
        let odd = format!("\u{1b}[2J{}", "x".repeat(100));
        let refused = row(&odd).parse().err().unwrap();
        let shown = refused.username.unwrap();
        assert!(shown.starts_with("\u{fffd}[2Jxx") && shown.chars().count() == MAX_SHOWN, "{shown}");
        assert_eq!(refused.row, 7);
    }

    #[test]
    fn formats_by_name() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("b/A.CSV", Some(Format::Csv)),
            ("a.jsonl", Some(Format::Jsonl)),
            ("a.b.ndjson", Some(Format::Jsonl)),
            ("a.json", None),
            ("csv", None),
            ("-", None),
        ] {
            assert_eq!(Format::of_file(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn what_is_written_out_is_what_is_taken_in() {
        let given = Row { roles: vec!["superuser".to_owned(), "a".to_owned()], ..row("ann") };
        let mut user = given.parse().ok().unwrap().into_user(1, Timestamp::default());
        user.password_hash = "$2b$04$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm".to_owned();
        let text = |hashes| serde_json::to_string(&Exported::of(user.clone(), hashes)).unwrap();
        assert!(!text(false).contains("hash") && text(false).contains("\"roles\":[\"superuser\",\"a\"]"));
        let fields: serde_json::Map<_, _> = serde_json::from_str(&text(true)).unwrap();
        assert!(FIELDS.iter().all(|field| fields.contains_key(*field)), "{fields:?}");
    }
}
