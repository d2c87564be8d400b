//! The command line: parses, asks the server (or opens the store itself), prints.
mod args;
mod ask;
mod breach;
mod clients;
mod config;
mod credentials;
mod export;
mod forward_rules;
mod import;
mod later;
mod output;
mod password;
mod plain;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use self::later::Later;
use crate::admin::{MailCommand, PasskeysCommand, RolesCommand, UserFilter, UsersCommand};
use crate::base::{Error, Result};
use crate::config::{Config, InForce, load};
use crate::serve;

use args::{
    Args, Group, KeysGroup, MailGroup, PasskeyGroup, PasswordsGroup, PermissionGroup, RoleGroup,
    SessionGroup, UserGroup,
};
use ask::Backend;
use credentials::AuditGroup;

/// Runs the program.
///
/// # Returns
/// 0 when done; 1 when refused (the message says why), and when an import has refused some rows; 2 for arguments or settings that are wrong; 3 when the
/// store or the server cannot be used; 4 when `check` or `health` found something wrong.
#[must_use]
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output::DONE,
                _ => output::USAGE,
            };
            // With no standard error there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    ExitCode::from(dispatch(args))
}

fn dispatch(args: Args) -> u8 {
    let json = args.json;
    let flags = args.flags();
    let group = args.command.unwrap_or(Group::Serve);
    let (config, in_force) = match load(&flags, environment()) {
        Ok(loaded) => loaded,
        Err(error) => return output::fail(&error, json, output::USAGE),
    };
    let outcome = match group {
        Group::Serve => return serve(config, json),
        Group::Config { command: Later(command) } => {
            return config::run(&command, (&config, &in_force), json);
        }
        Group::Passwords { command: Later(PasswordsGroup::BuildFilter(args)) } => {
            breach::build_filter(&args, json)
        }
        Group::User { command: Later(UserGroup::Import(args)) } => import::run(config, &args, json),
        Group::User { command: Later(UserGroup::Export { password_hashes }) } => {
            export::run(config, password_hashes, json)
        }
        Group::Audit { command: Later(AuditGroup::Export { filter, seq }) } => {
            export::events(config, &filter.into(), seq, json)
        }
        group => command_of(group)
            .and_then(|command| Backend::new(config).ask(command))
            .map(|answer| output::print(answer, json)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => output::fail(&error, json, output::UNAVAILABLE),
    }
}

/// Variables that are not text cannot be settings.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
}

fn serve(config: Config, json: bool) -> u8 {
    serve::start_logging(&config.log);
    if let Err(error) = crate::app::check(&config) {
        return output::fail(&error, json, output::USAGE);
    }
    let served =
        serve::open_store(&config).and_then(|store| ask::runtime()?.block_on(serve::run(config, store)));
    match served {
        Ok(()) => output::DONE,
        Err(error) => output::fail(&error, json, output::UNAVAILABLE),
    }
}

fn command_of(group: Group) -> Result<crate::admin::Command> {
    use crate::admin::Command;
    Ok(match group {
        Group::User { command: Later(command) } => user_command(command)?,
        Group::Role { command: Later(command) } => Command::Roles { what: role_command(command) },
        Group::Permission { command: Later(command) } => Command::Roles { what: permission_command(command) },
        Group::ServiceAccount { command: Later(command) } => credentials::service_account(command),
        Group::ApiKey { command: Later(command) } => credentials::api_key(command)?,
        Group::Client { command: Later(command) } => clients::client(command)?,
        Group::ForwardRule { command: Later(command) } => forward_rules::rule(command)?,
        Group::Audit { command: Later(command) } => credentials::audit(command)?,
        Group::Passkey { command: Later(PasskeyGroup::List { user }) } => {
            Command::Users { what: UsersCommand::Passkeys(PasskeysCommand::List { user }) }
        }
        Group::Passkey { command: Later(PasskeyGroup::Delete { user, id }) } => {
            Command::Users { what: UsersCommand::Passkeys(PasskeysCommand::Delete { user, id }) }
        }
        Group::Session { command: Later(SessionGroup::List { user }) } => Command::SessionList { user },
        Group::Session { command: Later(SessionGroup::Revoke { user, session }) } => {
            Command::SessionRevoke { user, session }
        }
        Group::Mail { command: Later(command) } => Command::Mail { what: mail_command(command) },
        Group::Keys { command: Later(KeysGroup::List) } => Command::KeysList,
        Group::Keys { command: Later(KeysGroup::Rotate) } => Command::KeysRotate,
        Group::Check => Command::Check,
        Group::Health => Command::Health,
        Group::Serve | Group::Config { .. } | Group::Passwords { .. } => {
            return Err(Error::internal("not a command of a server"));
        }
    })
}

