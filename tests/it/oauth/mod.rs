//! The OAuth 2.0 and OpenID Connect provider, as a browser without JavaScript and a client see it.
mod authorize;
mod code_flow;
mod codes;
mod consent;
mod custom_scopes;
mod device;
mod device_attacks;
mod dpop;
mod dpop_nonces;
mod dpop_refresh;
mod dpop_resources;
mod ends;
mod logout;
mod prompts;
mod refresh;
mod relying_party;
mod resources;
mod sign_in;
mod support;

use support::{Browser, CALLBACK, Fields, Holder, Page, Party, is_refused, issuer, jws, parameters};
