//! An image as the Open Container Initiative lays it out in a directory, written by ourselves: no engine, no root, and the
//! same bytes from the same program, always.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, DescriptorBuilder, HistoryBuilder, ImageConfigurationBuilder, ImageIndex,
    ImageIndexBuilder, ImageManifestBuilder, MediaType, Os, PlatformBuilder, RootFsBuilder, Sha256Digest,
};
use serde::Serialize;

use crate::layer::Layer;
use crate::rootfs::{self, Entry, USER};
use crate::{Error, bill, elf, sha256};

/// What an artifact holds that says nothing by itself (OCI image specification, "empty descriptor").
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");
const BILL: &str = "application/vnd.cyclonedx+json";
/// Largest image that is shipped, in bytes of its layers as they travel.
pub const MOST: usize = 30 << 20;
/// What the file `oci-layout` says.
const VERSION: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// What goes into an image.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// The package whose program it is.
    pub package: &'a str,
    /// The program's file.
    pub program: &'a Path,
    /// What it is started with.
    pub arguments: Vec<String>,
    /// Variables it is started with, beside `SSL_CERT_FILE`.
    pub variables: Vec<(String, String)>,
    /// What the image is called, as in `carnet/book:0.1.0`.
    pub name: &'a str,
    /// Of gzip, 0 to 9.
    pub compression: u32,
    /// Largest image, in bytes of its layers as they travel: [`MOST`] for what is shipped.
    pub most: usize,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// Digest of the image's manifest: what deployments name.
    pub digest: String,
    /// Bytes of its layers, as they travel.
    pub bytes: usize,
    /// Every file of the layout.
    pub files: Vec<PathBuf>,
    /// The files of the image alone, without its bill, with their bytes: engines load what holds one image.
    pub alone: Vec<Entry>,
}

/// Writes the layout of one image, with its bill of materials as an artifact that refers to it.
///
/// # Errors
/// When the program cannot be read or lacks a library, the image is too large, or the directory cannot be written.
pub fn write(wish: &Wish, directory: &Path) -> Result<Written, Error> {
    let program = std::fs::read(wish.program).map_err(|error| format!("{}: {error}", wish.program.display()))?;
    let base = rootfs::base(&program)?;
    let architecture = elf::architecture(&program)?;
    let path = format!("/app/{}", wish.package);
    let layers =
        [Layer::new(&base, wish.compression)?, Layer::new(&[Entry::file(&path, 0o555, program)], wish.compression)?];
    let bytes: usize = layers.iter().map(|layer| layer.stored.len()).sum();
    if bytes > wish.most {
        return Err(format!("{} is larger than {} MiB", wish.name, wish.most >> 20).into());
    }
    let bill = bill::of(wish.root, wish.package, &base)?;
    let mut layout = Layout::new(directory)?;
    let stored = layers
        .iter()
        .map(|layer| layout.blob(MediaType::ImageLayerGzip, &layer.stored))
        .collect::<Result<Vec<_>, _>>()?;
    let unpacked: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", layer.unpacked)).collect();
    let config = layout.json(MediaType::ImageConfig, &configuration(wish, architecture, path, unpacked)?)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(stored.clone())
        .build()?;
    let image = layout.json(MediaType::ImageManifest, &manifest)?;
    let of_image: Vec<PathBuf> = layout.files.iter().cloned().collect();
    let artifact = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .artifact_type(MediaType::from(BILL))
        .config(layout.blob(MediaType::from(EMPTY.0), EMPTY.1)?)
        .layers(vec![layout.blob(MediaType::from(BILL), &bill)?])
        .subject(image.clone())
        .build()?;
    let artifact = layout.json(MediaType::ImageManifest, &artifact)?;
    let named = named(wish.name, architecture, &image)?;
    let mut alone = vec![
        Entry::file("index.json", 0o444, sorted(&index(vec![named.clone()])?)?),
        Entry::file("oci-layout", 0o444, VERSION),
    ];
    for file in of_image {
        alone.push(Entry::file(&file, 0o444, std::fs::read(directory.join(&file))?));
    }
    layout.end(&index(vec![named, artifact])?)?;
    Ok(Written { alone, digest: image.digest().to_string(), bytes, files: layout.files.into_iter().collect() })
}

