//! What holds for every request, whatever it asks for.
mod bodies;
mod cors;
mod docs;
mod errors;
mod headers;
mod limits;
mod paths;
mod protocol;
