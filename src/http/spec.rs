//! The OpenAPI document: what the framework derives from the code, and every error each operation can give.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::envelope::status;
use super::protocol::{is_protocol, is_registration};
use crate::base::{Error, Result, SecondFactor, Secret, Timestamp};

/// What an operation can fail with beside what follows from its form, by operation id.
pub type OperationErrors = (&'static str, &'static [&'static str]);

/// The permission that an operation needs, by operation id.
pub type OperationPermission = (&'static str, &'static str);

/// What the code of the operations does not tell of them, feature by feature.
pub struct Facts<'a> {
    pub errors: &'a [&'a [OperationErrors]],
    pub permissions: &'a [&'a [OperationPermission]],
    /// Operations that everyone may ask, and whose answer depends on who it is.
    pub for_anyone: &'a [&'a str],
}

/// Operations that no rate limit counts.
const UNLIMITED: &[&str] = &["/health", "/docs", "/.well-known/", "/oauth2/jwks"];

/// Adds to the document each operation's errors, with an example of each.
///
/// # Errors
/// `Error::Internal` for a document that is not one.
pub fn complete(document: &str, facts: &Facts) -> Result<Value> {
    let mut document: Value = serde_json::from_str(document).map_err(Error::internal)?;
    let paths = document["paths"].as_object_mut().ok_or_else(|| Error::internal("a spec without paths"))?;
    for (path, operations) in paths {
        let operations =
            operations.as_object_mut().ok_or_else(|| Error::internal("a path without methods"))?;
        for (method, operation) in operations {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            let named = facts.errors.concat().into_iter().filter(|(named, _)| *named == id);
            let mut codes: BTreeSet<&str> = named.flat_map(|(_, codes)| codes.iter().copied()).collect();
            codes.extend(implied(path, method, operation));
            if let Some((_, needed)) = facts.permissions.concat().iter().find(|(named, _)| *named == id) {
                codes.extend(["FORBIDDEN", "PASSWORD_CHANGE_REQUIRED", "MFA_ENROLMENT_REQUIRED"]);
                state_permission(operation, needed);
            }
            if facts.for_anyone.contains(&&*id) {
                operation["security"] = json!([{}, {"bearer": []}, {"cookie": []}, {"api_key": []}]);
            }
            if is_protocol(path) {
                describe_protocol(path, operation)?;
            } else {
                describe(operation, &codes)?;
            }
        }
    }
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    schemas.for_each(|(_, schema)| allow_nulls(schema));
    Ok(document)
}

/// What need not be there may be null, in what we take and in what we give.
fn allow_nulls(schema: &mut Value) {
    let required = schema["required"].clone();
    let is_required =
        |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        if property.get("type").is_some() && !is_required(name) {
            property["nullable"] = Value::Bool(true);
        }
    }
}

/// The errors that follow from what an operation takes.
fn implied(path: &str, method: &str, operation: &Value) -> BTreeSet<&'static str> {
    let mut codes = BTreeSet::from(["INTERNAL_ERROR", "TIMEOUT"]);
    let is_safe = matches!(method, "get" | "head");
    if operation.get("security").is_some() {
        codes.extend([
            "UNAUTHORIZED",
            "INVALID_TOKEN",
            "TOKEN_EXPIRED",
            "TOKEN_REVOKED",
            "MALFORMED_REQUEST",
        ]);
        codes.insert("SERVICE_UNAVAILABLE");
    }
    if !is_safe {
        codes.extend(["CSRF_FAILED", "PAYLOAD_TOO_LARGE", "MALFORMED_REQUEST"]);
    }
    if operation.get("requestBody").is_some() {
        codes.extend(["VALIDATION_ERROR", "MALFORMED_REQUEST", "UNSUPPORTED_MEDIA_TYPE"]);
    }
    if operation["parameters"].as_array().is_some_and(|parameters| !parameters.is_empty()) {
        codes.insert("VALIDATION_ERROR");
    }
    if !UNLIMITED.iter().any(|free| path.starts_with(free)) {
        codes.insert("RATE_LIMITED");
    }
    codes
}

/// Says which permission an operation needs, for people and for programs.
fn state_permission(operation: &mut Value, permission: &str) {
    let about = operation["description"].as_str().unwrap_or_default();
    let needs = format!("Needs the permission `{permission}`.");
    operation["description"] =
        Value::String(if about.is_empty() { needs } else { format!("{about}\n\n{needs}") });
    operation["x-permission"] = Value::String(permission.to_owned());
}

