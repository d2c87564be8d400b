//! Rules of the configuration file, judged as those of the API.
use serde_json::{Map, Value};

use super::model::{MAX_RULES, Rule};
use super::view::RuleBody;
use crate::base::{Error, FieldError, Id, Result, Timestamp};
use crate::crypto::sha256;

/// Reads all of them.
///
/// # Errors
/// `Error::Invalid` naming the rule, by its place from 1, and the field that is wrong.
pub fn read(all: &[Map<String, Value>]) -> Result<Vec<Rule>> {
    if all.len() > MAX_RULES {
        return Err(Error::invalid("forward.rules", format!("must be at most {MAX_RULES}")));
    }
    all.iter().enumerate().map(|(at, fields)| read_one(at, fields)).collect()
}

fn read_one(at: usize, fields: &Map<String, Value>) -> Result<Rule> {
    let body = RuleBody::from_fields(fields).and_then(|body| match body.position {
        Some(_) => Err(Error::invalid("position", "is the place in the file")),
        None => body.made(),
    });
    let terms = body.map_err(|error| match error {
        Error::Invalid(FieldError { field, reason, .. }) => {
            Error::invalid(format!("forward.rules[{}].{field}", at + 1), reason)
        }
        other => other,
    })?;
    // The same after a restart, as long as its place is.
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(&[b"rule of the configuration file", &at.to_be_bytes()])[..16]);
    let never = Timestamp::from_secs(0);
    Ok(Rule { id: Id::from_bytes(id), terms, created_at: never, updated_at: never })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(rule: Value) -> String {
        let Value::Object(fields) = rule else { panic!("no rule") };
        match read(&[fields]) {
            Err(Error::Invalid(wrong)) => wrong.field.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_rule() {
        for (rule, field) in [
            (json!({}), "host"),
            (json!({"host": "a.example:80"}), "host"),
            (json!({"hosts": ["a.example"]}), "hosts"),
            (json!({"host": ["a.example"]}), "host"),
            (json!({"host": "a.example", "paths": []}), "paths"),
            (json!({"host": "a.example", "paths": ["a"]}), "paths"),
            (json!({"host": "a.example", "methods": ["G T"]}), "methods"),
            (json!({"host": "a.example", "networks": ["x"]}), "networks"),
            (json!({"host": "a.example", "access": "all"}), "access"),
            (json!({"host": "a.example", "roles": ["A B"]}), "roles"),
            (json!({"host": "a.example", "permissions": ["x"]}), "permissions"),
            (json!({"host": "a.example", "access": "public", "second_factor": true}), "second_factor"),
            (json!({"host": "a.example", "second_factor": "yes"}), "second_factor"),
            (json!({"host": "a.example", "position": 1}), "position"),
        ] {
            assert_eq!(refusal(rule.clone()), format!("forward.rules[1].{field}"), "{rule}");
        }
        let good =
            json!({"host": "*.example.org", "paths": ["/a/**"], "methods": ["get"], "networks": ["::1"]});
        let Value::Object(fields) = good else { panic!("no rule") };
        let read = read(&[fields.clone(), fields]).unwrap();
        assert_eq!(read[0].terms.methods, ["GET"]);
        assert_ne!(read[0].id, read[1].id);
    }
}
