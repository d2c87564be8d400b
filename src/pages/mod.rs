//! Pages about accounts, at `/account`: making one, another password, what links in mails lead to, one's passkeys. They own no
//! rules: the services are those of the API. What the link in a mail holds stands behind its `#`, which no browser sends, so
//! that it is in no log: `mailed.js` reads it there, and without JavaScript it is copied from the mail. Opening a page does
//! nothing; only the form on it does.
pub mod http;
mod mailed;
mod register;
