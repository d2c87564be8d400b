//! What is on disk today must be readable for ever: each version of each record has a file of golden bytes.
//!
//! `AUTH_BLESS=1` writes the files of the present versions. Files of older versions stay, and are read through
//! `Record::upgrade`.
mod mail;
mod oauth;
mod ways_in;

use std::path::{Path, PathBuf};

use auth_service::account::User;
use auth_service::api_key::model::Previous;
use auth_service::api_key::table::{LastUse, Made, Uses};
use auth_service::api_key::{ApiKey, Rights};
use auth_service::audit::export::exported;
use auth_service::audit::table::Chain;
use auth_service::audit::{Entry, Event};
use auth_service::base::text::{DisplayName, Email, LookupKey, Slug, Username};
use auth_service::base::{Id, Timestamp};
use auth_service::crypto::{Algorithm, sha256};
use auth_service::keys::{KeyRecord, Stage};
use auth_service::one_time::Started;
use auth_service::rbac::table::Definition;
use auth_service::rbac::{Initiator, Pattern, Permission, Role, RoleName, SubjectId, ViaId, Who};
use auth_service::service_account::ServiceAccount;
use auth_service::service_account::table::ByName;
use auth_service::session::model::{Exchange, Proven};
use auth_service::session::{Origin, Session};
use auth_service::store::{Map, Record, encode};

const TIME: Timestamp = Timestamp::from_micros(1_749_985_743_405_528);

fn known_at(path: &Path) -> Vec<u8> {
    from_hex(&std::fs::read_to_string(path).unwrap_or_default())
}

fn golden(name: &str, version: u8) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/store/golden");
    dir.join(format!("{name}.v{version}.hex"))
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    text
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.trim().as_bytes();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// The present version is written as its golden bytes say, and every version is read back from its own.
/// `read` is what the bytes of each version are for this program.
fn check<V: Record + PartialEq>(name: &str, record: &V, read: impl Fn(u8) -> V) {
    let (path, bytes) = (golden(name, V::VERSION), encode(record).unwrap());
    if std::env::var_os("AUTH_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, to_hex(&bytes)).unwrap();
    }
    assert!(
        known_at(&path) == bytes,
        "the shape of `{name}` changed: bump its VERSION, teach `upgrade` the old one, and let AUTH_BLESS=1 write \
         the golden bytes of the new one. Stores out there have what {} says (if it is there), and this program \
         would write\n{}",
        path.display(),
        to_hex(&bytes)
    );
    for version in 0..=V::VERSION {
        let path = golden(name, version);
        if path.exists() {
            let found = Map::<V>::new("test.golden").decode(&known_at(&path));
            let found = found
                .unwrap_or_else(|error| panic!("version {version} of `{name}` is unreadable: {error:?}"));
            assert!(found == read(version), "version {version} of `{name}` is read as something else");
        }
    }
}

fn user() -> User {
    User {
        id: 300,
        username: Username::parse("Ünal.b").unwrap(),
        email: Email::parse("Unal+x@bücher.example").unwrap(),
        first_name: DisplayName::parse("first_name", "Ünal").unwrap(),
        last_name: None,
        is_active: true,
        is_superuser: false,
        roles: vec![RoleName::parse("roles", "bookkeeper").unwrap()],
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".to_owned(),
        created_at: TIME,
        updated_at: TIME.plus_secs(1),
        password_changed_at: TIME.plus_secs(-1),
        deleted_at: Some(TIME.plus_secs(2)),
        password_change_required: true,
    }
}

fn session() -> Session {
    Session {
        id: Id::from_bytes(*b"0123456789abcdef"),
        user: 300,
        created_at: TIME,
        auth_time: TIME.plus_secs(-1),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        refreshed_at: TIME.plus_secs(1),
        expires_at: Timestamp::MAX,
        origin: Origin { address: "2001:db8::1".to_owned(), user_agent: "curl/8".to_owned() },
        generation: 70_000,
        refresh_hash: std::array::from_fn(|n| n as u8),
    }
}

fn exchange() -> Exchange {
    let before = Proven { auth_time: TIME.plus_secs(-2), amr: vec!["pwd".to_owned(), "otp".to_owned()] };
    Exchange {
        generation: 251,
        hash: [0xab; 32],
        at: TIME,
        sealed: vec![0, 1, 254, 255],
        before: Some(before),
    }
}

