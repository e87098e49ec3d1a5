//! What a program asks of the system that runs it, read from its file: shared libraries, and the version of glibc.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use goblin::elf::Elf;

use crate::Error;

/// Where a Linux system keeps its shared libraries: the search path of its own `ld.so`, so that they are found where they were.
const DIRECTORIES: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// The processor a program is for, as images and Lambda call it.
///
/// # Errors
/// When it is neither of the two that we ship for.
pub fn architecture(program: &[u8]) -> Result<&'static str, Error> {
    match Elf::parse(program)?.header.e_machine {
        goblin::elf::header::EM_X86_64 => Ok("amd64"),
        goblin::elf::header::EM_AARCH64 => Ok("arm64"),
        other => Err(format!("a program for another processor (ELF machine {other})").into()),
    }
}

/// The loader and every shared library that a program needs, directly or by another: path in the system, and its bytes.
///
/// # Errors
/// When one of them is not on this machine.
pub fn libraries(program: &[u8]) -> Result<BTreeMap<PathBuf, Vec<u8>>, Error> {
    let elf = Elf::parse(program)?;
    let machine = elf.header.e_machine;
    let mut found = BTreeMap::new();
    if let Some(loader) = elf.interpreter {
        found.insert(PathBuf::from(loader), std::fs::read(loader).map_err(|error| format!("{loader}: {error}"))?);
    }
    let mut wanted: Vec<String> = elf.libraries.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = wanted.pop() {
        if found.keys().any(|path: &PathBuf| path.file_name().is_some_and(|file| file == name.as_str())) {
            continue;
        }
        let (path, bytes) = find(&name, machine)?;
        wanted.extend(Elf::parse(&bytes)?.libraries.iter().map(|name| (*name).to_owned()));
        found.insert(path, bytes);
    }
    Ok(found)
}

/// The shared libraries that a program names itself.
///
/// # Errors
/// When the file is no program.
pub fn needed(program: &[u8]) -> Result<Vec<String>, Error> {
    Ok(Elf::parse(program)?.libraries.iter().map(|name| (*name).to_owned()).collect())
}

fn find(name: &str, machine: u16) -> Result<(PathBuf, Vec<u8>), Error> {
    for directory in DIRECTORIES {
        let path = Path::new(directory).join(name);
        let Ok(bytes) = std::fs::read(&path) else { continue };
        if Elf::parse(&bytes).is_ok_and(|elf| elf.header.e_machine == machine) {
            return Ok((path, bytes));
        }
    }
    Err(format!("the shared library {name} is not on this machine").into())
}

/// The newest version of glibc whose symbols a program uses, as (2, 34), and the names that ask for it.
///
/// # Errors
/// When the file is no program.
pub fn glibc(program: &[u8]) -> Result<((u32, u32), String), Error> {
    let elf = Elf::parse(program)?;
    let mut newest = ((0, 0), String::new());
    for needed in elf.verneed.iter().flat_map(goblin::elf::VerneedSection::iter) {
        for version in &needed {
            let name = elf.dynstrtab.get_at(version.vna_name).unwrap_or_default();
            let Some((major, minor)) = name.strip_prefix("GLIBC_").and_then(|number| number.split_once('.')) else {
                continue;
            };
            let minor = minor.split('.').next().unwrap_or_default();
            let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
            newest = newest.max(((major, minor), name.to_owned()));
        }
    }
    Ok(newest)
}
