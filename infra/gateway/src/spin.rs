//! `spin.toml`, from the manifests of the functions. Spin chooses a component by the path alone, so functions that share a
//! path share a component; else each has its own, with its own secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use runtime::host::StartError;
use runtime::{Function, Manifest};

/// What every component may be told beside its secrets. Each is empty until it is given: then the function's own default holds.
const SETTINGS: [&str; 8] = [
    "DATABASE_ROLE",
    "PUBLIC_URL",
    // What calendars call a visit ends with its domain, in a feed as in a mail.
    "MAIL_FROM",
    "EMERGENCY_HOURS",
    "TRUSTED_PROXIES",
    "CORS_ORIGINS",
    "RATE_LIMIT_ADDRESS_PER_MINUTE",
    "RATE_LIMIT_ACCOUNT_PER_MINUTE",
];

/// What comes with a secret, and where a function that has it goes.
const WITH: [(&str, &[&str], &[&str]); 4] = [
    (
        "AWS_SECRET_ACCESS_KEY",
        &["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "CARNET_DOCUMENTS", "CARNET_UPLOADS"],
        &["{{ aws_host }}"],
    ),
    ("CARNET_SEAL_KEY", &["CARNET_SEALS"], &[]),
    ("OPENID_PROVIDERS", &[], &["https://*:443"]),
    // Who answers in vain is told so.
    ("SMS_URL", &[], &["https://*:443"]),
];
/// What the deliverer is told, and where it goes: `{consumer}` may not stand in the name of a host there.
const DELIVERER: (&str, [&str; 2], &str) =
    ("deliver-outbox", ["SUBSCRIPTIONS", "CONSUMER_URL"], "http://{{ consumer_host }}");

/// One component: the functions it holds.
pub struct Component(Vec<Manifest>);

impl Component {
    /// Of functions that are together for another reason than their paths: those of them that run as a guest.
    ///
    /// # Errors
    /// When a manifest is not one.
    pub fn together(functions: &[Function]) -> Result<Self, StartError> {
        let all = functions.iter().map(Function::manifest).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(all.into_iter().filter(|manifest| manifest.not_on_spin.is_none()).collect()))
    }

    /// The functions' names, in order.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|manifest| manifest.name.as_str()).collect()
    }

    fn routes(&self) -> BTreeSet<String> {
        self.0.iter().flat_map(routes).collect()
    }

    /// Variables: a secret that one of its functions does not start without is required.
    fn variables(&self) -> BTreeMap<String, &'static str> {
        const SECRET: &str = "{ default = \"\", secret = true }";
        const REQUIRED: &str = "{ required = true, secret = true }";
        const OPEN: &str = "{ default = \"\" }";
        let mut variables = BTreeMap::new();
        for manifest in &self.0 {
            for name in &manifest.optional_secrets {
                variables.entry(name.to_lowercase()).or_insert(SECRET);
            }
            for name in &manifest.secrets {
                variables.insert(name.to_lowercase(), REQUIRED);
            }
            let beside = WITH.iter().filter(|(secret, ..)| manifest.names(secret)).flat_map(|(_, beside, _)| *beside);
            let deliverer = DELIVERER.1.iter().filter(|_| manifest.name == DELIVERER.0);
            for name in SETTINGS.iter().chain(beside).chain(deliverer) {
                variables.entry(name.to_lowercase()).or_insert(OPEN);
            }
        }
        variables
    }

    fn allowed(&self) -> BTreeSet<&'static str> {
        let mut allowed = BTreeSet::from(["postgres://{{ database_host }}"]);
        for manifest in &self.0 {
            allowed.extend(WITH.iter().filter(|(secret, ..)| manifest.names(secret)).flat_map(|(_, _, to)| *to));
            allowed.extend((manifest.name == DELIVERER.0).then_some(DELIVERER.2));
        }
        allowed
    }
}

