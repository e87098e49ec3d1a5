//! Against the real server.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{CARNET, Options, Postgres, launcher, wire::Session};

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("carnet-test-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn options(&self) -> Options {
        Options { directory: self.0.clone(), durable: false, max_connections: 20 }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ask(postgres: &Postgres, sql: &str) -> Vec<String> {
    Session::open(&postgres.cluster.socket(), "carnet").unwrap().query(sql).unwrap()
}

fn within(limit: Duration, mut happened: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if happened() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

/// This test binary again, running [`holder`] alone.
fn hold(directory: &Path) -> Child {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::holder"), "--nocapture"])
        .env("CARNET_TEST_HOLD", directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("holding")), "the holder did not start a server");
    child
}

/// Not a test of anything by itself: the other half of those that kill a process.
#[test]
fn holder() {
    let Some(directory) = env::var_os("CARNET_TEST_HOLD") else { return };
    // Started on a thread that ends at once: the server must not end with it.
    let options = Options { directory: directory.into(), durable: true, max_connections: 20 };
    let postgres = thread::spawn(move || Postgres::start(&options)).join().unwrap().unwrap();
    println!("\nholding");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(postgres);
}

#[test]
fn a_server_answers_and_ends_with_its_handle() {
    let directory = Directory::new("plain");
    let postgres = Postgres::start(&directory.options()).unwrap();
    assert!(postgres.is_owner());
    let settings = ask(
        &postgres,
        "select concat_ws(' ', current_database(), current_user, current_setting('timezone'), current_setting('listen_addresses'), lower('É'))",
    );
    assert_eq!(settings, ["carnet carnet UTC  é"]);
    for extension in ["btree_gist", "pg_trgm", "unaccent"] {
        ask(&postgres, &format!("create extension {extension}"));
    }
    let socket = postgres.cluster.socket();
    let pid = postgres.cluster.running_server().unwrap();
    drop(postgres);
    assert!(!socket.exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let again = Postgres::start(&directory.options()).unwrap();
    assert_eq!(ask(&again, "select count(*) from pg_extension where extname = 'unaccent'"), ["1"]);
}

#[test]
fn clients_of_libpq_read_the_url() {
    let directory = Directory::new("a place with 100 %+ 'quotes', \"more\" and \\");
    let postgres = Postgres::start(&directory.options()).unwrap();
    let url = postgres.url("carnet");
    let directory = super::Binaries::find().unwrap();
    for (program, arguments) in [("psql", &["-XAtc", "select 6 * 7"][..]), ("pgbench", &["--initialize", "--quiet"])] {
        match Command::new(directory.program(program)).args(arguments).arg(&url).output() {
            Ok(output) => {
                assert!(output.status.success(), "{program} {url}: {}", String::from_utf8_lossy(&output.stderr));
                assert!(program != "psql" || output.stdout == b"42\n");
            }
            Err(_) => println!("{program} is not here: not checked"),
        }
    }
}

#[test]
fn a_path_that_a_socket_cannot_have_works() {
    for name in ["d".repeat(120), "a, b".into()] {
        let directory = Directory::new("path");
        let options = Options { directory: directory.0.join(name).join("é ü"), ..directory.options() };
        let postgres = Postgres::start(&options).unwrap();
        let socket = postgres.socket_directory().to_owned();
        assert!(socket.starts_with(env::temp_dir()));
        assert_eq!(ask(&postgres, "select 1"), ["1"]);
        drop(postgres);
        fs::remove_dir(socket).unwrap();
    }
}

#[test]
fn after_a_kill_the_server_ends_and_the_data_is_there() {
    let directory = Directory::new("kill");
    let mut child = hold(&directory.0);
    let observer = Postgres::start(&directory.options()).unwrap();
    assert!(!observer.is_owner());
    ask(&observer, "create table kept as select 'still here' as word");
    let pid = observer.cluster.running_server().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = Instant::now();
    let postgres = Postgres::start(&directory.options()).unwrap();
    println!("second start {} ms after the kill", killed.elapsed().as_millis());
    assert!(killed.elapsed() < Duration::from_secs(5));
    assert!(postgres.is_owner());
    assert_ne!(postgres.cluster.running_server(), Some(pid));
    assert_eq!(ask(&postgres, "select word from kept"), ["still here"]);
}

#[test]
fn after_a_kill_the_server_ends_by_itself() {
    let directory = Directory::new("alone");
    let mut child = hold(&directory.0);
    let observer = Postgres::start(&directory.options()).unwrap();
    let pid = observer.cluster.running_server().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = Instant::now();
    let gone = within(Duration::from_secs(5), || observer.cluster.running_server().is_none());
    println!("gone {} ms after the kill", killed.elapsed().as_millis());
    if Command::new("setpriv").args(["--pdeathsig", "INT", "true"]).status().is_ok_and(|status| status.success()) {
        assert!(gone, "{pid} runs on");
    } else {
        println!("no parent-death signal here: not checked");
    }
}

#[test]
fn a_server_whose_own_process_was_killed_starts_again() {
    let directory = Directory::new("crash");
    let options = Options { durable: true, ..directory.options() };
    let postgres = Postgres::start(&options).unwrap();
    ask(&postgres, "create table kept as select 1 as one");
    assert!(launcher::signal(postgres.cluster.running_server().unwrap(), "KILL"));
    drop(postgres);
    // The number in the stale file now belongs to a process that is no server of ours.
    let file = directory.0.join(format!("pg{}/data/postmaster.pid", super::Binaries::find().unwrap().major));
    let rest = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}\n{}", std::process::id(), rest.split_once('\n').unwrap().1)).unwrap();
    let postgres = Postgres::start(&options).unwrap();
    assert_eq!(ask(&postgres, "select one from kept"), ["1"]);
}

#[test]
fn a_tended_server_that_is_killed_is_started_again() {
    let directory = Directory::new("tended");
    let observer = directory.options();
    let tended = Postgres::start(&observer).unwrap().tended();
    let guest = Postgres::start(&observer).unwrap();
    assert!(!guest.is_owner());
    let pid = guest.cluster.running_server().unwrap();
    assert!(launcher::signal(pid, "KILL"));
    let back = within(Duration::from_secs(20), || {
        guest.cluster.running_server().is_some_and(|now| now != pid)
            && Session::open(&guest.cluster.socket(), CARNET).is_ok()
    });
    assert!(back, "it stays away");
    assert_eq!(ask(&guest, "select 1"), ["1"]);
    drop(tended);
}

#[test]
fn two_starts_at_once_share_one_server() {
    let directory = Directory::new("two");
    let both =
        [directory.options(), directory.options()].map(|options| thread::spawn(move || Postgres::start(&options)));
    let both = both.map(|thread| thread.join().unwrap().unwrap());
    assert_eq!(both.iter().filter(|postgres| postgres.is_owner()).count(), 1);
    for postgres in &both {
        assert_eq!(ask(postgres, "select 1"), ["1"]);
    }
    let [owner, guest] = if both[0].is_owner() {
        both
    } else {
        let [a, b] = both;
        [b, a]
    };
    let socket = guest.cluster.socket();
    drop(guest);
    assert!(socket.exists(), "a guest leaves the server running");
    drop(owner);
    assert!(!socket.exists());
}

#[test]
fn the_log_holds_sqlstates_and_no_values() {
    let directory = Directory::new("log");
    let postgres = Postgres::start(&directory.options()).unwrap();
    ask(&postgres, "create table person (name text primary key)");
    ask(&postgres, "insert into person values ('Ada Lovelace')");
    let mut session = Session::open(&postgres.cluster.socket(), "carnet").unwrap();
    assert!(session.query("insert into person values ('Ada Lovelace')").is_err());
    assert!(session.query("do $$ begin raise 'deadlock detected' using errcode = '40P01'; end $$").is_err());
    drop(postgres);
    let log =
        fs::read_to_string(directory.0.join(format!("pg{}/postgres.log", super::Binaries::find().unwrap().major)));
    let log = log.unwrap();
    assert!(log.contains("23505 ERROR:") && log.contains("40P01 ERROR:"), "{log}");
    assert!(!log.contains("Lovelace") && !log.contains("insert into"), "{log}");
}
