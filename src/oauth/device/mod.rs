//! A device without a browser, or without a keyboard, gets what its user lets it have elsewhere (RFC 8628).
//!
//! A guess at a user code is counted before the code is looked up, and only whoever is signed in may guess. The sum of section
//! 5.1: a code has 8 of 20 letters, 20^8 = 2.56 * 10^10 of them, and lasts ten minutes. In this time one user has 10 guesses
//! from one network that need not wait and one more every ten minutes, 30 from everywhere and one more every minute; one
//! network has 100 whoever guesses, and one more every minute. So one network comes to 110 guesses, and hits one given code
//! with a chance of 110 / 2.56 * 10^10, less than 2^-27; a thousand networks that take turns for as long, with 2^-17. A code
//! that was entered, whatever the answer, is no code any more; and what a guess can win is no access: whoever agrees in
//! another's place gives the device the own account.
pub mod change;
pub mod http;
pub mod live;
pub mod model;
pub mod page;
pub mod service;
pub mod table;

pub use live::Pace;
pub use service::DeviceRequests;
