//! Manifests of Kubernetes, KEDA and Knative, made from every `function.yaml`: one image, a function a deployment.

mod keda;

use std::path::Path;

use runtime::Manifest;
use runtime::queue::Address;
use serde_json::{Map, Value, json};

use crate::Error;
use crate::rootfs::USER;

/// What deployments name; its digest is put in its place by who deploys.
pub const IMAGE: &str = "carnet/gateway:0.1.0";
/// What every object of ours is found by.
const PART_OF: &str = "carnet";
/// The volume of a function that writes files.
const DISK: &str = "disk";
/// Longer than a pod is still sent requests after it was told to stop (5 s) and the drain (12 s) together.
const GRACE_SECONDS: u32 = 30;
const SETTLE_SECONDS: u32 = 5;
/// Only the cluster's own pods reach it.
const EVENTS_PORT: u16 = 9090;
const PORT: u16 = 8080;

/// A file of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Kubernetes alone: deployments, services, routes, cron jobs.
    Kubernetes,
    /// What KEDA adds to it: as many workers as the queues ask for.
    Keda,
    /// Knative: services that go down to none.
    Knative,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::Keda, Self::Knative];
    /// Those where somebody empties queues: a service of Knative that has gone down to none is woken by requests alone.
    pub const WITH_QUEUES: [Self; 2] = [Self::Kubernetes, Self::Keda];

    /// The name of its file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes.yaml",
            Self::Keda => "keda.yaml",
            Self::Knative => "knative.yaml",
        }
    }
}

/// Every manifest of the workspace at `root`, by name.
///
/// # Errors
/// When one is none.
pub fn functions(root: &Path) -> Result<Vec<Manifest>, Error> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root.join("functions"))? {
        let text = std::fs::read_to_string(entry?.path().join("function.yaml"))?;
        all.push(serde_norway::from_str::<Manifest>(&text)?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Queues of SQS in which events wait for their consumers, one for each. What a cluster's are called is known to who deploys.
#[derive(Debug, Clone)]
pub struct Queues {
    /// As `CONSUMER_URL` has it.
    variable: String,
    address: Address,
}

impl Queues {
    /// From `aws-sqs:https://…/carnet-{consumer}?region=…`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let address = Address::parse(text).map_err(|problem| format!("queues={text} {problem}"))?;
        if !address.url.contains(CONSUMER) {
            return Err(format!("queues={text} names one queue: {CONSUMER} is to stand where they differ").into());
        }
        Ok(Self { variable: text.to_owned(), address })
    }
}

/// Stands for a function's name.
const CONSUMER: &str = "{consumer}";

/// The text of a file; with `queues` for a cluster whose events wait there, and not in PostgreSQL until they are taken.
///
/// # Errors
/// When it cannot be written as YAML, or nobody would empty the queues.
pub fn text(platform: Platform, functions: &[Manifest], queues: Option<&Queues>) -> Result<String, Error> {
    if queues.is_some() && !Platform::WITH_QUEUES.contains(&platform) {
        return Err(format!("{}: nobody would empty the queues", platform.file()).into());
    }
    let mut text = "# Made from functions/*/function.yaml by `just manifests`; a test compares. docs/deploy.md says how to use it.\n"
        .to_owned();
    for object in objects(platform, functions, queues) {
        text.push_str("---\n");
        text.push_str(&serde_norway::to_string(&object)?);
    }
    Ok(text)
}

/// What one function has to know of the others.
struct Cluster<'a> {
    functions: &'a [Manifest],
    /// Where they take events.
    consumers: String,
    /// What they take events out of by themselves.
    queues: Option<&'a Queues>,
}

impl<'a> Cluster<'a> {
    /// The queues, where one of them is this function's.
    fn queues_of(&self, function: &Manifest) -> Option<&'a Queues> {
        self.queues.filter(|_| !function.topics.is_empty())
    }
}

fn objects(platform: Platform, functions: &[Manifest], queues: Option<&Queues>) -> Vec<Value> {
    // Knative serves one port, and there events come to whoever bears `EVENTS_SECRET`.
    let port = if platform == Platform::Knative { String::new() } else { format!(":{EVENTS_PORT}") };
    let consumers = queues.map_or_else(|| format!("http://{CONSUMER}{port}"), |queues| queues.variable.clone());
    let cluster = &Cluster { functions, consumers, queues };
    let serving = functions.iter().filter(|it| !it.routes.is_empty() || !it.topics.is_empty());
    let ticking = functions.iter().filter(|it| it.schedule.is_some());
    match platform {
        Platform::Kubernetes => {
            let mut all = vec![account(), network()];
            all.extend(serving.flat_map(|it| [deployment(it, cluster), service(it), disruption(it)]));
            all.extend(functions.iter().filter(|it| !it.routes.is_empty()).map(route));
            all.extend(ticking.map(|it| cron_job(it, cluster)));
            all
        }
        Platform::Keda => {
            let mut all = keda::sign_ins(cluster);
            all.extend(functions.iter().filter(|it| !it.topics.is_empty()).map(|it| keda::scaled(it, cluster)));
            all.extend(ticking.filter(|it| it.name == "deliver-outbox").map(|it| keda::scaled_job(it, cluster)));
            all
        }
        Platform::Knative => {
            let mut all = vec![account()];
            all.extend(serving.map(|it| knative(it, cluster)));
            all.extend(ticking.map(|it| cron_job(it, cluster)));
            all
        }
    }
}

