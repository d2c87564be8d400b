//! Clients of the OAuth 2.0 server from the command line, with a server and without.
use reqwest::Method;
use serde_json::{Value, json};

use crate::commands::both;
use crate::support::Server;

/// The status of what a client gets that acts for itself; without a server nobody can ask.
async fn token(server: Option<&Server>, id: &str, secret: &Value) -> Option<u16> {
    let request = server?.request(Method::POST, "/oauth2/token").basic_auth(id, secret.as_str());
    let form = request.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = form.body("grant_type=client_credentials").send().await.unwrap();
    Some(answer.status().as_u16())
}

#[tokio::test]
async fn a_client_is_registered_shown_changed_and_deleted() {
    both(async |place, server| {
        place.create("root", &["--superuser"]);
        let create = ["--json", "client", "create", "Photo album", "--client-id", "album"];
        let more = ["--redirect-uri", "https://a.example/cb,1", "--redirect-uri", "http://127.0.0.1/cb"];
        let grants = ["--grant-types", "authorization_code,client_credentials", "--scope", "openid email"];
        let made = place.json(&[&create[..], &more, &grants, &["--first-party", "true"]].concat());
        assert!(made["client_secret"].as_str().unwrap().starts_with("aso_"), "{made}");
        assert_eq!(made["redirect_uris"], json!(["https://a.example/cb,1", "http://127.0.0.1/cb"]));
        assert_eq!(made["grant_types"], json!(["authorization_code", "client_credentials"]));
        assert_eq!((&made["scope"], &made["first_party"]), (&json!("openid email"), &json!(true)));
        let good = server.map(|_| 200);
        assert_eq!(token(server, "album", &made["client_secret"]).await, good);
        let shown = place.json(&["--json", "client", "show", "album"]);
        assert!(shown.get("client_secret").is_none(), "a secret is shown once");
        let change = ["--json", "client", "change", "album", "--name", "Album", "--scope", "openid"];
        let more = ["--permissions", "users:read,roles:read", "--client-uri", "https://a.example/"];
        let changed = place.json(&[&change[..], &more].concat());
        assert_eq!((&changed["client_name"], &changed["scope"]), (&json!("Album"), &json!("openid")));
        assert_eq!(changed["permissions"], json!(["roles:read", "users:read"]));
        assert_eq!((&changed["client_secret"], &changed["first_party"]), (&Value::Null, &json!(true)));
        let bare =
            place.json(&["--json", "client", "change", "album", "--permissions", "", "--client-uri", ""]);
        assert_eq!((&bare["permissions"], &bare["client_uri"]), (&json!([]), &Value::Null));
        let told = [
            "--backchannel-logout-uri",
            "https://a.example/out",
            "--frontchannel-logout-uri",
            "https://a.example/f",
        ];
        let change = ["--json", "client", "change", "album"];
        let changed = place.json(&[&change[..], &told].concat());
        assert_eq!(changed["backchannel_logout_uri"], "https://a.example/out");
        assert_eq!(changed["frontchannel_logout_uri"], "https://a.example/f");
        let bare = place.json(&[&change[..], &["--backchannel-logout-uri", ""]].concat());
        assert_eq!(bare["backchannel_logout_uri"], Value::Null);
        let deliveries = place.json(&["--json", "client", "deliveries", "album"]);
        assert_eq!(deliveries["items"], json!([]));
        place.run(&["client", "deliveries", "nobody"]).refusal(1);
        let rotated = place.json(&["--json", "client", "rotate-secret", "album", "--overlap", "3600"]);
        for secret in [&made["client_secret"], &rotated["client_secret"]] {
            assert_eq!(token(server, "album", secret).await, good);
        }
        place.run(&["client", "change", "album", "--active", "false"]).text();
        assert_eq!(token(server, "album", &rotated["client_secret"]).await, server.map(|_| 401));
        let list = place.run(&["client", "list"]).text();
        assert!(list.contains("album") && list.contains("client_secret_basic"), "{list}");
        place.run(&["client", "delete", "album"]).text();
        place.run(&["client", "show", "album"]).refusal(1);
        assert_eq!(place.json(&["--json", "client", "list"])["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn keys_of_a_client_are_read_from_a_file_and_taken_away_again() {
    both(async |place, _| {
        place.create("root", &["--superuser"]);
        // RFC 8037, appendix A.2.
        let set =
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let file = place.file("keys.json", set);
        let by_key = ["--auth-method", "private_key_jwt", "--grant-types", "client_credentials"];
        let create = ["--json", "client", "create", "Robot", "--client-id", "robot", "--jwks"];
        let made = place.json(&[&create[..], &[file.to_str().unwrap()], &by_key].concat());
        assert_eq!(
            (&made["jwks"]["keys"][0]["crv"], &made["client_secret"]),
            (&json!("Ed25519"), &Value::Null)
        );
        let none = ["client", "change", "robot", "--jwks", ""];
        assert!(place.run(&none).refusal(1).contains("jwks"), "it signs with them");
        let change =
            ["--json", "client", "change", "robot", "--auth-method", "client_secret_basic", "--jwks", ""];
        let changed = place.json(&change);
        assert_eq!(changed["jwks"], Value::Null);
        assert!(changed["client_secret"].is_string());
    })
    .await;
}

#[tokio::test]
async fn a_token_that_lets_programs_register_clients_is_made_listed_and_deleted() {
    both(async |place, _| {
        place.create("root", &["--superuser"]);
        let group = ["--json", "client", "registration-token"];
        let of = |more: &[&'static str]| [&group[..], more].concat();
        let made = place.json(&of(&["create", "Build servers", "--max-uses", "5", "--lifetime", "60"]));
        assert!(made["token"].as_str().unwrap().starts_with("asi_"), "{made}");
        assert_eq!((&made["uses"], &made["max_uses"]), (&json!(0), &json!(5)));
        let list = place.json(&of(&["list"]));
        assert_eq!(list["items"][0]["id"], made["id"]);
        assert!(list["items"][0].get("token").is_none(), "a token is shown once");
        let id = made["id"].as_str().unwrap();
        place.run(&["client", "registration-token", "delete", id]).text();
        assert_eq!(place.json(&of(&["list"]))["items"], json!([]));
        place.run(&["client", "registration-token", "delete", id]).refusal(1);
        place.run(&["client", "registration-token", "create", "x", "--max-uses", "0"]).refusal(1);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_cannot_be_so_is_refused_by_the_name_of_its_field() {
    both(async |place, _| {
        place.create("root", &["--superuser"]);
        let uri = ["--redirect-uri", "https://a.example/cb"];
        for (field, args) in [
            ("redirect_uris", &[][..]),
            ("redirect_uris", &["--redirect-uri", "http://a.example/"]),
            ("client_id", &["--client-id", "42", uri[0], uri[1]]),
            ("grant_types", &["--grant-types", "password", uri[0], uri[1]]),
            ("token_endpoint_auth_method", &["--auth-method", "mtls", uri[0], uri[1]]),
            ("roles", &["--roles", "nope", uri[0], uri[1]]),
            ("jwks", &["--auth-method", "private_key_jwt", uri[0], uri[1]]),
            ("jwks_uri", &["--jwks-uri", "http://a.example/jwks", uri[0], uri[1]]),
            (
                "token_endpoint_auth_signing_alg",
                &["--auth-method", "client_secret_jwt", "--auth-signing-alg", "ES256", uri[0], uri[1]],
            ),
        ] {
            let refused = place.run(&[&["client", "create", "App"], args, &["--json"]].concat());
            let error: Value = serde_json::from_str(&refused.refusal(1)).unwrap();
            assert_eq!(error["error"]["field"], field, "{error}");
        }
        for id in ["a", "b", "c"] {
            place.run(&["client", "create", "App", "--client-id", id, uri[0], uri[1]]).text();
        }
        let taken = place.run(&["client", "create", "App", "--client-id", "b", uri[0], uri[1]]);
        assert!(taken.refusal(1).contains("is taken"));
        let first = place.json(&["--json", "client", "list", "--limit", "2"]);
        let rest = ["--json", "client", "list", "--cursor", first["next_cursor"].as_str().unwrap()];
        assert_eq!(place.json(&rest)["items"][0]["client_id"], "c");
        place.run(&["client", "change", "a", "--name", ""]).refusal(1);
        place.run(&["client", "rotate-secret", "nobody"]).refusal(1);
        place.run(&["client", "create"]).refusal(2);
    })
    .await;
}
