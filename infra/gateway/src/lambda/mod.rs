//! AWS Lambda on a developer's machine: cargo-lambda's emulator of the Runtime API, every function a process of its own
//! behind it, and in front what API Gateway, SQS and the scheduler do.

pub mod front;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use runtime::host::StartError;
use serde_json::{Value, json};

use crate::tools::client::Client;

/// Longest wait for the emulator to be there.
const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(20);

/// The emulator; it ends with the handle.
pub struct Emulator {
    child: Child,
    port: u16,
}

/// One execution environment of a function; it ends with the handle.
pub struct Instance(Child);

impl Emulator {
    /// Starts the program that `tests/lambda.sh` installs, for the functions of the workspace at `root`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(root: &Path) -> Result<Self, StartError> {
        let script = Command::new("sh").arg(root.join("tests/lambda.sh")).stderr(Stdio::inherit()).output()?;
        if !script.status.success() {
            return Err("tests/lambda.sh: cargo-lambda is not to be had".into());
        }
        let port = free_port()?;
        let child = Command::new(String::from_utf8(script.stdout)?.trim())
            .args(["lambda", "watch", "--only-lambda-apis", "--ignore-changes", "-A", "127.0.0.1", "-P"])
            .arg(port.to_string())
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let emulator = Self { child, port };
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err("cargo-lambda does not answer".into());
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(emulator)
    }

    /// Starts an execution environment: `command` is the function's program, or the gateway's as that function.
    ///
    /// # Errors
    /// When it does not start.
    pub fn instance(&self, mut command: Command, function: &str) -> Result<Instance, StartError> {
        let name = format!("fn-{function}");
        let child = command
            .envs([
                ("FUNCTION", function),
                ("AWS_LAMBDA_RUNTIME_API", &format!("http://127.0.0.1:{}/.rt/{name}", self.port)),
                ("AWS_LAMBDA_FUNCTION_NAME", &name),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "local"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Instance(child))
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where HTTP reaches a function as the event of an HTTP API.
    pub fn url(&self, function: &str) -> String {
        format!("http://127.0.0.1:{}/lambda-url/fn-{function}", self.port)
    }

    /// Invokes a function with an event of any kind.
    ///
    /// # Errors
    /// When the function fails, or nobody answers.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, StartError> {
        let client = Client::new(&format!("http://127.0.0.1:{}", self.port));
        let path = format!("/2015-03-31/functions/fn-{function}/invocations");
        let (status, answer) = client.send(Method::POST, &path, Some(event), None).await?;
        if status == StatusCode::OK && answer["errorMessage"].is_null() {
            Ok(answer)
        } else {
            Err(format!("{function} answered {status}: {answer}").into())
        }
    }

    /// What the scheduler sends.
    pub fn tick() -> Value {
        json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
            "source": "aws.scheduler", "account": "123456789012", "time": "2026-11-24T00:00:00Z", "region": "eu-west-3",
            "resources": [], "detail": {},
        })
    }

    /// What SQS sends for one event: its message is named by the event.
    pub fn batch(event: &Value) -> Value {
        json!({"Records": [{
            "messageId": event["id"], "receiptHandle": "local", "body": event.to_string(), "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-3:123456789012:local", "awsRegion": "eu-west-3",
        }]})
    }
}

impl Instance {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on at the moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
