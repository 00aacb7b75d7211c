//! What cargo knows about this workspace.

use crate::Failure;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The cargo that started us, or the one on the path.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A member of the workspace and what it depends on directly.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) binaries: Vec<String>,
    /// Whether it goes to the registry.
    pub(crate) published: bool,
    /// Whether one of its examples runs with the tests.
    pub(crate) tests_an_example: bool,
}

/// One line of a manifest's dependency tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// A dependency of tests and benches only.
    pub(crate) dev: bool,
}

/// What `cargo metadata` says of a manifest.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

impl Metadata {
    /// Asks cargo about the manifest at `manifest`, a path below the root.
    pub(crate) fn load(manifest: &str) -> Result<Self, Failure> {
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest])
            .output()
            .map_err(|error| Failure::Broken(format!("cargo could not be started: {error}")))?;
        if !output.status.success() {
            return Err(Failure::Broken(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let json: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| Failure::Broken(format!("cargo metadata is not JSON: {error}")))?;
        Ok(Self {
            packages: array(&json, "packages").iter().map(Package::from_json).collect(),
            target_directory: text(&json, "target_directory").into(),
        })
    }
}

impl Package {
    fn from_json(json: &Value) -> Self {
        Self {
            name: text(json, "name"),
            dependencies: array(json, "dependencies")
                .iter()
                .map(|dependency| Dependency {
                    name: text(dependency, "name"),
                    dev: dependency["kind"].as_str() == Some("dev"),
                })
                .collect(),
            binaries: array(json, "targets")
                .iter()
                .filter(|target| array(target, "kind").iter().any(|kind| kind == "bin"))
                .map(|target| text(target, "name"))
                .collect(),
            published: json["publish"].is_null(),
            tests_an_example: array(json, "targets").iter().any(|target| {
                target["test"] == Value::Bool(true) && array(target, "kind").iter().any(|kind| kind == "example")
            }),
        }
    }
}

fn array<'a>(json: &'a Value, key: &str) -> &'a [Value] {
    json[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_default().to_owned()
}