fn about(name: &str) -> Value {
    json!({"name": name, "labels": labels(name)})
}

fn labels(name: &str) -> Value {
    json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": PART_OF})
}

/// Who runs: nobody that Kubernetes lets do anything.
fn account() -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about(PART_OF), "automountServiceAccountToken": false})
}

/// `/_events/*` is for pods of ours, whatever else runs in the cluster.
fn network() -> Value {
    let ours = json!({"matchLabels": {"app.kubernetes.io/part-of": PART_OF}});
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": about(PART_OF),
        "spec": {
            "podSelector": ours, "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": [{"protocol": "TCP", "port": PORT}]},
                {"from": [{"podSelector": ours}], "ports": [{"protocol": "TCP", "port": EVENTS_PORT}]},
            ],
        },
    })
}

/// Variables of a function: what its manifest names comes from the secret `carnet`, the rest from the settings `carnet`.
fn environment(function: &Manifest, cluster: &Cluster, extra: &[(&str, String)]) -> Value {
    let secret = |name: &String, optional: bool| {
        let mut reference = json!({"name": PART_OF, "key": name});
        if optional {
            reference["optional"] = json!(true);
        }
        json!({"name": name, "valueFrom": {"secretKeyRef": reference}})
    };
    let mut all = vec![json!({"name": "FUNCTION", "value": function.name})];
    all.extend(extra.iter().map(|(name, value)| json!({"name": name, "value": value})));
    all.extend(function.secrets.iter().map(|name| secret(name, false)));
    all.extend(function.optional_secrets.iter().map(|name| secret(name, true)));
    let queues = cluster.queues_of(function);
    if let Some(queues) = queues {
        all.push(json!({"name": "QUEUE_URL", "value": queues.variable.replace(CONSUMER, &function.name)}));
    }
    let key = "AWS_SECRET_ACCESS_KEY";
    if queues.is_some() && !function.names(key) {
        all.push(secret(&key.to_owned(), true));
    }
    if queues.is_some() || function.names(key) {
        // One without the other is of no use.
        all.extend(["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"].map(|name| secret(&name.to_owned(), true)));
    }
    if function.name == "deliver-outbox" {
        let wanted = |it: &Manifest| it.topics.iter().map(|topic| format!("{topic}={}", it.name)).collect::<Vec<_>>();
        let subscriptions: Vec<String> = cluster.functions.iter().flat_map(wanted).collect();
        all.push(json!({"name": "SUBSCRIPTIONS", "value": subscriptions.join(",")}));
        all.push(json!({"name": "CONSUMER_URL", "value": cluster.consumers}));
    }
    Value::Array(all)
}

/// Nobody, who may do nothing and change nothing.
fn confined() -> Value {
    json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "privileged": false,
        "readOnlyRootFilesystem": true, "runAsGroup": USER, "runAsNonRoot": true, "runAsUser": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

fn resources(function: &Manifest) -> Value {
    let memory = format!("{}Mi", function.memory_mib);
    json!({"requests": {"cpu": "50m", "memory": memory}, "limits": {"cpu": "1", "memory": memory}})
}

fn probe(path: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": PORT}, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5,
    })
}

fn container(function: &Manifest, cluster: &Cluster, extra: &[(&str, String)]) -> Map<String, Value> {
    let mut container = Map::new();
    container.insert("name".into(), json!(function.name));
    container.insert("image".into(), json!(IMAGE));
    container.insert("env".into(), environment(function, cluster, extra));
    container.insert("envFrom".into(), json!([{"configMapRef": {"name": PART_OF, "optional": true}}]));
    container.insert("resources".into(), resources(function));
    container.insert("securityContext".into(), confined());
    if function.disk_mib.is_some() {
        container.insert("volumeMounts".into(), json!([{"name": DISK, "mountPath": "/tmp"}]));
    }
    container
}

fn pod(function: &Manifest, container: Map<String, Value>) -> Value {
    let mut pod = json!({
        "metadata": {"labels": labels(&function.name)},
        "spec": {
            "serviceAccountName": PART_OF, "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": GRACE_SECONDS, "containers": [container],
        },
    });
    if let Some(room) = function.disk_mib {
        pod["spec"]["volumes"] = json!([{"name": DISK, "emptyDir": {"sizeLimit": format!("{room}Mi")}}]);
    }
    pod
}

