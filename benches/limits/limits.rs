//! The limits themselves: one entry for each row of the table.

/// Which side of the figure is good.
#[derive(Clone, Copy)]
pub enum Bound {
    /// At least this much.
    AtLeast(f64),
    /// At most this much.
    AtMost(f64),
    /// Nothing is required.
    Any,
}

impl Bound {
    /// Whether the measured figure keeps the limit.
    pub fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(limit) => measured >= limit,
            Self::AtMost(limit) => measured <= limit,
            Self::Any => true,
        }
    }
}

/// How the figure of a row is written.
#[derive(Clone, Copy)]
pub enum Unit {
    /// A quotient of two measured figures.
    Ratio,
    /// Milliseconds.
    Milliseconds,
    /// Millions of bytes.
    Megabytes,
    /// Bytes.
    Bytes,
    /// How often a second.
    Rate,
}

impl Unit {
    /// The figure as the table shows it.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.2}"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Megabytes => format!("{value:.1} MB"),
            Self::Bytes => format!("{value:.0} B"),
            Self::Rate => format!("{value:.0}/s"),
        }
    }
}

/// One row of the table.
pub struct Limit {
    /// The short name that `--only` looks for.
    pub name: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// What is required.
    pub bound: Bound,
    /// How it is written.
    pub unit: Unit,
}

const fn at_least(name: &'static str, what: &'static str, limit: f64) -> Limit {
    Limit { name, what, bound: Bound::AtLeast(limit), unit: Unit::Ratio }
}

const fn at_most(name: &'static str, what: &'static str, limit: f64, unit: Unit) -> Limit {
    Limit { name, what, bound: Bound::AtMost(limit), unit }
}

/// Every row, in the order of the table.
pub const ALL: [Limit; 33] = [
    at_least("health", "GET /health, 64 connections: CPU of bare hyper with the same bytes / ours", 0.60),
    at_least("me", "GET /auth/me with a bearer token, 64 connections: likewise", 0.50),
    at_least("me-key", "GET /auth/me with X-API-Key: likewise", 0.45),
    at_least("verify", "POST /auth/api-keys/verify: likewise", 0.45),
    at_least("check", "POST /auth/check of 10 permissions over 5 roles: likewise", 0.40),
    at_least("login", "logins a second at 16 clients / raw argon2 on as many threads as cores", 0.95),
    at_most("throttle-cpu", "CPU of a login with the check of guesses / without", 1.05, Unit::Ratio),
    at_least("refresh", "refreshes a second at 64 clients / single commits of bare redb", 3.0),
    at_most("refresh-cpu", "CPU of one refresh / CPU of one bare hyper request", 20.0, Unit::Ratio),
    at_most(
        "mfa-verify",
        "CPU of a second factor, checked and durably used up, 64 connections / CPU of one bare hyper request",
        25.0,
        Unit::Ratio,
    ),
    at_least(
        "client-credentials",
        "client_credentials tokens (ES256), 64 connections: CPU of one raw ES256 signature / ours",
        0.25,
    ),
    at_least("introspect", "POST /oauth2/introspect, 64 connections: CPU of bare hyper / ours", 0.45),
    at_least("userinfo", "GET /oauth2/userinfo: likewise", 0.45),
    at_least("forward-cookie", "GET /auth/forward among 1,000 rules, with a cookie: likewise", 0.45),
    at_least("forward-bearer", "the same with a bearer token", 0.45),
    at_least("forward-key", "the same with X-API-Key", 0.45),
    at_least("discovery", "GET /.well-known/openid-configuration: likewise", 0.60),
    at_least("jwks", "GET /oauth2/jwks: likewise", 0.60),
    at_least(
        "grant-refresh",
        "refresh-token grants a second at 64 clients / single commits of bare redb",
        3.0,
    ),
    Limit {
        name: "code-flow",
        what: "authorization-code flows a second with an existing session (authorize, token), 16 clients",
        bound: Bound::Any,
        unit: Unit::Rate,
    },
    at_most(
        "tail",
        "p99 of GET /auth/me, 16 connections: with logins at full load / without",
        5.0,
        Unit::Ratio,
    ),
    at_most("start-empty", "exec to the first 200 of /health: no store yet", 50.0, Unit::Milliseconds),
    at_most("start-clean", "the same: full store, stopped cleanly", 150.0, Unit::Milliseconds),
    at_most("start-killed", "the same: full store, after kill -9 while writing", 1000.0, Unit::Milliseconds),
    at_most("memory-idle", "resident memory: idle, empty store", 20.0, Unit::Megabytes),
    at_most(
        "memory-users",
        "resident memory: after the users of the full store were added",
        64.0,
        Unit::Megabytes,
    ),
    at_most("memory-login", "resident memory: full store, after the logins", 80.0, Unit::Megabytes),
    at_most(
        "throttle-memory",
        "resident memory: after guesses at as many accounts as the full store has users",
        128.0,
        Unit::Megabytes,
    ),
    at_most("list-first", "CPU of a page of 50 users, the first: full store / 1,000 users", 1.5, Unit::Ratio),
    at_most(
        "list-middle",
        "the same, in the middle (the 10,000th of a million users) / the first of 1,000 users",
        1.5,
        Unit::Ratio,
    ),
    at_most(
        "list-email",
        "the same, of those whose e-mail address begins so: full store / 1,000 users",
        1.5,
        Unit::Ratio,
    ),
    at_most("binary", "size of the stripped release binary", 20.0, Unit::Megabytes),
    at_most("disk", "disk for one user with its indexes, full store", 1024.0, Unit::Bytes),
];
