//! The house keeps its shape: who may depend on whom, and what every function's folder holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use runtime::config::Config;
use serde_json::Value;

use crate::support::database;

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
    assert!(inner("content").is_empty());
    assert_eq!(inner("store"), ["domain"]);
    assert_eq!(inner("exchange"), ["domain"]);
    assert_eq!(inner("runtime"), ["domain", "exchange", "store"]);
    let functions: Vec<&String> = all.keys().filter(|name| name.starts_with("fn-")).collect();
    assert!(functions.len() >= 11, "{functions:?}");
    for function in functions {
        // What a file really is, is one function's affair.
        let judges = function == "fn-check-document";
        // What a calendar of Exchange says, that of a few.
        let hears = function.starts_with("fn-exchange-");
        let allowed = ["domain", "runtime", "store"].into_iter().chain(judges.then_some("content"));
        let allowed = allowed.chain(hears.then_some("exchange"));
        let allowed: Vec<&str> = allowed.collect();
        assert!(inner(function).iter().all(|name| allowed.contains(name)), "{function}: {:?}", inner(function));
        for heavy in ["sqlx", "tokio", "lettre", "lambda_http", "lambda_runtime", "gateway"] {
            assert!(!all[function].contains(heavy), "{function} depends on {heavy}");
        }
    }
    for (package, depends) in &all {
        let may = ["gateway", "it", "spin-host"].contains(&package.as_str());
        // A guest's side of the interfaces of Spin: its driver, its host, and what is built as a component.
        let guest = ["store", "runtime", "guest", "db-contract"].contains(&package.as_str());
        assert!(guest || !depends.contains("spin-sdk"), "{package} depends on spin-sdk");
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

/// A value for every secret there is.
fn all_secrets() -> BTreeMap<&'static str, String> {
    let (signing, master) = database::keys().clone();
    let (seal, verifying) = (runtime::seals::SealKey::generate().unwrap(), database::verifying());
    let known = Config::read(|_| None).unwrap().secrets();
    let value = |name| match name {
        "DATABASE_URL" => "postgres://localhost/x".into(),
        "CARNET_SIGNING_KEY" => signing.clone(),
        "CARNET_MASTER_KEY" | "CARNET_LOOKUP_KEY" => master.clone(),
        "CARNET_SEAL_KEY" => seal.clone(),
        "CARNET_VERIFYING_KEYS" => verifying.clone(),
        // Nobody needs these to start.
        _ => String::new(),
    };
    known.into_iter().map(|(name, _)| (name, value(name))).collect()
}

/// The whole run proves that the manifests name enough: together as alone, a function has the keys of its manifest only.
#[tokio::test]
async fn every_function_starts_with_the_secrets_of_its_manifest_and_without_one_of_them_it_names_it() {
    let all = all_secrets();
    let start = |names: &[&String], manifest: &runtime::Manifest| {
        let given = |name: &str| all.get(name).filter(|value| !value.is_empty() && names.iter().any(|it| *it == name));
        let context = runtime::host::context(&Config::read(|name| given(name).cloned()).unwrap(), manifest);
        context.map_err(|error| error.to_string())
    };
    for function in gateway::registry::FUNCTIONS {
        let (name, manifest) = (function.name, function.manifest().unwrap());
        for secret in manifest.secrets.iter().chain(&manifest.optional_secrets) {
            assert!(all.contains_key(secret.as_str()), "{name}: {secret} is no secret");
        }
        let needed: Vec<&String> = manifest.secrets.iter().collect();
        let ctx = start(&needed, &manifest).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Of everything there is, it takes no more either.
        let every = Config::read(|name| all.get(name).filter(|value| !value.is_empty()).cloned()).unwrap();
        let rich = runtime::host::context(&every, &manifest).unwrap();
        for (secret, given) in rich.config.secrets() {
            assert!(!given || manifest.names(secret), "{name} holds {secret}");
        }
        for ctx in [&ctx, &rich] {
            assert_eq!(ctx.seals.is_some(), manifest.names("CARNET_SEAL_KEY"), "{name}");
            assert_eq!(ctx.keys.fingerprint(b"x").is_ok(), manifest.names("CARNET_LOOKUP_KEY"), "{name}");
            assert_eq!(ctx.keys.master_id().is_ok(), manifest.names("CARNET_MASTER_KEY"), "{name}");
        }
        let follows = |secret: &String| secret == "CARNET_LOOKUP_KEY" && manifest.names("CARNET_MASTER_KEY");
        for secret in needed.iter().filter(|secret| !follows(secret)) {
            let others: Vec<&String> = needed.iter().copied().filter(|other| other != secret).collect();
            let error = start(&others, &manifest).map(drop).unwrap_err();
            assert!(error.contains(secret.as_str()), "{name} without {secret}: {error}");
        }
    }
}

