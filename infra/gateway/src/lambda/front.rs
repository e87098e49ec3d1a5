//! In front of the emulated functions: routes by the manifests, as API Gateway does; events as batches, as SQS does; and a
//! developer's mailbox and clock.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path as InPath, Query, State};
use axum::http::{Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on, post};
use axum::{Json, Router};
use domain::Timestamp;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use runtime::Manifest;
use runtime::host::StartError;
use serde_json::{Value, json};

use super::{Emulator, Instance};
use crate::dev::mailbox::Mailbox;

/// How often the outbox is emptied: on AWS it is each minute.
const ROUND: Duration = Duration::from_millis(300);

/// The functions of the product behind the emulator, with what stands in front of them.
pub struct Front {
    root: PathBuf,
    /// A process of the gateway, configured but for which function it is.
    program: Box<dyn Fn() -> Command + Send + Sync>,
    manifests: Vec<Manifest>,
    mailbox: Arc<Mailbox>,
    client: Client<HttpConnector, Body>,
    running: RwLock<Arc<Running>>,
}

/// In the order in which they end.
struct Running {
    _instances: Vec<Instance>,
    emulator: Emulator,
}

impl Front {
    /// Starts every function of the workspace at `root`.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn new(
        root: &Path, manifests: Vec<Manifest>, mailbox: Arc<Mailbox>, program: Box<dyn Fn() -> Command + Send + Sync>,
    ) -> Result<Arc<Self>, StartError> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let running = RwLock::new(Arc::new(start(root, &manifests, program.as_ref(), None).await?));
        Ok(Arc::new(Self { root: root.to_owned(), program, manifests, mailbox, client, running }))
    }

    /// What runs at the moment, and for as long as it is needed.
    fn running(&self) -> Arc<Running> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The public router.
    ///
    /// # Errors
    /// When a manifest names a method that is none.
    pub fn public(self: &Arc<Self>) -> Result<Router, StartError> {
        let mut router = Router::new()
            .route("/dev/mail", get(mail))
            .route("/dev/clock", get(StatusCode::OK).put(move_clock).delete(reset_clock));
        for manifest in &self.manifests {
            for route in &manifest.routes {
                let method: Method = route.method.parse()?;
                let function = manifest.name.clone();
                let handler = async move |State(front): State<Arc<Self>>, request: Request<Body>| {
                    front.pass(&function, request).await
                };
                router = router.route(&route.path, on(MethodFilter::try_from(method)?, handler));
            }
        }
        Ok(router.with_state(self.clone()))
    }

    /// Where `deliver-outbox` posts.
    pub fn events(self: &Arc<Self>) -> Router {
        Router::new().route("/_events/{consumer}", post(queue)).with_state(self.clone())
    }

    /// Empties the outbox, again and again.
    pub async fn deliver(self: Arc<Self>) {
        loop {
            // What fails is tried again in a moment.
            let running = self.running();
            if let Err(error) = running.emulator.invoke("deliver-outbox", &Emulator::tick()).await {
                tracing::warn!(%error, "the outbox was not emptied");
            }
            drop(running);
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn pass(&self, function: &str, request: Request<Body>) -> Response {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let running = self.running();
        let Ok(uri) = format!("{}{path}", running.emulator.url(function)).parse::<Uri>() else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        parts.uri = uri;
        match self.client.request(Request::from_parts(parts, body)).await {
            Ok(response) => response.map(Body::new),
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    }

    /// Starts every function anew, at that time, and lets what is due run.
    async fn at(&self, clock: Option<&Timestamp>) -> Result<(), StartError> {
        let fresh = start(&self.root, &self.manifests, self.program.as_ref(), clock).await?;
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        let running = self.running();
        for manifest in self.manifests.iter().filter(|manifest| manifest.schedule.is_some()) {
            // It calls back here, and the loop calls it anyway.
            if manifest.name != "deliver-outbox" {
                running.emulator.invoke(&manifest.name, &Emulator::tick()).await?;
            }
        }
        Ok(())
    }
}

/// An emulator with every function at that time. A new one each time: the old one would give the first invocation to the
/// question of a process that is gone.
async fn start(
    root: &Path, manifests: &[Manifest], program: &(dyn Fn() -> Command + Send + Sync), clock: Option<&Timestamp>,
) -> Result<Running, StartError> {
    let emulator = Emulator::start(root).await?;
    let mut instances = Vec::new();
    for manifest in manifests {
        let mut command = program();
        command.envs(clock.map(|clock| ("CARNET_CLOCK", clock.to_string())));
        instances.push(emulator.instance(command, &manifest.name)?);
    }
    Ok(Running { _instances: instances, emulator })
}

async fn queue(
    State(front): State<Arc<Front>>, InPath(consumer): InPath<String>, Json(event): Json<Value>,
) -> StatusCode {
    let running = front.running();
    match running.emulator.invoke(&consumer, &Emulator::batch(&event)).await {
        Ok(answer) if answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty) => StatusCode::NO_CONTENT,
        outcome => {
            tracing::warn!(consumer, ?outcome, "an event comes again");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn mail(State(front): State<Arc<Front>>, Query(filter): Query<HashMap<String, String>>) -> Json<Value> {
    Json(json!({"items": front.mailbox.received(filter.get("to").map(String::as_str)), "next_cursor": null}))
}

async fn move_clock(State(front): State<Arc<Front>>, Json(wanted): Json<Value>) -> Response {
    let Some(now) = wanted["now"].as_str().and_then(|now| now.parse::<Timestamp>().ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    settled(front.at(Some(&now)).await)
}

async fn reset_clock(State(front): State<Arc<Front>>) -> Response {
    settled(front.at(None).await)
}

fn settled(outcome: Result<(), StartError>) -> Response {
    match outcome {
        Ok(()) => Json(json!({})).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": error.to_string()}))).into_response(),
    }
}
