//! What the command line prints, and its exit codes.
use std::io::Write;

use serde_json::{Value, json};

use super::plain;
use crate::admin::{Answer, KeyLine, RoleLine, SessionLine, UserLine};
use crate::base::Error;
use crate::transfer::{Exported, Outcome, Refused, Totals};

pub const DONE: u8 = 0;
pub const REFUSED: u8 = 1;
pub const USAGE: u8 = 2;
pub const UNAVAILABLE: u8 = 3;
pub const UNWELL: u8 = 4;

/// Prints an answer, as text or as JSON.
///
/// # Returns
/// The exit code.
pub fn print(answer: Answer, as_json: bool) -> u8 {
    let code = code_of(&answer);
    if let Answer::Refused { code: error, field, message } = &answer {
        report(error, field.as_deref(), message, as_json);
        return code;
    }
    let text = if as_json {
        serde_json::to_string_pretty(&json_of(answer)).unwrap_or_default() + "\n"
    } else {
        text_of(answer)
    };
    match write(&text) {
        DONE => code,
        failed => failed,
    }
}

/// Prints an error.
///
/// # Returns
/// `code`, or what the kind of error asks for.
pub fn fail(error: &Error, as_json: bool, code: u8) -> u8 {
    match error {
        Error::Invalid(wrong) => {
            let message = format!("{} {}", wrong.field, wrong.reason);
            report(error.code(), Some(&wrong.field), &message, as_json);
            USAGE
        }
        Error::Unavailable(cause) | Error::Internal(cause) => {
            report(error.code(), None, cause, as_json);
            code
        }
        other => {
            report(other.code(), None, &other.to_string(), as_json);
            REFUSED
        }
    }
}

/// Writes to standard output.
///
/// # Returns
/// [`UNAVAILABLE`] if nobody reads it.
pub fn write(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => DONE,
        Err(_) => UNAVAILABLE,
    }
}

fn report(code: &str, field: Option<&str>, message: &str, as_json: bool) {
    let text = if as_json {
        json!({"error": {"code": code, "field": field, "message": message}}).to_string()
    } else {
        format!("auth-service: {message}")
    };
    // With no standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn code_of(answer: &Answer) -> u8 {
    match answer {
        Answer::Refused { code, .. } if code == "SERVICE_UNAVAILABLE" => UNAVAILABLE,
        Answer::Refused { .. } => REFUSED,
        Answer::Findings { problem_count: 1.., .. }
        | Answer::Health { healthy: false, .. }
        | Answer::Trail { problem: Some(_), .. } => UNWELL,
        _ => DONE,
    }
}

/// The bare thing: a user, a list, an object.
fn json_of(answer: Answer) -> Value {
    match answer {
        Answer::User(user) => json!(user),
        Answer::Users { items, next_cursor } => json!({"items": items, "next_cursor": next_cursor}),
        Answer::Role(role) => json!(role),
        Answer::Roles(items) => json!({"items": items}),
        Answer::Permissions(items) => json!({"items": items}),
        Answer::Sessions(items) => json!({"items": items}),
        Answer::Keys(items) => json!({"items": items}),
        Answer::Imported(items) => json!({"items": items}),
        Answer::Exported { accounts, next_cursor } => json!({"items": accounts, "next_cursor": next_cursor}),
        Answer::Ended(ended) => json!({"ended": ended}),
        Answer::Findings { tables, problems, problem_count } => {
            let tables: serde_json::Map<_, _> =
                tables.into_iter().map(|(name, n)| (name, json!(n))).collect();
            json!({"tables": tables, "problems": problems, "problem_count": problem_count})
        }
        Answer::Health { healthy, database, cache, uptime_secs } => {
            json!({"healthy": healthy, "database": database, "cache": cache, "uptime_secs": uptime_secs})
        }
        Answer::Object(fields) => fields,
        Answer::List { items, next_cursor, .. } | Answer::Events { items, next_cursor } => {
            json!({"items": items, "next_cursor": next_cursor})
        }
        Answer::EventLines { lines, next } => json!({"lines": lines, "next": next}),
        Answer::Trail { first, last, head, problem } => {
            json!({"first": first, "last": last, "head": head, "intact": problem.is_none(), "problem": problem})
        }
        Answer::Done => json!({"done": true}),
        Answer::Refused { code, field, message } => json!({"code": code, "field": field, "message": message}),
    }
}

