//! What the store promises, whatever the tables.
