//! Roles and permissions, as the command line asks for them.
use super::command::{Answer, PermissionLine, RoleFields, RolesCommand};
use super::service::Admin;
use crate::base::{Error, Result};
use crate::rbac::model::{RoleChange, RoleName, parse_description};
use crate::rbac::{Initiator, Pattern, Permission};

impl Admin {
    pub(super) async fn run_roles(&self, command: RolesCommand) -> Result<Answer> {
        match command {
            RolesCommand::SetRoles { user, roles } => self.set_roles(&user, &roles).await,
            RolesCommand::List => self.list_roles(),
            RolesCommand::Show { role } => self.show_role(&role),
            RolesCommand::Create { role, change } => self.create_role(&role, change).await,
            RolesCommand::Change { role, change } => self.change_role(role, change).await,
            RolesCommand::Delete { role } => self.delete_role(role).await,
            RolesCommand::Permissions => self.list_permissions(),
            RolesCommand::Define { name, description } => self.define_permission(&name, &description).await,
            RolesCommand::Undefine { name } => self.delete_permission(&name).await,
        }
    }

    async fn set_roles(&self, user: &str, roles: &[String]) -> Result<Answer> {
        let id = self.accounts.find(user)?.id;
        Ok(Answer::User(self.accounts.set_roles(Initiator::host(), id, roles).await?.into()))
    }

    fn list_roles(&self) -> Result<Answer> {
        Ok(Answer::Roles(self.roles.book()?.roles().map(Into::into).collect()))
    }

    fn show_role(&self, name: &str) -> Result<Answer> {
        let book = self.roles.book()?;
        Ok(Answer::Role(book.role(name).ok_or(Error::NotFound("role"))?.into()))
    }

    async fn create_role(&self, name: &str, fields: RoleFields) -> Result<Answer> {
        let name = RoleName::parse("name", name)?;
        Ok(Answer::Role((&self.roles.create(Initiator::host(), name, fields.try_into()?).await?).into()))
    }

    async fn change_role(&self, name: String, fields: RoleFields) -> Result<Answer> {
        Ok(Answer::Role((&self.roles.change(Initiator::host(), name, fields.try_into()?).await?).into()))
    }

    async fn delete_role(&self, name: String) -> Result<Answer> {
        self.roles.delete(Initiator::host(), name).await?;
        Ok(Answer::Done)
    }

    fn list_permissions(&self) -> Result<Answer> {
        let all = self.roles.permissions()?.into_iter();
        let line = |(name, description, created): (String, String, Option<_>)| PermissionLine {
            name,
            description,
            built_in: created.is_none(),
        };
        Ok(Answer::Permissions(all.map(line).collect()))
    }

    async fn define_permission(&self, name: &str, description: &str) -> Result<Answer> {
        let made = self
            .roles
            .define(Initiator::host(), Permission::parse("name", name)?, parse_description(description)?)
            .await?;
        let (name, description) = (made.name.to_string(), made.description);
        Ok(Answer::Permissions(vec![PermissionLine { name, description, built_in: false }]))
    }

    async fn delete_permission(&self, name: &str) -> Result<Answer> {
        self.roles.undefine(Initiator::host(), Permission::parse("name", name)?).await?;
        Ok(Answer::Done)
    }
}

impl TryFrom<RoleFields> for RoleChange {
    type Error = Error;

    fn try_from(fields: RoleFields) -> Result<Self> {
        Ok(Self {
            description: fields.description.as_deref().map(parse_description).transpose()?,
            permissions: fields.permissions.map(|all| Pattern::parse_all("permissions", &all)).transpose()?,
            includes: fields.includes.map(|all| RoleName::parse_all("includes", &all)).transpose()?,
        })
    }
}
