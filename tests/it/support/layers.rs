//! The layers of the program, and what each may mention.

/// The libraries that belong to some layers alone.
pub const WATCHED: [&str; 27] = [
    "lettre",
    "tokio_rustls",
    "minijinja",
    "poem",
    "poem_openapi",
    "redb",
    "tokio",
    "moka",
    "hyper",
    "hyper_util",
    "jsonwebtoken",
    "argon2",
    "blowfish",
    "crc32fast",
    "ipnet",
    "scrypt",
    "sha_crypt",
    "aws_lc_rs",
    "bincode",
    "clap",
    "toml",
    "csv",
    "totp_rs",
    "webauthn_rs",
    "qrcode",
    "png",
    "zxcvbn",
];

/// Some files, and what they may mention.
pub struct Layer {
    /// Paths below `src`; `*` is any folder or name.
    pub files: &'static [&'static str],
    /// Parts of ours; their own folder is always theirs.
    pub ours: &'static [&'static str],
    /// Of the watched libraries.
    pub libraries: &'static [&'static str],
}

/// The first that fits a file counts; a file that none fits is an error: say where it belongs.
pub const LAYERS: &[Layer] = &[
    Layer { files: &["lib.rs", "main.rs"], ours: &["cli"], libraries: &[] },
    Layer { files: &["app/*"], ours: EVERYTHING, libraries: &["poem", "poem_openapi"] },
    Layer { files: &["base/entropy.rs", "base/secret.rs"], ours: &[], libraries: &["aws_lc_rs"] },
    Layer { files: &["base/*"], ours: &[], libraries: &[] },
    Layer { files: &["crypto/foreign/*"], ours: &["base"], libraries: FOREIGN_HASHES },
    Layer { files: &["crypto/webauthn/*"], ours: &["base"], libraries: &["webauthn_rs"] },
    Layer {
        files: &["crypto/*"],
        ours: &["base"],
        libraries: &["argon2", "aws_lc_rs", "crc32fast", "jsonwebtoken", "totp_rs"],
    },
    Layer { files: &["store/*"], ours: &["base"], libraries: &["redb", "moka", "bincode", "tokio"] },
    Layer { files: &["config/*"], ours: &["base", "crypto"], libraries: &["toml", "hyper", "ipnet"] },
    Layer { files: &["outbound/addresses.rs"], ours: &[], libraries: &["ipnet"] },
    Layer {
        files: &["outbound/*"],
        ours: &["base"],
        libraries: &["aws_lc_rs", "hyper", "hyper_util", "tokio", "tokio_rustls"],
    },
    // Of sessions, and of keys below, only the kind of their ids.
    Layer {
        files: &["http/caller.rs"],
        ours: &["base", "rbac", "session"],
        libraries: &["poem", "poem_openapi"],
    },
    Layer { files: &["http/limit.rs"], ours: &["api_key", "base", "rbac"], libraries: &["poem", "moka"] },
    Layer {
        files: &["http/*"],
        ours: &["base", "config", "rbac"],
        libraries: &["poem", "poem_openapi", "moka", "tokio"],
    },
    Layer {
        files: &["rbac/actor.rs", "rbac/model.rs", "rbac/permission.rs", "rbac/book.rs", "rbac/held.rs"],
        ours: &["account", "api_key", "base", "service_account", "session"],
        libraries: &[],
    },
    // Makes accounts of rows, and rows of accounts.
    Layer { files: &["transfer/model.rs"], ours: &["account", "base", "crypto", "rbac"], libraries: &[] },
    Layer {
        files: &["transfer/rows.rs", "transfer/csv_rows.rs", "transfer/json_rows.rs", "transfer/seen.rs"],
        ours: &["base"],
        libraries: &["csv"],
    },
    // The grants of the token endpoint answer in the words of its protocol.
    Layer { files: &["oauth/dpop/*"], ours: WITH_HTTP, libraries: &["aws_lc_rs", "poem"] },
    Layer {
        files: &["oauth/grant/table.rs", "oauth/logout/table.rs"],
        ours: &["base", "session", "store"],
        libraries: &[],
    },
    Layer { files: &["oauth/token/*"], ours: WITH_HTTP, libraries: &["poem", "poem_openapi"] },
    Layer {
        files: &["*/model.rs", "audit/export.rs", "audit/failures.rs", "mfa/policy.rs"],
        ours: &["account", "base", "crypto", "mfa", "passkey", "rbac", "session"],
        libraries: &["ipnet"],
    },
    Layer { files: &["breach/*"], ours: &["base", "crypto"], libraries: &["crc32fast"] },
    Layer { files: &["account/strength.rs"], ours: &["base"], libraries: &["zxcvbn"] },
    Layer { files: &["account/password_policy.rs"], ours: &["base", "breach"], libraries: &[] },
    Layer { files: &["mfa/qr.rs"], ours: &["base"], libraries: &["qrcode", "png"] },
    Layer {
        files: &["*/table.rs", "account/history.rs"],
        ours: &["base", "crypto", "one_time", "rbac", "store"],
        libraries: &[],
    },
    // What proxies ask, and what people see on their way through one.
    Layer {
        files: &["forward/rule/path.rs", "forward/rule/host.rs", "forward/rule/book.rs"],
        ours: &["base"],
        libraries: &[],
    },
    Layer { files: &["forward/rule/declaration.rs"], ours: &["base", "crypto"], libraries: &[] },
    Layer { files: &["forward/returns.rs"], ours: &[], libraries: &[] },
    Layer { files: &["forward/token.rs"], ours: &["base", "crypto", "session"], libraries: &["aws_lc_rs"] },
    Layer {
        files: &["forward/original.rs", "forward/identity.rs"],
        ours: &["base", "config", "http", "rbac"],
        libraries: &["poem"],
    },
    Layer {
        files: &["forward/http.rs", "forward/sign_in.rs"],
        ours: &["base", "config", "http", "oauth", "rbac", "session"],
        libraries: &["poem"],
    },
    // What people see of accounts: forms for the services that the API has, too.
    Layer {
        files: &["pages/http.rs", "pages/register.rs", "pages/mailed.rs"],
        ours: &[
            "account",
            "base",
            "config",
            "email_login",
            "email_verification",
            "http",
            "login",
            "oauth",
            "password_reset",
            "rbac",
            "recovery",
            "registration",
            "session",
        ],
        libraries: &["poem"],
    },
    Layer {
        files: &["*/http.rs", "*/view.rs", "api_key/verify.rs", "users/access.rs"],
        ours: &[
            "account",
            "api_key",
            "base",
            "crypto",
            "login",
            "config",
            "email_login",
            "http",
            "mfa",
            "passkey",
            "registration",
            "rbac",
            "session",
            "users",
        ],
        libraries: &["poem", "poem_openapi", "ipnet"],
    },
    // What a mail looks like and where it goes are settings through and through.
    Layer {
        files: &["mail/templates.rs", "mail/sink.rs"],
        ours: &["base", "config", "rbac"],
        libraries: &["lettre", "minijinja", "tokio"],
    },
    Layer { files: &["mail/worker.rs"], ours: FEATURES, libraries: &["tokio"] },
    Layer { files: &["oauth/backchannel/worker.rs"], ours: FEATURES, libraries: &["hyper", "tokio"] },
    // Asks every part, and is its own wire form: twenty figures are not written twice.
    Layer { files: &["health/report.rs"], ours: FEATURES, libraries: &["poem_openapi"] },
    Layer { files: &["admin/*"], ours: FEATURES, libraries: &["tokio"] },
    // What clients publish is asked for over HTTP.
    Layer {
        files: &["oauth/assertion/live.rs"],
        ours: &["base", "crypto", "outbound"],
        libraries: &["hyper", "moka", "tokio"],
    },
    Layer {
        files: &[
            "*/service.rs",
            "*/change.rs",
            "*/live.rs",
            "oauth/client/declared.rs",
            "api_key/rules.rs",
            "api_key/usage.rs",
            "account/passwords.rs",
            "account/profile.rs",
            "keys/master.rs",
            "session/arrival.rs",
            "session/tokens.rs",
            "login/again.rs",
            "throttle/counters.rs",
            "throttle/device.rs",
            "passkey/challenge.rs",
            "passkey/login.rs",
            "passkey/rules.rs",
        ],
        ours: FEATURES,
        libraries: &["moka", "tokio", "aws_lc_rs", "bincode", "ipnet"],
    },
    // What people see on their way to a client.
    Layer {
        files: &[
            "oauth/page/*",
            "oauth/authorize/sign_in.rs",
            "oauth/authorize/mail_sign_in.rs",
            "oauth/authorize/select_account.rs",
            "oauth/authorize/consent.rs",
            "oauth/device/page.rs",
        ],
        ours: &[
            "account",
            "base",
            "config",
            "email_login",
            "http",
            "login",
            "oauth",
            "passkey",
            "rbac",
            "session",
        ],
        libraries: &["minijinja", "poem"],
    },
    // What of the configuration is its own to judge.
    Layer {
        files: &["oauth/client/declaration.rs"],
        ours: &["base", "config"],
        libraries: &["poem_openapi"],
    },
    Layer {
        files: &[
            "oauth/entrance.rs",
            "oauth/error.rs",
            "oauth/client/authentication.rs",
            "oauth/client/metadata.rs",
            "oauth/client/rules.rs",
        ],
        ours: &["base", "crypto", "http", "rbac"],
        libraries: &["poem", "poem_openapi"],
    },
    Layer {
        files: &[
            "oauth/scope.rs",
            "oauth/claims.rs",
            "oauth/client/redirect.rs",
            "oauth/authorize/parameters.rs",
            "oauth/authorize/request.rs",
            "oauth/authorize/decide.rs",
        ],
        ours: &["account", "base", "contact", "crypto"],
        libraries: &[],
    },
    Layer {
        files: &["oauth/authorize/code.rs", "oauth/grant/tokens.rs"],
        ours: &["base", "crypto", "keys"],
        libraries: &["aws_lc_rs"],
    },
    Layer {
        files: &[
            "oauth/client/checks.rs",
            "oauth/client/keys.rs",
            "oauth/client/words.rs",
            "oauth/client/secret.rs",
            "oauth/client/vault.rs",
            "oauth/authorize/object.rs",
            "oauth/authorize/read.rs",
        ],
        ours: &["base", "crypto"],
        libraries: &[],
    },
    Layer { files: &["oauth/client/trail.rs"], ours: &["audit", "base", "rbac"], libraries: &[] },
    Layer { files: &["*/mod.rs"], ours: EVERYTHING, libraries: &["clap", "tokio"] },
    Layer {
        files: &["cli/*"],
        ours: &["admin", "app", "base", "breach", "config", "serve", "store", "transfer"],
        libraries: &["clap", "tokio"],
    },
    Layer {
        files: &["serve/*"],
        ours: &["admin", "app", "base", "config", "store"],
        libraries: &["hyper", "hyper_util", "poem", "tokio"],
    },
];

const FOREIGN_HASHES: &[&str] = &["argon2", "aws_lc_rs", "blowfish", "scrypt", "sha_crypt"];
const FEATURES: &[&str] = &[
    "base",
    "crypto",
    "store",
    "account",
    "api_key",
    "audit",
    "contact",
    "email_login",
    "email_verification",
    "forward",
    "health",
    "keys",
    "login",
    "mail",
    "mfa",
    "passkey",
    "oauth",
    "one_time",
    "outbound",
    "password_reset",
    "rbac",
    "recovery",
    "registration",
    "service_account",
    "session",
    "throttle",
    "transfer",
    "users",
];
const WITH_HTTP: &[&str] = &["base", "crypto", "http", "oauth", "rbac", "session", "store"];
/// Any part.
pub const EVERYTHING: &[&str] = &["*"];
