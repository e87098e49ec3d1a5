//! A function as AWS Lambda takes it: a zip with the program as `bootstrap`, for the runtime `provided.al2023`.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{Error, elf};

/// The glibc of Amazon Linux 2023, and the libraries that its image of `provided.al2023` has.
const NEWEST_GLIBC: (u32, u32) = (2, 34);
const LIBRARIES: &[&str] =
    &["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

/// Largest bundle that is shipped, in bytes: what is larger takes longer to start.
const MOST: usize = 8 << 20;

/// What was written.
#[derive(Debug)]
pub struct Bundle {
    /// Size of the zip.
    pub bytes: usize,
    /// The processor it is for, as Lambda calls it.
    pub architecture: &'static str,
    /// The newest glibc that it asks for.
    pub glibc: String,
}

/// Writes the bundle of a program: the same bytes each time.
///
/// # Errors
/// When the program would not start there, the bundle is too large, or a file cannot be read or written.
pub fn write(program: &Path, to: &Path) -> Result<Bundle, Error> {
    let about = |error: &dyn Display| format!("{}: {error}", program.display());
    let bytes = std::fs::read(program).map_err(|error| about(&error))?;
    let (zip, bundle) = pack(&bytes).map_err(|error| about(&error))?;
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(to, &zip)?;
    Ok(bundle)
}

fn pack(program: &[u8]) -> Result<(Vec<u8>, Bundle), Error> {
    let (newest, glibc) = elf::glibc(program)?;
    if newest > NEWEST_GLIBC {
        return Err(format!(
            "asks for {glibc}, and Amazon Linux 2023 has 2.34: build it with cargo zigbuild --target \
             x86_64-unknown-linux-gnu.2.34"
        )
        .into());
    }
    for library in elf::needed(program)? {
        if !LIBRARIES.contains(&library.as_str()) {
            return Err(format!("needs {library}, which provided.al2023 has not").into());
        }
    }
    let architecture = if elf::architecture(program)? == "arm64" { "arm64" } else { "x86_64" };
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(program)?;
    let zip = zip.finish()?.into_inner();
    if zip.len() > MOST {
        return Err(format!("its bundle is larger than {} MiB", MOST >> 20).into());
    }
    let bundle = Bundle { bytes: zip.len(), architecture, glibc };
    Ok((zip, bundle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::made_up::{Program, noise};

    fn refusal(program: &Program) -> String {
        pack(&program.bytes()).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn a_program_that_asks_for_a_newer_glibc_than_amazon_linux_2023_has_is_refused() {
        for version in ["GLIBC_2.4", "GLIBC_2.17", "GLIBC_2.34"] {
            let program = Program { glibc: &["GLIBC_2.2.5", version, "GLIBC_2.3"], ..Program::default() };
            let (zip, made) = pack(&program.bytes()).unwrap();
            assert!(zip.starts_with(b"PK") && made.glibc == version, "{made:?}");
        }
        for version in ["GLIBC_2.35", "GLIBC_2.41", "GLIBC_3.0"] {
            // Wherever it stands among others.
            for glibc in [[version, "GLIBC_2.2.5"], ["GLIBC_2.34", version]] {
                let said = refusal(&Program { glibc: &glibc, ..Program::default() });
                assert!(said.starts_with(&format!("asks for {version}, ")), "{said}");
            }
        }
    }

    #[test]
    fn a_program_with_a_library_that_is_not_there_is_refused() {
        pack(&Program { needed: &["libc.so.6", "libgcc_s.so.1"], ..Program::default() }.bytes()).unwrap();
        let said = refusal(&Program { needed: &["libc.so.6", "libssl.so.3"], ..Program::default() });
        assert!(said.starts_with("needs libssl.so.3, "), "{said}");
    }

    #[test]
    fn a_bundle_of_more_than_8_mib_is_refused_and_not_written() {
        let scratch = std::env::temp_dir().join(format!("carnet-bundle-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).unwrap();
        let (program, zip) = (scratch.join("program"), scratch.join("bundle.zip"));
        // What does not become smaller.
        let large = noise((8 << 20) + 1);
        std::fs::write(&program, Program { rest: &large, ..Program::default() }.bytes()).unwrap();
        let said = write(&program, &zip).unwrap_err().to_string();
        assert!(said.ends_with("its bundle is larger than 8 MiB"), "{said}");
        assert!(!zip.exists());
        // As large, and smaller once it is packed.
        let even = vec![7; large.len()];
        std::fs::write(&program, Program { rest: &even, ..Program::default() }.bytes()).unwrap();
        assert!(write(&program, &zip).unwrap().bytes < 1 << 20);
        std::fs::remove_dir_all(&scratch).unwrap();
    }
}
