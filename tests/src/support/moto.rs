//! A double of S3, KMS, SQS and Scheduler: moto, installed by `tests/moto.sh`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that ends with its test.
pub struct Moto {
    child: Child,
    pub address: String,
    /// Its Python, which has the AWS command line.
    python: PathBuf,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    /// With a bucket `seals` whose objects can be locked.
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/moto.sh");
        let output = Command::new("sh").arg(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{script}");
        let program = String::from_utf8(output.stdout).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program.trim());
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let python = Path::new(program.trim()).with_file_name("python");
        let moto = Self { child, address: format!("127.0.0.1:{port}"), python };
        for _ in 0..600 {
            if TcpStream::connect(&moto.address).is_ok() {
                let made = moto.ask("PUT", "/seals", "x-amz-bucket-object-lock-enabled: true\r\n");
                assert!(made.starts_with("HTTP/1.1 200"), "{made}");
                return moto;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("moto does not start");
    }

    /// How a script calls the AWS command line, for this server.
    pub fn aws(&self) -> String {
        format!("{} -m awscli --endpoint-url http://{}", self.python.display(), self.address)
    }

    /// One request to S3.
    pub fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        self.ask_with(method, path, headers, "")
    }

    /// One request to S3 that says something.
    pub fn ask_with(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        self.ask_service("s3", method, path, headers, body)
    }

    /// One request whose signature is none, which moto does not mind: it reads there which service is meant.
    fn ask_service(&self, service: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let credential = format!("Credential=id/20261124/us-east-1/{service}/aws4_request");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, \
             Signature=x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A new key of KMS.
    pub fn kms_key(&self) -> String {
        let target = "x-amz-target: TrentService.CreateKey\r\ncontent-type: application/x-amz-json-1.1\r\n";
        let made = self.ask_service("kms", "POST", "/", target, "{}");
        let (_, body) = made.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {made}"));
        body["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }

    /// A call of a service that speaks JSON.
    fn call(&self, service: &str, target: &str, body: &serde_json::Value) -> serde_json::Value {
        let headers = format!("x-amz-target: {target}\r\ncontent-type: application/x-amz-json-1.0\r\n");
        let answer = self.ask_service(service, "POST", "/", &headers, &body.to_string());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// A new queue of SQS; its URL.
    pub fn sqs_queue(&self, name: &str) -> String {
        let made = self.call("sqs", "AmazonSQS.CreateQueue", &serde_json::json!({"QueueName": name}));
        made["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// Puts anything into a queue.
    pub fn sqs_send(&self, name: &str, body: &str) {
        let queue = self.call("sqs", "AmazonSQS.GetQueueUrl", &serde_json::json!({"QueueName": name}));
        self.call(
            "sqs",
            "AmazonSQS.SendMessage",
            &serde_json::json!({"QueueUrl": queue["QueueUrl"], "MessageBody": body}),
        );
    }

    /// A schedule of EventBridge Scheduler, as it is kept.
    pub fn schedule(&self, name: &str, expression: &str) -> String {
        let body = serde_json::json!({
            "ScheduleExpression": expression, "ScheduleExpressionTimezone": "UTC", "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
                       "RoleArn": "arn:aws:iam::123456789012:role/scheduler", "Input": "{}"},
        });
        let path = format!("/schedules/{name}");
        let json = "content-type: application/json\r\n";
        let made = self.ask_service("scheduler", "POST", &path, json, &body.to_string());
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        self.ask_service("scheduler", "GET", &path, "", "")
    }
}
