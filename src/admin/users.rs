//! Accounts, as the command line asks for them.
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::command::{Answer, UsersCommand};
use super::service::Admin;
use crate::account::model::Filter;
use crate::base::{PageRequest, Result};
use crate::rbac::Initiator;
use crate::users::service::{AccountChange, by};

/// Which accounts are listed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct UserFilter {
    pub username: Option<String>,
    pub email: Option<String>,
    pub role: Option<String>,
    pub is_active: Option<bool>,
    pub deleted: bool,
}

impl Admin {
    pub(super) async fn run_users(&self, command: UsersCommand) -> Result<Answer> {
        match command {
            UsersCommand::List { filter, limit, cursor } => {
                let by = by(filter.username.as_deref(), filter.email.as_deref(), filter.role)?;
                let (created_from, created_until) = (None, None);
                let (is_active, deleted) = (filter.is_active, filter.deleted);
                let filter = Filter { by, is_active, deleted, created_from, created_until };
                let page =
                    self.users.search(filter, PageRequest::parse(Some(limit), cursor.as_deref())?).await?;
                let items = page.items.into_iter().map(Into::into).collect();
                Ok(Answer::Users { items, next_cursor: page.next_cursor })
            }
            UsersCommand::Delete { user } => {
                let user = self.accounts.find(&user)?;
                self.users.delete(Initiator::host(), user.id).await?;
                Ok(Answer::User(user.into()))
            }
            UsersCommand::Erase { user } => {
                let id = self.accounts.find(&user)?.id;
                Ok(Answer::User(self.accounts.delete(Initiator::host(), id).await?.into()))
            }
            UsersCommand::Restore { user } => {
                let id = self.accounts.find(&user)?.id;
                Ok(Answer::User(self.users.restore(Initiator::host(), id).await?.into()))
            }
            UsersCommand::RequirePasswordChange { user } => {
                let id = self.accounts.find(&user)?.id;
                let change = AccountChange { password_change_required: Some(true), ..Default::default() };
                Ok(Answer::User(self.users.change(Initiator::host(), id, change).await?.into()))
            }
            UsersCommand::ResetPassword { user } => {
                let id = self.accounts.find(&user)?.id;
                let (token, expires_at) = self.resets.start(Initiator::host(), id).await?;
                Ok(Answer::Object(json!({"token": token.expose(), "expires_at": expires_at.rfc3339()})))
            }
            UsersCommand::ResetMfa { user } => {
                let user = self.accounts.find(&user)?;
                self.mfa.reset(Initiator::host(), user.id).await?;
                Ok(Answer::User(user.into()))
            }
            UsersCommand::Passkeys(what) => self.run_passkeys(what).await,
            UsersCommand::Recover { user } => {
                let id = self.accounts.find(&user)?.id;
                let (token, expires_at) = self.recoveries.start(Initiator::host(), id).await?;
                Ok(Answer::Object(json!({"token": token.expose(), "expires_at": expires_at.rfc3339()})))
            }
        }
    }
}
