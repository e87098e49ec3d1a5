//! Exchange on premises with tokens, as hybrid modern authentication has it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{StatusCode, Uri};

use super::Tokens;
use crate::ews::session::{Hears, Session, hear, request, unanswered};
use crate::{Fault, Request, Response, Transport, Why};

/// A session that shows an access token with each request (RFC 6750 §2.1). One that is refused is replaced once.
pub struct Bearer {
    transport: Arc<dyn Transport>,
    endpoint: Uri,
    tokens: Arc<dyn Tokens>,
}

impl Bearer {
    /// With tokens for this server.
    pub fn new(transport: Arc<dyn Transport>, endpoint: Uri, tokens: Arc<dyn Tokens>) -> Self {
        Self { transport, endpoint, tokens }
    }

    fn proven(&self, headers: HeaderMap, body: Bytes, token: &str) -> Result<Request, Fault> {
        let mut request = request(&self.endpoint, headers, body);
        request.headers_mut().insert(AUTHORIZATION, header(token)?);
        Ok(request)
    }
}

/// The header that shows a token.
///
/// # Errors
/// [`Why::Malformed`] for what cannot stand in a header.
pub fn header(token: &str) -> Result<HeaderValue, Fault> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value = value.map_err(|_| Fault::new(Why::Malformed, "not a token"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Session for Bearer {
    fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    fn post(
        &self, headers: HeaderMap, body: Bytes, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, Fault>> {
        Box::pin(async move {
            let token = self.tokens.get(None).await?;
            let request = self.proven(headers.clone(), body.clone(), &token)?;
            let answer = self.transport.send(request, longest, most).await.map_err(|error| unanswered(&error))?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let token = self.tokens.get(Some(&token)).await?;
            let request = self.proven(headers, body, &token)?;
            self.transport.send(request, longest, most).await.map_err(|error| unanswered(&error))
        })
    }

    fn listen<'a>(
        &'a self, headers: HeaderMap, body: Bytes, longest: Duration, between: Duration, hears: Hears<'a>,
    ) -> BoxFuture<'a, Result<http::Response<()>, Fault>> {
        Box::pin(async move {
            let token = self.tokens.get(None).await?;
            let request = self.proven(headers.clone(), body.clone(), &token)?;
            let answer = self.listened(request, longest, between, &mut *hears).await?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let token = self.tokens.get(Some(&token)).await?;
            self.listened(self.proven(headers, body, &token)?, longest, between, hears).await
        })
    }
}

impl Bearer {
    async fn listened(
        &self, request: Request, longest: Duration, between: Duration, hears: Hears<'_>,
    ) -> Result<http::Response<()>, Fault> {
        let mut line = self.transport.open(&self.endpoint, longest).await.map_err(|error| unanswered(&error))?;
        let answer = line.stream(request, longest, between).await.map_err(|error| unanswered(&error))?;
        hear(answer, hears).await
    }
}

#[cfg(test)]
mod tests;
