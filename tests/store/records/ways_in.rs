//! Second factors, passkeys, and logins that wait for one.
use auth_service::base::Id;
use auth_service::forward::rule::Rule;
use auth_service::forward::rule::host::HostPattern;
use auth_service::forward::rule::model::{Access, Terms};
use auth_service::forward::rule::path::PathPattern;
use auth_service::forward::rule::table::Order;
use auth_service::login::model::Pending;
use auth_service::mfa::Factors;
use auth_service::mfa::model::{Setup, Totp, TrustedDevice};
use auth_service::passkey::model::{self, Passkey};
use auth_service::passkey::table::{Handle, Place};
use auth_service::rbac::{Permission, RoleName};
use auth_service::throttle::table::Stored;

use super::{TIME, check};

#[test]
fn second_factors_are_written_as_ever() {
    let totp = Totp { sealed: vec![1, 2, 254], enabled_at: TIME, last_step: 58_333_000 };
    let recovery_codes = vec![[1; 32], [0xfe; 32]];
    let changed_at = TIME.plus_secs(1);
    let factors = Factors { totp: Some(totp), passkeys: true, recovery_codes, changed_at };
    check("mfa", &factors, |_| factors.clone());
    let setup = Setup { sealed: vec![3, 4], expires_at: TIME };
    check("mfa.setup", &setup, |_| setup.clone());
    let device = TrustedDevice {
        user_agent: "curl/8".to_owned(),
        address: "2001:db8::1".to_owned(),
        created_at: TIME,
        last_used_at: TIME.plus_secs(1),
        expires_at: TIME.plus_secs(2),
    };
    check("mfa.trusted_device", &device, |_| device.clone());
}

#[test]
fn a_login_that_waits_is_written_as_ever() {
    let pending = Pending {
        password: [0xcd; 32],
        amr: vec!["pwd".to_owned()],
        wrong: 9,
        created_at: TIME,
        expires_at: TIME.plus_secs(600),
        from: vec![203, 0, 113, 7],
        is_known: true,
    };
    check("login.pending", &pending, |version| match version {
        1 => Pending { from: Vec::new(), is_known: false, ..pending.clone() },
        _ => pending.clone(),
    });
}

#[test]
fn a_passkey_is_written_as_ever() {
    let passkey = Passkey {
        id: Id::from_bytes(*b"0123456789abcdef"),
        user: 300,
        name: "Ünal's laptop".to_owned(),
        credential: vec![1, 2, 254, 255],
        transports: vec!["internal".to_owned(), "hybrid".to_owned()],
        rp_id: "id.example.org".to_owned(),
        aaguid: Some([0xa5; 16]),
        stored: "{\"cred\":{}}".to_owned(),
        counter: 70_000,
        backup_eligible: true,
        backed_up: false,
        created_at: TIME,
        last_used: Some(model::LastUse { at: TIME.plus_secs(1), address: "10.1.2.3".to_owned() }),
        counter_went_back_at: Some(TIME.plus_secs(2)),
    };
    check("passkey", &passkey, |_| passkey.clone());
    let place = Place { user: 300, id: passkey.id };
    check("passkey_place", &place, |_| place);
    let handle = Handle([0xef; 16]);
    check("passkey_handle", &handle, |_| handle);
}

#[test]
fn a_count_is_written_as_ever() {
    let stored = Stored { guesses: 300, last: 1_800_000_000 };
    check("throttle", &stored, |_| stored);
}

#[test]
fn a_rule_for_reverse_proxies_is_written_as_ever() {
    let terms = Terms {
        description: "why".to_owned(),
        host: HostPattern::parse("*.example.org").unwrap(),
        paths: vec![PathPattern::parse("/admin/**").unwrap()],
        methods: vec!["GET".to_owned()],
        networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        access: Access::User,
        roles: vec![RoleName::parse("role", "editor").unwrap()],
        permissions: vec![Permission::parse("permission", "wiki:write").unwrap()],
        second_factor: true,
    };
    let rule = Rule { id: Id::from_bytes(*b"abcdef0123456789"), terms, created_at: TIME, updated_at: TIME };
    check("forward.rule", &rule, |_| rule.clone());
    for access in [Access::Public, Access::Nobody] {
        let terms = Terms { access, ..rule.terms.clone() };
        let rule = Rule { terms, ..rule.clone() };
        check(&format!("forward.rule_{}", access.name()), &rule, |_| rule.clone());
    }
    let order = Order(vec![rule.id, Id::from_bytes([1; 16])]);
    check("forward.rule.order", &order, |_| order.clone());
}
