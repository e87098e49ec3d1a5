//! Killed at any moment, the gateway leaves nothing half-written.

use std::time::Duration;

use axum::http::Method;
use gateway::tools::client::Client as Http;
use rand::RngExt as _;
use serde_json::json;
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::support::{App, database};

/// A process of the gateway: this very binary, which runs [`the_gateway_in_a_process_of_its_own`] and nothing else.
pub fn gateway_process() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "killing::the_gateway_in_a_process_of_its_own", "--nocapture", "--quiet"])
        .env(AS_GATEWAY, "1");
    command
}

const AS_GATEWAY: &str = "CARNET_IT_AS_GATEWAY";

/// Not a test of anything by itself: what [`gateway_process`] runs.
#[test]
fn the_gateway_in_a_process_of_its_own() {
    if std::env::var_os(AS_GATEWAY).is_some() {
        std::process::exit(gateway::code(Vec::new()).into());
    }
}

/// A gateway, or one function, in a process of its own.
pub struct Running {
    pub process: Child,
    pub address: String,
}

impl Running {
    /// Starts on a free port and waits until it answers.
    pub async fn start(url: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_command(gateway_process(), url, variables).await
    }

    /// The same of another program: a gateway of another release.
    pub async fn start_program(program: &str, url: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_command(Command::new(program), url, variables).await
    }

    async fn start_command(mut command: Command, url: &str, variables: &[(&str, &str)]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let (signing, master) = database::keys();
        // What it had to say, for who asks why a test failed.
        let said = database::scratch().join("said");
        std::fs::create_dir_all(&said).unwrap();
        let said = std::fs::File::create(said.join(format!("{port}.log"))).unwrap();
        let process = command
            .env("CARNET_STATE", database::scratch().join("state").join(&port))
            .envs([("DATABASE_URL", url), ("CARNET_SIGNING_KEY", signing), ("CARNET_MASTER_KEY", master)])
            .envs([("PORT", port.as_str()), ("BIND", "127.0.0.1"), ("RUST_LOG", "error")])
            .envs([("CARNET_VERIFYING_KEYS", database::verifying().as_str()), ("CARNET_LOOKUP_KEY", master)])
            .envs(variables.iter().copied())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let http = Http::new(&address);
        for _ in 0..400 {
            if http.send(Method::GET, "/readyz", None, None).await.is_ok_and(|(status, _)| status.is_success()) {
                return Self { process, address };
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the gateway does not answer");
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.process.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_under_load_it_leaves_no_half_booking() {
    let app = App::start().await;
    let crowd = app.crowd(16).await;
    let slots = app.slots("place=Lyon&from=2026-03-09&to=2026-03-20&limit=500").await;
    // The process has its own clock, which is not at our Monday: slots are those of its own time.
    let rng_pause = || Duration::from_millis(rand::rng().random_range(20..400));
    for round in 0..20_usize {
        let running = Running::start(&app.url, &[("CARNET_ENV", "development")]).await;
        let http = Http::new(&running.address);
        let now = app.now().to_string();
        http.send(Method::PUT, "/dev/clock", Some(&json!({"now": now})), None).await.unwrap();
        let load = crowd.iter().enumerate().map(|(index, client)| {
            let http = http.bearing(client.token());
            let slots = &slots;
            async move {
                // Until the connection breaks.
                for turn in 0.. {
                    let slot = &slots[(round * 31 + index * 7 + turn * 3) % slots.len()];
                    let key = Uuid::now_v7().to_string();
                    let wish = json!({"slot": slot["slot"]});
                    let Ok((_, answer)) = http.send(Method::POST, "/v1/appointments", Some(&wish), Some(&key)).await
                    else {
                        return;
                    };
                    if let Some(id) = answer["id"].as_str().filter(|_| turn % 3 == 2) {
                        let path = format!("/v1/appointments/{id}/cancellation");
                        if http.send(Method::POST, &path, Some(&json!({"reason": "x"})), None).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        let kill = async {
            tokio::time::sleep(rng_pause()).await;
            running.signal("KILL");
        };
        futures_util::future::join(futures_util::future::join_all(load), kill).await;
        crate::races::consistent(&app).await;
    }
    let booked = app.count("select count(*) from appointment").await;
    assert!(booked >= 20, "the load booked {booked}");
    println!("{booked} appointments over 20 kills");
}
