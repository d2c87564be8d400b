//! The audit trail, as the command line asks for it.
use serde_json::Value;

use super::command::{Answer, AuditCommand, EventFilter};
use super::service::Admin;
use crate::audit::export::{exported, hex};
use crate::audit::service::Linked;
use crate::audit::{Filter, Outcome};
use crate::base::{Error, PageRequest, Result, Timestamp};
use crate::rbac::{Initiator, SubjectId};

impl Admin {
    pub(super) async fn run_audit(&self, command: AuditCommand) -> Result<Answer> {
        match command {
            AuditCommand::List { filter, limit, cursor } => {
                let request = PageRequest::parse(Some(limit), cursor.as_deref())?;
                let page = self.audit.search(self.filter(filter)?, request).await?;
                let lines =
                    page.items.iter().map(|entry| exported(entry, None)).collect::<Result<Vec<_>>>()?;
                Ok(Answer::Events { items: values(&lines)?, next_cursor: page.next_cursor })
            }
            AuditCommand::Export { filter, seq } => {
                let filter = self.filter(filter)?;
                let seq = match seq {
                    Some(seq) => seq,
                    None => {
                        self.audit.note_export(&Initiator::host()).await;
                        self.audit.first_of(&filter).await?
                    }
                };
                let (entries, next) = self.audit.export(filter, seq).await?;
                let line = |linked: &Linked| exported(&linked.entry, Some(&linked.before));
                let lines = entries.iter().map(line).collect::<Result<String>>()?;
                Ok(Answer::EventLines { lines, next })
            }
            AuditCommand::Verify { noted } => {
                let verdict = self.audit.verify(noted).await?;
                Ok(Answer::Trail {
                    first: verdict.first,
                    last: verdict.last,
                    head: hex(&verdict.head),
                    problem: verdict.problem,
                })
            }
        }
    }

    fn filter(&self, filter: EventFilter) -> Result<Filter> {
        let time = |field: &'static str, text: Option<String>| {
            text.map(|text| Timestamp::parse_rfc3339_of(field, &text)).transpose()
        };
        Ok(Filter {
            subject: filter.subject.map(|who| self.subject(&who)).transpose()?,
            action: filter.action,
            outcome: filter.outcome.as_deref().map(Outcome::parse).transpose()?,
            address: filter.address,
            from: time("from", filter.from)?,
            until: time("until", filter.until)?,
        })
    }

    /// Whoever is meant by a name, an e-mail address or an id. One who is gone has an id alone.
    fn subject(&self, who: &str) -> Result<SubjectId> {
        match self.accounts.find(who) {
            Ok(user) => return Ok(SubjectId::User(user.id)),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        match self.service_accounts.find(who) {
            Ok(account) => Ok(SubjectId::Service(account.id)),
            Err(Error::NotFound(_)) => who.parse(),
            Err(error) => Err(error),
        }
    }
}

fn values(lines: &[String]) -> Result<Vec<Value>> {
    lines.iter().map(|line| serde_json::from_str(line).map_err(Error::internal)).collect()
}
