//! Many accounts at once, as the command line brings and fetches them: part by part.
use super::command::{Answer, TransferCommand};
use super::service::Admin;
use crate::base::{PageRequest, Result};
use crate::rbac::Initiator;
use crate::transfer::{Exported, Row, Seen};

/// How many accounts one answer has.
const ACCOUNTS_AT_ONCE: usize = 500;

impl Admin {
    pub(super) async fn run_transfer(&self, command: TransferCommand) -> Result<Answer> {
        match command {
            TransferCommand::Import { rows, dry_run } => self.import(rows, dry_run).await,
            TransferCommand::Export { cursor, password_hashes } => {
                self.export(cursor.as_deref(), password_hashes).await
            }
        }
    }

    /// What earlier parts of a dry run have brought, whoever sends the parts keeps in mind.
    async fn import(&self, rows: Vec<Row>, dry_run: bool) -> Result<Answer> {
        let rows = rows.into_iter().map(Ok).collect();
        let outcomes = self.transfer.import(Initiator::host(), rows, dry_run, &mut Seen::default()).await?;
        Ok(Answer::Imported(outcomes))
    }

    async fn export(&self, cursor: Option<&str>, password_hashes: bool) -> Result<Answer> {
        let request = PageRequest { limit: ACCOUNTS_AT_ONCE, ..PageRequest::parse(None, cursor)? };
        let page = self.transfer.export(&Initiator::host(), request, password_hashes).await?;
        let accounts = page.items.into_iter().map(|user| Exported::of(user, password_hashes)).collect();
        Ok(Answer::Exported { accounts, next_cursor: page.next_cursor })
    }
}
