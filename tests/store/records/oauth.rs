//! Clients of the OAuth 2.0 server, and what users have let them have.
use auth_service::base::Id;
use auth_service::contact::Contact;
use auth_service::contact::model::Address;
use auth_service::crypto::{Algorithm, Thumbprint};
use auth_service::oauth::backchannel::model::{Attempt, Delivery, State};
use auth_service::oauth::client::keys::ClientKeys;
use auth_service::oauth::client::model::{
    ApplicationType, Authentication, Client, ClientId, ClientSecret, GrantType, Metadata, Registrar, Rules,
    SubjectType,
};
use auth_service::oauth::client::redirect::RedirectUri;
use auth_service::oauth::consent::Consent;
use auth_service::oauth::device::model::{Answer, DeviceRequest};
use auth_service::oauth::grant::model::{Code, Consented, Grant, Proof};
use auth_service::oauth::initial_token::InitialToken;
use auth_service::oauth::logout::table::{Named, Party};
use auth_service::oauth::pushed::model::Pushed;
use auth_service::oauth::registration::model::Registration;
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
        secrets: secrets(),
        metadata: Metadata {
            name: "Ünal's album".to_owned(),
            redirect_uris: vec![uri("https://a.example/cb"), uri("https://a.example/cb2")],
            post_logout_redirect_uris: vec![uri("https://a.example/bye")],
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            authentication: Authentication::SecretBasic,
            authentication_algorithm: Some(Algorithm::Es256),
            keys: ClientKeys::Uri("https://a.example/jwks".to_owned()),
            request_object_algorithm: Some(Algorithm::EdDsa),
            requires_signed_requests: true,
            requires_pushed_requests: true,
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
            backchannel_logout_uri: text("https://a.example/out"),
            backchannel_logout_session_required: true,
            frontchannel_logout_uri: text("https://a.example/frame"),
            frontchannel_logout_session_required: false,
            application_type: Some(ApplicationType::Native),
            sector_identifier_uri: text("https://a.example/uris"),
            initiate_login_uri: text("https://a.example/login"),
            software_id: text("4NRB1-0XZABZI9E6-5SM3R"),
            software_version: text("2.1"),
        },
        rules: Rules {
            is_first_party: true,
            requires_pkce: false,
            roles: vec![RoleName::parse("roles", "bookkeeper").unwrap()],
            resources: vec!["https://api.a.example/".to_owned()],
            permissions: vec![Pattern::parse("permissions", "billing:*:read").unwrap()],
            introspects: true,
            exchanges_tokens_of: vec![ClientId::parse("spa").unwrap()],
            requests_per_hour: Some(300),
        },
        created_at: TIME,
        updated_at: TIME.plus_secs(1),
    }
}

fn secrets() -> Vec<ClientSecret> {
    vec![
        ClientSecret { hash: [0xab; 32], sealed: Vec::new(), created_at: TIME, expires_at: None },
        ClientSecret {
            hash: [0xcd; 32],
            sealed: vec![1, 2],
            created_at: TIME,
            expires_at: Some(TIME.plus_secs(1)),
        },
    ]
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
    let sid = Id::from_bytes(*b"abcdef0123456789");
    Proof { session, sid, auth_time: TIME.plus_secs(-1), amr: vec!["pwd".to_owned(), "otp".to_owned()] }
}

/// Each variant of an enum has a file, so that reordering them shows.
#[test]
fn a_client_is_written_as_ever() {
    let mut own = client();
    own.registrar = Registrar::Client;
    check("oauth.client_own", &own, |_| own.clone());
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
    posting.metadata.grants = vec![GrantType::TokenExchange];
    posting.registrar = Registrar::Document;
    posting.metadata.authentication = Authentication::SecretPost;
    posting.metadata.id_token_algorithm = Algorithm::Ps256;
    posting.metadata.application_type = Some(ApplicationType::Web);
    check("oauth.client_posting", &posting, |_| posting.clone());
    let mut signing = client();
    signing.metadata.authentication = Authentication::SecretJwt;
    signing.metadata.authentication_algorithm = Some(Algorithm::Hs256);
    signing.metadata.keys = ClientKeys::None;
    check("oauth.client_signing", &signing, |_| signing.clone());
    let mut keyed = client();
    keyed.metadata.authentication = Authentication::PrivateKeyJwt;
    keyed.metadata.keys = ClientKeys::Value("{}".to_owned());
    check("oauth.client_keyed", &keyed, |_| keyed.clone());
}

#[test]
fn how_a_client_manages_itself_is_written_as_ever() {
    let registration = Registration {
        previous: Some([0xcd; 32]),
        fresh_until: Some(TIME.plus_secs(1)),
        ..Registration::new([0xab; 32], Some(2_592_000), TIME)
    };
    check("oauth.registration", &registration, |_| registration.clone());
    let token = InitialToken {
        id: Id::from_bytes(*b"0123456789abcdef"),
        name: "Ünal's build servers".to_owned(),
        hash: [0xef; 32],
        uses: 3,
        max_uses: 300,
        created_at: TIME,
        expires_at: TIME.plus_secs(1),
    };
    check("oauth.initial_token", &token, |_| token.clone());
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

/// Each state has a file.
#[test]
fn a_delivery_is_written_as_ever() {
    let sid = Id::from_bytes(*b"abcdef0123456789");
    let waiting = State::Waiting { next_at: TIME.plus_secs(2) };
    let states =
        [waiting, State::Delivered { at: TIME }, State::Refused { at: TIME }, State::GivenUp { at: TIME }];
    for state in states {
        let attempt = Attempt { at: TIME.plus_secs(1), status: Some(503), trouble: "x".to_owned() };
        let delivery = Delivery {
            state,
            attempts: 300,
            last: Some(attempt),
            ..Delivery::new((sid, sid), client().id, 300, TIME)
        };
        check(&format!("oauth.logout_{}", state.name()), &delivery, |_| delivery.clone());
    }
}

#[test]
fn the_clients_of_a_session_are_written_as_ever() {
    let party = Party { user: 300, since: TIME };
    check("oauth.session_client", &party, |_| party);
    let named = Named { sid: Id::from_bytes(*b"abcdef0123456789") };
    check("oauth.session_name", &named, |_| named);
}

#[test]
fn a_request_that_is_kept_is_written_as_ever() {
    let pushed = Pushed {
        client: client().id,
        query: "client_id=a&scope=openid".to_owned(),
        is_pushed: true,
        is_signed: false,
        is_open: true,
        expires_at: TIME,
    };
    check("oauth.pushed", &pushed, |_| pushed.clone());
}
