//! What a client learns of the user who has logged in (OpenID Connect Core section 5.3).
pub mod http;
