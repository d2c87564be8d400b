//! Every operation of the OpenAPI document, whether somebody has thought of it here or not.
use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PUBLIC, Person, TestApp, check_contract_time, golden, operations};

/// Answers that may be kept by caches, and why.
const CACHEABLE: [(&str, &str); 4] = [
    ("get_oauth_protected_resource", "it changes with the server alone"),
    ("get_jwks", "public keys are public, and change seldom"),
    ("get_openid_configuration", "it changes with the server alone"),
    ("get_oauth_authorization_server", "it changes with the server alone"),
];

const JSON: &str = "application/json; charset=utf-8";

/// What a schema shows as its example, behind references.
fn example<'s>(app: &'s TestApp, content: &'s Value) -> Option<&'s Value> {
    let schema = &content["schema"];
    let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/"));
    let schema = name.map_or(schema, |name| &app.spec["components"]["schemas"][name]);
    content.get("example").or(schema.get("example")).filter(|example| !example.is_null())
}

#[tokio::test]
async fn every_operation_has_an_id_of_its_own_and_a_summary() {
    let app = TestApp::start().await;
    let mut seen = BTreeSet::new();
    for operation in operations(&app) {
        let id = operation.id;
        assert!(seen.insert(id), "{id} comes twice");
        assert!(
            id.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()) && id.contains('_') || id == "register",
            "{id}"
        );
        let summary = operation.spec["summary"].as_str().unwrap_or_default();
        assert!(
            summary.len() > 8 && !summary.ends_with('.') && summary.starts_with(char::is_uppercase),
            "{id}: {summary:?}"
        );
    }
}

#[tokio::test]
async fn every_operation_shows_an_example_of_what_it_takes_and_gives() {
    let app = TestApp::start().await;
    for operation in operations(&app) {
        let body = operation.spec["requestBody"]["content"].as_object().into_iter().flatten();
        let given = operation.responses().filter(|(status, _)| *status < 300 && *status != 204);
        let given = given.flat_map(|(_, response)| response["content"].as_object().into_iter().flatten());
        for (media_type, content) in body.chain(given) {
            assert!(example(&app, content).is_some(), "{} {media_type}", operation.id);
        }
        assert!(operation.responses().any(|(status, _)| status < 300), "{}", operation.id);
    }
}

#[tokio::test]
async fn every_operation_documents_its_errors_with_an_example_of_each() {
    let app = TestApp::start().await;
    for operation in operations(&app) {
        if operation.is_of_protocol() {
            continue;
        }
        let id = operation.id;
        let statuses: BTreeSet<u16> = operation.responses().map(|(status, _)| status).collect();
        let mut expected = vec![500, 503];
        if !operation.path.starts_with("/health")
            && !operation.path.starts_with("/.well-known/")
            && id != "get_jwks"
        {
            expected.push(429);
        }
        if !operation.is_public() {
            expected.extend([400, 401]);
        }
        if operation.is_unsafe() {
            expected.extend([400, 403, 413]);
        }
        if operation.spec.get("requestBody").is_some() {
            expected.push(415);
        }
        assert!(
            expected.iter().all(|status| statuses.contains(status)),
            "{id}: {statuses:?} lacks some of {expected:?}"
        );
        for (status, response) in operation.responses().filter(|(status, _)| *status >= 400) {
            let content = &response["content"][JSON];
            if id.starts_with("get_")
                && status == 503
                && content["schema"]["$ref"] == "#/components/schemas/UnhealthyView"
            {
                continue;
            }
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/ErrorBody", "{id} {status}");
            let examples = content["examples"].as_object().unwrap();
            assert!(!examples.is_empty(), "{id} {status}");
            for (code, example) in examples {
                let error = &example["value"]["error"];
                assert_eq!(error["code"], code.as_str(), "{id} {status}");
                assert!(
                    error["message"].as_str().unwrap().len() > 5 && error["details"].is_object(),
                    "{id} {code}"
                );
                check_contract_time(error["timestamp"].as_str().unwrap());
                assert_eq!(error["request_id"], "req_123456789");
            }
        }
    }
}

