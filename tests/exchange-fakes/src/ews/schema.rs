//! Microsoft's own schemas as a judge of what is asked and answered, by `xmllint` of libxml2.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The schemas, where they lie beside the checkout.
fn schemas() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles/ews");
    beside.join("Messages.xsd").exists().then(|| beside.canonicalize().ok()).flatten()
}

/// An envelope of SOAP 1.1 whose header and body hold nothing but what the schemas of the services declare.
fn envelope(schemas: &Path) -> String {
    let import = |name: &str, file: &str| {
        let file = schemas.join(file);
        format!(
            "<xs:import namespace=\"http://schemas.microsoft.com/exchange/services/2006/{name}\" schemaLocation=\"file://{}\"/>",
            file.display()
        )
    };
    format!(
        r###"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
            targetNamespace="http://schemas.xmlsoap.org/soap/envelope/" elementFormDefault="qualified">
        {}{}
        <xs:element name="Fault"><xs:complexType><xs:sequence>
            <xs:element name="faultcode" type="xs:string" form="unqualified"/>
            <xs:element name="faultstring" type="xs:string" form="unqualified"/>
            <xs:element name="detail" minOccurs="0" form="unqualified"><xs:complexType><xs:sequence>
                <xs:any processContents="skip" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
        </xs:sequence></xs:complexType></xs:element>
        <xs:element name="Envelope"><xs:complexType><xs:sequence>
            <xs:element name="Header" minOccurs="0"><xs:complexType><xs:sequence>
                <xs:any namespace="##other" processContents="strict" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
            <xs:element name="Body"><xs:complexType><xs:sequence>
                <xs:any namespace="##any" processContents="strict"/></xs:sequence></xs:complexType></xs:element>
        </xs:sequence></xs:complexType></xs:element></xs:schema>"###,
        import("messages", "Messages.xsd"),
        import("types", "types.xsd"),
    )
}

/// Why documents are not valid, one text each; `None` where the schemas are not beside the checkout.
///
/// # Panics
/// When there are schemas and no `xmllint`, or no place to write.
pub fn faults(documents: &[Vec<u8>]) -> Option<Vec<String>> {
    let schemas = schemas()?;
    let work =
        std::env::temp_dir().join(format!("carnet-ews-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&work).unwrap();
    let schema = work.join("soap.xsd");
    std::fs::write(&schema, envelope(&schemas)).unwrap();
    let name = |number: usize| format!("{number}.xml");
    for (number, document) in documents.iter().enumerate() {
        std::fs::write(work.join(name(number)), document).unwrap();
    }
    let mut faults = Vec::new();
    // Not more names than a command line bears.
    for numbers in (0..documents.len()).collect::<Vec<_>>().chunks(500) {
        let files = numbers.iter().map(|number| name(*number));
        let output = Command::new("xmllint")
            .args(["--nonet", "--huge", "--noout", "--schema", "soap.xsd"])
            .args(files)
            .current_dir(&work)
            .output();
        let output = output.expect("xmllint is missing: install libxml2-utils");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            faults.extend(said.lines().filter(|line| !line.ends_with(" validates")).map(str::to_owned));
        }
    }
    std::fs::remove_dir_all(&work).unwrap();
    Some(faults)
}