fn text_of(answer: Answer) -> String {
    match answer {
        Answer::User(user) => describe_user(&user),
        Answer::Users { items, next_cursor } => {
            items.iter().map(user_line).collect::<String>() + &more(next_cursor)
        }
        Answer::Role(role) => role_line(&role),
        Answer::Roles(items) => items.iter().map(role_line).collect(),
        Answer::Permissions(items) => {
            items.iter().map(|one| format!("{:32}{}\n", one.name, one.description)).collect()
        }
        Answer::Sessions(items) => items.iter().map(session_line).collect(),
        Answer::Keys(items) => items.iter().map(key_line).collect(),
        Answer::Imported(items) => items.iter().filter_map(refused).map(refused_line).collect(),
        Answer::Exported { accounts, .. } => account_lines(&accounts),
        Answer::Ended(1) => "1 session ended\n".to_owned(),
        Answer::Ended(n) => format!("{n} sessions ended\n"),
        Answer::Findings { tables, problems, problem_count } => {
            let rows: String = tables.iter().map(|(name, rows)| format!("{rows:>10}  {name}\n")).collect();
            let wrong: String = problems.iter().map(|problem| format!("wrong: {problem}\n")).collect();
            format!("{rows}{wrong}{problem_count} problems\n")
        }
        Answer::Health { healthy, database, cache, uptime_secs } => {
            let state = |well| if well { "connected" } else { "failed" };
            let status = if healthy { "healthy" } else { "unhealthy" };
            format!("{status}; database {}; cache {}; up {uptime_secs} s\n", state(database), state(cache))
        }
        Answer::Object(fields) => plain::fields(&fields),
        Answer::List { columns, items, next_cursor } => plain::table(&columns, &items) + &more(next_cursor),
        Answer::Events { items, next_cursor } => {
            items.iter().map(plain::event).collect::<String>() + &more(next_cursor)
        }
        Answer::EventLines { lines, .. } => lines,
        Answer::Trail { first, last, head, problem } => match problem {
            None => format!("intact: events {first} to {last}; note this elsewhere: {last}:{head}\n"),
            Some(problem) => format!("NOT intact: {problem}\n"),
        },
        Answer::Done => "done\n".to_owned(),
        Answer::Refused { message, .. } => message + "\n",
    }
}

/// How a list goes on.
fn more(next_cursor: Option<String>) -> String {
    next_cursor.map(|cursor| format!("more: --cursor {cursor}\n")).unwrap_or_default()
}

fn refused(outcome: &Outcome) -> Option<&Refused> {
    match outcome {
        Outcome::Refused(refused) => Some(refused),
        Outcome::Imported { .. } => None,
    }
}

/// A row of a file that was not taken, as text.
pub fn refused_line(refused: &Refused) -> String {
    let Refused { row, username, field, reason } = refused;
    let whose = username.as_ref().map(|username| format!(" ({username})")).unwrap_or_default();
    let field = field.as_ref().map(|field| format!("{field} ")).unwrap_or_default();
    format!("row {row}{whose}: {field}{reason}\n")
}

/// How an import ended.
pub fn totals(totals: &Totals, as_json: bool) -> String {
    if as_json {
        return serde_json::to_string_pretty(totals).unwrap_or_default() + "\n";
    }
    let Totals { rows, imported, refused, dry_run } = totals;
    let note = if *dry_run { " (a dry run: nothing was written)" } else { "" };
    format!("{rows} rows: {imported} imported, {refused} refused{note}\n")
}

/// Accounts as JSON, one a line.
pub fn account_lines(accounts: &[Exported]) -> String {
    accounts.iter().map(|account| serde_json::to_string(account).unwrap_or_default() + "\n").collect()
}

fn flags(user: &UserLine) -> String {
    let active = if user.is_active { "active" } else { "disabled" };
    if user.is_superuser { format!("{active}, superuser") } else { active.to_owned() }
}

fn user_line(user: &UserLine) -> String {
    format!("{:>8}  {:<24}  {:<32}  {}\n", user.id, user.username, user.email, flags(user))
}

fn describe_user(user: &UserLine) -> String {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "id                {}\nusername          {}\nemail             {}\nfirst name        {}\nlast name         {}\n\
         state             {}\nroles             {}\ncreated           {}\npassword changed  {}\n",
        user.id,
        user.username,
        user.email,
        name(&user.first_name),
        name(&user.last_name),
        flags(user),
        user.roles.join(", "),
        user.created_at,
        user.password_changed_at
    )
}

fn session_line(session: &SessionLine) -> String {
    let SessionLine { id, created_at, expires_at, address, user_agent, .. } = session;
    format!("{id}  {created_at} to {expires_at}  {address}  {user_agent}\n")
}

fn key_line(key: &KeyLine) -> String {
    format!("{}  {:<6}  {}\n", key.kid, key.algorithm, key.stage)
}

fn role_line(role: &RoleLine) -> String {
    let permissions = role.permissions.join(" ");
    let includes: String = role.includes.iter().map(|name| format!(" +{name}")).collect();
    format!("{:20}{permissions}{includes}\n", role.name)
}
