//! Registration and the own account.
mod contact;
mod deletion;
mod guessable;
mod meanwhile;
mod names;
mod passwords;
mod profile;
mod register;
mod switched_off;
