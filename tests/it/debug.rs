//! What can be printed, and with it logged, has no secret, nor what is kept of one.
use auth_service::account::Verdict;
use auth_service::api_key::model::Previous;
use auth_service::base::text::Email;
use auth_service::base::{Id, Secret, Timestamp};
use auth_service::crypto::{key_token, user_token};
use auth_service::email_login::model::Mailed;
use auth_service::email_verification::model::Change;
use auth_service::login::model::Pending;
use auth_service::mail::model::Queued;
use auth_service::mfa::Factors;
use auth_service::mfa::model::Totp;
use auth_service::oauth::initial_token::InitialToken;
use auth_service::oauth::registration::model::Registration;
use auth_service::one_time::Started;
use auth_service::passkey::Purpose;
use auth_service::passkey::model::Mark;
use auth_service::session::{Granted, Origin, Session};

use crate::architecture::sources;

/// Nothing else here is this number, nor has it in it.
const BYTE: u8 = 0xab;
const HASH: [u8; 32] = [BYTE; 32];
const TEXT: &str = "NOT-TO-BE-SEEN";
const AT: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Fields whose names say that nobody is to see them.
const SECRET: &[&str] = &["hash", "token", "secret", "sealed", "csrf", "password", "code", "codes", "mark"];
/// What holds them.
const HOLDERS: &[&str] = &["String", "Vec<u8>", "Vec<String>", "Option<String>", "&'static str"];
/// What is printed all the same: the struct, and why it may be.
const SHOWN: &[(&str, &str)] = &[
    ("Entry", "the chain of the audit trail is shown to whoever may read it"),
    ("Chain", "the same"),
    ("Verdict", "the same"),
    ("Cookies", "the names of cookies"),
    ("Address", "a postal code is no secret"),
];

fn session() -> Session {
    Session {
        id: Id::from_bytes([1; 16]),
        user: 1,
        created_at: AT,
        auth_time: AT,
        amr: Vec::new(),
        refreshed_at: AT,
        expires_at: AT,
        origin: Origin::default(),
        generation: 0,
        refresh_hash: HASH,
    }
}

fn printed() -> Vec<String> {
    let email = || Email::parse("ann@example.com").unwrap();
    let secret = || Secret::new(TEXT);
    let totp = Totp { sealed: HASH.to_vec(), enabled_at: AT, last_step: 1 };
    let queued = Queued {
        id: Id::from_bytes([1; 16]),
        kind: 1,
        user: 1,
        created_at: AT,
        expires_at: AT,
        attempts: 0,
        next_at: AT,
        trouble: String::new(),
        sealed: HASH.to_vec(),
    };
    let granted = Granted {
        access_token: secret(),
        refresh_token: secret(),
        csrf_token: secret(),
        access_lifetime: 1,
        refresh_lifetime: 1,
        browser: Some((secret(), 1)),
    };
    let (from, is_known) = (Vec::new(), false);
    let pending =
        Pending { password: HASH, amr: Vec::new(), wrong: 0, created_at: AT, expires_at: AT, from, is_known };
    vec![
        format!("{:?}", Factors { totp: Some(totp), recovery_codes: vec![HASH], ..Factors::default() }),
        format!("{:?}", Started { hash: HASH, expires_at: AT }),
        format!("{pending:?}"),
        format!("{:?}", Mailed { email: email(), token: HASH, code: HASH, wrong: 0, expires_at: AT }),
        format!("{:?}", Change { email: email(), hash: HASH, expires_at: AT }),
        format!("{:?}", Previous { hash: HASH, until: AT }),
        format!("{:?}", user_token::Presented { user: 1, hash: HASH }),
        format!("{:?}", key_token::Presented { id: [1; 16], hash: HASH }),
        format!("{:?}", Mark { hash: HASH, expires_at: AT }),
        format!("{:?}", Purpose::SecondFactor(HASH)),
        format!("{:?}", Verdict::Renewed(TEXT.to_owned())),
        format!("{:?}", session()),
        format!("{queued:?} {granted:?}"),
        format!("{:?}", Registration { previous: Some(HASH), ..Registration::new(HASH, None, AT) }),
        format!(
            "{:?}",
            InitialToken {
                id: Id::from_bytes([1; 16]),
                name: String::new(),
                hash: HASH,
                uses: 0,
                max_uses: 1,
                created_at: AT,
                expires_at: AT,
            }
        ),
    ]
}

#[test]
fn nothing_that_is_printed_has_a_hash_or_a_token() {
    for text in printed() {
        assert!(!text.contains(&BYTE.to_string()) && !text.contains(TEXT), "{text}");
    }
}

/// The fields of an item that ends with `}` at the margin, each with its type.
fn fields(item: &str) -> impl Iterator<Item = (&str, &str)> {
    item.lines().skip(1).filter_map(|line| {
        let (name, kind) = line.trim().trim_end_matches(',').split_once(": ")?;
        Some((name.rsplit(' ').next().unwrap(), kind))
    })
}

fn is_secret(name: &str, kind: &str) -> bool {
    kind.contains("[u8; 32]")
        || HOLDERS.contains(&kind) && name.rsplit('_').next().is_some_and(|word| SECRET.contains(&word))
}

#[test]
fn no_derived_debug_prints_a_hash_or_a_secret() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources("src") {
        let code = source.code();
        for derived in code.split("#[derive(").skip(1).filter(|rest| rest.starts_with("Debug")) {
            let item = derived.split("\n}").next().unwrap();
            let head = item.lines().find(|line| line.contains("struct ") || line.contains("enum ")).unwrap();
            let mut words =
                head.split([' ', '<', '(', ';']).skip_while(|word| !["struct", "enum"].contains(word));
            let name = words.nth(1).unwrap();
            seen += 1;
            if SHOWN.iter().any(|(shown, _)| *shown == name) {
                continue;
            }
            let bare = |line: &&str| line.contains("[u8; 32])");
            let is_tuple = head.trim().ends_with(';');
            let item = if is_tuple { head } else { item };
            let loose = item.lines().filter(|_| is_tuple || head.contains("enum ")).filter(bare);
            wrong.extend(loose.map(|line| format!("{}: {name}: {line}", source.path)));
            let secrets = fields(item).filter(|(field, kind)| is_secret(field, kind));
            wrong.extend(secrets.map(|(field, _)| format!("{}: {name}.{field}", source.path)));
        }
    }
    assert!(seen > 100, "{seen} are too few: derives look otherwise by now");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
