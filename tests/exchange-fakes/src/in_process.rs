//! The way to a fake without a socket.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use exchange::{Line, Request, Response, Transport, TransportError};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http_body_util::{BodyExt as _, Limited};
use tower::ServiceExt as _;

/// Put on an answer that shall never come, by who served it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody was there.
    Unreached,
    /// The connection broke.
    Broken,
}

/// What serves, at every address. Nothing takes time.
#[derive(Clone)]
pub struct InProcess(pub Router);

impl InProcess {
    async fn served(&self, request: Request) -> Result<http::Response<Body>, TransportError> {
        let Ok(response) = self.0.clone().oneshot(request.map(Body::from)).await;
        match response.extensions().get::<Lost>() {
            Some(Lost::Unreached) => Err(TransportError::Unreached("as told".into())),
            Some(Lost::Broken) => Err(TransportError::Broken("as told".into())),
            None => Ok(response),
        }
    }

    async fn whole(&self, request: Request, most: usize) -> Result<Response, TransportError> {
        let (parts, body) = self.served(request).await?.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(|_| TransportError::Broken("broken off".into()))?;
        Ok(http::Response::from_parts(parts, body.to_bytes()))
    }
}

impl Transport for InProcess {
    fn send(&self, request: Request, _: Duration, most: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(self.whole(request, most))
    }

    fn open(&self, _: &http::Uri, _: Duration) -> BoxFuture<'_, Result<Box<dyn Line>, TransportError>> {
        Box::pin(async { Ok(Box::new(Open { to: self.clone(), over: false }) as Box<dyn Line>) })
    }
}

struct Open {
    to: InProcess,
    over: bool,
}

impl Line for Open {
    fn send(&mut self, request: Request, _: Duration, most: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let answer = self.to.whole(request, most).await;
            self.over = answer.is_err();
            answer
        })
    }

    fn stream(
        &mut self, request: Request, _: Duration, _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<BoxStream<'_, Result<Bytes, TransportError>>>, TransportError>> {
        Box::pin(async move {
            // Whatever comes of it, the line is of no more use.
            self.over = true;
            let (parts, body) = self.to.served(request).await?.into_parts();
            let pieces =
                body.into_data_stream().map(|piece| piece.map_err(|_| TransportError::Broken("broken off".into())));
            Ok(http::Response::from_parts(parts, pieces.boxed()))
        })
    }

    fn certificate(&self) -> Option<&[u8]> {
        None
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

/// Lets others go on once: so that calls which could be under way at once are.
pub async fn step_aside() {
    struct Once(bool);
    impl Future for Once {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Once(false).await;
}