fn key(algorithm: Algorithm, stage: Stage) -> KeyRecord {
    KeyRecord { kid: "kid-1".to_owned(), algorithm, sealed: vec![1, 2, 3], created_at: TIME, stage }
}

#[test]
fn a_user_is_written_as_ever() {
    // The first version had neither roles nor a recycle bin, the second no required change of the password.
    let second = || User { password_change_required: false, ..user() };
    let first = || User { roles: Vec::new(), deleted_at: None, ..second() };
    check("user", &user(), |version| match version {
        1 => first(),
        2 => second(),
        _ => user(),
    });
}

#[test]
fn a_role_is_written_as_ever() {
    let name = |text| RoleName::parse("name", text).unwrap();
    let role = Role {
        name: name("bookkeeper"),
        description: "Reads invoices".to_owned(),
        permissions: vec![Pattern::parse("permissions", "billing:*:read").unwrap()],
        includes: vec![name("support")],
        created_at: TIME,
        updated_at: TIME.plus_secs(1),
    };
    check("role", &role, |_| role.clone());
}

#[test]
fn a_permission_is_written_as_ever() {
    let name = Permission::parse("name", "billing:invoices:read").unwrap();
    let permission = Definition { name, description: "Read any invoice".to_owned(), created_at: TIME };
    check("permission", &permission, |_| permission.clone());
}

#[test]
fn a_service_account_is_written_as_ever() {
    let account = ServiceAccount {
        id: Id::from_bytes(*b"fedcba9876543210"),
        name: Slug::parse("name", "invoicer").unwrap(),
        description: "Sends invoices".to_owned(),
        roles: vec![RoleName::parse("roles", "bookkeeper").unwrap()],
        is_active: true,
        created_at: TIME,
        updated_at: TIME.plus_secs(1),
    };
    check("service_account", &account, |_| account.clone());
    let by_name = ByName(account.id);
    check("service_account_by_name", &by_name, |_| by_name);
}

#[test]
fn a_reset_is_written_as_ever() {
    let started = Started { hash: [0xef; 32], expires_at: TIME };
    check("password_reset", &started, |_| started.clone());
}

#[test]
fn how_many_keys_were_made_is_written_as_ever() {
    let made = Made { since: TIME, count: 300 };
    check("api_key.made", &made, |_| made);
}

#[test]
fn an_api_key_is_written_as_ever() {
    let key = ApiKey {
        id: Id::from_bytes(*b"0123456789abcdef"),
        owner: SubjectId::Service(Id::from_bytes(*b"fedcba9876543210")),
        name: "deploy".to_owned(),
        rights: Rights {
            unrestricted: false,
            permissions: vec![Pattern::parse("permissions", "billing:*:read").unwrap()],
            roles: vec![RoleName::parse("roles", "bookkeeper").unwrap()],
        },
        networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        requests_per_hour: Some(300),
        created_at: TIME,
        updated_at: TIME.plus_secs(1),
        rotated_at: Some(TIME.plus_secs(2)),
        expires_at: None,
        revoked_at: Some(TIME.plus_secs(3)),
        hash: [0xab; 32],
        previous: Some(Previous { hash: [0xcd; 32], until: TIME.plus_secs(4) }),
    };
    check("api_key", &key, |_| key.clone());
    let last = LastUse { at: TIME, address: "10.1.2.3".to_owned() };
    check("api_key_last_use", &last, |_| last.clone());
    let uses = Uses { accepted: 300, refused: 2 };
    check("api_key_uses", &uses, |_| uses);
}

fn event() -> Event {
    let by = Initiator {
        who: Who::Subject {
            id: SubjectId::User(300),
            name: "ünal".to_owned(),
            via: ViaId::Key(Id::from_bytes(*b"0123456789abcdef")),
        },
        address: "10.1.2.3".to_owned(),
        user_agent: "curl/8 \"x\"".to_owned(),
        request_id: "req_1".to_owned(),
        ..Initiator::default()
    };
    let service = SubjectId::Service(Id::from_bytes(*b"fedcba9876543210"));
    Event::new(&by, "api_key.created", TIME).about(service, "invoicer").with("name", "deploy")
}

