//! Says what the endpoints of a WSDL demand, in words: `cargo run -p handstamp-security-policy --example endpoints service.wsdl`.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_security_policy::Definitions;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).filter(|path| path.ends_with("wsdl")).map(PathBuf::from);
    let path = path.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ledger.wsdl"));
    let folder = path.parent().unwrap_or(Path::new("."));
    // Imports are read where they lie beside the file; nothing is fetched.
    let definitions = Definitions::parse_with(std::fs::read(&path)?, |location| std::fs::read(folder.join(location)))?;
    for port in definitions.ports()? {
        println!("{} at {}", port.name, port.address);
        // What is not understood is an error that names it, never something left out.
        let endpoint = match definitions.endpoint(&port.name) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                println!("  {error}");
                continue;
            }
        };
        match &endpoint.security {
            Some(binding) => {
                println!("  suite {}, secure session: {}", binding.suite.name(), binding.session().is_some());
            }
            None => println!("  plain"),
        }
        for operation in &endpoint.operations {
            println!("  {}: body {:?}", operation.request.action, operation.request.protection.body);
        }
    }
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
