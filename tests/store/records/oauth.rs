//! Clients of the OAuth 2.0 server, and what users have let them have.
use auth_service::base::Id;
use auth_service::contact::Contact;
use auth_service::contact::model::Address;
use auth_service::crypto::{Algorithm, Thumbprint};
use auth_service::oauth::client::model::{
    Authentication, Client, ClientId, ClientSecret, GrantType, Metadata, Registrar, Rules, SubjectType,
};
use auth_service::oauth::client::redirect::RedirectUri;
use auth_service::oauth::consent::Consent;
use auth_service::oauth::device::model::{Answer, DeviceRequest};
use auth_service::oauth::grant::model::{Code, Consented, Grant, Proof};
use auth_service::oauth::scope::Scopes;
use auth_service::rbac::{Pattern, RoleName};

use super::{TIME, check};

fn client() -> Client {
    let uri = |text| RedirectUri::parse("redirect_uris", text).unwrap();
    let text = |text: &str| Some(text.to_owned());
    Client {
        id: ClientId::parse("https://a.example/client").unwrap(),
        registrar: Registrar::Administrator,
        is_active: true,
        secrets: vec![
            ClientSecret { hash: [0xab; 32], created_at: TIME, expires_at: None },
            ClientSecret { hash: [0xcd; 32], created_at: TIME, expires_at: Some(TIME.plus_secs(1)) },
        ],
        metadata: Metadata {
            name: "Ünal's album".to_owned(),
            redirect_uris: vec![uri("https://a.example/cb"), uri("https://a.example/cb2")],
            post_logout_redirect_uris: vec![uri("https://a.example/bye")],
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            authentication: Authentication::SecretBasic,
            scopes: scopes(),
            id_token_algorithm: Algorithm::Es256,
            userinfo_algorithm: Some(Algorithm::EdDsa),
            subject_type: SubjectType::Pairwise,
            sector: "a.example".to_owned(),
            default_max_age: Some(300),
            requires_auth_time: true,
            client_uri: text("https://a.example/"),
            logo_uri: text("https://a.example/logo"),
            policy_uri: text("https://a.example/policy"),
            tos_uri: None,
            contacts: vec!["ops@a.example".to_owned()],
            binds_access_tokens: true,
        },
        rules: Rules {
            is_first_party: true,
            requires_pkce: false,
            roles: vec![RoleName::parse("roles", "bookkeeper").unwrap()],
            resources: vec!["https://api.a.example/".to_owned()],
            permissions: vec![Pattern::parse("permissions", "billing:*:read").unwrap()],
            introspects: true,
            requests_per_hour: Some(300),
        },
        created_at: TIME,
        updated_at: TIME.plus_secs(1),
    }
}

fn scopes() -> Scopes {
    Scopes::parse("scope", "openid email offline_access").unwrap()
}

fn consented() -> Consented {
    Consented {
        scopes: scopes(),
        resources: vec!["https://api.a.example/".to_owned()],
        id_token_claims: vec!["email".to_owned()],
        userinfo_claims: vec!["name".to_owned()],
    }
}

fn proof() -> Proof {
    let session = Id::from_bytes(*b"0123456789abcdef");
    Proof { session, auth_time: TIME.plus_secs(-1), amr: vec!["pwd".to_owned(), "otp".to_owned()] }
}

/// Each variant of an enum has a file, so that reordering them shows.
#[test]
fn a_client_is_written_as_ever() {
    let full = client();
    check("oauth.client", &full, |_| full.clone());
    let mut public = client();
    public.registrar = Registrar::Configuration;
    public.metadata.authentication = Authentication::None;
    public.metadata.grants = vec![GrantType::ClientCredentials, GrantType::DeviceCode];
    public.metadata.subject_type = SubjectType::Public;
    public.metadata.id_token_algorithm = Algorithm::Rs256;
    check("oauth.client_public", &public, |_| public.clone());
    let mut posting = client();
    posting.registrar = Registrar::Client;
    posting.metadata.authentication = Authentication::SecretPost;
    posting.metadata.id_token_algorithm = Algorithm::Ps256;
    check("oauth.client_posting", &posting, |_| posting.clone());
}

#[test]
fn a_consent_is_written_as_ever() {
    let consent = Consent {
        user: 300,
        client: client().id,
        scopes: scopes(),
        resources: vec!["https://api.a.example/".to_owned()],
        created_at: TIME,
        updated_at: TIME.plus_secs(1),
    };
    check("oauth.consent", &consent, |_| consent.clone());
}

#[test]
fn a_code_is_written_as_ever() {
    let code = Code {
        client: client().id,
        user: 300,
        proof: proof(),
        consented: consented(),
        redirect_uri: "https://a.example/cb".to_owned(),
        nonce: Some("n".to_owned()),
        challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
        bound_to: Some(Thumbprint([0x5a; 32])),
        created_at: TIME,
        expires_at: TIME.plus_secs(60),
        redeemed: Some(Id::from_bytes(*b"fedcba9876543210")),
    };
    check("oauth.code", &code, |_| code.clone());
}

#[test]
fn a_grant_is_written_as_ever() {
    let grant = Grant {
        id: Id::from_bytes(*b"fedcba9876543210"),
        client: client().id,
        user: 300,
        proof: proof(),
        is_offline: true,
        consented: consented(),
        nonce: Some("n".to_owned()),
        created_at: TIME,
        refreshed_at: TIME.plus_secs(1),
        expires_at: TIME.plus_secs(2),
        bound_to: Some(Thumbprint([0x5a; 32])),
        refresh: Some((70_000, [0xef; 32])),
    };
    check("oauth.grant", &grant, |_| grant.clone());
}

/// Each variant of what a user can say has a file.
#[test]
fn a_request_of_a_device_is_written_as_ever() {
    let request = DeviceRequest {
        client: client().id,
        wanted: consented(),
        user_code: [0xab; 32],
        address: "203.0.113.7".to_owned(),
        user_agent: "television".to_owned(),
        created_at: TIME,
        expires_at: TIME.plus_secs(600),
        answer: Answer::None,
    };
    let answers = [
        ("oauth.device", Answer::None),
        ("oauth.device_refused", Answer::No),
        ("oauth.device_approved", Answer::Yes { user: 300, proof: proof(), at: TIME.plus_secs(1) }),
        ("oauth.device_redeemed", Answer::Redeemed(Id::from_bytes(*b"fedcba9876543210"))),
    ];
    for (name, answer) in answers {
        let request = DeviceRequest { answer, ..request.clone() };
        check(name, &request, |_| request.clone());
    }
}

#[test]
fn a_contact_is_written_as_ever() {
    let text = |text: &str| Some(text.to_owned());
    let address = Address {
        street_address: text("Hauptstr. 1"),
        locality: text("Berlin"),
        region: None,
        postal_code: text("10115"),
        country: text("DE"),
    };
    let contact = Contact { phone_number: text("+4930901820"), address: Some(address), updated_at: TIME };
    check("contact", &contact, |_| contact.clone());
}
