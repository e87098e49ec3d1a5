//! The house keeps its shape: who may depend on whom, and what every function's folder holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The workspace's packages with the names of what they depend on, tests aside.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    let names = |package: &Value| {
        let list = package["dependencies"].as_array().unwrap().iter();
        list.filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect()
    };
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), names(package)))
        .collect()
}

#[test]
fn dependencies_point_inwards() {
    let all = dependencies();
    let ours: BTreeSet<&String> = all.keys().collect();
    let inner =
        |package: &str| all[package].iter().filter(|name| ours.contains(name)).map(String::as_str).collect::<Vec<_>>();
    assert!(inner("domain").is_empty());
    assert_eq!(inner("store"), ["domain"]);
    assert_eq!(inner("runtime"), ["domain", "store"]);
    let functions: Vec<&String> = all.keys().filter(|name| name.starts_with("fn-")).collect();
    assert!(functions.len() >= 11, "{functions:?}");
    for function in functions {
        let allowed = ["domain", "runtime", "store"];
        assert!(inner(function).iter().all(|name| allowed.contains(name)), "{function}: {:?}", inner(function));
        for heavy in ["sqlx", "tokio", "lettre", "lambda_http", "lambda_runtime", "gateway"] {
            assert!(!all[function].contains(heavy), "{function} depends on {heavy}");
        }
    }
    for (package, depends) in &all {
        let may = ["gateway", "it"].contains(&package.as_str());
        assert!(may || !depends.contains("gateway"), "{package} depends on the gateway");
        assert!(may || package == "store" || !depends.contains("sqlx"), "{package} depends on sqlx");
    }
}

#[test]
fn the_domain_does_no_io() {
    let tree = cargo(&["tree", "--package", "domain", "--edges", "normal", "--prefix", "none", "--all-features"]);
    for io in ["tokio", "sqlx", "hyper", "axum", "mio", "socket2", "reqwest", "lettre"] {
        assert!(!tree.lines().any(|line| line.starts_with(&format!("{io} "))), "domain reaches {io}");
    }
}

#[test]
fn every_function_has_its_manifest_readme_and_one_line_of_main() {
    for entry in std::fs::read_dir(root().join("functions")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(gateway::registry::find(&name).is_some(), "{name} is not in the registry");
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(readme.starts_with(&format!("# {name}\n")) && readme.lines().count() <= 20, "{name}/README.md");
        let main = std::fs::read_to_string(folder.join("src/main.rs")).unwrap();
        assert!(main.contains("runtime::host::main("), "{name}/src/main.rs");
        let manifest: runtime::Manifest =
            serde_norway::from_str(&std::fs::read_to_string(folder.join("function.yaml")).unwrap()).unwrap();
        assert_eq!(manifest.name, name);
    }
}

#[test]
fn files_stay_readable() {
    let mut long = Vec::new();
    let mut folders = vec![root().join("shared"), root().join("functions"), root().join("infra")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines > 450 {
                    long.push(format!("{} ({lines} lines)", path.display()));
                }
            }
        }
    }
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn every_variable_is_in_the_documentation() {
    let said = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let mut read = BTreeSet::new();
    for file in ["shared/runtime/src/config.rs", "shared/runtime/src/edge/settings.rs"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
        for quoted in code.split('"').skip(1).step_by(2) {
            if quoted.len() > 3 && quoted.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
                read.insert(quoted.to_owned());
            }
        }
    }
    assert!(read.len() >= 23, "{read:?}");
    let missing: Vec<_> = read.iter().filter(|name| !said.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_two_types_of_the_api_have_one_name() {
    let mut names = BTreeMap::<String, String>::new();
    let mut folders = vec![root().join("functions"), root().join("shared")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = if path.extension().is_some_and(|it| it == "rs") {
                std::fs::read_to_string(&path).unwrap()
            } else {
                continue;
            };
            // The description keeps one schema a name: a second one would take the place of the first.
            for described in text.split("ToSchema)").skip(1) {
                let line = described.lines().find(|line| line.contains("struct ") || line.contains("enum "));
                let Some(name) = line.and_then(|line| {
                    line.split(&[' ', '<', '(', ';'][..]).skip_while(|it| !["struct", "enum"].contains(it)).nth(1)
                }) else {
                    continue;
                };
                let earlier = names.insert(name.to_owned(), path.display().to_string());
                assert!(earlier.is_none() || name.starts_with('$'), "{name}: {} and {earlier:?}", path.display());
            }
        }
    }
    assert!(names.len() > 30, "{names:?}");
}
