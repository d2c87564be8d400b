//! The pages for people, as a browser without JavaScript sees them.
mod account;
mod frame;
mod mailed;
mod sign_in;
