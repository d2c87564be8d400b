//! Registration and the own account.
mod deletion;
mod guessable;
mod meanwhile;
mod names;
mod passwords;
mod profile;
mod register;
mod switched_off;
