//! Rules on the wire.
use ipnet::IpNet;
use poem_openapi::Object;
use poem_openapi::registry::Registry;
use poem_openapi::types::{Example, ParseFromJSON};
use serde::Serialize;
use serde_json::{Map, Value};

use super::host::HostPattern;
use super::model::{Access, MAX_ITEMS, Rule, Terms, parse_method};
use super::path::PathPattern;
use super::service::Placed;
use crate::api_key::model::parse_networks;
use crate::base::{Error, Result, Timestamp};
use crate::rbac::RoleName;
use crate::rbac::model::parse_description;
use crate::rbac::permission::Permission;

/// A rule that is to be made or changed.
#[derive(Object, Default)]
#[oai(example)]
pub struct RuleBody {
    /// A host without port, or `*.` and a domain for all below it. A new rule has to have one.
    pub host: Option<String>,
    /// Paths: `*` stands for any part of a segment, `**` at the end for all that lies below. By default all: `/**`.
    pub paths: Option<Vec<String>>,
    /// Methods; `GET` is `HEAD`, too. None: all.
    pub methods: Option<Vec<String>>,
    /// Addresses and networks that requests come from, like `10.0.0.0/8`. None: all.
    pub networks: Option<Vec<String>>,
    /// `public`: everybody. `user`, by default: whoever says who it is, and has what is asked for below. `nobody`: nobody.
    pub access: Option<String>,
    /// One of these roles is needed.
    pub roles: Option<Vec<String>>,
    /// All of these permissions are needed.
    pub permissions: Option<Vec<String>>,
    /// Whether a second factor has to have been shown.
    pub second_factor: Option<bool>,
    /// What it is for, for people.
    pub description: Option<String>,
    /// Its place among the rules that were made here, from 1. The first rule that is for a request counts.
    pub position: Option<u32>,
}

/// A rule.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct RuleView {
    id: String,
    /// `administrator` or `configuration`: those of the configuration file come first, and are changed there alone.
    origin: String,
    /// Null for a rule of the configuration file.
    position: Option<u32>,
    host: String,
    paths: Vec<String>,
    methods: Vec<String>,
    networks: Vec<String>,
    access: String,
    roles: Vec<String>,
    permissions: Vec<String>,
    second_factor: bool,
    description: String,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// All of them.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct RuleList {
    items: Vec<RuleView>,
    /// Always null: rules are listed at once, for their order is what counts.
    next_cursor: Option<String>,
}

impl RuleBody {
    /// Of the fields of the API, as the command line and the configuration file say them.
    ///
    /// # Errors
    /// `Error::Invalid` naming a field that is none, or whose value is of another type.
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self> {
        let known = Registry::new().create_fake_schema::<Self>().properties;
        for (name, value) in fields {
            if !known.iter().any(|(known, _)| known == name) {
                let known: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                let reason = format!("is no field of a rule; those are: {}", known.join(", "));
                return Err(Error::invalid(name.clone(), reason));
            }
            // Each by itself: all of them together would not say which one is wrong.
            let alone = Map::from_iter([(name.clone(), value.clone())]);
            if let Err(wrong) = Self::parse_from_json(Some(Value::Object(alone))) {
                return Err(Error::invalid(
                    name.clone(),
                    format!("cannot be read: {}", wrong.into_message()),
                ));
            }
        }
        Self::parse_from_json(Some(Value::Object(fields.clone())))
            .map_err(|wrong| Error::invalid("host", wrong.into_message()))
    }

    /// The terms of a new rule.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field that is wrong.
    pub fn made(self) -> Result<Terms> {
        let host = self.host.as_deref().ok_or_else(|| Error::invalid("host", "is required"))?;
        let terms = Terms::of_host(HostPattern::parse(host)?);
        self.over(terms)
    }

