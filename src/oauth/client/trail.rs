//! What the audit trail says of clients. Pure.
use super::model::{Client, ClientId};
use crate::audit::Event;
use crate::base::Timestamp;
use crate::rbac::{Initiator, Pattern, RoleName};

pub(super) fn described(by: &Initiator, action: &str, client: &Client, now: Timestamp) -> Event {
    let event =
        Event::new(by, action, now).with("client", client.id.as_str()).with("name", &client.metadata.name);
    let uris: Vec<_> =
        client.metadata.redirect_uris.iter().map(super::redirect::RedirectUri::as_str).collect();
    event.with("redirect_uris", uris.join(" "))
}

/// What a client may do and how it proves who it is; of what was otherwise before, that too.
pub(super) fn with_rules(mut event: Event, new: &Client, old: Option<&Client>) -> Event {
    fn facts(client: &Client) -> [(&'static str, String); 7] {
        let (metadata, rules) = (&client.metadata, &client.rules);
        let roles: Vec<_> = rules.roles.iter().map(RoleName::as_str).collect();
        let exchanges: Vec<_> = rules.exchanges_tokens_of.iter().map(ClientId::as_str).collect();
        let permissions: Vec<_> = rules.permissions.iter().map(Pattern::as_str).collect();
        [
            ("authentication", metadata.authentication.name().to_owned()),
            ("keys", metadata.keys.told()),
            ("first_party", rules.is_first_party.to_string()),
            ("introspect", rules.introspects.to_string()),
            ("roles", roles.join(" ")),
            ("permissions", permissions.join(" ")),
            ("exchange_clients", exchanges.join(" ")),
        ]
    }
    for (name, value) in facts(new) {
        event = event.with(name, value);
    }
    let old = old.map(facts).into_iter().flatten();
    for ((name, before), (_, now)) in old.zip(facts(new)) {
        if before != now {
            event = event.with(&format!("{name}_before"), before);
        }
    }
    event
}
