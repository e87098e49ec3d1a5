//! Amazon SQS, and what speaks like it (Scaleway's queues): one queue for each consumer, and one for its dead letters.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use http::Uri;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Message, Queue, QueueError, Settlement};
use crate::aws::{CallError, Service};
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::Deliver;
use crate::events::{Event, Verdict};

/// How the variables begin: `aws-sqs:https://sqs.eu-west-3.amazonaws.com/123456789012/carnet-{consumer}?region=eu-west-3`.
pub const SCHEME: &str = "aws-sqs:";
/// Longest wait for an answer, beside the time that a poll may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a poll waits for a message, unless the variable says (`&wait=`), in seconds.
const POLL: i64 = 5;
/// Messages of one call, by the API's own limit.
const MOST: usize = 10;
/// Longest time a message can be hidden, by the API's own limit, in seconds.
const LONGEST: i64 = 12 * 3600;
/// For how long a look at dead letters hides them, in seconds.
const LOOK: i64 = 5;
/// For how long an event is hidden that will not be delivered, and for which no other queue is named, in seconds.
const REST_OF_THE_DEAD: i64 = 60;
/// Most bytes of an event: the API's limit of old, which all who speak like it have.
const LARGEST: usize = 256 * 1024;

/// What a variable says of queues: `aws-sqs:URL?region=…`, perhaps with `&dead=URL` for dead letters, `&wait=SECONDS` and
/// `&endpoint=URL` for who stands before the service. In the URLs `{consumer}` stands for the function's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Of the queues.
    pub url: String,
    /// Where the service is.
    pub region: String,
    /// Who is asked.
    pub endpoint: Uri,
    /// Where dead letters go.
    dead: Option<String>,
    /// How long a poll waits for a message, in seconds.
    wait: i64,
}

impl Address {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let unusable = "is not aws-sqs:URL?region=…";
        let (url, query) = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('?')).ok_or(unusable)?;
        let mut given: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let region = given.remove("region").ok_or(unusable)?;
        let of = url.replace("{consumer}", "consumer").parse::<Uri>();
        let (scheme, host) =
            of.ok().and_then(|uri| Some((uri.scheme()?.clone(), uri.authority()?.clone()))).ok_or(unusable)?;
        let endpoint = given.remove("endpoint").unwrap_or_else(|| format!("{scheme}://{host}/"));
        let endpoint = endpoint.parse().map_err(|_| "endpoint is not a URL")?;
        let wait = given.remove("wait").map_or(Ok(POLL), |wait| wait.parse());
        let seconds = wait.ok().filter(|wait| (0..=20).contains(wait));
        let wait = seconds.ok_or("wait is not a number of seconds from 0 to 20")?;
        let dead = given.remove("dead");
        let address = |url: &String| url.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some());
        if dead.as_ref().is_some_and(|dead| !address(&dead.replace("{consumer}", "consumer"))) {
            return Err("dead is not a URL");
        }
        Ok(Self { url: url.to_owned(), region, endpoint, dead, wait })
    }
}

/// The queues of a family of consumers, or that of one.
pub struct Sqs {
    service: Service,
    address: Address,
    consumer: String,
}

/// The queue's variable is not understood.
#[derive(Debug, thiserror::Error)]
#[error("{0}: {1}")]
pub struct SqsUrlError(&'static str, &'static str);

impl Sqs {
    /// From what a variable says, as [`Address`] reads it, for `consumer`.
    ///
    /// # Errors
    /// Names the variable.
    pub fn new(variable: &'static str, text: &str, consumer: &str, config: &Config) -> Result<Self, SqsUrlError> {
        let address = Address::parse(text).map_err(|problem| SqsUrlError(variable, problem))?;
        let Some(key) = config.aws.clone() else {
            return Err(SqsUrlError("AWS_SECRET_ACCESS_KEY", "is missing, with AWS_ACCESS_KEY_ID, beside a queue"));
        };
        let service = Service::new(["sqs", "AmazonSQS", "1.0"], &address.region, address.endpoint.clone(), key);
        let service = service.map_err(|_| SqsUrlError(variable, "this machine has no root certificates"))?;
        Ok(Self { service, address, consumer: consumer.to_owned() })
    }

