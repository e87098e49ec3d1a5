//! A store of objects that speaks like S3, over a directory: what a developer's machine keeps documents in.
//!
//! It is `s3s-fs` behind a port of this machine, with the rules for pages of other origins that browsers ask of a bucket
//! (CORS), since it has none itself. It knows neither versions nor locks: it is for one machine and for tests.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use runtime::config::{AwsKey, Config};
use runtime::host::StartError;
use runtime::keys::Keys;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// Its only bucket.
pub const BUCKET: &str = "documents";
/// The region it says it is in.
pub const REGION: &str = "eu-west-3";

/// Serves a directory, for who has that key.
///
/// # Errors
/// When the directory cannot be made.
pub fn router(directory: &Path, key: &AwsKey) -> Result<Router, StartError> {
    std::fs::create_dir_all(directory.join(BUCKET))?;
    let files = s3s_fs::FileSystem::new(directory).map_err(|error| format!("{}: {error:?}", directory.display()))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(key.id.clone(), key.secret.clone()));
    let service = service.build();
    let serve = async move |request: Request| answer(service.clone(), request).await;
    Ok(Router::new().fallback(any(serve)).layer(from_fn(across_origins)))
}

async fn answer(service: S3Service, request: Request) -> Response {
    match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What a bucket's CORS rules say on AWS: pages of any origin may send and read what a signature lets them.
async fn across_origins(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag"));
    if asks {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT"));
        let allowed = HeaderValue::from_static("content-type, x-amz-checksum-sha256");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
    response
}

/// Starts one over the private directory where no store is configured, and points the configuration at it. It lives as long
/// as the process. Its key is another at each start unless the environment gives one.
///
/// # Errors
/// When no port can be had, or the directory cannot be made.
pub async fn provide(config: &mut Config) -> Result<(), StartError> {
    if config.documents.is_some() {
        return Ok(());
    }
    let key = match config.aws.clone() {
        Some(key) => key,
        None => new_key()?,
    };
    let router = router(&std::path::absolute(config.state.join("objects"))?, &key)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    config.documents = Some(url(&listener.local_addr()?.to_string(), ""));
    config.aws = Some(key);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// A key that nobody knows.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_key() -> Result<AwsKey, StartError> {
    let (_, secret) = Keys::generate()?;
    Ok(AwsKey { id: "development".into(), secret, token: None })
}

/// `CARNET_DOCUMENTS` for a folder of a store at an address.
pub fn url(address: &str, folder: &str) -> String {
    format!("s3://{BUCKET}/{folder}?region={REGION}&endpoint=http://{address}")
}
