//! Registration and the own account.
mod deletion;
mod names;
mod passwords;
mod profile;
mod register;