    /// The terms of a rule after what is said here.
    ///
    /// # Errors
    /// As [`RuleBody::made`].
    pub fn over(self, mut terms: Terms) -> Result<Terms> {
        if let Some(host) = &self.host {
            terms.host = HostPattern::parse(host)?;
        }
        if let Some(paths) = &self.paths {
            terms.paths = each("paths", paths, |path| PathPattern::parse(path))?;
            if terms.paths.is_empty() {
                return Err(Error::invalid("paths", "must have one at least; all are `/**`"));
            }
        }
        if let Some(methods) = &self.methods {
            terms.methods = each("methods", methods, |method| parse_method(method))?;
        }
        if let Some(networks) = &self.networks {
            terms.networks = parse_networks(networks)?;
        }
        if let Some(access) = &self.access {
            terms.access = Access::parse(access)?;
        }
        if let Some(roles) = &self.roles {
            terms.roles = each("roles", roles, |role| RoleName::parse("roles", role))?;
        }
        if let Some(permissions) = &self.permissions {
            terms.permissions =
                each("permissions", permissions, |one| Permission::parse("permissions", one))?;
        }
        if let Some(description) = &self.description {
            terms.description = parse_description(description)?;
        }
        terms.second_factor = self.second_factor.unwrap_or(terms.second_factor);
        terms.check()?;
        Ok(terms)
    }
}

fn each<T: PartialEq>(
    field: &'static str,
    texts: &[String],
    parse: impl Fn(&String) -> Result<T>,
) -> Result<Vec<T>> {
    if texts.len() > MAX_ITEMS {
        return Err(Error::invalid(field, format!("must be at most {MAX_ITEMS}")));
    }
    let mut all = Vec::new();
    for text in texts {
        let one = parse(text)?;
        if !all.contains(&one) {
            all.push(one);
        }
    }
    Ok(all)
}

impl RuleView {
    #[must_use]
    pub fn of(placed: &Placed) -> Self {
        let Rule { id, terms, created_at, updated_at } = placed.rule.as_ref();
        let at = |time: &Timestamp| placed.position.map(|_| time.rfc3339());
        Self {
            id: id.to_string(),
            origin: if placed.position.is_some() { "administrator" } else { "configuration" }.to_owned(),
            position: placed.position.and_then(|position| u32::try_from(position).ok()),
            host: terms.host.to_string(),
            paths: terms.paths.iter().map(PathPattern::to_string).collect(),
            methods: terms.methods.clone(),
            networks: terms.networks.iter().map(IpNet::to_string).collect(),
            access: terms.access.name().to_owned(),
            roles: terms.roles.iter().map(RoleName::to_string).collect(),
            permissions: terms.permissions.iter().map(Permission::to_string).collect(),
            second_factor: terms.second_factor,
            description: terms.description.clone(),
            created_at: at(created_at),
            updated_at: at(updated_at),
        }
    }
}

impl RuleList {
    #[must_use]
    pub fn of(all: &[Placed]) -> Self {
        Self { items: all.iter().map(RuleView::of).collect(), next_cursor: None }
    }

    #[must_use]
    pub fn into_items(self) -> Vec<RuleView> {
        self.items
    }
}

impl Example for RuleBody {
    fn example() -> Self {
        Self {
            host: Some("wiki.example.org".into()),
            paths: Some(vec!["/admin/**".into()]),
            roles: Some(vec!["editor".into()]),
            second_factor: Some(true),
            ..Self::default()
        }
    }
}

impl Example for RuleView {
    fn example() -> Self {
        let at = Timestamp::from_secs(1_749_985_743).rfc3339();
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            origin: "administrator".into(),
            position: Some(1),
            host: "wiki.example.org".into(),
            paths: vec!["/admin/**".into()],
            methods: Vec::new(),
            networks: Vec::new(),
            access: "user".into(),
            roles: vec!["editor".into()],
            permissions: Vec::new(),
            second_factor: true,
            description: String::new(),
            created_at: Some(at.clone()),
            updated_at: Some(at),
        }
    }
}

impl Example for RuleList {
    fn example() -> Self {
        Self { items: vec![RuleView::example()], next_cursor: None }
    }
}
