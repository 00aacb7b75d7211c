//! The `handstamp` program.

fn main() {}
