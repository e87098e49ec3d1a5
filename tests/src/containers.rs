//! An image is written without an engine, is the same bytes each time, and what it holds is enough to run.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use flate2::read::GzDecoder;
use gateway::tools::client::Client as Http;
use packaging::manifests::{Platform, Queues};
use packaging::{image, sha256};
use serde_json::Value;
use tokio::net::{TcpListener, UnixStream};
use tokio::process::Command;

use crate::killing::gateway_process;
use crate::support::database;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// An image of this very binary, which acts as the gateway.
fn write(directory: &Path) -> image::Written {
    let process = gateway_process();
    let process = process.as_std();
    let wish = image::Wish {
        root: root(),
        package: "gateway",
        program: Path::new(process.get_program()),
        arguments: process.get_args().map(|argument| argument.to_str().unwrap().to_owned()).collect(),
        variables: process
            .get_envs()
            .map(|(name, value)| (name.to_str().unwrap().to_owned(), value.unwrap().to_str().unwrap().to_owned()))
            .collect(),
        name: "carnet/gateway:test",
        compression: 0,
        // A development build, and not packed.
        most: usize::MAX,
    };
    image::write(&wish, directory).unwrap()
}

fn blob(directory: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = std::fs::read(directory.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!((sha256(&bytes).as_str(), descriptor["size"].as_u64()), (digest, Some(bytes.len() as u64)));
    bytes
}

fn json(directory: &Path, descriptor: &Value) -> Value {
    serde_json::from_slice(&blob(directory, descriptor)).unwrap()
}

/// Unpacks the layers as an engine does; the configuration of the image.
fn unpack(directory: &Path, to: &Path) -> Value {
    let index: Value = serde_json::from_slice(&std::fs::read(directory.join("index.json")).unwrap()).unwrap();
    let manifest = json(directory, &index["manifests"][0]);
    let config = json(directory, &manifest["config"]);
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), config["rootfs"]["diff_ids"].as_array().unwrap().len());
    for (layer, unpacked) in layers.iter().zip(config["rootfs"]["diff_ids"].as_array().unwrap()) {
        let mut archive = Vec::new();
        GzDecoder::new(blob(directory, layer).as_slice()).read_to_end(&mut archive).unwrap();
        assert_eq!(unpacked.as_str().unwrap(), format!("sha256:{}", sha256(&archive)));
        let mut archive = tar::Archive::new(archive.as_slice());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let (path, mode) = (entry.path().unwrap().into_owned(), entry.header().mode().unwrap());
            assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0), "{}", path.display());
            assert!(mode & 0o6222 == 0 || (path == Path::new("tmp") && mode == 0o1777), "{} {mode:o}", path.display());
            // Writable for as long as files are put there.
            let own = if entry.header().entry_type().is_dir() { 0o755 } else { mode };
            assert!(entry.unpack_in(to).unwrap());
            std::fs::set_permissions(to.join(&path), std::os::unix::fs::PermissionsExt::from_mode(own)).unwrap();
        }
    }
    config
}

/// The same file for file.
fn same(one: &Path, other: &Path, files: &[PathBuf]) {
    for file in files {
        assert!(
            std::fs::read(one.join(file)).unwrap() == std::fs::read(other.join(file)).unwrap(),
            "{} differs",
            file.display()
        );
    }
}

/// The server's socket as a port of 127.0.0.1: there is no file of ours inside an image.
async fn database_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sockets = std::fs::read_dir(database::server().socket_directory()).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let socket = sockets
        .map(|entry| entry.unwrap().path())
        .find(|path| name(path).starts_with(".s.PGSQL.") && path.extension().is_some_and(|it| it != "lock"))
        .unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut server = UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut server).await });
        }
    });
    port
}

