//! Programs that nobody here wrote, in Python.

use std::process::{Command, Stdio};

/// A Python that has these packages, each with its version (`aiosmtpd==1.4.6`): installed once on a machine.
pub fn python(packages: &[&str]) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python.sh");
    let output = Command::new("sh").arg(script).args(packages).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{packages:?}");
    Command::new(String::from_utf8(output.stdout).unwrap().trim())
}