    fn queue_of(&self, consumer: &str) -> String {
        self.address.url.replace("{consumer}", consumer)
    }

    fn own(&self) -> String {
        self.queue_of(&self.consumer)
    }

    fn dead_letters(&self) -> Option<String> {
        Some(self.address.dead.as_ref()?.replace("{consumer}", &self.consumer))
    }

    async fn call(&self, action: &str, body: Value, patience: Duration) -> Result<Value, QueueError> {
        self.service
            .call(action, &body, patience)
            .await
            .map_err(|error| QueueError::Service(format!("{action}: {error}")))
    }

    async fn send(&self, queue: &str, body: &str) -> Result<(), CallError> {
        self.service.call("SendMessage", &json!({"QueueUrl": queue, "MessageBody": body}), TIMEOUT).await.map(drop)
    }

    async fn hide(&self, queue: &str, receipt: &str, seconds: i64) -> Result<(), QueueError> {
        let wish = json!({"QueueUrl": queue, "ReceiptHandle": receipt, "VisibilityTimeout": seconds.clamp(0, LONGEST)});
        match self.service.call("ChangeMessageVisibility", &wish, TIMEOUT).await {
            // The lease ran out, and somebody else has it.
            Ok(_) | Err(CallError::Refused(..)) => Ok(()),
            Err(error) => Err(QueueError::Service(format!("ChangeMessageVisibility: {error}"))),
        }
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<(), QueueError> {
        self.call("DeleteMessage", json!({"QueueUrl": queue, "ReceiptHandle": receipt}), TIMEOUT).await.map(drop)
    }

    /// Messages of a queue as the API gives them.
    async fn take(&self, queue: &str, most: usize, seconds: i64, wait: i64) -> Result<Vec<Value>, QueueError> {
        let wish = json!({
            "QueueUrl": queue, "MaxNumberOfMessages": most.min(MOST), "VisibilityTimeout": seconds.clamp(1, LONGEST),
            "WaitTimeSeconds": wait, "MessageSystemAttributeNames": ["All"], "AttributeNames": ["All"],
        });
        let answer = self.call("ReceiveMessage", wish, TIMEOUT + Duration::from_secs(wait.unsigned_abs())).await?;
        Ok(answer["Messages"].as_array().cloned().unwrap_or_default())
    }

    async fn settle_one(&self, message: Message, outcome: Settlement) -> Result<(), QueueError> {
        let queue = self.own();
        match (outcome, self.dead_letters()) {
            (Settlement::Done, _) => self.delete(&queue, &message.receipt).await,
            (Settlement::Later(at), _) => {
                self.hide(&queue, &message.receipt, at.duration_since(self.now()).as_secs()).await
            }
            (Settlement::Dead(why), Some(dead)) => {
                tracing::warn!(message = message.id, why, "an event is dead");
                let body = message.event.as_ref().and_then(|event| serde_json::to_string(event).ok());
                // A later release may have written what this one cannot read: it is kept as it came.
                let body = body.or(message.unreadable).unwrap_or_default();
                self.send(&dead, &body).await.map_err(|error| QueueError::Service(format!("SendMessage: {error}")))?;
                self.delete(&queue, &message.receipt).await
            }
            // The queue's own rule puts it there once it was taken often enough; where it has none, it rests in between.
            (Settlement::Dead(why), None) => {
                tracing::warn!(message = message.id, why, "an event is dead");
                self.hide(&queue, &message.receipt, REST_OF_THE_DEAD).await
            }
        }
    }
}

fn text<'a>(message: &'a Value, path: &str) -> &'a str {
    message.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