/// What runs a program with another root directory and as the image's user: `chroot` for root, a user namespace for others.
fn within(directory: &Path, uid: &str) -> Command {
    let root = std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t");
    if root {
        let mut command = Command::new("chroot");
        command.arg(format!("--userspec={uid}")).arg(directory);
        return command;
    }
    let (user, group) = uid.split_once(':').unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", &format!("--map-user={user}"), &format!("--map-group={group}"), "--wd=/"]);
    command.arg(format!("--root={}", directory.display()));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_written_without_an_engine_twice_the_same_and_its_layers_run() {
    let scratch = database::scratch().join(format!("image-{}", std::process::id()));
    let (one, other, unpacked) = (scratch.join("one"), scratch.join("other"), scratch.join("root"));
    let written = write(&one);
    let again = write(&other);
    assert_eq!((&written.digest, &written.files), (&again.digest, &again.files));
    same(&one, &other, &written.files);
    std::fs::remove_dir_all(&other).unwrap();

    std::fs::create_dir_all(&unpacked).unwrap();
    let config = unpack(&one, &unpacked);
    assert_eq!((&config["os"], &config["config"]["User"]), (&"linux".into(), &"65532:65532".into()));
    let user = config["config"]["User"].as_str().unwrap();
    let entrypoint: Vec<&str> =
        config["config"]["Entrypoint"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let given =
        config["config"]["Env"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().split_once('=').unwrap());

    let url = url::Url::parse(&database::fresh().await).unwrap();
    let (user_name, name) = (url.username(), url.path().trim_start_matches('/'));
    let url = format!("postgres://{user_name}@127.0.0.1:{}/{name}", database_port().await);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (_, master) = database::keys();
    let mut process = within(&unpacked, user)
        .args(&entrypoint)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(given)
        .envs([("FUNCTION", "search"), ("DATABASE_URL", &url), ("PORT", &port), ("CARNET_LOOKUP_KEY", master)])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let http = Http::new(&format!("http://127.0.0.1:{port}"));
    let mut ready = None;
    for _ in 0..200 {
        ready = http.send(Method::GET, "/readyz", None, None).await.ok().map(|(status, _)| status);
        if ready == Some(StatusCode::OK) {
            break;
        }
        assert!(process.try_wait().unwrap().is_none(), "it ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ready, Some(StatusCode::OK));
    assert_eq!(http.send(Method::GET, "/healthz", None, None).await.unwrap().0, StatusCode::OK);
    let (status, page) = http.send(Method::GET, "/v1/specialties", None, None).await.unwrap();
    assert!(status == StatusCode::OK && !page["items"].as_array().unwrap().is_empty(), "{page}");
    // It was told to stop, and did so by itself.
    let id = process.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(10), process.wait()).await.expect("it ends").unwrap();
    assert!(ended.success(), "{ended}");
    std::fs::remove_dir_all(&scratch).unwrap();
}

#[test]
fn the_bill_of_materials_names_what_is_linked_and_nothing_else() {
    let bill = packaging::bill::of(root(), "fn-search", &[]).unwrap();
    let bill: Value = serde_json::from_slice(&bill).unwrap();
    let refs = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it["bom-ref"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["component"]["name"], "fn-search");
    let components = refs(&bill["components"]);
    let has = |name: &str| components.iter().any(|it| it.starts_with(&format!("pkg:cargo/{name}@")));
    assert!(has("sqlx-postgres") && has("runtime") && has("ring"), "{components:?}");
    // Of other functions, of the gateway, of tests, of build scripts.
    assert!(!has("fn-book") && !has("gateway") && !has("insta") && !has("cc"), "{components:?}");
    for component in bill["components"].as_array().unwrap() {
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
    let own = std::env::current_exe().unwrap();
    let base = packaging::rootfs::base(&std::fs::read(own).unwrap()).unwrap();
    let with_files = packaging::bill::of(root(), "fn-search", &base).unwrap();
    assert!(String::from_utf8_lossy(&with_files).contains("libc.so.6"));
}

#[test]
fn a_bundle_for_lambda_is_the_same_each_time_and_asks_for_no_newer_glibc() {
    let scratch = database::scratch().join(format!("bundle-{}", std::process::id()));
    // The shell of this machine: a program as good as any, and small.
    let program = std::fs::canonicalize("/bin/sh").unwrap();
    let (one, other) = (scratch.join("one.zip"), scratch.join("other.zip"));
    let made = packaging::bundle::write(&program, &one).unwrap();
    packaging::bundle::write(&program, &other).unwrap();
    assert!(std::fs::read(&one).unwrap() == std::fs::read(&other).unwrap());
    assert!(made.bytes > 10_000 && ["x86_64", "arm64"].contains(&made.architecture), "{made:?}");
    let (newest, name) = packaging::elf::glibc(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap();
    assert!(newest > (2, 0) && name.starts_with("GLIBC_2."), "{name}");
    let nonsense = scratch.join("nonsense");
    std::fs::write(&nonsense, "#!/bin/sh").unwrap();
    assert!(packaging::bundle::write(&nonsense, &one).is_err());
    std::fs::remove_dir_all(&scratch).unwrap();
}

#[test]
fn the_manifests_of_platforms_are_those_of_the_functions() {
    let functions = packaging::manifests::functions(root()).unwrap();
    assert_eq!(functions.len(), gateway::registry::FUNCTIONS.len());
    for platform in Platform::ALL {
        let text = packaging::manifests::text(platform, &functions, None).unwrap();
        let file = root().join("infra/containers").join(platform.file());
        assert!(std::fs::read_to_string(&file).unwrap() == text, "{}: run ./just manifests", file.display());
        documents(&text).iter().for_each(confined);
    }
}

fn documents(text: &str) -> Vec<Value> {
    let all = serde_norway::Deserializer::from_str(text);
    all.map(|document| <Value as serde::Deserialize>::deserialize(document).unwrap()).collect()
}

/// The value of a container's variable.
fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    container["env"].as_array().unwrap().iter().find(|it| it["name"] == name)?["value"].as_str()
}

#[tokio::test]
async fn with_queues_of_sqs_every_consumer_empties_its_own_and_is_scaled_by_it() {
    let functions = packaging::manifests::functions(root()).unwrap();
    let consumers: Vec<&str> = functions.iter().filter(|it| !it.topics.is_empty()).map(|it| it.name.as_str()).collect();
    let config = database::config(&[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
    for (host, region, also) in [
        ("https://sqs.eu-west-3.amazonaws.com/123456789012", "eu-west-3", ""),
        (
            "https://sqs.mnq.fr-par.scaleway.com/project-1",
            "fr-par",
            "&dead=https://sqs.mnq.fr-par.scaleway.com/project-1/d",
        ),
    ] {
        let given = format!("aws-sqs:{host}/carnet-{{consumer}}?region={region}{also}");
        let queues = Queues::parse(&given).unwrap();
        let of = |platform| documents(&packaging::manifests::text(platform, &functions, Some(&queues)).unwrap());
        let (cluster, keda) = (of(Platform::Kubernetes), of(Platform::Keda));
        cluster.iter().chain(&keda).for_each(confined);
        for object in cluster.iter().filter(|it| it["kind"] == "Deployment") {
            let name = object["metadata"]["name"].as_str().unwrap();
            let container = &object["spec"]["template"]["spec"]["containers"][0];
            let queue = variable(container, "QUEUE_URL");
            assert_eq!(queue.is_some(), consumers.contains(&name), "{name}: {queue:?}");
            let Some(queue) = queue else { continue };
            assert!(queue.contains(&format!("/carnet-{name}?")), "{queue}");
            runtime::queue::Sqs::new("QUEUE_URL", queue, name, &config).unwrap();
            for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
                let named = container["env"].as_array().unwrap().iter().filter(|it| it["name"] == key);
                assert_eq!(named.count(), 1, "{name}: {key}");
            }
        }
        // Who fills them, by the clock and by KEDA.
        let fills = cluster.iter().chain(&keda).filter_map(|it| match it["kind"].as_str().unwrap() {
            "CronJob" => Some(&it["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]),
            "ScaledJob" => Some(&it["spec"]["jobTargetRef"]["template"]["spec"]["containers"][0]),
            _ => None,
        });
        let filled: Vec<&str> = fills.filter_map(|it| variable(it, "CONSUMER_URL")).collect();
        assert_eq!(filled, [given.as_str(), &given]);
        let scaled: Vec<&Value> = keda.iter().filter(|it| it["kind"] == "ScaledObject").collect();
        assert_eq!(scaled.iter().map(|it| it["metadata"]["name"].as_str().unwrap()).collect::<Vec<_>>(), consumers);
        for object in scaled {
            let (name, triggers) = (object["metadata"]["name"].as_str().unwrap(), &object["spec"]["triggers"]);
            let (trigger, metadata) = (&triggers[0], &triggers[0]["metadata"]);
            assert_eq!((triggers.as_array().unwrap().len(), &trigger["type"]), (1, &"aws-sqs-queue".into()));
            assert_eq!(metadata["queueURL"], format!("{host}/carnet-{name}"));
            assert_eq!(metadata["awsRegion"], region);
            assert_eq!(metadata["awsEndpoint"], host.rsplit_once('/').unwrap().0);
            let signed_in = |it: &&Value| {
                it["kind"] == "TriggerAuthentication" && it["metadata"]["name"] == trigger["authenticationRef"]["name"]
            };
            let sign_in = &keda.iter().find(signed_in).unwrap()["spec"]["secretTargetRef"];
            let keys: Vec<&str> = sign_in.as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
            assert_eq!(keys, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
        }
        assert!(packaging::manifests::text(Platform::Knative, &functions, Some(&queues)).is_err());
    }
    for wrong in
        ["", "https://sqs.example/1/carnet-{consumer}?region=x", "aws-sqs:https://sqs.example/1/carnet?region=x"]
    {
        assert!(Queues::parse(wrong).is_err(), "{wrong}");
    }
}

/// Whatever runs does so as nobody, reads only, and says how it is.
fn confined(object: &Value) {
    let kind = object["kind"].as_str().unwrap();
    let pod = match kind {
        "Deployment" | "Service" => &object["spec"]["template"],
        "CronJob" => &object["spec"]["jobTemplate"]["spec"]["template"],
        "ScaledJob" => &object["spec"]["jobTargetRef"]["template"],
        _ => return,
    };
    // A Service of Kubernetes runs nothing, one of Knative does.
    let Some(containers) = pod["spec"]["containers"].as_array() else { return };
    for container in containers {
        let security = &container["securityContext"];
        assert_eq!((&security["runAsNonRoot"], &security["readOnlyRootFilesystem"]), (&true.into(), &true.into()));
        assert!(container["resources"]["limits"]["memory"].is_string(), "{container}");
        let probed = container["readinessProbe"]["httpGet"]["path"] == "/readyz"
            && container["livenessProbe"]["httpGet"]["path"] == "/healthz";
        assert_eq!(probed, ["Deployment", "Service"].contains(&kind), "{container}");
        let name = container["env"][0]["value"].as_str().unwrap();
        let manifest = gateway::registry::find(name).unwrap().manifest().unwrap();
        for secret in &manifest.secrets {
            let given =
                |it: &Value| it["name"] == secret.as_str() && it["valueFrom"]["secretKeyRef"]["key"] == secret.as_str();
            assert!(container["env"].as_array().unwrap().iter().any(given), "{name}: {secret}");
        }
    }
    for container in containers {
        // There is nothing in the image that an `exec` could start and that would only wait.
        let before = &container["lifecycle"]["preStop"];
        assert_eq!(before["sleep"]["seconds"] == 5, kind == "Deployment", "{before}");
        assert!(before["exec"].is_null(), "{before}");
    }
    let grace = &pod["spec"]["terminationGracePeriodSeconds"];
    assert!(grace.as_u64().is_none_or(|seconds| seconds > 5 + runtime::host::native::DRAIN.as_secs()), "{grace}");
}

/// What a platform lacks is told before somebody applies them.
#[test]
fn what_the_manifests_need_of_kubernetes_is_written_down() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    assert!(read("infra/containers/kubernetes.yaml").contains("preStop:\n            sleep:"));
    assert!(read("docs/deploy.md").contains("Kubernetes 1.30 or newer (`preStop.sleep`)"));
}

/// `./just secrets` makes whatever a function does not start without, but for where the database is.
#[test]
fn every_secret_that_is_required_is_made_by_one_command() {
    let made = gateway::tools::secrets().unwrap();
    let made: BTreeMap<&str, &str> = made.lines().filter_map(|line| line.split_once('=')).collect();
    for function in gateway::registry::FUNCTIONS {
        for secret in &function.manifest().unwrap().secrets {
            assert!(secret == "DATABASE_URL" || made.contains_key(secret.as_str()), "{}: {secret}", function.name);
        }
    }
    let config = runtime::config::Config::read(|name| made.get(name).map(|value| (*value).to_owned())).unwrap();
    assert_eq!(runtime::keys::Keys::of(&config).unwrap().public()[0].x, made["CARNET_VERIFYING_KEYS"]);
}

#[test]
fn the_stack_of_compose_gives_the_gateway_variables_that_it_knows() {
    let text = std::fs::read_to_string(root().join("infra/containers/compose.yaml")).unwrap();
    let stack: Value = serde_norway::from_str(&text).unwrap();
    let known = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let service = &stack["services"]["carnet"];
    for name in service["environment"].as_object().unwrap().keys() {
        assert!(known.contains(&format!("| `{name}` |")), "{name}");
    }
    assert_eq!((&service["user"], &service["read_only"]), (&"65532:65532".into(), &true.into()));
    assert_eq!(service["image"], packaging::manifests::IMAGE);
}
