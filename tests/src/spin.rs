//! The components of Spin are what the manifests of the functions say. What they do is tested in `tests/spin-host`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gateway::registry::FUNCTIONS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn spin_toml_is_what_the_manifests_say() {
    assert!(read("infra/spin/spin.toml") == gateway::spin::kept(FUNCTIONS).unwrap(), "stale: run just spin-manifest");
}

#[test]
fn a_function_is_a_component_or_says_why_not() {
    let eligible: BTreeSet<&str> = FUNCTIONS
        .iter()
        .filter(|function| match function.manifest().unwrap().not_on_spin {
            Some(why) => {
                assert!(why.len() > 20 && why.ends_with('.'), "{}: {why}", function.name);
                false
            }
            None => true,
        })
        .map(|function| function.name)
        .collect();
    let manifest = read("infra/spin/Cargo.toml");
    let features = manifest.split("all = [").nth(1).unwrap().split(']').next().unwrap();
    let features: BTreeSet<&str> = features.split('"').skip(1).step_by(2).collect();
    assert_eq!(features, eligible, "infra/spin/Cargo.toml");
    let code = read("infra/spin/src/lib.rs");
    for name in &eligible {
        let line = format!("#[cfg(feature = \"{name}\")]\n    fn_{}::FUNCTION,", name.replace('-', "_"));
        assert!(code.contains(&line), "infra/spin/src/lib.rs does not hold {name}");
    }
    assert_eq!(code.matches("::FUNCTION,").count(), eligible.len());
    let told: BTreeSet<String> = gateway::spin::components(FUNCTIONS)
        .unwrap()
        .iter()
        .flat_map(|component| component.names().into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(told.iter().map(String::as_str).eq(eligible.iter().copied()), "{told:?}");
}

/// Each route of a function leads to the component that holds it, and to no other.
#[test]
fn every_route_of_a_component_is_in_spin_toml_once() {
    let text = read("infra/spin/spin.toml");
    let mut led: Vec<(&str, &str)> = Vec::new();
    for trigger in text.split("[[trigger.http]]\n").skip(1) {
        let value = |name: &str| trigger.split(&format!("{name} = \"")).nth(1).unwrap().split('"').next().unwrap();
        led.push((value("route"), value("component")));
    }
    let paths: BTreeSet<&str> = led.iter().map(|(route, _)| *route).collect();
    assert_eq!(paths.len(), led.len(), "a path leads to two components");
    for function in FUNCTIONS {
        let manifest = function.manifest().unwrap();
        for route in &manifest.routes {
            let spelt = route.path.replace('{', ":").replace('}', "");
            let component = led.iter().find(|(path, _)| *path == spelt).map(|(_, component)| *component);
            match (&manifest.not_on_spin, component) {
                (None, Some(component)) => {
                    assert!(format!("-{component}-").contains(&format!("-{}-", function.name)), "{spelt}: {component}");
                }
                (Some(_), None) => {}
                other => panic!("{spelt}: {other:?}"),
            }
        }
    }
}

/// The small host speaks the interfaces of the SDK that the components are built with.
#[test]
fn the_test_host_has_the_interfaces_that_the_sdk_ships() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let metadata = std::process::Command::new(cargo).args(["metadata", "--format-version", "1"]).output().unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let sdk = packages.find(|package| package["name"] == "spin-sdk").unwrap()["manifest_path"].as_str().unwrap();
    let shipped = PathBuf::from(sdk).parent().unwrap().join("wit/deps");
    let ours = root().join("tests/spin-host/wit/deps");
    let mut compared = 0;
    for folder in std::fs::read_dir(&ours).unwrap().map(|entry| entry.unwrap().file_name()) {
        for file in std::fs::read_dir(ours.join(&folder)).unwrap().map(|entry| entry.unwrap().file_name()) {
            let text = |at: &Path| std::fs::read_to_string(at.join(&folder).join(&file)).unwrap();
            assert_eq!(text(&ours), text(&shipped), "{file:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}
