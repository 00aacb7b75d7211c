//! Writes `vectors/native_token.json`:
//!
//! ```text
//! cargo run -p handstamp-session-token --example native_vectors > vectors/native_token.json
//! ```

mod generate;

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vectors = serde_json::to_string_pretty(&generate::vectors()?)?;
    writeln!(std::io::stdout(), "{vectors}")?;
    Ok(())
}
