//! What a rule is, and what it says of somebody. Pure.
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::host::HostPattern;
use super::path::PathPattern;
use crate::base::{Error, Id, Result, Timestamp};
use crate::rbac::RoleName;
use crate::rbac::permission::Permission;

pub const MAX_RULES: usize = 2000;
/// Of each list of a rule.
pub const MAX_ITEMS: usize = 50;

/// Who may pass at some hosts and paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub id: Id<Rule>,
    pub terms: Terms,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What it is for, and what it asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub description: String,
    pub host: HostPattern,
    pub paths: Vec<PathPattern>,
    /// In capitals. None: all.
    pub methods: Vec<String>,
    /// None: all.
    pub networks: Vec<IpNet>,
    pub access: Access,
    /// One of them is enough. None: none is needed.
    pub roles: Vec<RoleName>,
    /// All of them are needed.
    pub permissions: Vec<Permission>,
    pub second_factor: bool,
}

/// Whom a rule lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    Public,
    /// Whoever has said who it is, and has what the rule asks for.
    User,
    Nobody,
}

/// What becomes of a request. The one that stands last is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Pass,
    /// Nobody has said who it is.
    SignIn,
    /// It has shown one factor, and can show another one.
    SecondFactor,
    Refuse(Reason),
}

/// Why somebody may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It shows none, and is asked for none: a program.
    SecondFactor,
    Permission,
    Role,
    /// It has to set its own account in order first.
    Account,
    Rule,
    NoRule,
    /// The proxy has not said where the request comes from.
    Address,
}

/// What somebody has shown of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    Two,
    /// It can be asked for another one.
    One,
    /// What it has shown is no login.
    Program,
}

/// Somebody who wants to pass.
pub trait Person {
    fn factors(&self) -> Factors;
    fn has_role(&self, role: &str) -> bool;
    fn may(&self, permission: &str) -> bool;
    /// Whether it can do nothing yet but set its own account in order.
    fn is_limited(&self) -> bool;
}

impl Access {
    pub const ALL: [(&'static str, Self); 3] =
        [("public", Self::Public), ("user", Self::User), ("nobody", Self::Nobody)];

    /// # Errors
    /// `Error::Invalid` naming `access`.
    pub fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        let wrong = || Error::invalid("access", "must be `public`, `user` or `nobody`");
        found.map(|(_, access)| access).ok_or_else(wrong)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, access)| *access == self).map_or("nobody", |(name, _)| name)
    }
}

impl Reason {
    /// In the words of the audit trail.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::Permission => "permission",
            Self::Role => "role",
            Self::Account => "account",
            Self::Rule => "rule",
            Self::NoRule => "no_rule",
            Self::Address => "address_unknown",
        }
    }
}

impl Terms {
    /// Of a host, for everybody who has said who it is.
    #[must_use]
    pub fn of_host(host: HostPattern) -> Self {
        Self {
            description: String::new(),
            host,
            paths: vec![PathPattern::everything()],
            methods: Vec::new(),
            networks: Vec::new(),
            access: Access::User,
            roles: Vec::new(),
            permissions: Vec::new(),
            second_factor: false,
        }
    }

    /// What no field can say alone.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field.
    pub fn check(&self) -> Result<()> {
        let asks = [
            ("roles", !self.roles.is_empty()),
            ("permissions", !self.permissions.is_empty()),
            ("second_factor", self.second_factor),
        ];
        match asks.into_iter().find(|(_, asks)| *asks && self.access != Access::User) {
            Some((field, _)) => Err(Error::invalid(field, "is for rules with access `user` alone")),
            None => Ok(()),
        }
    }

    /// Whether it is for a method. What it says of `GET` holds for `HEAD` (RFC 9110 section 9.3.2).
    #[must_use]
    pub fn is_for_method(&self, method: &str) -> bool {
        let named = |name: &str| self.methods.iter().any(|one| one == name);
        self.methods.is_empty() || named(method) || method == "HEAD" && named("GET")
    }

    /// Whether it is for where a request comes from; `None` if that depends on what nobody knows.
    #[must_use]
    pub fn is_for_address(&self, address: Option<IpAddr>) -> Option<bool> {
        if self.networks.is_empty() {
            return Some(true);
        }
        address.map(|address| self.networks.iter().any(|net| net.contains(&address)))
    }

