//! What somebody sends who means no good, or has a file that went wrong: each refused, with its reason, and kept nowhere.

use std::io::Write as _;

use serde_json::json;

use super::{family, letter, read, report, uploaded};
use crate::support::App;

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The letter with more in it, before its table, which is written anew by nobody: readers go by what they find.
fn letter_with(object: &[u8]) -> Vec<u8> {
    let letter = letter("Bonjour");
    let at = letter.windows(5).position(|it| it == b"xref\n").unwrap();
    [&letter[..at], object, b"\n", &letter[at..]].concat()
}

/// The letter with something else in its catalogue, as long as what stood there.
fn letter_that_opens(entry: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(&letter("Bonjour")).into_owned();
    let catalogue = "<< /Type /Catalog /Pages 2 0 R >>";
    let with = format!("<< /Type /Catalog /Pages 2 0 R {entry} >>");
    assert!(text.contains(catalogue));
    // Bytes above 127 of the letter's second line are a remark.
    text.replacen(catalogue, &with, 1).into_bytes()
}

/// The letter, revised by that.
fn trailing(end: &[u8]) -> Vec<u8> {
    [&letter("Bonjour")[..], end].concat()
}

/// A PNG that says it is that large (PNG §11.2.2), and holds nothing of it.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let chunk = |name: &[u8], body: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(name);
        sum.update(body);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&length[..], name, body, &sum.sum().to_be_bytes()].concat()
    };
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &head), chunk(b"IDAT", &deflated(&[0; 64])), chunk(b"IEND", b"")]
        .concat()
}

/// A ZIP with one stored file (APPNOTE §4.3.6).
fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let common = [&[0; 6][..], &sum.sum().to_le_bytes(), &length, &length, &[name.len() as u8, 0, 0, 0]].concat();
    let local = [b"PK\x03\x04\x0a\0\0\0", &common[..], name.as_bytes(), bytes].concat();
    let central = [b"PK\x01\x02\x0a\0\x0a\0\0\0", &common[..], &[0; 14], name.as_bytes()].concat();
    let (at, long) = ((local.len() as u32).to_le_bytes(), (central.len() as u32).to_le_bytes());
    [local, central, [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &long[..], &at, &[0, 0]].concat()].concat()
}

#[tokio::test]
async fn what_is_not_what_it_says_or_could_act_or_burst_is_refused_with_its_reason() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let bomb = deflated(&vec![b' '; 20 << 20]);
    let bomb = [
        format!("9 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length {} >>\nstream\n", bomb.len())
            .as_bytes(),
        &bomb,
        b"\nendstream\nendobj",
    ]
    .concat();
    let archive = zip("facture.exe", b"MZ");
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("a picture called a letter", "application/pdf", png_of(8, 8), "type_differs"),
        (
            "a program called a letter",
            "application/pdf",
            b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff".to_vec(),
            "type_unknown",
        ),
        ("an archive called a letter", "application/pdf", archive.clone(), "type_unknown"),
        ("an archive called a text", "text/plain", archive.clone(), "type_unknown"),
        ("a page called a text", "text/plain", b"<!doctype html><script>alert(1)</script>".to_vec(), "markup"),
        ("a letter that is an archive as well", "application/pdf", [letter("a"), archive].concat(), "polyglot"),
        (
            "a letter with a script",
            "application/pdf",
            letter_that_opens("/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>"),
            "active_content",
        ),
        (
            "a letter whose last table brings a catalogue of its own",
            "application/pdf",
            trailing(b"trailer\n<< /Size 6 /Root << /Type /Catalog /Pages 2 0 R >> >>\nstartxref\n9\n%%EOF\n"),
            "malformed",
        ),
        (
            "a letter whose last table has a script",
            "application/pdf",
            trailing(b"trailer %x\n<< /Root 1 0 R /A << /S /JavaScript /JS (a) >> >>\nstartxref\n9\n%%EOF\n"),
            "active_content",
        ),
        (
            "a letter that starts a program",
            "application/pdf",
            letter_that_opens("/OpenAction << /S /Launch /F (cmd.exe) >>"),
            "active_content",
        ),
        (
            "a letter with a file inside",
            "application/pdf",
            letter_with(b"9 0 obj\n<< /Type /EmbeddedFile /Length 2 >>\nstream\nMZ\nendstream\nendobj"),
            "active_content",
        ),
        ("a letter that bursts", "application/pdf", letter_with(&bomb), "bomb"),
        (
            "half a letter",
            "application/pdf",
            {
                let all = letter("a");
                all[..all.len() / 2].to_vec()
            },
            "truncated",
        ),
        ("a hundred megapixels", "image/png", png_of(10_000, 10_001), "too_many_pixels"),
        (
            "a picture without its end",
            "image/png",
            {
                let all = png_of(8, 8);
                all[..all.len() - 12].to_vec()
            },
            "truncated",
        ),
    ];
    for (what, media_type, bytes, reason) in cases {
        let id = uploaded(&practitioner, &report(&child, media_type, &bytes), &bytes).await;
        app.settle().await;
        let refused = read(&practitioner, &id).await.expect(200);
        assert_eq!(
            (&refused["state"], &refused["version"]["reason"]["code"]),
            (&json!("refused"), &json!(reason)),
            "{what}: {refused}"
        );
        let said = refused["version"]["reason"]["title"].as_str().unwrap();
        assert!(!said.is_empty() && !said.starts_with("document-refused"), "{what}: {said}");
        read(&mother, &id).await.problem(404);
    }
    assert_eq!(app.store.names("staging"), Vec::<String>::new(), "what is refused is kept nowhere");
    assert_eq!(app.store.names("documents"), Vec::<String>::new());
}