/// Who gives every function the keys of the whole product need not take them apart.
#[tokio::test]
async fn a_function_takes_what_it_needs_of_the_two_keys_of_a_whole_product() {
    let all = all_secrets();
    for function in gateway::registry::FUNCTIONS {
        let manifest = function.manifest().unwrap();
        let beside = manifest
            .secrets
            .iter()
            .filter(|name| !["CARNET_LOOKUP_KEY", "CARNET_VERIFYING_KEYS"].contains(&name.as_str()));
        let mut names: Vec<&str> = beside.map(String::as_str).collect();
        names.extend(["DATABASE_URL", "CARNET_SIGNING_KEY", "CARNET_MASTER_KEY"]);
        let config = Config::read(|name| all.get(name).filter(|_| names.contains(&name)).cloned()).unwrap();
        let ctx =
            runtime::host::context(&config, &manifest).unwrap_or_else(|error| panic!("{}: {error}", function.name));
        assert_eq!(ctx.keys.master_id().is_ok(), manifest.names("CARNET_MASTER_KEY"), "{}", function.name);
        let signs = ctx.keys.issue(
            domain::ids::AccountId::from_uuid(uuid::Uuid::nil()),
            domain::ids::SessionId::from_uuid(uuid::Uuid::nil()),
            ctx.now(),
        );
        assert_eq!(signs.is_ok(), manifest.names("CARNET_SIGNING_KEY"), "{}", function.name);
    }
}

#[test]
fn no_manifest_names_a_secret_that_its_code_does_not_use() {
    let text = |folder: &Path| {
        let files = std::fs::read_dir(folder.join("src")).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| std::fs::read_to_string(file).unwrap()).collect::<String>()
    };
    let opens = [
        "keys.owner(",
        "new_owner(",
        "open(&ctx.keys",
        "sealed(&ctx.keys",
        "name_of(",
        "::open(&ctx.keys",
        "mailboxes::",
        "view(&ctx.keys",
    ];
    let issues = ["keys.issue(", "sessions::open(", "sessions::{", "Tokens::new("];
    let looks_up = [
        "fingerprint(",
        "lookup(",
        "link_token(",
        "link_id(",
        "sent_code(",
        "new_code(",
        "hash_code(",
        "Attempt::",
        "content_hash(",
    ];
    for function in gateway::registry::FUNCTIONS {
        let (name, manifest) = (function.name, function.manifest().unwrap());
        let code = text(&root().join("functions").join(name));
        let uses = |ways: &[&str]| ways.iter().any(|way| code.contains(way));
        let guarded = manifest.routes.iter().any(|route| !route.public);
        let signs = manifest.names("CARNET_SIGNING_KEY");
        let expected = [
            ("CARNET_MASTER_KEY", uses(&opens)),
            ("CARNET_MASTER_KEYS_BEFORE", uses(&opens)),
            ("CARNET_SIGNING_KEY", uses(&issues)),
            ("CARNET_SIGNING_KEYS_BEFORE", signs),
            ("CARNET_VERIFYING_KEYS", guarded && !signs),
            // Requests are counted under keyed hashes.
            ("CARNET_LOOKUP_KEY", !manifest.routes.is_empty() || uses(&looks_up)),
            ("CARNET_SEAL_KEY", uses(&["ctx.seals"])),
            ("SMTP_URL", uses(&["ctx.mail"])),
            ("SMS_URL", uses(&["ctx.sms"])),
            ("PUSH_KEY", uses(&["ctx.push"])),
            ("OPENID_PROVIDERS", uses(&["ctx.openid"])),
            ("EVENTS_SECRET", function.events.is_some()),
            (
                "AWS_SECRET_ACCESS_KEY",
                uses(&opens) || uses(&["ctx.seals", "ctx.deliver", "ctx.objects", "remove_objects("]),
            ),
            ("DATABASE_URL", true),
        ];
        for (secret, used) in expected {
            assert_eq!(manifest.names(secret), used, "{name}: {secret}");
        }
        assert_eq!(expected.len(), all_secrets().len(), "every secret there is");
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
