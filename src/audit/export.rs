//! An event as one line of JSON: what is exported, and what its hash is made of, so that anybody can check the chain:
//! the hash of a line is SHA-256 over the 32 bytes of the hash before it and the line without its last members,
//! `previous_hash` and `hash`.
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::model::{Entry, Party};
use crate::base::{Error, Result};

/// An entry without its hash. Its members and their order never change: hashes rest on them. New ones are left out
/// where an entry has none.
#[derive(Serialize)]
pub struct Line<'a> {
    seq: u64,
    at: String,
    action: &'a str,
    outcome: &'static str,
    actor: PartyLine<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<PartyLine<'a>>,
    address: &'a str,
    user_agent: &'a str,
    request_id: &'a str,
    count: u64,
    details: Details<'a>,
}

#[derive(Serialize)]
struct PartyLine<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    /// What a user let a client have that acts for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth_grant: Option<&'a str>,
}

struct Details<'a>(&'a [(String, String)]);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl<'a> Line<'a> {
    /// The line of an entry.
    #[must_use]
    pub fn of(entry: &'a Entry) -> Self {
        let event = &entry.event;
        let via = |kind: &str| event.via.as_ref().filter(|via| via.0 == kind).map(|via| &*via.1);
        Self {
            seq: entry.seq,
            at: event.at.rfc3339_micros(),
            action: &event.action,
            outcome: event.outcome.name(),
            actor: PartyLine {
                session: via("session"),
                api_key: via("api_key"),
                oauth_grant: via("oauth_grant"),
                ..PartyLine::of(&event.actor)
            },
            subject: event.subject.as_ref().map(PartyLine::of),
            address: &event.address,
            user_agent: &event.user_agent,
            request_id: &event.request_id,
            count: event.count,
            details: Details(&event.details),
        }
    }
}

impl<'a> PartyLine<'a> {
    fn of(party: &'a Party) -> Self {
        let id = party.id.map(|id| id.to_string());
        Self { kind: &party.kind, id, name: &party.name, session: None, api_key: None, oauth_grant: None }
    }
}

/// The line with its hash, that of the event `before` if it is to be checked by itself, and its end.
///
/// # Errors
/// `Error::Internal` if it cannot be written.
pub fn exported(entry: &Entry, before: Option<&[u8; 32]>) -> Result<String> {
    let mut line = serde_json::to_string(&Line::of(entry)).map_err(Error::internal)?;
    line.pop();
    if let Some(before) = before {
        line.push_str(",\"previous_hash\":\"");
        line.push_str(&hex(before));
        line.push('"');
    }
    line.push_str(",\"hash\":\"");
    line.push_str(&hex(&entry.hash));
    line.push_str("\"}\n");
    Ok(line)
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
