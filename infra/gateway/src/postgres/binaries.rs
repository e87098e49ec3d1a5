//! Where the server's binaries are.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::PostgresError;

const OLDEST_MAJOR: u32 = 15;
const EXTENSIONS: [&str; 3] = ["btree_gist", "pg_trgm", "unaccent"];

/// Parent, beginning of the name, what follows it: `/usr/lib/postgresql` + `15` + `bin`.
const INSTALLATIONS: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

#[derive(Debug)]
pub struct Binaries {
    pub directory: PathBuf,
    pub major: u32,
    /// `15.18`
    pub version: String,
}

impl Binaries {
    /// `PG_BIN_DIR` alone when it is set; else the newest installation that will do.
    pub fn find() -> Result<Self, PostgresError> {
        let candidates = match env::var_os("PG_BIN_DIR") {
            Some(directory) => vec![PathBuf::from(directory)],
            None => candidates(),
        };
        let mut refused = Vec::new();
        for directory in candidates {
            match Self::check(&directory) {
                Ok(binaries) => return Ok(binaries),
                Err(reason) => refused.push(format!("\n  {}: {reason}", directory.display())),
            }
        }
        Err(PostgresError::NoBinaries(refused.concat()))
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn check(directory: &Path) -> Result<Self, String> {
        // A symbolic link in PATH leads to the real installation, which its share directory is found from.
        let postgres = directory.join("postgres").canonicalize().map_err(|_| "has no `postgres`")?;
        let directory = postgres.parent().ok_or("has no parent")?.to_owned();
        if !directory.join("initdb").exists() {
            return Err("has no `initdb`".into());
        }
        let version = output(&postgres, "--version").ok_or("`postgres --version` fails")?;
        let version = version.split(' ').nth(2).ok_or("`postgres --version` cannot be read")?.to_owned();
        let major = leading_number(&version).ok_or("`postgres --version` cannot be read")?;
        if major < OLDEST_MAJOR {
            return Err(format!("is version {version}, {OLDEST_MAJOR} is the oldest that will do"));
        }
        if let Some(extensions) = extension_directory(&directory, major) {
            let missing = EXTENSIONS.iter().filter(|name| !extensions.join(format!("{name}.control")).exists());
            let missing: Vec<_> = missing.copied().collect();
            if !missing.is_empty() {
                return Err(format!("lacks the contrib extensions {}", missing.join(", ")));
            }
        }
        Ok(Self { directory, major, version })
    }
}

/// `$XDG_CACHE_HOME/carnet` or `~/.cache/carnet`.
pub fn cache_directory() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.or_else(|| env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("carnet"))
}

fn candidates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (parent, prefix, suffix) in INSTALLATIONS {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if let Some(major) = name.to_str().and_then(|name| leading_number(name.strip_prefix(prefix)?)) {
                found.push((major, entry.path().join(suffix)));
            }
        }
    }
    found.sort_by_key(|(major, _)| Reverse(*major));
    let mut found: Vec<_> =
        found.into_iter().map(|(_, path)| path).filter(|path| path.join("postgres").exists()).collect();
    found.extend(output(Path::new("pg_config"), "--bindir").map(PathBuf::from));
    let path = env::var_os("PATH").unwrap_or_default();
    found.extend(env::split_paths(&path).find(|directory| directory.join("postgres").exists()));
    // What `./just` unpacks where the system has no package.
    found.extend(cache_directory().map(|cache| cache.join("postgres/package/native/bin")).filter(|path| path.exists()));
    found
}

fn extension_directory(binaries: &Path, major: u32) -> Option<PathBuf> {
    let share = output(&binaries.join("pg_config"), "--sharedir").map(PathBuf::from);
    let beside = binaries.parent().unwrap_or(binaries).join("share");
    let usual = [
        beside.join("postgresql"),
        beside.clone(),
        beside.join(format!("postgresql@{major}")),
        PathBuf::from(format!("/usr/share/postgresql/{major}")),
        PathBuf::from(format!("/usr/share/postgresql{major}")),
        PathBuf::from("/usr/share/postgresql"),
        PathBuf::from("/usr/share/pgsql"),
    ];
    let extensions = share.into_iter().chain(usual).map(|share| share.join("extension"));
    extensions.into_iter().find(|extensions| extensions.join("plpgsql.control").exists())
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn output(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
