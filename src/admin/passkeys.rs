//! Passkeys, as the command line asks for them.
use super::command::{Answer, PasskeysCommand};
use super::service::Admin;
use crate::base::{PageRequest, Result};
use crate::passkey::view::PasskeyList;
use crate::rbac::Initiator;

/// What a list shows of each passkey.
const COLUMNS: &[&str] =
    &["id", "name", "rp_id", "backed_up", "created_at", "last_used_at", "counter_went_back_at"];

impl Admin {
    pub(super) async fn run_passkeys(&self, command: PasskeysCommand) -> Result<Answer> {
        match command {
            PasskeysCommand::List { user } => {
                let user = self.accounts.find(&user)?.id;
                let page = self.passkeys.list(user, PageRequest::all()).await?;
                Answer::list(COLUMNS, PasskeyList::of(page).items)
            }
            PasskeysCommand::Delete { user, id } => {
                let user = self.accounts.find(&user)?.id;
                self.passkeys.remove_of(Initiator::host(), user, id.parse()?).await?;
                Ok(Answer::Done)
            }
        }
    }
}
