//! Clients of the OAuth 2.0 server, as the command line asks for them.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::Answer;
use super::service::Admin;
use crate::base::{PageRequest, Result};
use crate::oauth::backchannel::view::DeliveryList;
use crate::oauth::client::ClientId;
use crate::oauth::client::service::NewClient;
use crate::oauth::client::view::{ClientBody, ClientList, ClientView, MadeClientView};
use crate::oauth::initial_token::view::{InitialTokenList, MadeInitialTokenView, NewInitialTokenBody};
use crate::rbac::Initiator;

/// What a list shows of each.
const COLUMNS: &[&str] =
    &["client_id", "client_name", "is_active", "grant_types", "token_endpoint_auth_method", "redirect_uris"];
/// What a list shows of each delivery.
const DELIVERY_COLUMNS: &[&str] =
    &["created_at", "sid", "status", "attempts", "last_http_status", "last_error", "next_attempt_at"];

const TOKEN_COLUMNS: &[&str] = &["id", "name", "uses", "max_uses", "created_at", "expires_at"];

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
    Deliveries { id: String, limit: i64, cursor: Option<String> },
    Tokens { limit: i64, cursor: Option<String> },
    CreateToken { fields: Map<String, Value> },
    DeleteToken { id: String },
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
            ClientsCommand::Deliveries { id, limit, cursor } => {
                let request = PageRequest::parse(Some(limit), cursor.as_deref())?;
                let page = self.backchannel.list(ClientId::parse(&id)?, request).await?;
                let DeliveryList { items, next_cursor } = DeliveryList::of(page);
                return Ok(Answer::list(DELIVERY_COLUMNS, items)?.followed_by(next_cursor));
            }
            ClientsCommand::Show { id } => {
                return Answer::object(&ClientView::of(&clients.read(&ClientId::parse(&id)?)?));
            }
            ClientsCommand::Delete { id } => {
                clients.delete(Initiator::host(), ClientId::parse(&id)?).await?;
                return Ok(Answer::Done);
            }
            ClientsCommand::Tokens { limit, cursor } => {
                let request = PageRequest::parse(Some(limit), cursor.as_deref())?;
                let page = self.initial_tokens.list(request).await?;
                let InitialTokenList { items, next_cursor } = InitialTokenList::of(page);
                return Ok(Answer::list(TOKEN_COLUMNS, items)?.followed_by(next_cursor));
            }
            ClientsCommand::CreateToken { fields } => {
                let new = NewInitialTokenBody::from_fields(fields)?.try_into()?;
                let made = self.initial_tokens.create(Initiator::host(), new).await?;
                return Answer::object(&MadeInitialTokenView::of(&made));
            }
            ClientsCommand::DeleteToken { id } => {
                self.initial_tokens.delete(Initiator::host(), id.parse()?).await?;
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
