//! Small files of every kind, made here.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::fs::File;
use std::io::{Cursor, Read, Seek, Write};

use content::{InspectError, Inspection, Limits, MediaType, Refusal};
use image::{DynamicImage, ImageFormat, RgbImage};

pub fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

pub fn inspect(bytes: &[u8], declared: MediaType) -> Result<Inspection, Refusal> {
    match content::inspect(&mut file(bytes), declared, &Limits::default()) {
        Ok(inspection) => Ok(inspection),
        Err(InspectError::Refused(refusal)) => Err(refusal),
        Err(InspectError::Io(error)) => panic!("{error}"),
    }
}

/// The cleaned copy, when there is one.
pub fn cleaned(bytes: &[u8], media_type: MediaType) -> Option<Vec<u8>> {
    let mut copy = tempfile::tempfile().unwrap();
    content::cleaned(&mut file(bytes), media_type, &mut copy).unwrap().then(|| {
        let mut bytes = Vec::new();
        copy.rewind().unwrap();
        copy.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

pub fn preview(bytes: &[u8], media_type: MediaType) -> Option<DynamicImage> {
    let jpeg = content::preview(&mut file(bytes), media_type, &Limits::default()).unwrap()?;
    Some(image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).unwrap())
}

pub fn text(bytes: &[u8], media_type: MediaType) -> Option<String> {
    content::text(&mut file(bytes), media_type, &Limits::default()).unwrap()
}

/// Red above, blue below, and green in the corner that is left and above.
pub fn photograph(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(match (x < width / 4 && y < height / 4, y < height / 2) {
            (true, _) => [0, 255, 0],
            (_, true) => [255, 0, 0],
            _ => [0, 0, 255],
        })
    })
}

pub fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(photograph(width, height)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn jpeg() -> Vec<u8> {
    encoded(64, 48, ImageFormat::Jpeg)
}

pub fn png() -> Vec<u8> {
    encoded(64, 48, ImageFormat::Png)
}

/// EXIF of a photograph taken upright with the telephone turned, at a place.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38, 0, 0, 0, 0]);
    exif.extend(b"\0\x01\0\x01\0\x02\0\0\0\x02N\0\0\0\0\0\0\0 Carnet-1 of Pornic");
    exif
}

/// A segment after the first two bytes.
pub fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &len, payload, &jpeg[2..]].concat()
}

pub fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    with_segment(jpeg, 0xe1, &[b"Exif\0\0", &exif(orientation)[..]].concat())
}

/// A chunk before the last one.
pub fn with_chunk(png: &[u8], name: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend(name);
    chunk.extend(payload);
    let mut sum = flate2::Crc::new();
    sum.update(&chunk[4..]);
    chunk.extend(sum.sum().to_be_bytes());
    [&png[..png.len() - 12], &chunk, &png[png.len() - 12..]].concat()
}

/// A RIFF with these chunks behind those of a WebP.
pub fn with_riff_chunks(webp: &[u8], flags: u8, (width, height): (u32, u32), chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBPVP8X\x0a\0\0\0".to_vec();
    body.extend([flags, 0, 0, 0]);
    body.extend(&(width - 1).to_le_bytes()[..3]);
    body.extend(&(height - 1).to_le_bytes()[..3]);
    body.extend(&webp[12..]);
    for (name, payload) in chunks {
        body.extend(*name);
        body.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        body.extend(*payload);
        if payload.len() % 2 == 1 {
            body.push(0);
        }
    }
    [b"RIFF", &u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
}

pub fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap().into_inner()
}

pub fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A PDF of these objects, numbered from one. The first is the catalogue.
pub fn pdf_of(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut begins = Vec::new();
    for (object, number) in objects.iter().zip(1..) {
        begins.push(pdf.len());
        pdf.extend(format!("{number} 0 obj\n").bytes());
        pdf.extend(object);
        pdf.extend(b"\nendobj\n");
    }
    let table = pdf.len();
    pdf.extend(format!("xref\n0 {}\n0000000000 65535 f \n", begins.len() + 1).bytes());
    pdf.extend(begins.iter().flat_map(|begin| format!("{begin:010} 00000 n \n").into_bytes()));
    pdf.extend(format!("trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n", begins.len() + 1).bytes());
    pdf
}

pub fn stream(dict: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("<<{dict}/Length {}>>\nstream\n", bytes.len());
    [head.as_bytes(), bytes, b"\nendstream"].concat()
}

/// A page of A4 with two lines of text, a red field above and these entries in its dictionary; then these objects, from 6 on.
pub fn letter_with(page: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let drawing =
        b"1 0 0 rg 0 421 595 421 re f 0 g BT /F1 24 Tf 72 200 Td (Bonjour le docteur) Tj 0 -40 Td (Merci) Tj ET";
    let mut objects: Vec<Vec<u8>> = vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 595 842]>>".to_vec(),
        format!("<</Type/Page/Parent 2 0 R/Resources<</Font<</F1 5 0 R>>>>/Contents 4 0 R{page}>>").into_bytes(),
        stream("/Filter/FlateDecode", &deflated(drawing)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec(),
    ];
    objects.extend_from_slice(more);
    pdf_of(&objects)
}

pub fn letter() -> Vec<u8> {
    letter_with("", &[])
}

/// The same letter, with an object stream that holds this object, numbered 6.
pub fn letter_with_hidden(object: &str, filter: &str, pack: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let plain = format!("6 0 {object}");
    letter_with("", &[b"null".to_vec(), stream(&format!("/Type/ObjStm/N 1/First 4{filter}"), &pack(plain.as_bytes()))])
}