#[tokio::test]
async fn operations_of_oauth_document_the_errors_of_its_rfcs() {
    let app = TestApp::start().await;
    let all = operations(&app);
    let all: Vec<_> = all.iter().filter(|operation| operation.is_of_protocol()).collect();
    assert!(all.len() >= 5, "the walk has lost its way");
    for operation in all {
        let statuses: BTreeSet<u16> = operation.responses().map(|(status, _)| status).collect();
        assert!(statuses.is_superset(&[400, 401, 413, 415, 429, 500, 503].into()), "{}", operation.id);
        for (status, response) in operation.responses().filter(|(status, _)| *status >= 400) {
            let content = &response["content"][JSON];
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/ProtocolErrorBody", "{status}");
            let examples = content["examples"].as_object().unwrap();
            for (error, example) in examples {
                assert_eq!(example["value"]["error"], error.as_str(), "{} {status}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn every_operation_says_which_credentials_it_takes() {
    let app = TestApp::start().await;
    let schemes = &app.spec["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["bearer"]["type"], &schemes["bearer"]["scheme"]),
        (&json!("http"), &json!("bearer"))
    );
    assert_eq!(
        (&schemes["cookie"]["in"], &schemes["cookie"]["name"]),
        (&json!("cookie"), &json!("access_token_cookie"))
    );
    for operation in operations(&app) {
        let security = &operation.spec["security"];
        if operation.is_public() {
            let may_have_one = json!([{}, {"bearer": []}, {"cookie": []}, {"api_key": []}]);
            let fits =
                if operation.id == "get_health" { *security == may_have_one } else { security.is_null() };
            assert!(fits, "{} is public and asks for a credential", operation.id);
        } else {
            assert_eq!(
                *security,
                json!([{"bearer": []}, {"cookie": []}, {"api_key": []}]),
                "{}",
                operation.id
            );
        }
    }
}

#[tokio::test]
async fn nobody_gets_anywhere_without_a_credential() {
    let app = TestApp::start().await;
    let all = operations(&app);
    for operation in &all {
        let request = operation.dressed(app.request(operation.method.clone(), &operation.path));
        if operation.is_public() {
            let status = request.send().await.unwrap().status().as_u16();
            let shows_nothing = [
                "refresh_token",
                "oauth_userinfo",
                "oauth_userinfo_by_post",
                "oauth_device_authorization",
                "oauth_push_request",
                "oauth_read_registration",
                "oauth_replace_registration",
                "oauth_delete_registration",
            ];
            assert_eq!(status == 401, shows_nothing.contains(&operation.id), "{}: {status}", operation.id);
        } else {
            app.fails(request, 401, "UNAUTHORIZED").await;
            // Before anything is said about the body.
            let request = app.request(operation.method.clone(), &operation.path);
            app.fails(request.header("Content-Type", "text/plain").body("{"), 401, "UNAUTHORIZED").await;
        }
    }
    for (id, why) in PUBLIC {
        assert!(all.iter().any(|operation| operation.id == id), "{id} is gone, and is listed ({why})");
    }
}

#[tokio::test]
async fn no_cookie_alone_changes_anything() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let mut count = 0;
    for operation in
        operations(&app).iter().filter(|operation| operation.is_unsafe() && !operation.is_public())
    {
        let request = operation.dressed(user.cookie(operation.method.clone(), &operation.path));
        app.fails(request, 403, "CSRF_FAILED").await;
        count += 1;
    }
    assert!(count >= 6, "{count}");
    let refresh = app.request(Method::POST, "/auth/token/refresh");
    let refresh = refresh.header("Cookie", format!("refresh_token_cookie={}", user.tokens.refresh));
    app.fails(refresh, 403, "CSRF_FAILED").await;
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn every_operation_takes_the_tokens_that_it_says_it_takes() {
    let app = TestApp::start().await;
    for operation in operations(&app).iter().filter(|operation| !operation.is_public()) {
        // One who stays when this one deletes itself.
        let user = app.superuser(&operation.id.replace('_', "-")).await;
        let ask = |request: RequestBuilder| async {
            operation.dressed(request).send().await.unwrap().status().as_u16()
        };
        let bearer = |user: &Person| user.bearer(operation.method.clone(), &operation.path);
        let page = |user: &Person| user.page(operation.method.clone(), &operation.path);
        let status = ask(bearer(&user)).await;
        assert!(matches!(status, 200..300 | 400 | 404), "{}: {status}", operation.id);
        let again = app.log_in(&operation.id.replace('_', "-"), crate::support::PASSWORD).await;
        assert_eq!(ask(page(&again)).await, status, "{}", operation.id);
    }
}

#[tokio::test]
async fn nothing_but_public_keys_is_kept_by_caches() {
    let app = TestApp::start().await;
    for operation in operations(&app) {
        let answer =
            operation.dressed(app.request(operation.method.clone(), &operation.path)).send().await.unwrap();
        let cache = answer.headers()["cache-control"].to_str().unwrap();
        let may = CACHEABLE.iter().any(|(id, _)| *id == operation.id);
        assert_eq!(cache == "no-store", !may, "{}: {cache}", operation.id);
    }
}

/// Whether a value is what a schema says, as far as ours say anything.
fn check(app: &TestApp, schema: &Value, value: &Value, place: &str) {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.strip_prefix("#/components/schemas/").unwrap();
        return check(app, &app.spec["components"]["schemas"][name], value, place);
    }
    let fits = match schema["type"].as_str() {
        None => true,
        _ if value.is_null() => schema["nullable"] == true,
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some(other) => panic!("{other}"),
    };
    assert!(fits, "{place} is {value}, not {schema}");
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        check(app, &schema["items"], item, &format!("{place}[{n}]"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{place} has no {name}");
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        if let Some(properties) = schema["properties"].as_object() {
            let property = properties.get(name).unwrap_or_else(|| panic!("{place}.{name} is not documented"));
            check(app, property, member, &format!("{place}.{name}"));
        }
    }
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let app = TestApp::start().await;
    let login = json!({"username": "ann", "password": crate::support::PASSWORD});
    let new = json!({"username": "bob", "email": "bob@example.com", "password": crate::support::PASSWORD});
    let ann = app.user("ann").await;
    for (path, request) in [
        ("/auth/register", app.request(Method::POST, "/auth/register").json(&new)),
        ("/auth/token", app.request(Method::POST, "/auth/token").json(&login)),
        ("/auth/token/refresh", ann.refresh_request()),
        ("/auth/me", ann.bearer(Method::GET, "/auth/me")),
        ("/auth/sessions", ann.bearer(Method::GET, "/auth/sessions?limit=1")),
        ("/auth/sessions", ann.bearer(Method::GET, "/auth/sessions")),
        ("/auth/sessions", ann.bearer(Method::DELETE, "/auth/sessions")),
        ("/auth/logout", ann.bearer(Method::POST, "/auth/logout")),
        ("/auth/me", ann.bearer(Method::GET, "/auth/me")),
        ("/health", app.request(Method::GET, "/health")),
        ("/health/live", app.request(Method::GET, "/health/live")),
        ("/health/ready", app.request(Method::GET, "/health/ready")),
        ("/oauth2/jwks", app.request(Method::GET, "/oauth2/jwks")),
    ] {
        let request = request.build().unwrap();
        let method = request.method().as_str().to_lowercase();
        let answer = app.client.execute(request).await.unwrap();
        let response = &app.spec["paths"][path][&method]["responses"][answer.status().as_str()];
        let schema = &response["content"][JSON]["schema"];
        assert!(schema.is_object(), "{method} {path} {}", answer.status());
        check(&app, schema, &answer.json().await.unwrap(), path);
    }
}

#[tokio::test]
async fn the_document_has_nothing_that_nobody_refers_to() {
    let app = TestApp::start().await;
    let text = app.spec.to_string();
    for name in app.spec["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name}");
    }
}

#[tokio::test]
async fn the_document_is_the_golden_one() {
    let app = TestApp::start().await;
    golden("openapi.json", &(serde_json::to_string_pretty(&app.spec).unwrap() + "\n"));
}
