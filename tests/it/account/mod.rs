//! Registration and the own account.
mod deletion;
mod guessable;
mod names;
mod passwords;
mod profile;
mod register;
