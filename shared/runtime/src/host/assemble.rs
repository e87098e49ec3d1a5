use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use domain::access::Access;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Serialize;
use serde_json::Value;
use store::{Query, Statement, params};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::StartError;
use crate::deliver::Subscription;
use crate::edge::Routes;
use crate::{Ctx, Function, Kind, Manifest, Problem, edge, openapi};

/// Everything a host serves.
#[derive(Clone)]
pub struct App {
    /// For the public port, edge included.
    pub public: Router,
    /// `/_events/*`, for the internal port, the queue and the clock; edge included.
    pub events: Router,
    /// The OpenAPI document.
    pub openapi: Value,
    /// The manifests of what is served.
    pub manifests: Vec<Manifest>,
}

impl App {
    /// Who wants which event, among what is served.
    ///
    /// # Errors
    /// When a manifest is not one.
    pub fn subscriptions(functions: &[Function]) -> Result<Vec<Subscription>, StartError> {
        let mut all = Vec::new();
        for function in functions {
            let manifest = function.manifest()?;
            let consumer = &manifest.name;
            all.extend(
                manifest.topics.iter().map(|kind| Subscription { kind: kind.clone(), consumer: consumer.clone() }),
            );
        }
        Ok(all)
    }
}

/// Merges the routers of some functions behind one edge.
///
/// # Errors
/// When a manifest is not one.
pub fn assemble(functions: &[Function], ctx: &Ctx) -> Result<App, StartError> {
    let manifests = functions.iter().map(Function::manifest).collect::<Result<Vec<_>, _>>()?;
    let mut known = Routes { accesses: accesses(&manifests)?, ..Routes::default() };
    let operations = OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz));
    let mut api: OpenApiRouter = operations.with_state(ctx.clone());
    let mut events = Router::new();
    for (function, manifest) in functions.iter().zip(&manifests) {
        // Together or alone, a function has the keys that its manifest names: what it lacks is seen wherever it is tried.
        let own = ctx.only(manifest);
        api = api.merge((function.routes)().with_state(own.clone()));
        if let Some(trigger) = function.events {
            let deadline = Duration::from_secs(manifest.timeout_seconds.into());
            let trigger = trigger().layer(from_fn_with_state(deadline, edge::within));
            events = events.nest(&format!("/_events/{}", function.name), trigger.with_state(own));
        }
    }
    let (routes, document) = api.split_for_parts();
    let openapi = openapi::finish(&document, &manifests);
    let text = serde_json::to_vec(&openapi)?;
    known.without_query = without_query(&openapi)?;
    known.methods = methods(&openapi);
    let known = Arc::new(known);
    let mut public = routes
        .route("/openapi.json", axum::routing::get(async move || ([(CONTENT_TYPE, "application/json")], text.clone())));
    if let Some(secret) = ctx.config.events_secret.clone() {
        public = public.merge(events.clone().layer(from_fn_with_state(secret, bearer_of_secret)));
    }
    Ok(App {
        public: edge::wrap(public, ctx.clone(), known.clone()),
        events: edge::wrap(events, ctx.clone(), known),
        openapi,
        manifests,
    })
}

/// What each route touches. A route that is neither public nor in the policy stops the process: it would be open to all.
fn accesses(manifests: &[Manifest]) -> Result<HashMap<(Method, String), Access>, StartError> {
    let mut accesses = HashMap::new();
    for route in manifests.iter().flat_map(|manifest| &manifest.routes) {
        let method = route.method.parse::<Method>()?;
        match (route.public, route.access) {
            (true, None) => {}
            (false, Some(access)) => drop(accesses.insert((method, route.path.clone()), access)),
            _ => return Err(format!("{method} {}: is either public or says its access", route.path).into()),
        }
    }
    Ok(accesses)
}

/// The routes whose description names no parameter of a query: whatever is sent there is a mistake. The others parse theirs.
fn without_query(openapi: &Value) -> Result<HashSet<(Method, String)>, StartError> {
    let mut routes = HashSet::new();
    for (path, item) in openapi["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            if parameters.all(|parameter| parameter["in"] != "query") {
                routes.insert((method.to_uppercase().parse()?, path.clone()));
            }
        }
    }
    Ok(routes)
}

/// The methods of each path, as a header lists them.
fn methods(openapi: &Value) -> HashMap<String, String> {
    let paths = openapi["paths"].as_object().into_iter().flatten();
    paths
        .map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase());
            (path.clone(), methods.collect::<Vec<_>>().join(", "))
        })
        .collect()
}

/// Compares digests, so that timing tells nothing of the secret.
async fn bearer_of_secret(State(secret): State<String>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wanted = format!("Bearer {secret}");
    let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    if digest(given).as_ref() != digest(&wanted).as_ref() {
        return Problem::new(Kind::NotFound).into_response();
    }
    next.run(request).await
}

/// State of a process or of what it depends on.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`
    status: &'static str,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
async fn healthz() -> axum::Json<Health> {
    axum::Json(Health { status: "ok" })
}

/// Fails until the schema is there.
const PING: Statement<Value> =
    Statement::new("ping", "select jsonb_build_object('ok', count(*)) from routine where name = 'booking'");

/// Whether what it depends on answers too.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses((status = 200, body = Health)))]
async fn readyz(State(ctx): State<Ctx>) -> Result<axum::Json<Health>, Problem> {
    ctx.db.one(&PING, params![]).await?;
    Ok(axum::Json(Health { status: "ok" }))
}