/// What an event is hashed as never changes: a trail that was written by an older program is checked by a newer one.
#[test]
fn an_event_is_written_and_hashed_as_ever() {
    let entry = Entry::after(&[7; 32], 300, event()).unwrap();
    check("audit", &entry, |_| entry.clone());
    let line = exported(&entry, Some(&[7; 32])).unwrap();
    let expected = concat!(
        r#"{"seq":300,"at":"2025-06-15T11:09:03.405528Z","action":"api_key.created","outcome":"success","#,
        r#""actor":{"type":"user","id":"300","name":"ünal","api_key":"30313233343536373839616263646566"},"#,
        r#""subject":{"type":"service_account","id":"66656463626139383736353433323130","name":"invoicer"},"#,
        r#""address":"10.1.2.3","user_agent":"curl/8 \"x\"","request_id":"req_1","count":1,"#,
        r#""details":{"name":"deploy"}"#,
    );
    let (rest, hash) = line.trim_end().split_once(r#","hash":""#).unwrap();
    let (without_hash, previous) = rest.split_once(r#","previous_hash":""#).unwrap();
    assert_eq!(previous, "07".repeat(32) + "\"");
    assert_eq!(without_hash, expected);
    let hash = from_hex(hash.trim_end_matches("\"}"));
    assert_eq!(hash, sha256(&[&[7; 32], format!("{expected}}}").as_bytes()]));
    let chain = Chain { first: 2, anchor: [1; 32], last: 300, head: [2; 32], bytes: 70_000 };
    check("audit_chain", &chain, |_| chain);
}

#[test]
fn a_session_is_written_as_ever() {
    check("session", &session(), |_| session());
}

#[test]
fn an_exchange_is_written_as_ever() {
    // The first version knew no token that was given up unseen.
    let first = || Exchange { before: None, ..exchange() };
    check("exchange", &exchange(), |version| if version == 1 { first() } else { exchange() });
}

/// An enum is a number on disk: each variant has a file, so that reordering them shows.
#[test]
fn a_key_is_written_as_ever() {
    let (current, previous) = (Stage::Current { since: TIME }, Stage::Previous { since: TIME });
    let keys = [
        ("key_es256_next", key(Algorithm::Es256, Stage::Next)),
        ("key_rs256_current", key(Algorithm::Rs256, current)),
        ("key_eddsa_previous", key(Algorithm::EdDsa, previous)),
        ("key_hs256_next", key(Algorithm::Hs256, Stage::Next)),
    ];
    for (name, record) in keys {
        check(name, &record, |_| record.clone());
    }
}

#[test]
fn a_number_and_nothing_are_written_as_ever() {
    check("number", &u64::from(u32::MAX), |_| u64::from(u32::MAX));
    check("nothing", &(), |_| ());
}

/// Not a record, but as hard to change: under these bytes a name is found.
#[test]
fn the_lookup_keys_of_names_are_made_as_ever() {
    let names = ["anna", "Ünal.b", "user1", "userl", "山田", "аее", "Ａnna@Example.com", "m-rn_w.0O"];
    let keys = names.map(|name| to_hex(&LookupKey::of(name).to_bytes())).concat();
    let path = golden("lookup_keys", 0);
    if std::env::var_os("AUTH_BLESS").is_some() {
        std::fs::write(&path, &keys).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        known == keys,
        "names are found under other keys than before (a new version of the Unicode tables?): nobody could log \
         in. A migration in `schema.rs` must make the indexes anew.\n{known}\n{keys}"
    );
}

#[test]
fn every_record_of_the_program_has_golden_bytes() {
    let mut found = Vec::new();
    find_records(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "()",
            "ApiKey",
            "ByName",
            "Chain",
            "Change",
            "Client",
            "Code",
            "Consent",
            "Contact",
            "Definition",
            "Delivery",
            "DeviceRequest",
            "Entry",
            "Exchange",
            "Factors",
            "Grant",
            "Handle",
            "InitialToken",
            "KeyRecord",
            "LastUse",
            "Made",
            "Mailed",
            "MailedReset",
            "Named",
            "Order",
            "Party",
            "Passkey",
            "Pending",
            "Place",
            "Pushed",
            "Queued",
            "Registration",
            "Role",
            "Rule",
            "ServiceAccount",
            "Session",
            "Setup",
            "Standing",
            "Started",
            "Stored",
            "TrustedDevice",
            "Turns",
            "User",
            "Uses",
            "Wanted",
            "u64",
        ],
        "tests here must know them all"
    );
}

fn find_records(dir: &Path, found: &mut Vec<String>) {
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_records(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let records = text.lines().filter_map(|line| line.trim().strip_prefix("impl Record for "));
            found.extend(records.map(|rest| rest.trim_end_matches(" {").to_owned()));
        }
    }
}
