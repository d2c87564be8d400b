//! API keys and service accounts, as the command line asks for them.
use serde_json::{Value, json};

use super::command::{Answer, ApiKeysCommand, KeyFields, Owner, ServiceAccountsCommand};
use super::service::Admin;
use crate::api_key::model::{parse_name, parse_networks, parse_rights};
use crate::api_key::view::{KeyList, KeyView, NewKeyView, end_of, parse_address};
use crate::api_key::{ApiKeyChange, NewApiKey};
use crate::base::text::Slug;
use crate::base::{Error, PageRequest, Result};
use crate::rbac::model::parse_description;
use crate::rbac::{Initiator, SubjectId};
use crate::service_account::http::ServiceAccountView;
use crate::service_account::{ServiceAccount, ServiceAccountChange};

/// What a list shows of each key, and of each service account.
const KEY_COLUMNS: &[&str] =
    &["id", "name", "permissions", "roles", "expires_at", "revoked_at", "last_used_at"];
const ACCOUNT_COLUMNS: &[&str] = &["id", "name", "roles", "is_active", "description"];

impl Admin {
    pub(super) async fn run_api_keys(&self, command: ApiKeysCommand) -> Result<Answer> {
        match command {
            ApiKeysCommand::List { owner } => {
                let page = self.api_keys.list(self.owner(&owner)?, PageRequest::all()).await?;
                Answer::list(KEY_COLUMNS, KeyList::of(page).items)
            }
            ApiKeysCommand::Create { owner, fields } => {
                let (owner, new) = (self.owner(&owner)?, new_key(fields)?);
                let made = self.api_keys.create(Initiator::host(), owner, new).await?;
                Answer::object(&NewKeyView::of(made))
            }
            ApiKeysCommand::Change { owner, id, fields } => {
                let (owner, id, change) = (self.owner(&owner)?, id.parse()?, key_change(fields)?);
                self.api_keys.change(Initiator::host(), owner, id, change).await?;
                Answer::object(&KeyView::of(self.api_keys.read(owner, id).await?))
            }
            ApiKeysCommand::Show { owner, id } => {
                Answer::object(&KeyView::of(self.api_keys.read(self.owner(&owner)?, id.parse()?).await?))
            }
            ApiKeysCommand::Rotate { owner, id, overlap_secs } => {
                let (owner, id) = (self.owner(&owner)?, id.parse()?);
                let rotated = self.api_keys.rotate(Initiator::host(), owner, id, overlap_secs).await?;
                Answer::object(&NewKeyView::of(rotated))
            }
            ApiKeysCommand::Revoke { owner, id } => {
                let (owner, id) = (self.owner(&owner)?, id.parse()?);
                self.api_keys.revoke(Initiator::host(), owner, id).await?;
                Ok(Answer::Done)
            }
            ApiKeysCommand::Delete { owner, id } => {
                let (owner, id) = (self.owner(&owner)?, id.parse()?);
                self.api_keys.delete(Initiator::host(), owner, id).await?;
                Ok(Answer::Done)
            }
            ApiKeysCommand::Verify { key, address } => self.verify_key(&key, address.as_deref()),
        }
    }