fn configuration(
    wish: &Wish, architecture: &str, path: String, unpacked: Vec<String>,
) -> Result<impl Serialize, Error> {
    let mut variables = vec![format!("SSL_CERT_FILE={}", rootfs::CERTIFICATES)];
    variables.extend(wish.variables.iter().map(|(name, value)| format!("{name}={value}")));
    let mut entrypoint = vec![path];
    entrypoint.extend(wish.arguments.iter().cloned());
    let config = ConfigBuilder::default()
        .user(format!("{USER}:{USER}"))
        .exposed_ports(vec!["8080/tcp".to_owned()])
        .env(variables)
        .entrypoint(entrypoint)
        .working_dir("/".to_owned())
        .stop_signal("SIGTERM".to_owned())
        .build()?;
    // Layers are told of without a time: it would be that of who builds.
    let history = ["libraries, certificates, user", "program"]
        .map(|made| HistoryBuilder::default().created_by(made.to_owned()).build());
    Ok(ImageConfigurationBuilder::default()
        .architecture(Arch::from(architecture))
        .os(Os::Linux)
        .config(config)
        .rootfs(RootFsBuilder::default().typ("layers".to_owned()).diff_ids(unpacked).build()?)
        .history(history.into_iter().collect::<Result<Vec<_>, _>>()?)
        .build()?)
}

/// A layout under way.
struct Layout<'a> {
    directory: &'a Path,
    files: BTreeSet<PathBuf>,
}

impl<'a> Layout<'a> {
    fn new(directory: &'a Path) -> Result<Self, Error> {
        // What an earlier build left would be taken for a part of this one.
        if directory.join("oci-layout").exists() {
            std::fs::remove_dir_all(directory)?;
        }
        std::fs::create_dir_all(directory.join("blobs/sha256"))?;
        Ok(Self { directory, files: BTreeSet::new() })
    }

    fn file(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), Error> {
        std::fs::write(self.directory.join(&path), bytes)?;
        self.files.insert(path);
        Ok(())
    }

    fn blob(&mut self, kind: MediaType, bytes: &[u8]) -> Result<Descriptor, Error> {
        let digest = sha256(bytes);
        self.file(Path::new("blobs/sha256").join(&digest), bytes)?;
        Ok(Descriptor::new(kind, bytes.len() as u64, digest.parse::<Sha256Digest>()?))
    }

    fn json(&mut self, kind: MediaType, content: &impl Serialize) -> Result<Descriptor, Error> {
        self.blob(kind, &sorted(content)?)
    }

    fn end(&mut self, index: &ImageIndex) -> Result<(), Error> {
        self.file("index.json".into(), &sorted(index)?)?;
        self.file("oci-layout".into(), VERSION)
    }
}

/// The image as an index has it, with its name.
fn named(name: &str, architecture: &str, image: &Descriptor) -> Result<Descriptor, Error> {
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    let platform = PlatformBuilder::default().architecture(Arch::from(architecture)).os(Os::Linux).build()?;
    let descriptor = DescriptorBuilder::default()
        .media_type(MediaType::ImageManifest)
        .digest(image.digest().clone())
        .size(image.size())
        .platform(platform)
        // The first is what podman and skopeo read, the second what containerd, and so docker, names the image by.
        .annotations([
            ("org.opencontainers.image.ref.name".to_owned(), tag.to_owned()),
            ("io.containerd.image.name".to_owned(), format!("docker.io/{name}")),
        ])
        .build()?;
    Ok(descriptor)
}

fn index(manifests: Vec<Descriptor>) -> Result<ImageIndex, Error> {
    let index = ImageIndexBuilder::default().schema_version(2_u32).media_type(MediaType::ImageIndex);
    Ok(index.manifests(manifests).build()?)
}

/// JSON whose keys are in order: maps in memory have none, and the same image must be the same bytes.
fn sorted(content: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut value = serde_json::to_value(content)?;
    value.sort_all_objects();
    Ok(serde_json::to_vec(&value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::made_up::Program;

    #[test]
    fn an_image_of_more_than_30_mib_is_refused_and_nothing_of_it_is_written() {
        let scratch = std::env::temp_dir().join(format!("carnet-image-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).unwrap();
        let program = scratch.join("program");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let image = |mib: usize, to: &str| {
            let rest = vec![7; mib << 20];
            std::fs::write(&program, Program { needed: &[], rest: &rest, ..Program::default() }.bytes()).unwrap();
            let wish = Wish {
                root: &root,
                package: "packaging",
                program: &program,
                arguments: Vec::new(),
                variables: Vec::new(),
                name: "carnet/large:test",
                // As large as it travels.
                compression: 0,
                most: MOST,
            };
            write(&wish, &scratch.join(to))
        };
        let said = image(30, "large").unwrap_err().to_string();
        assert_eq!(said, "carnet/large:test is larger than 30 MiB");
        assert!(!scratch.join("large").exists());
        let written = image(29, "fits").unwrap();
        assert!((29 << 20..=MOST).contains(&written.bytes), "{}", written.bytes);
        std::fs::remove_dir_all(&scratch).unwrap();
    }
}
