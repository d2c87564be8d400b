//! Identity in one binary: accounts, sessions and tokens on an embedded store.

// Users: registration, profile, passwords.
pub mod account;
// What the command line asks of a server.
pub mod admin;
// The composition root.
pub mod app;
// Who did what.
pub mod audit;
// Errors, time, randomness, ids, checked text.
pub mod base;
// Credentials for programs.
pub mod api_key;
// Passwords known from breaches.
pub mod breach;
// May somebody do this?
pub mod check;
// The command line.
pub mod cli;
// Settings: file, environment, flags.
pub mod config;
// Where users can be reached.
pub mod contact;
// Hashes, signatures, tokens.
pub mod crypto;
// Signing in by mail.
pub mod email_login;
// Whose an e-mail address is.
pub mod email_verification;
// Whether requests may pass reverse proxies.
pub mod forward;
// `/health`.
pub mod health;
// What every endpoint shares.
pub mod http;
// Signing keys and the master key.
pub mod keys;
// From a password and a second factor to a session.
pub mod login;
// Mails, and the queue of them.
pub mod mail;
// Second factors.
pub mod mfa;
// The OAuth 2.0 and OpenID Connect provider.
pub mod oauth;
// Texts that are good once.
pub mod one_time;
// Requests to other servers.
pub mod outbound;
// Pages for people.
pub mod pages;
// Keys that authenticators hold for users.
pub mod passkey;
// Another password for whoever lost it.
pub mod password_reset;
// Who may do what.
pub mod rbac;
// A way back in for whoever lost all others.
pub mod recovery;
// Registration that tells nothing.
pub mod registration;
// The listener and its end.
pub mod serve;
// Programs that hold rights.
pub mod service_account;
// Refresh, logout, and who a token stands for.
pub mod session;
// The embedded store.
pub mod store;
// Guesses, slowed down.
pub mod throttle;
// Many accounts at once, in and out.
pub mod transfer;
// What administrators do with accounts.
pub mod users;