    pub(super) async fn run_service_accounts(&self, command: ServiceAccountsCommand) -> Result<Answer> {
        let accounts = &self.service_accounts;
        let id_of = |who: &str| accounts.find(who).map(|account| account.id);
        let account = match command {
            ServiceAccountsCommand::List => {
                let page = accounts.list(PageRequest::all()).await?;
                return Answer::list(
                    ACCOUNT_COLUMNS,
                    page.items.iter().map(ServiceAccountView::from).collect(),
                );
            }
            ServiceAccountsCommand::Show { account } => accounts.find(&account)?,
            ServiceAccountsCommand::Create { name, description, roles } => {
                let (name, description) = (Slug::parse("name", &name)?, parse_description(&description)?);
                accounts.create(Initiator::host(), name, description, &roles).await?
            }
            ServiceAccountsCommand::Change { account, name, description, is_active } => {
                let change = ServiceAccountChange {
                    name: name.map(|name| Slug::parse("name", &name)).transpose()?,
                    description: description.as_deref().map(parse_description).transpose()?,
                    is_active,
                };
                accounts.change(Initiator::host(), id_of(&account)?, change).await?
            }
            ServiceAccountsCommand::SetRoles { account, roles } => {
                accounts.set_roles(Initiator::host(), id_of(&account)?, &roles).await?
            }
            ServiceAccountsCommand::Delete { account } => {
                accounts.delete(Initiator::host(), id_of(&account)?).await?;
                return Ok(Answer::Done);
            }
        };
        shown(&account)
    }

    /// Whoever is meant; a service account first by its name.
    pub(super) fn owner(&self, owner: &Owner) -> Result<SubjectId> {
        match owner {
            Owner::User(user) => Ok(SubjectId::User(self.accounts.find(user)?.id)),
            Owner::ServiceAccount(account) => Ok(SubjectId::Service(self.service_accounts.find(account)?.id)),
        }
    }

    fn verify_key(&self, key: &str, address: Option<&str>) -> Result<Answer> {
        use crate::api_key::live::Judged;
        let address = address.map(parse_address).transpose()?;
        let actor = match self.api_keys.judge(key.trim(), address)? {
            Judged::Good(actor, _) => actor,
            Judged::Bad(flaw, _) => {
                return Ok(Answer::Object(json!({"valid": false, "reason": flaw.name()})));
            }
        };
        let permissions = self.roles.book()?.held_by(&actor).list();
        let owner = format!("{} {}", actor.subject.id().kind(), actor.subject.name());
        Ok(Answer::Object(json!({"valid": true, "owner": owner, "permissions": permissions})))
    }
}

fn shown(account: &ServiceAccount) -> Result<Answer> {
    Answer::object(&ServiceAccountView::from(account))
}

fn new_key(fields: KeyFields) -> Result<NewApiKey> {
    let name = fields.name.ok_or_else(|| Error::invalid("name", "is required"))?;
    Ok(NewApiKey {
        name: parse_name(&name)?,
        rights: parse_rights(
            fields.unrestricted,
            &fields.permissions.unwrap_or_default(),
            &fields.roles.unwrap_or_default(),
        )?,
        networks: parse_networks(&fields.networks.unwrap_or_default())?,
        requests_per_hour: fields.requests_per_hour,
        expires_at: fields.expires_at.as_deref().map(end_of).transpose()?,
    })
}

fn key_change(fields: KeyFields) -> Result<ApiKeyChange> {
    let has_rights = fields.unrestricted || fields.permissions.is_some() || fields.roles.is_some();
    let (permissions, roles) = (fields.permissions.unwrap_or_default(), fields.roles.unwrap_or_default());
    let rights = parse_rights(fields.unrestricted, &permissions, &roles)?;
    Ok(ApiKeyChange {
        name: fields.name.as_deref().map(parse_name).transpose()?,
        rights: has_rights.then_some(rights),
        networks: fields.networks.as_deref().map(parse_networks).transpose()?,
        requests_per_hour: fields.requests_per_hour.map(Some),
        expires_at: fields.expires_at.as_deref().map(end_of).transpose()?.map(Some),
    })
}

impl Answer {
    /// One thing, by its fields.
    pub(super) fn object(thing: &impl serde::Serialize) -> Result<Self> {
        serde_json::to_value(thing).map(Self::Object).map_err(Error::internal)
    }

    /// Several things, and which of their fields a line of text shows.
    pub(super) fn list(columns: &[&str], things: Vec<impl serde::Serialize>) -> Result<Self> {
        let items: Vec<Value> =
            things.iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(Error::internal)?;
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Ok(Self::List { columns, items, next_cursor: None })
    }
}
