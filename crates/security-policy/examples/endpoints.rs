//! Says what the endpoints of a WSDL demand: `cargo run --example endpoints service.wsdl`.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_security_policy::Definitions;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give the path of a WSDL")?;
    let folder = Path::new(&path).parent().unwrap_or(Path::new("."));
    let definitions = Definitions::parse_with(std::fs::read(&path)?, |location| std::fs::read(folder.join(location)))?;
    for port in definitions.ports()? {
        println!("{} {}", port.name, port.address);
        match definitions.endpoint(&port.name) {
            Ok(endpoint) => println!("{endpoint:#?}"),
            Err(error) => println!("  {error}"),
        }
    }
    Ok(())
}
