//! What is asked of a server that people trust with their accounts (OWASP ASVS 5.0): where no other file asks it, and that
//! SECURITY.md answers all of it.
mod document;
mod passwords;
mod tokens;
mod ways_in;

use serde_json::Value;

use crate::support::{Operation, TestApp, operations};

/// The operations that answer with an access token: the ways in, and those that give a session new tokens.
fn giving_tokens(app: &TestApp) -> Vec<Operation<'_>> {
    let gives = |operation: &Operation| {
        let good = operation.responses().filter(|(status, _)| (200..300).contains(status));
        let contents = good.filter_map(|(_, response)| response["content"].as_object());
        contents.flatten().any(|(_, content)| has_access_token(app, &content["schema"]))
    };
    operations(app).into_iter().filter(gives).collect()
}

/// Whether a schema, or one that it is put together of, has the property `access_token`.
fn has_access_token(app: &TestApp, schema: &Value) -> bool {
    let named = schema["$ref"].as_str().and_then(|name| app.spec.pointer(name.strip_prefix('#')?));
    let parts = ["allOf", "anyOf", "oneOf"].iter().filter_map(|kind| schema[kind].as_array()).flatten();
    schema["properties"].get("access_token").is_some()
        || named.is_some_and(|schema| has_access_token(app, schema))
        || parts.into_iter().any(|part| has_access_token(app, part))
}