impl Queue for Sqs {
    fn receive(&self, most: usize, lease: SignedDuration) -> BoxFuture<'_, Result<Vec<Message>, QueueError>> {
        Box::pin(async move {
            let taken = self.take(&self.own(), most, lease.as_secs(), self.address.wait).await?;
            let messages = taken.iter().map(|message| {
                let first = text(message, "/Attributes/ApproximateFirstReceiveTimestamp").parse().ok();
                let event: Option<Event> = serde_json::from_str(text(message, "/Body")).ok();
                Message {
                    id: text(message, "/MessageId").to_owned(),
                    receipt: text(message, "/ReceiptHandle").to_owned(),
                    consumer: self.consumer.clone(),
                    attempts: text(message, "/Attributes/ApproximateReceiveCount").parse().unwrap_or(1),
                    first_attempt_at: first
                        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                        .unwrap_or_else(|| self.now()),
                    unreadable: event.is_none().then(|| text(message, "/Body").to_owned()),
                    event,
                }
            });
            Ok(messages.collect())
        })
    }

    fn renew<'a>(&'a self, messages: &'a [Message], lease: SignedDuration) -> BoxFuture<'a, Result<(), QueueError>> {
        Box::pin(async move {
            let queue = self.own();
            let renewals = messages.iter().map(|message| self.hide(&queue, &message.receipt, lease.as_secs()));
            join_all(renewals).await.into_iter().collect()
        })
    }

    fn settle(&self, settled: Vec<(Message, Settlement)>) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move {
            let all = settled.into_iter().map(|(message, outcome)| self.settle_one(message, outcome));
            join_all(all).await.into_iter().collect()
        })
    }

    fn dead(&self, most: usize) -> BoxFuture<'_, Result<Vec<Value>, QueueError>> {
        Box::pin(async move {
            let Some(queue) = self.dead_letters() else { return Ok(Vec::new()) };
            let mut found: Vec<Value> = Vec::new();
            let mut receipts = Vec::new();
            while found.len() < most {
                let taken = self.take(&queue, most - found.len(), LOOK, 0).await?;
                if taken.is_empty() {
                    break;
                }
                for message in taken {
                    receipts.push(text(&message, "/ReceiptHandle").to_owned());
                    let event: Value = serde_json::from_str(text(&message, "/Body")).unwrap_or_default();
                    found.push(json!({
                        "id": message["MessageId"], "consumer": self.consumer, "event": event["id"],
                        "type": event["type"], "subject": event["subject"], "occurred_at": event["time"],
                    }));
                }
            }
            // Looked at, and still there for the next who looks.
            let shown = receipts.iter().map(|receipt| self.hide(&queue, receipt, 0));
            join_all(shown).await.into_iter().collect::<Result<(), _>>()?;
            Ok(found)
        })
    }

    fn redrive<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, QueueError>> {
        Box::pin(async move {
            let Some(dead) = self.dead_letters() else { return Ok(false) };
            let (mut others, mut found) = (Vec::new(), false);
            loop {
                let taken = self.take(&dead, MOST, LOOK, 0).await?;
                if taken.is_empty() || found {
                    others.extend(taken.iter().map(|message| text(message, "/ReceiptHandle").to_owned()));
                    break;
                }
                for message in taken {
                    let receipt = text(&message, "/ReceiptHandle").to_owned();
                    if text(&message, "/MessageId") == id {
                        // Twice rather than never: consumers bear that.
                        let sent = self.send(&self.own(), text(&message, "/Body")).await;
                        sent.map_err(|error| QueueError::Service(format!("SendMessage: {error}")))?;
                        self.delete(&dead, &receipt).await?;
                        found = true;
                    } else {
                        others.push(receipt);
                    }
                }
            }
            let shown = others.iter().map(|receipt| self.hide(&dead, receipt, 0));
            join_all(shown).await.into_iter().collect::<Result<(), _>>()?;
            Ok(found)
        })
    }

    fn now(&self) -> Timestamp {
        // The service counts by its own clock, which is the machine's and not one that was moved.
        Clock::default().now()
    }
}

impl Deliver for Sqs {
    fn deliver<'a>(&'a self, consumer: &'a str, event: &'a Event) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let Ok(body) = serde_json::to_string(event) else { return Verdict::Reject };
            if body.len() > LARGEST {
                return Verdict::Reject;
            }
            match self.send(&self.queue_of(consumer), &body).await {
                Ok(()) => Verdict::Done,
                Err(error) => {
                    tracing::warn!(%error, consumer, "an event could not be put into its queue");
                    Verdict::Retry
                }
            }
        })
    }
}