/// Writes the errors of RFC 6749 into an operation, with an example of each.
fn describe_protocol(path: &str, operation: &mut Value) -> Result<()> {
    let (wrong, refused) = if is_registration(path) {
        ("invalid_client_metadata", "invalid_token")
    } else {
        ("invalid_request", "invalid_client")
    };
    let responses = operation["responses"].as_object_mut();
    let responses = responses.ok_or_else(|| Error::internal("an operation without responses"))?;
    for (status, error, about) in [
        (400, wrong, "What is wrong with the request"),
        (401, refused, "The client or the token is not good"),
        (413, "invalid_request", "The body is too large"),
        (415, "invalid_request", "The body has another media type"),
        (429, "temporarily_unavailable", "The client asks too often"),
        (500, "server_error", "Something went wrong; the log has it"),
        (503, "temporarily_unavailable", "The server has more work than it may queue"),
    ] {
        let body = json!({"error": error, "error_description": about});
        let content = json!({
            "schema": {"$ref": "#/components/schemas/ProtocolErrorBody"},
            "examples": {error: {"value": body}},
        });
        let response = json!({"description": about, "content": {"application/json; charset=utf-8": content}});
        responses.insert(status.to_string(), response);
    }
    Ok(())
}

/// Writes the errors into an operation, by status.
fn describe(operation: &mut Value, codes: &BTreeSet<&str>) -> Result<()> {
    let mut by_status: BTreeMap<u16, Map<String, Value>> = BTreeMap::new();
    for code in codes {
        let (status, message, details) = known(code)?;
        let example = json!({"value": {"error": {
            "code": code,
            "message": message,
            "details": details,
            "timestamp": Timestamp::from_micros(1_749_985_743_405_530).contract_form(),
            "request_id": "req_123456789",
        }}});
        by_status.entry(status).or_default().insert((*code).to_owned(), example);
    }
    let responses = operation["responses"].as_object_mut();
    let responses = responses.ok_or_else(|| Error::internal("an operation without responses"))?;
    for (status, examples) in by_status {
        let names: Vec<_> = examples.keys().cloned().collect();
        let mut content = json!({"schema": {"$ref": "#/components/schemas/ErrorBody"}});
        content["examples"] = Value::Object(examples);
        let response = json!({
            "description": names.join(", "),
            "content": {"application/json; charset=utf-8": content},
        });
        // What an operation says of a status itself (the 503 of /health) stays.
        responses.entry(status.to_string()).or_insert(response);
    }
    Ok(())
}

/// Status, message and details of each code.
fn known(code: &str) -> Result<(u16, String, Value)> {
    let none = || json!({});
    let framework = |status: u16, message: &str| Ok((status, message.to_owned(), none()));
    let of = |error: Error, details: Value| Ok((status(&error).as_u16(), error.to_string(), details));
    match code {
        "METHOD_NOT_ALLOWED" => framework(405, "This path does not take this method"),
        "PAYLOAD_TOO_LARGE" => framework(413, "The body is too large"),
        "UNSUPPORTED_MEDIA_TYPE" => framework(415, "This media type is not taken here"),
        "TIMEOUT" => framework(503, "The request took too long"),
        "VALIDATION_ERROR" => {
            let details = json!({"field": "password", "reason": "must have 8 to 256 characters"});
            of(Error::invalid("", ""), details)
        }
        "MALFORMED_REQUEST" => {
            of(Error::Malformed("The body is not valid JSON (line 1, column 2)".into()), none())
        }
        "UNAUTHORIZED" => of(Error::Unauthenticated, none()),
        "INVALID_CREDENTIALS" => of(Error::InvalidCredentials, none()),
        "MFA_REQUIRED" => {
            let (mfa_token, methods) = (Secret::new(""), Vec::new());
            let details = json!({"mfa_token": "asl_AAAAAAAAAAI…", "methods": ["totp", "recovery_code"]});
            of(Error::MfaRequired(SecondFactor { mfa_token, methods }), details)
        }
        "INVALID_MFA_CODE" => of(Error::InvalidMfaCode, none()),
        "INVALID_TOKEN" => of(Error::InvalidToken, none()),
        "TOKEN_EXPIRED" => of(Error::TokenExpired, none()),
        "TOKEN_REVOKED" => of(Error::TokenRevoked, none()),
        "FORBIDDEN" => of(Error::Forbidden("".into()), json!({"permission": "users:write"})),
        "CSRF_FAILED" => of(Error::CsrfFailed("The CSRF token does not belong to this session"), none()),
        "EMAIL_NOT_VERIFIED" => of(Error::EmailNotVerified, none()),
        "ACCOUNT_DISABLED" => of(Error::AccountDisabled, none()),
        "PASSWORD_CHANGE_REQUIRED" => of(Error::PasswordChangeRequired, none()),
        "MFA_ENROLMENT_REQUIRED" => of(Error::MfaEnrolmentRequired, none()),
        "REAUTHENTICATION_REQUIRED" => {
            of(Error::ReauthenticationRequired(Vec::new()), json!({"methods": ["password"]}))
        }
        "NOT_FOUND" => of(Error::NotFound("session"), none()),
        "RATE_LIMITED" => of(Error::RateLimited { retry_after_secs: 60, quota: 1000 }, none()),
        "TOO_MANY_ATTEMPTS" => of(Error::TooManyAttempts { retry_after_secs: 60 }, none()),
        "SERVICE_UNAVAILABLE" => of(Error::Unavailable(String::new()), none()),
        "INTERNAL_ERROR" => of(Error::Internal(String::new()), none()),
        other => Err(Error::internal(format!("the spec names the unknown error {other}"))),
    }
}
