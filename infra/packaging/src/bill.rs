//! The bill of materials of a program (`CycloneDX` 1.5): every crate that is linked into it, and every file beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use cyclonedx_bom::external_models::normalized_string::NormalizedString;
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata as About;
use cyclonedx_bom::validation::Validate as _;

use crate::rootfs::Entry;
use crate::{Error, sha256};

/// What this machine's programs are built for.
const TARGET: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

/// The bill of the package `name` of the workspace at `root`, with the libraries of its image.
///
/// # Errors
/// When there is no such package, or Cargo does not tell.
pub fn of(root: &Path, name: &str, files: &[Entry]) -> Result<Vec<u8>, Error> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .features(CargoOpt::SomeFeatures(Vec::new()))
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), TARGET.to_owned()])
        .exec()?;
    let linked = linked(&metadata, name)?;
    let packages: BTreeMap<&PackageId, &Package> =
        metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let (mut components, mut dependencies, mut about) = (Vec::new(), Vec::new(), About::default());
    for (id, needs) in &linked {
        let package = packages.get(id).ok_or("cargo metadata names an unknown package")?;
        let component = component(package)?;
        dependencies.push(Dependency {
            dependency_ref: reference(package),
            dependencies: needs.iter().filter_map(|id| packages.get(id)).map(|package| reference(package)).collect(),
        });
        if package.name.as_str() == name {
            about.component = Some(Component { component_type: Classification::Application, ..component });
        } else {
            components.push(component);
        }
    }
    components.extend(files.iter().filter_map(library));
    components.sort_by(|a, b| a.bom_ref.cmp(&b.bom_ref));
    dependencies.sort_by(|a, b| a.dependency_ref.cmp(&b.dependency_ref));
    // Neither time nor serial number: the same program has the same bill.
    let bom = Bom {
        version: 1,
        metadata: Some(about),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        spec_version: SpecVersion::V1_5,
        serial_number: None,
        ..Bom::default()
    };
    if !bom.validate().passed() {
        return Err(format!("the bill of {name} is no CycloneDX 1.5: {:?}", bom.validate()).into());
    }
    let mut json = Vec::new();
    bom.output_as_json(&mut json, SpecVersion::V1_5)?;
    Ok(json)
}

/// Every package that is linked into `name`, with those it needs itself: no tests, no build scripts, no macros' own.
fn linked<'a>(metadata: &'a Metadata, name: &str) -> Result<BTreeMap<&'a PackageId, BTreeSet<&'a PackageId>>, Error> {
    let resolve = metadata.resolve.as_ref().ok_or("cargo metadata resolves nothing")?;
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let root = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == name);
    let mut wanted = vec![&root.ok_or_else(|| format!("there is no package {name}"))?.id];
    let mut linked = BTreeMap::new();
    while let Some(id) = wanted.pop() {
        if linked.contains_key(id) {
            continue;
        }
        let node = nodes.get(id).ok_or("cargo metadata names an unknown package")?;
        let normal = |kinds: &[cargo_metadata::DepKindInfo]| kinds.iter().any(|it| it.kind == DependencyKind::Normal);
        let needs: BTreeSet<_> = node.deps.iter().filter(|it| normal(&it.dep_kinds)).map(|it| &it.pkg).collect();
        wanted.extend(needs.iter().copied());
        linked.insert(&node.id, needs);
    }
    Ok(linked)
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package) -> Result<Component, Error> {
    let version = package.version.to_string();
    let mut component =
        Component::new(Classification::Library, package.name.as_str(), &version, Some(reference(package)));
    component.purl = Some(Purl::new("cargo", package.name.as_str(), &version)?);
    component.description = package.description.as_deref().map(NormalizedString::new);
    // Older crates separate by a stroke what SPDX separates by OR.
    let licence = package.license.as_deref().map(|text| SpdxExpression::parse_lax(text.to_owned())).transpose();
    component.licenses = licence?.map(|expression| Licenses(vec![LicenseChoice::Expression(expression)]));
    Ok(component)
}

/// A shared library of the image, as a component of its own.
fn library(entry: &Entry) -> Option<Component> {
    let content = entry.content.as_ref().filter(|content| content.starts_with(b"\x7fELF"))?;
    let name = entry.path.file_name()?.to_string_lossy().into_owned();
    let mut component = Component::new(Classification::File, &name, "", Some(format!("file:{}", entry.path.display())));
    component.version = None;
    component.hashes = Some(Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(sha256(content)) }]));
    Some(component)
}
