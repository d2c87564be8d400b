//! Runs what the command line asks.
use super::command::{Answer, Command, KeyLine};
use crate::account::{Accounts, NewUser};
use crate::api_key::ApiKeys;
use crate::audit::Audit;
use crate::base::{Error, PageRequest, Result, Secret};
use crate::forward::Rules;
use crate::health::Health;
use crate::keys::Keys;
use crate::mail::Mailer;
use crate::mfa::Mfa;
use crate::oauth::backchannel::Backchannel;
use crate::oauth::client::Clients;
use crate::oauth::initial_token::InitialTokens;
use crate::passkey::Passkeys;
use crate::password_reset::PasswordResets;
use crate::rbac::{Initiator, Roles};
use crate::recovery::Recoveries;
use crate::service_account::ServiceAccounts;
use crate::session::Sessions;
use crate::store::{Check, Store};
use crate::transfer::Transfer;
use crate::users::Users;

/// The services that administration uses.
#[derive(Clone)]
pub struct Admin {
    pub accounts: Accounts,
    pub sessions: Sessions,
    pub users: Users,
    pub resets: PasswordResets,
    pub recoveries: Recoveries,
    pub mfa: Mfa,
    pub passkeys: Passkeys,
    pub roles: Roles,
    pub api_keys: ApiKeys,
    pub service_accounts: ServiceAccounts,
    pub clients: Clients,
    pub forward_rules: Rules,
    pub backchannel: Backchannel,
    pub initial_tokens: InitialTokens,
    pub audit: Audit,
    pub transfer: Transfer,
    pub keys: Keys,
    pub mail: Mailer,
    pub health: Health,
    pub store: Store,
    pub checks: Vec<(&'static str, Check)>,
}

impl Admin {
    /// Does what a command says; an error becomes [`Answer::Refused`].
    pub async fn answer(&self, command: Command) -> Answer {
        self.run(command).await.unwrap_or_else(|error| refused(&error))
    }

    async fn run(&self, command: Command) -> Result<Answer> {
        match command {
            Command::UserCreate { .. }
            | Command::UserShow { .. }
            | Command::UserSetActive { .. }
            | Command::UserSetPassword { .. } => self.run_account(command).await,
            Command::Users { what } => self.run_users(what).await,
            Command::ApiKeys { what } => self.run_api_keys(what).await,
            Command::ServiceAccounts { what } => self.run_service_accounts(what).await,
            Command::Clients { what } => self.run_clients(what).await,
            Command::ForwardRules { what } => self.run_forward_rules(what).await,
            Command::Audit { what } => self.run_audit(what).await,
            Command::Mail { what } => self.run_mail(what).await,
            Command::Roles { what } => self.run_roles(what).await,
            Command::Transfer { what } => self.run_transfer(what).await,
            other => self.run_host(other).await,
        }
    }

    /// What is asked about sessions, and of the server itself.
    async fn run_host(&self, command: Command) -> Result<Answer> {
        match command {
            Command::SessionList { user } => self.list_sessions(&user).await,
            Command::SessionRevoke { user, session } => self.revoke(&user, session.as_deref()).await,
            Command::KeysList => Ok(self.list_keys()),
            Command::KeysRotate => self.rotate_keys().await,
            Command::Check => self.check().await,
            Command::Health => Ok(self.health()),
            _ => Err(Error::internal("not a command about the server")),
        }
    }

    async fn run_account(&self, command: Command) -> Result<Answer> {
        match command {
            Command::UserCreate { username, email, first_name, last_name, password, superuser } => {
                let names = (first_name.as_deref(), last_name.as_deref());
                let new = NewUser::parse((&username, &email), names, Secret::new(password))?;
                self.create(NewUser { is_superuser: superuser, ..new }).await
            }
            Command::UserShow { user } => Ok(Answer::User(self.accounts.find(&user)?.into())),
            Command::UserSetActive { user, active } => self.set_active(&user, active).await,
            Command::UserSetPassword { user, password } => {
                self.set_password(&user, Secret::new(password)).await
            }
            _ => Err(Error::internal("not a command about one account")),
        }
    }

    async fn create(&self, new: NewUser) -> Result<Answer> {
        Ok(Answer::User(self.accounts.create(Initiator::host(), new).await?.into()))
    }

    async fn set_active(&self, user: &str, active: bool) -> Result<Answer> {
        let id = self.accounts.find(user)?.id;
        Ok(Answer::User(self.accounts.set_active(Initiator::host(), id, active).await?.into()))
    }

    async fn set_password(&self, user: &str, password: Secret) -> Result<Answer> {
        let id = self.accounts.find(user)?.id;
        self.accounts.set_password(Initiator::host(), id, password).await?;
        Ok(Answer::Done)
    }

    async fn rotate_keys(&self) -> Result<Answer> {
        self.keys.rotate(Initiator::host()).await?;
        Ok(self.list_keys())
    }

    async fn list_sessions(&self, user: &str) -> Result<Answer> {
        let id = self.accounts.find(user)?.id;
        let page = self.sessions.list(id, PageRequest::all()).await?;
        Ok(Answer::Sessions(page.items.into_iter().map(Into::into).collect()))
    }

    async fn revoke(&self, user: &str, session: Option<&str>) -> Result<Answer> {
        let id = self.accounts.find(user)?.id;
        match session {
            Some(session) => {
                self.sessions.revoke(Initiator::host(), id, session.parse()?).await?;
                Ok(Answer::Ended(1))
            }
            None => Ok(Answer::Ended(self.sessions.revoke_all(Initiator::host(), id, None).await?)),
        }
    }

    fn list_keys(&self) -> Answer {
        let line = |(kid, algorithm, stage): (String, crate::crypto::Algorithm, crate::keys::Stage)| {
            KeyLine { kid, algorithm: algorithm.to_string(), stage: stage.name().to_owned() }
        };
        Answer::Keys(self.keys.list().into_iter().map(line).collect())
    }

    async fn check(&self) -> Result<Answer> {
        let (store, checks) = (self.store.clone(), self.checks.clone());
        let verified = tokio::task::spawn_blocking(move || store.verify(&checks)).await;
        let findings = verified.map_err(Error::internal)??;
        let (tables, problems) = (findings.tables.into_iter().collect(), findings.problems);
        Ok(Answer::Findings { tables, problems, problem_count: findings.problem_count })
    }

    fn health(&self) -> Answer {
        let (database, cache) = (self.health.database_is_well(), self.health.cache_is_well());
        Answer::Health {
            healthy: database && cache,
            database,
            cache,
            uptime_secs: self.health.uptime().as_secs(),
        }
    }
}

/// An error as the command line shows it. Whoever may use the socket may read causes, too.
fn refused(error: &Error) -> Answer {
    let (field, message) = match error {
        Error::Invalid(wrong) => (Some(wrong.field.to_string()), format!("{} {}", wrong.field, wrong.reason)),
        Error::Unavailable(cause) | Error::Internal(cause) => (None, format!("{error}: {cause}")),
        other => (None, other.to_string()),
    };
    Answer::Refused { code: error.code().to_owned(), field, message }
}
