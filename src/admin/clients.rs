//! Clients of the OAuth 2.0 server, as the command line asks for them.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::Answer;
use super::service::Admin;
use crate::base::{PageRequest, Result};
use crate::oauth::client::ClientId;
use crate::oauth::client::service::NewClient;
use crate::oauth::client::view::{ClientBody, ClientList, ClientView, MadeClientView};
use crate::rbac::Initiator;

/// What a list shows of each.
const COLUMNS: &[&str] =
    &["client_id", "client_name", "is_active", "grant_types", "token_endpoint_auth_method", "redirect_uris"];

/// What is asked about the clients of the OAuth 2.0 server; fields are those of the API.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientsCommand {
    List { limit: i64, cursor: Option<String> },
    Show { id: String },
    Create { fields: Map<String, Value> },
    Change { id: String, fields: Map<String, Value> },
    RotateSecret { id: String, overlap_secs: i64 },
    Delete { id: String },
}

impl Admin {
    pub(super) async fn run_clients(&self, command: ClientsCommand) -> Result<Answer> {
        let clients = &self.clients;
        let made = match command {
            ClientsCommand::List { limit, cursor } => {
                let page = clients.list(PageRequest::parse(Some(limit), cursor.as_deref())?).await?;
                let ClientList { items, next_cursor } = ClientList::of(page);
                return Ok(Answer::list(COLUMNS, items)?.followed_by(next_cursor));
            }
            ClientsCommand::Show { id } => {
                return Answer::object(&ClientView::of(&clients.read(&ClientId::parse(&id)?)?));
            }
            ClientsCommand::Delete { id } => {
                clients.delete(Initiator::host(), ClientId::parse(&id)?).await?;
                return Ok(Answer::Done);
            }
            ClientsCommand::Create { fields } => {
                clients.create(Initiator::host(), NewClient::from_fields(fields)?).await?
            }
            ClientsCommand::Change { id, fields } => {
                let body = ClientBody::from_fields(fields)?;
                let change = Box::new(move |old| body.over(old));
                clients.change(Initiator::host(), ClientId::parse(&id)?, change).await?
            }
            ClientsCommand::RotateSecret { id, overlap_secs } => {
                clients.rotate_secret(Initiator::host(), ClientId::parse(&id)?, overlap_secs).await?
            }
        };
        Answer::object(&MadeClientView::of(&made))
    }
}
