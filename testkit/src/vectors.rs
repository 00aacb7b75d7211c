//! The golden data in the repository's `vectors/`.

use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Reads `vectors/NAME.json`, or `vectors/NAME.json.gz`.
///
/// # Panics
/// When there is no such file or it is not JSON: a test without its data must fail.
pub fn load(name: &str) -> Value {
    let plain = path(&format!("{name}.json"));
    let read = if plain.exists() {
        serde_json::from_reader(open(&plain))
    } else {
        serde_json::from_reader(GzDecoder::new(open(&path(&format!("{name}.json.gz")))))
    };
    read.unwrap_or_else(|e| panic!("vectors/{name} is not JSON: {e}"))
}

/// The path of a file in `vectors/`.
pub fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file)
}

fn open(path: &Path) -> std::io::BufReader<File> {
    std::io::BufReader::new(File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    #[test]
    fn plain_and_compressed_vectors_load() {
        assert!(super::load("c14n").is_object());
        assert!(super::load("nbfx").is_object());
    }
}