fn mail_command(command: MailGroup) -> MailCommand {
    match command {
        MailGroup::List { limit, cursor } => MailCommand::List { limit, cursor },
        MailGroup::Show { id } => MailCommand::Show { id },
        MailGroup::Retry { id } => MailCommand::Retry { id },
        MailGroup::Discard { id } => MailCommand::Discard { id },
    }
}

fn user_command(command: UserGroup) -> Result<crate::admin::Command> {
    use crate::admin::Command;
    Ok(match command {
        UserGroup::Create(new) => Command::UserCreate {
            password: password::read(new.password_stdin)?,
            username: new.username,
            email: new.email,
            first_name: new.first_name,
            last_name: new.last_name,
            superuser: new.superuser,
        },
        UserGroup::List { username, email, role, active, deleted, limit, cursor } => {
            let filter = UserFilter { username, email, role, is_active: active, deleted };
            Command::Users { what: UsersCommand::List { filter, limit, cursor } }
        }
        UserGroup::RequirePasswordChange { user } => {
            Command::Users { what: UsersCommand::RequirePasswordChange { user } }
        }
        UserGroup::ResetPassword { user } => Command::Users { what: UsersCommand::ResetPassword { user } },
        UserGroup::Recover { user } => Command::Users { what: UsersCommand::Recover { user } },
        UserGroup::ResetMfa { user } => Command::Users { what: UsersCommand::ResetMfa { user } },
        UserGroup::Restore { user } => Command::Users { what: UsersCommand::Restore { user } },
        UserGroup::Show { user } => Command::UserShow { user },
        UserGroup::Disable { user } => Command::UserSetActive { user, active: false },
        UserGroup::Enable { user } => Command::UserSetActive { user, active: true },
        UserGroup::SetPassword { user, password_stdin } => {
            Command::UserSetPassword { user, password: password::read(password_stdin)? }
        }
        UserGroup::SetRoles { user, roles } => {
            Command::Roles { what: RolesCommand::SetRoles { user, roles } }
        }
        UserGroup::Delete { user, for_good: true } => Command::Users { what: UsersCommand::Erase { user } },
        UserGroup::Delete { user, for_good: false } => Command::Users { what: UsersCommand::Delete { user } },
        UserGroup::Import(_) | UserGroup::Export { .. } => {
            return Err(Error::internal("not one command of a server"));
        }
    })
}

fn role_command(command: RoleGroup) -> RolesCommand {
    let names = |text: String| credentials::names(&text);
    let change = |fields: args::RoleFields| crate::admin::RoleFields {
        description: fields.description,
        permissions: fields.permissions.map(names),
        includes: fields.includes.map(names),
    };
    match command {
        RoleGroup::List => RolesCommand::List,
        RoleGroup::Show { role } => RolesCommand::Show { role },
        RoleGroup::Create { role, fields } => RolesCommand::Create { role, change: change(fields) },
        RoleGroup::Change { role, fields } => RolesCommand::Change { role, change: change(fields) },
        RoleGroup::Delete { role } => RolesCommand::Delete { role },
    }
}

fn permission_command(command: PermissionGroup) -> RolesCommand {
    match command {
        PermissionGroup::List => RolesCommand::Permissions,
        PermissionGroup::Define { name, description } => RolesCommand::Define { name, description },
        PermissionGroup::Delete { name } => RolesCommand::Undefine { name },
    }
}

/// What `config show` prints of the settings, as text.
fn describe(in_force: &[InForce]) -> String {
    let line = |setting: &InForce| format!("{} = {}  # {}\n", setting.key, setting.value, setting.source);
    in_force.iter().map(line).collect()
}
