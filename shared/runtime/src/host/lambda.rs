//! The AWS Lambda host: an HTTP API event, an SQS batch or a scheduler's tick becomes a request on the same router.

use std::net::IpAddr;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use axum::Router;
use axum::body::Body;
use futures_util::future::join_all;
use http::header::CONTENT_TYPE;
use http::{Extensions, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{App, StartError};

/// Serves invocations until the platform ends the process.
///
/// # Errors
/// When the platform's runtime API cannot be reached.
pub async fn serve(name: &'static str, app: App) -> Result<(), StartError> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handle(name, &app, event.payload))).await
}

/// Whom the platform says a request came from.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref().and_then(|ip| ip.parse().ok()),
        _ => None,
    }
}

/// Answers one invocation of function `name`.
///
/// # Errors
/// When the event is of no known kind, so that the platform reports it instead of dropping it; for a tick also when the
/// function failed, so that the platform tries again.
pub async fn handle(name: &str, app: &App, event: Value) -> Result<Value, StartError> {
    if event.pointer("/requestContext/http").is_some() {
        return http(&app.public, event).await;
    }
    if event.pointer("/Records/0/eventSource") == Some(&json!("aws:sqs")) {
        return queue(name, &app.events, event).await;
    }
    if event["source"] == "aws.scheduler" || event["source"] == "aws.events" {
        let status = post(name, &app.events, "{}".into()).await?;
        return if status.is_success() { Ok(json!({})) } else { Err(format!("tick answered {status}").into()) };
    }
    Err("event is neither an HTTP API request, an SQS batch nor a scheduler's tick".into())
}

async fn http(router: &Router, mut event: Value) -> Result<Value, StartError> {
    // A stage that has a name stands before the path, and the crate puts it there where it does not: routes know of none.
    let stage = event.pointer("/requestContext/stage").and_then(Value::as_str).map(|stage| format!("/{stage}"));
    let path = event["rawPath"].as_str().unwrap_or_default();
    let bare = stage.and_then(|stage| path.strip_prefix(stage.as_str())).filter(|rest| rest.starts_with('/'));
    let bare = bare.unwrap_or(path).to_owned();
    event["rawPath"] = bare.into();
    event["requestContext"]["stage"] = "$default".into();
    let event: ApiGatewayV2httpRequest = serde_json::from_value(event)?;
    let request: Request<lambda_http::Body> = LambdaRequest::ApiGatewayV2(event).into();
    let response = router.clone().oneshot(request.map(|body| Body::from(body.to_vec()))).await?;
    answer(response).await
}

/// An HTTP answer as API Gateway reads it (payload format 2.0).
async fn answer(response: Response<Body>) -> Result<Value, StartError> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let mut headers = serde_json::Map::new();
    let mut cookies = Vec::new();
    for (name, value) in &parts.headers {
        let value = value.to_str()?;
        if name == http::header::SET_COOKIE {
            cookies.push(value.to_owned());
            continue;
        }
        // Several values of one name travel as one list (RFC 9110 §5.3).
        let joined = headers.get(name.as_str()).and_then(Value::as_str).map(|before| format!("{before}, {value}"));
        headers.insert(name.to_string(), joined.unwrap_or_else(|| value.to_owned()).into());
    }
    let (body, encoded) = match String::from_utf8(bytes.to_vec()) {
        Ok(text) => (text, false),
        Err(binary) => {
            use base64::Engine as _;
            (base64::engine::general_purpose::STANDARD.encode(binary.into_bytes()), true)
        }
    };
    Ok(json!({
        "statusCode": parts.status.as_u16(), "headers": headers, "cookies": cookies, "body": body, "isBase64Encoded": encoded,
    }))
}

/// Each record is one request; only those that failed come back.
async fn queue(name: &str, router: &Router, event: Value) -> Result<Value, StartError> {
    let batch: SqsEvent = serde_json::from_value(event)?;
    let failed = join_all(batch.records.into_iter().map(async |record| {
        let body = record.body.unwrap_or_default();
        let done = post(name, router, body).await.is_ok_and(|status| status.is_success());
        (!done).then_some(record.message_id)
    }))
    .await;
    // What has no name cannot be told apart: the whole batch comes again, which consumers bear.
    if failed.contains(&Some(None)) {
        return Err("a record that failed has no messageId".into());
    }
    let mut answer = SqsBatchResponse::default();
    answer.batch_item_failures = failed
        .into_iter()
        .flatten()
        .flatten()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    Ok(serde_json::to_value(answer)?)
}

async fn post(name: &str, router: &Router, body: String) -> Result<StatusCode, StartError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/_events/{name}"))
        .header(CONTENT_TYPE, "application/cloudevents+json")
        .body(Body::from(body))?;
    Ok(router.clone().oneshot(request).await?.status())
}
