//! Login, refresh, logout, and the list of sessions.
mod list;
mod login;
mod logout;
mod refresh;
mod replay;
mod rotation;
