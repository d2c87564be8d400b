//! Rules for reverse proxies, as the command line asks for them.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::Answer;
use super::service::Admin;
use crate::base::{Error, Id, Result};
use crate::forward::rule::Rule;
use crate::forward::rule::view::{RuleBody, RuleList, RuleView};
use crate::rbac::Initiator;

/// What a list shows of each.
const COLUMNS: &[&str] =
    &["id", "position", "host", "paths", "access", "roles", "permissions", "second_factor"];

/// What is asked about the rules for reverse proxies; fields are those of the API.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardRulesCommand {
    List,
    Show { id: String },
    Create { fields: Map<String, Value> },
    Change { id: String, fields: Map<String, Value> },
    Delete { id: String },
}

impl Admin {
    pub(super) async fn run_forward_rules(&self, command: ForwardRulesCommand) -> Result<Answer> {
        let (rules, by) = (&self.forward_rules, Initiator::host());
        let placed = match command {
            ForwardRulesCommand::List => {
                return Answer::list(COLUMNS, RuleList::of(&rules.list()?).into_items());
            }
            ForwardRulesCommand::Show { id } => rules.read(parse(&id)?)?,
            ForwardRulesCommand::Create { fields } => {
                let body = RuleBody::from_fields(&fields)?;
                let position = body.position;
                rules.create(by, body.made()?, position).await?
            }
            ForwardRulesCommand::Change { id, fields } => {
                let body = RuleBody::from_fields(&fields)?;
                let position = body.position;
                rules.change(by, parse(&id)?, Box::new(move |old| body.over(old)), position).await?
            }
            ForwardRulesCommand::Delete { id } => {
                rules.delete(by, parse(&id)?).await?;
                return Ok(Answer::Done);
            }
        };
        Answer::object(&RuleView::of(&placed))
    }
}

/// What is no id is that of no rule.
fn parse(id: &str) -> Result<Id<Rule>> {
    id.parse().map_err(|_| Error::NotFound("forward rule"))
}