    /// What becomes of a request that it is for.
    #[must_use]
    pub fn judge(&self, person: Option<&dyn Person>) -> Verdict {
        match self.access {
            Access::Public => return Verdict::Pass,
            Access::Nobody => return Verdict::Refuse(Reason::Rule),
            Access::User => {}
        }
        let Some(person) = person else { return Verdict::SignIn };
        if person.is_limited() {
            return Verdict::Refuse(Reason::Account);
        }
        if !self.roles.is_empty() && !self.roles.iter().any(|role| person.has_role(role.as_str())) {
            return Verdict::Refuse(Reason::Role);
        }
        if !self.permissions.iter().all(|permission| person.may(permission.as_str())) {
            return Verdict::Refuse(Reason::Permission);
        }
        match person.factors() {
            _ if !self.second_factor => Verdict::Pass,
            Factors::Two => Verdict::Pass,
            Factors::One => Verdict::SecondFactor,
            Factors::Program => Verdict::Refuse(Reason::SecondFactor),
        }
    }
}

/// A method as rules write it: a token (RFC 9110 section 5.6.2) in capitals.
///
/// # Errors
/// `Error::Invalid` naming `methods`.
pub fn parse_method(text: &str) -> Result<String> {
    if (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(Error::invalid("methods", "must hold methods like `GET`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Somebody(Factors, &'static str, &'static str, bool);

    impl Person for Somebody {
        fn factors(&self) -> Factors {
            self.0
        }
        fn has_role(&self, role: &str) -> bool {
            self.1 == role
        }
        fn may(&self, permission: &str) -> bool {
            self.2 == permission
        }
        fn is_limited(&self) -> bool {
            self.3
        }
    }

    fn terms() -> Terms {
        Terms::of_host(HostPattern::parse("a.example").unwrap())
    }

    #[test]
    fn a_rule_asks_for_what_it_names_and_no_more() {
        let ann = Somebody(Factors::One, "editor", "wiki:write", false);
        let role = |name: &str| Terms { roles: RoleName::parse_all("r", &[name.into()]).unwrap(), ..terms() };
        let permission =
            |name: &str| Terms { permissions: vec![Permission::parse("p", name).unwrap()], ..terms() };
        let two = Terms { second_factor: true, ..terms() };
        for (rule, verdict) in [
            (Terms { access: Access::Public, ..terms() }, Verdict::Pass),
            (Terms { access: Access::Nobody, ..terms() }, Verdict::Refuse(Reason::Rule)),
            (terms(), Verdict::Pass),
            (role("editor"), Verdict::Pass),
            (role("chief"), Verdict::Refuse(Reason::Role)),
            (permission("wiki:write"), Verdict::Pass),
            (permission("wiki:read"), Verdict::Refuse(Reason::Permission)),
            (two.clone(), Verdict::SecondFactor),
        ] {
            assert_eq!(rule.judge(Some(&ann)), verdict, "{rule:?}");
        }
        assert_eq!(terms().judge(None), Verdict::SignIn);
        assert_eq!(two.judge(Some(&Somebody(Factors::Two, "", "", false))), Verdict::Pass);
        let program = Somebody(Factors::Program, "", "", false);
        assert_eq!(two.judge(Some(&program)), Verdict::Refuse(Reason::SecondFactor));
        let limited = Somebody(Factors::Two, "", "", true);
        assert_eq!(terms().judge(Some(&limited)), Verdict::Refuse(Reason::Account));
    }

    #[test]
    fn one_who_may_not_pass_is_not_asked_for_more() {
        let ann = Somebody(Factors::One, "", "", false);
        let rule =
            Terms { second_factor: true, roles: RoleName::parse_all("r", &["x".into()]).unwrap(), ..terms() };
        assert_eq!(rule.judge(Some(&ann)), Verdict::Refuse(Reason::Role));
        assert!(Verdict::Refuse(Reason::SecondFactor) > Verdict::SecondFactor);
        assert!(Verdict::SecondFactor > Verdict::SignIn && Verdict::SignIn > Verdict::Pass);
    }

    #[test]
    fn a_rule_for_reading_is_for_asking_what_there_is_to_read() {
        let rule = Terms { methods: vec!["GET".into()], ..terms() };
        assert!(rule.is_for_method("GET") && rule.is_for_method("HEAD") && !rule.is_for_method("POST"));
        assert!(terms().is_for_method("PROPFIND"));
    }

    #[test]
    fn what_is_asked_of_users_stands_in_no_other_rule() {
        let rule = Terms { access: Access::Public, second_factor: true, ..terms() };
        assert!(matches!(rule.check(), Err(Error::Invalid(wrong)) if wrong.field == "second_factor"));
        assert!(terms().check().is_ok());
    }
}