fn deployment(function: &Manifest, cluster: &Cluster) -> Value {
    let mut container = container(function, cluster, &[("EVENTS_PORT", EVENTS_PORT.to_string())]);
    container.insert(
        "ports".into(),
        json!([{"name": "http", "containerPort": PORT}, {"name": "events", "containerPort": EVENTS_PORT}]),
    );
    // Alive as long as it answers; ready when what it depends on does: a database that is away ends no pod.
    container.insert("startupProbe".into(), probe("/healthz", 1, 30));
    container.insert("livenessProbe".into(), probe("/healthz", 10, 3));
    container.insert("readinessProbe".into(), probe("/readyz", 5, 2));
    // Who sends requests learns of the end a little later than we do.
    container.insert("lifecycle".into(), json!({"preStop": {"sleep": {"seconds": SETTLE_SECONDS}}}));
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": about(&function.name),
        "spec": {
            "replicas": 2, "selector": {"matchLabels": labels(&function.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": pod(function, container),
        },
    })
}

fn service(function: &Manifest) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": about(&function.name),
        "spec": {
            "selector": labels(&function.name),
            "ports": [
                {"name": "http", "port": PORT, "targetPort": "http"},
                {"name": "events", "port": EVENTS_PORT, "targetPort": "events"},
            ],
        },
    })
}

fn disruption(function: &Manifest) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": about(&function.name),
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels(&function.name)}},
    })
}

/// Gateway API: method and path lead to the function.
fn route(function: &Manifest) -> Value {
    let matches: Vec<Value> = function
        .routes
        .iter()
        .map(|route| {
            let path = if route.path.contains('{') {
                json!({"type": "RegularExpression", "value": pattern(&route.path)})
            } else {
                json!({"type": "Exact", "value": route.path})
            };
            json!({"method": route.method, "path": path})
        })
        .collect();
    // The API allows eight matches a rule.
    let rules: Vec<Value> = matches
        .chunks(8)
        .map(|matches| json!({"matches": matches, "backendRefs": [{"name": function.name, "port": PORT}]}))
        .collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": about(&function.name),
        "spec": {"parentRefs": [{"name": PART_OF}], "rules": rules},
    })
}

/// `/v1/holds/{id}` as a regular expression.
fn pattern(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "[^/]+" } else { segment });
    segments.map(|segment| segment.replace('.', "\\.")).collect::<Vec<_>>().join("/")
}

/// The platform's scheduler starts a process that runs the trigger once.
fn cron_job(function: &Manifest, cluster: &Cluster) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": about(&format!("{}-tick", function.name)),
        "spec": {
            "schedule": function.schedule, "timeZone": "Etc/UTC", "concurrencyPolicy": "Forbid",
            // A tick looks at what is due: one that was missed is made up for by the next.
            "startingDeadlineSeconds": 60, "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": job(function, cluster)},
        },
    })
}

fn job(function: &Manifest, cluster: &Cluster) -> Value {
    let mut container = container(function, cluster, &[]);
    container.insert("args".into(), json!(["tick"]));
    let mut pod = pod(function, container);
    pod["spec"]["restartPolicy"] = json!("Never");
    // Not found by the function's service: it serves nobody.
    pod["metadata"]["labels"] = labels(&format!("{}-tick", function.name));
    json!({"backoffLimit": 0, "activeDeadlineSeconds": function.timeout_seconds, "template": pod})
}

fn knative(function: &Manifest, cluster: &Cluster) -> Value {
    let mut container = container(function, cluster, &[]);
    container.insert("ports".into(), json!([{"name": "http1", "containerPort": PORT}]));
    container.insert("readinessProbe".into(), json!({"httpGet": {"path": "/readyz", "port": PORT}}));
    container.insert("livenessProbe".into(), json!({"httpGet": {"path": "/healthz", "port": PORT}}));
    let mut pod = pod(function, container);
    let spec = &mut pod["spec"];
    // Knative's own are fixed: it waits for requests under way before it ends a pod.
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("terminationGracePeriodSeconds");
    }
    spec["containerConcurrency"] = json!(80);
    spec["timeoutSeconds"] = json!(function.timeout_seconds);
    pod["metadata"]["annotations"] =
        json!({"autoscaling.knative.dev/min-scale": "0", "autoscaling.knative.dev/max-scale": "20"});
    let mut about = about(&function.name);
    if function.routes.is_empty() {
        about["labels"]["networking.knative.dev/visibility"] = json!("cluster-local");
    }
    json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": about, "spec": {"template": pod}})
}
