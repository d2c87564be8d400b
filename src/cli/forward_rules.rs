//! Commands about the rules for reverse proxies.
use clap::Subcommand;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::admin::{Command, ForwardRulesCommand};
use crate::base::{Error, Result};

#[derive(Debug, Subcommand)]
pub enum ForwardRuleGroup {
    /// List all rules in the order in which they are looked at
    List,
    /// Show one rule
    Show { id: String },
    /// Make a rule, behind the others unless --position says otherwise
    Create(Box<NewRule>),
    /// Change a rule, or move it; what is not said stays as it is, and a list that is said as "" is emptied
    Change(Box<ChangedRule>),
    /// Delete a rule
    Delete { id: String },
}

#[derive(Debug, clap::Args, Serialize)]
pub struct NewRule {
    /// A host without port, or *. and a domain for all below it
    host: String,
    #[command(flatten)]
    #[serde(flatten)]
    fields: RuleFields,
}

#[derive(Debug, clap::Args, Serialize)]
pub struct ChangedRule {
    #[serde(skip)]
    id: String,
    /// A host without port, or *. and a domain for all below it
    #[arg(long)]
    host: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    fields: RuleFields,
}

/// What may be said of each.
#[derive(Debug, clap::Args, Serialize)]
struct RuleFields {
    /// Paths, with commas between: * is any part of a segment, ** at the end all below [default: /**]
    #[arg(long, value_delimiter = ',')]
    paths: Option<Vec<String>>,
    /// Methods, with commas between [default: all]
    #[arg(long, value_delimiter = ',')]
    methods: Option<Vec<String>>,
    /// Networks that requests come from, with commas between [default: all]
    #[arg(long, value_delimiter = ',')]
    networks: Option<Vec<String>>,
    /// public, user or nobody [default: user]
    #[arg(long)]
    access: Option<String>,
    /// One of these roles is needed, with commas between
    #[arg(long, value_delimiter = ',')]
    roles: Option<Vec<String>>,
    /// All of these permissions are needed, with commas between
    #[arg(long, value_delimiter = ',')]
    permissions: Option<Vec<String>>,
    /// true: a second factor has to have been shown
    #[arg(long, value_name = "BOOL")]
    second_factor: Option<bool>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// Its place among the rules that were made here, from 1
    #[arg(long, value_name = "N")]
    position: Option<u32>,
}

/// The command of a group about rules.
///
/// # Errors
/// `Error::Internal` if the fields cannot be written.
pub fn rule(group: ForwardRuleGroup) -> Result<Command> {
    let what = match group {
        ForwardRuleGroup::List => ForwardRulesCommand::List,
        ForwardRuleGroup::Show { id } => ForwardRulesCommand::Show { id },
        ForwardRuleGroup::Create(new) => ForwardRulesCommand::Create { fields: said(&*new)? },
        ForwardRuleGroup::Change(changed) => {
            let fields = said(&*changed)?;
            ForwardRulesCommand::Change { id: changed.id, fields }
        }
        ForwardRuleGroup::Delete { id } => ForwardRulesCommand::Delete { id },
    };
    Ok(Command::ForwardRules { what })
}

/// What was said; an empty text in a list is none.
fn said(args: &impl Serialize) -> Result<Map<String, Value>> {
    let all = serde_json::to_value(args).map_err(Error::internal)?;
    let Value::Object(all) = all else { return Err(Error::internal("the fields are no object")) };
    let said = all.into_iter().filter(|(_, value)| !value.is_null());
    let without_empty = |value| match value {
        Value::Array(items) => Value::Array(items.into_iter().filter(|item| item != "").collect()),
        other => other,
    };
    Ok(said.map(|(name, value)| (name, without_empty(value))).collect())
}
