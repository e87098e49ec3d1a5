//! A function as AWS Lambda takes it: a zip with the program as `bootstrap`, for the runtime `provided.al2023`.

use std::io::Write as _;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{Error, elf};

/// The glibc of Amazon Linux 2023, and the libraries that its image of `provided.al2023` has.
const NEWEST_GLIBC: (u32, u32) = (2, 34);
const LIBRARIES: &[&str] =
    &["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

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
/// When the program would not start there, or a file cannot be read or written.
pub fn write(program: &Path, to: &Path) -> Result<Bundle, Error> {
    let bytes = std::fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let (glibc, name) = elf::glibc(&bytes)?;
    if glibc > NEWEST_GLIBC {
        return Err(format!(
            "{}: asks for {name}, and Amazon Linux 2023 has 2.34: build it with cargo zigbuild --target \
             x86_64-unknown-linux-gnu.2.34",
            program.display()
        )
        .into());
    }
    for library in elf::needed(&bytes)? {
        if !LIBRARIES.contains(&library.as_str()) {
            return Err(format!("{}: needs {library}, which provided.al2023 has not", program.display()).into());
        }
    }
    let architecture = if elf::architecture(&bytes)? == "arm64" { "arm64" } else { "x86_64" };
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(&bytes)?;
    let zip = zip.finish()?.into_inner();
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(to, &zip)?;
    Ok(Bundle { bytes: zip.len(), architecture, glibc: name })
}
