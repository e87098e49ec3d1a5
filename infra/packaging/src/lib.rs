//! What is shipped of the product: container images written without an engine, bundles for AWS Lambda, bills of materials,
//! and the manifests of platforms, made from `function.yaml`.

pub mod bill;
pub mod bundle;
pub mod elf;
pub mod image;
pub mod layer;
pub mod manifests;
pub mod rootfs;

/// What stops a package from being made, in words for a terminal.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// SHA-256, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
