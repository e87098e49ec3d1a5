//! Where a guest may go by HTTP: to what `allowed_outbound_hosts` names, as Spin has it, and nowhere else.

use std::future::Future;
use std::sync::Arc;

use http::Uri;
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

use crate::guest::Shared;

/// Of one guest.
pub struct Outward(pub Arc<Shared>);

type Ended = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Ended), Error>> + Send>;

impl WasiHttpHooks for Outward {
    fn send_request(&mut self, request: http::Request<WasiBody>, options: Option<RequestOptions>, _: Ended) -> Sent {
        let may = self.0.allowed.iter().any(|pattern| leads_to(pattern, request.uri()));
        Box::new(async move {
            if !may {
                return Err(Error::HttpRequestDenied);
            }
            let (response, io) = default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(io) as Ended))
        })
    }
}

/// Whether `scheme://host:port`, of which the host may begin with `*.` and the port may be left out, names that address.
fn leads_to(pattern: &str, uri: &Uri) -> bool {
    let usual = |scheme: &str| if scheme == "https" { 443 } else { 80 };
    let Some((scheme, place)) = pattern.split_once("://") else { return false };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (place, Some(usual(scheme))),
    };
    let (Some(asked), Some(wanted)) = (uri.scheme_str(), uri.host()) else { return false };
    let reached = match host.strip_prefix('*') {
        Some("") => true,
        Some(domain) => wanted.ends_with(domain),
        None => wanted == host,
    };
    reached && asked == scheme && port == Some(uri.port_u16().unwrap_or(usual(asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_those_that_are_named() {
        let leads = |pattern: &str, uri: &'static str| leads_to(pattern, &Uri::from_static(uri));
        assert!(leads("http://127.0.0.1:3000", "http://127.0.0.1:3000/x"));
        assert!(leads("https://*.amazonaws.com", "https://s3.eu-west-3.amazonaws.com/b"));
        assert!(leads("https://*:443", "https://fournisseur.example/token"));
        assert!(!leads("http://127.0.0.1:3000", "http://127.0.0.1:3001/x"));
        assert!(!leads("http://127.0.0.1:3000", "http://127.0.0.2:3000/x"));
        assert!(!leads("https://*.amazonaws.com", "http://s3.eu-west-3.amazonaws.com/b"));
        assert!(!leads("https://*.amazonaws.com", "https://amazonaws.com.example/b"));
        assert!(!leads("postgres://127.0.0.1:5432", "http://127.0.0.1:5432/"));
    }
}
