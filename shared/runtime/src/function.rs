//! A use case: its manifest, its public routes and its trigger.

use axum::Router;
use domain::access::Access;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::Ctx;

/// A function, as its crate declares it.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its verb: folder, crate (`fn-…`) and `FUNCTION=`.
    pub name: &'static str,
    /// The text of its `function.yaml`.
    pub manifest: &'static str,
    /// Its public routes, with their description.
    pub routes: fn() -> OpenApiRouter<Ctx>,
    /// What answers `POST /_events/<name>` and other internal paths below it; none for a function of HTTP alone.
    pub events: Option<fn() -> Router<Ctx>>,
}

impl Function {
    /// The manifest, parsed.
    ///
    /// # Errors
    /// When the text is not a manifest; a test reads all of them.
    pub fn manifest(&self) -> Result<Manifest, serde_norway::Error> {
        serde_norway::from_str(self.manifest)
    }
}

/// `function.yaml`: the single source for the gateway, the infrastructure code and the tests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The function's name.
    pub name: String,
    /// What it is for, in one line.
    pub summary: String,
    /// Its public routes.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// The events it consumes.
    #[serde(default)]
    pub topics: Vec<String>,
    /// When it runs by itself: a cron expression, in UTC.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// Room on a disk of its own for files that it looks at, in MiB; absent where it writes none.
    #[serde(default)]
    pub disk_mib: Option<u32>,
    /// Longest run, in seconds.
    pub timeout_seconds: u32,
    /// Environment variables of keys and secrets that it does not start without. It is given no others, but those below.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Those that it also uses where they are set.
    #[serde(default)]
    pub optional_secrets: Vec<String>,
    /// Why it does not run as a component of Spin; absent where it does.
    #[serde(default)]
    pub not_on_spin: Option<String>,
    /// What it may do to which table.
    #[serde(default)]
    pub grants: std::collections::BTreeMap<String, Vec<Grant>>,
}

impl Manifest {
    /// Whether the function is given that variable.
    pub fn names(&self, secret: &str) -> bool {
        self.secrets.iter().chain(&self.optional_secrets).any(|name| name == secret)
    }
}

/// A public route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// HTTP method, in capitals.
    pub method: String,
    /// Path pattern, `{id}` for a segment.
    pub path: String,
    /// Whether it asks nobody who they are.
    #[serde(default)]
    pub public: bool,
    /// What it touches, for the policy (`appointment.read`): every route that is not public says so.
    #[serde(default)]
    pub access: Option<Access>,
}

/// A right on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// Read.
    Select,
    /// Add.
    Insert,
    /// Change.
    Update,
    /// Remove.
    Delete,
}
