//! Mails that wait, as the command line asks for them.
use super::command::{Answer, MailCommand};
use super::service::Admin;
use crate::base::{PageRequest, Result};
use crate::mail::http::{MailLine, MailView};
use crate::rbac::Initiator;

const COLUMNS: &[&str] = &["id", "kind", "to", "created_at", "expires_at", "attempts", "trouble"];

impl Admin {
    pub(super) async fn run_mail(&self, command: MailCommand) -> Result<Answer> {
        match command {
            MailCommand::List { limit, cursor } => {
                let request = PageRequest::parse(Some(limit), cursor.as_deref())?;
                let page = self.mail.list(Initiator::host(), request).await?;
                let listed = Answer::list(COLUMNS, page.items.iter().map(MailLine::of).collect())?;
                Ok(listed.followed_by(page.next_cursor))
            }
            MailCommand::Show { id } => {
                Answer::object(&MailView::of(&self.mail.read(Initiator::host(), id.parse()?).await?))
            }
            MailCommand::Retry { id } => {
                self.mail.retry(id.parse()?).await?;
                Ok(Answer::Done)
            }
            MailCommand::Discard { id } => {
                self.mail.discard(Initiator::host(), id.parse()?).await?;
                Ok(Answer::Done)
            }
        }
    }
}

impl Answer {
    /// A list that goes on.
    pub(super) fn followed_by(self, next: Option<String>) -> Self {
        match self {
            Self::List { columns, items, .. } => Self::List { columns, items, next_cursor: next },
            other => other,
        }
    }
}