/// The routes of a function, as Spin writes them.
fn routes(manifest: &Manifest) -> BTreeSet<String> {
    let mut routes: BTreeSet<String> = manifest.routes.iter().map(|route| spelt(&route.path)).collect();
    if manifest.schedule.is_some() || !manifest.topics.is_empty() {
        routes.insert(format!("/_events/{}", manifest.name));
        routes.insert(format!("/_events/{}/...", manifest.name));
    }
    routes
}

/// `/v1/appointments/{id}` is `/v1/appointments/:id` there.
fn spelt(path: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => format!(":{name}"),
        None => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The components of those functions that run as guests, in the order of their names.
///
/// # Errors
/// When a manifest is not one.
pub fn components(functions: &[Function]) -> Result<Vec<Component>, StartError> {
    let mut components: Vec<Component> = Vec::new();
    let mut all = Component::together(functions)?.0;
    all.sort_by(|one, other| one.name.cmp(&other.name));
    for manifest in all {
        let own = routes(&manifest);
        let (mut shared, apart): (Vec<_>, Vec<_>) =
            components.into_iter().partition(|component| !component.routes().is_disjoint(&own));
        components = apart;
        let mut together: Vec<Manifest> = shared.drain(..).flat_map(|component| component.0).collect();
        together.push(manifest);
        together.sort_by(|one, other| one.name.cmp(&other.name));
        components.push(Component(together));
    }
    components.sort_by(|one, other| one.names().cmp(&other.names()));
    Ok(components)
}

/// The text of the file; `source` says where the component of those names is.
pub fn manifest(components: &[Component], source: &dyn Fn(&[&str]) -> String) -> String {
    let mut text = String::from(HEAD);
    let mut variables: BTreeMap<String, &str> = BTreeMap::new();
    for (name, kind) in components.iter().flat_map(Component::variables) {
        let known = variables.entry(name).or_insert(kind);
        if kind.contains("required") {
            *known = kind;
        }
    }
    variables.insert("database_host".into(), "{ required = true }");
    variables.insert("aws_host".into(), "{ default = \"https://*.amazonaws.com\" }");
    variables.insert("consumer_host".into(), "{ default = \"127.0.0.1:3000\" }");
    for (name, kind) in &variables {
        let _ = writeln!(text, "{name} = {kind}");
    }
    for component in components {
        let names = component.names();
        let id = names.join("-");
        let mut routes = component.routes();
        if names.contains(&"search") {
            routes.extend(["/healthz".into(), "/readyz".into()]);
        }
        for route in routes {
            let _ = write!(text, "\n[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"{id}\"\n");
        }
        let allowed: Vec<_> = component.allowed().iter().map(|host| format!("\"{host}\"")).collect();
        let _ = write!(
            text,
            "\n[component.{id}]\nsource = \"{}\"\nallowed_outbound_hosts = [{}]\n\n[component.{id}.variables]\n",
            source(&names),
            allowed.join(", ")
        );
        for name in component.variables().keys() {
            let _ = writeln!(text, "{name} = \"{{{{ {name} }}}}\"");
        }
        let _ = write!(
            text,
            "\n[component.{id}.build]\ncommand = \"tools/wasm.sh {}\"\nworkdir = \"../..\"\n",
            names.join(" ")
        );
    }
    text
}

/// The file as it is kept, `infra/spin/spin.toml`.
///
/// # Errors
/// When a manifest is not one.
pub fn kept(functions: &[Function]) -> Result<String, StartError> {
    let source = |names: &[&str]| format!("../../target/wasm/components/{}.wasm", names.join("+"));
    Ok(manifest(&components(functions)?, &source))
}

const HEAD: &str = "# Written by `just spin-manifest` from functions/*/function.yaml; a test compares the two.
# Values: SPIN_VARIABLE_DATABASE_URL=… and so on, or a provider of variables: docs/deploy.md.
spin_manifest_version = 2

[application]
name = \"carnet\"
version = \"0.1.0\"
description = \"Medical appointments, as components of Spin 4.1\"

[variables]
";
