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

#[cfg(test)]
pub(crate) mod made_up {
    /// A program as far as it is looked at here: which libraries it names, which versions of glibc it asks for, and something by
    /// which it is large.
    pub struct Program<'a> {
        pub needed: &'a [&'a str],
        pub glibc: &'a [&'a str],
        pub rest: &'a [u8],
    }

    impl Default for Program<'_> {
        fn default() -> Self {
            Self { needed: &["libc.so.6"], glibc: &["GLIBC_2.34"], rest: &[] }
        }
    }

    impl Program<'_> {
        /// Its file: an ELF of 64 bits for x86-64, with what a loader reads of it and no code.
        pub fn bytes(&self) -> Vec<u8> {
            let mut strings = vec![0];
            let mut string = |text: &str| {
                let at = strings.len() as u64;
                strings.extend_from_slice(text.as_bytes());
                strings.push(0);
                at
            };
            let needed: Vec<u64> = self.needed.iter().map(|name| string(name)).collect();
            let file = string("libc.so.6");
            let versions: Vec<u64> = self.glibc.iter().map(|name| string(name)).collect();

            // In this order: the header, two of segments, what the loader reads, versions, two headers of sections, strings.
            let dynamic = 64 + 2 * 56_u64;
            let length = 16 * (needed.len() as u64 + 3);
            let verneed = dynamic + length;
            let verneed_length = 16 * (versions.len() as u64 + 1);
            let sections = verneed + verneed_length;
            let text = sections + 2 * 64;
            let whole = text + strings.len() as u64 + self.rest.len() as u64;

            let mut out = Out(b"\x7fELF\x02\x01\x01".to_vec());
            out.0.resize(16, 0);
            out.put(2, &[3, 62]).put(4, &[1]).put(8, &[0, 64, sections]).put(4, &[0]).put(2, &[64, 56, 2, 64, 2, 2]);
            for (kind, at, length) in [(1, 0, whole), (2, dynamic, length)] {
                out.put(4, &[kind, 4]).put(8, &[at, at, at, length, length, 8]);
            }
            for name in needed {
                out.put(8, &[1, name]);
            }
            // Where the strings are, how many bytes, and the end.
            out.put(8, &[5, text, 10, strings.len() as u64, 0, 0]);
            out.put(2, &[1, versions.len() as u64]).put(4, &[file, 16, 0]);
            for (index, name) in versions.iter().enumerate() {
                let next = if index + 1 == versions.len() { 0 } else { 16 };
                out.put(4, &[0]).put(2, &[0, 2]).put(4, &[*name, next]);
            }
            out.0.resize(out.0.len() + 64, 0);
            out.put(4, &[0, 0x6fff_fffe])
                .put(8, &[0, verneed, verneed, verneed_length])
                .put(4, &[0, 1])
                .put(8, &[4, 0]);
            assert_eq!(out.0.len() as u64, text);
            [out.0.as_slice(), &strings, self.rest].concat()
        }
    }

    struct Out(Vec<u8>);

    impl Out {
        /// Numbers of so many bytes each, the lowest first.
        fn put(&mut self, bytes: usize, numbers: &[u64]) -> &mut Self {
            for number in numbers {
                self.0.extend_from_slice(&number.to_le_bytes()[..bytes]);
            }
            self
        }
    }

    /// Bytes that no packing makes smaller.
    pub fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        std::iter::repeat_with(next).flatten().take(length).collect()
    }
}
