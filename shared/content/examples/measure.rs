//! What one file takes: time of each step, and the most memory of all. `make DIRECTORY` writes a photograph of twelve
//! megapixels and a PDF of a hundred megabytes; `FILE TYPE [TIMES]` measures, several at once.
#![allow(clippy::print_stdout, reason = "it is asked for")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use content::{Limits, MediaType};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [make, directory] if make == "make" => made(Path::new(directory)),
        [file, media_type, times @ ..] => {
            let (media_type, times) = (media_type.parse()?, times.first().map_or(Ok(1), |it| it.parse())?);
            let before = memory("VmRSS");
            std::thread::scope(|scope| {
                for _ in 0..times {
                    scope.spawn(|| measured(file, media_type).map_err(|error| println!("{error}")));
                }
            });
            println!("{before} at first, {} at most", memory("VmHWM"));
            Ok(())
        }
        _ => Err("make DIRECTORY, or FILE TYPE [TIMES]".into()),
    }
}

fn memory(key: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("?").trim_start_matches(':').trim().to_owned()
}

fn measured(file: &str, media_type: MediaType) -> Result<(), content::InspectError> {
    let (mut file, limits) = (File::open(file)?, Limits::default());
    let mut begun = Instant::now();
    let mut lap = || std::mem::replace(&mut begun, Instant::now()).elapsed().as_millis();
    let inspection = content::inspect(&mut file, media_type, &limits)?;
    println!("inspect {} ms: {inspection:?}", lap());
    let mut copy = tempfile::tempfile()?;
    let removed = content::cleaned(&mut file, media_type, &mut copy)?;
    println!("cleaned {} ms: {removed}", lap());
    let preview = content::preview(&mut file, media_type, &limits)?;
    println!("preview {} ms: {:?} bytes", lap(), preview.map(|it| it.len()));
    let text = content::text(&mut file, media_type, &limits)?;
    println!("text {} ms: {:?} bytes", lap(), text.map(|it| it.len()));
    Ok(())
}

fn made(directory: &Path) -> Result<(), Box<dyn Error>> {
    // Noise, so that it weighs what a photograph weighs.
    let mut state = 1_u32;
    let picture = image::RgbImage::from_fn(4000, 3000, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 27).to_le_bytes()[0];
        image::Rgb([(x >> 4).to_le_bytes()[0] ^ noise, (y >> 4).to_le_bytes()[0], noise << 3])
    });
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&picture)?;
    let mut exif =
        b"\xff\xd8\xff\xe1\0\x42Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    exif.resize(4 + 0x42, 0);
    std::fs::write(directory.join("photograph.jpeg"), [&exif[..], &jpeg[2..]].concat())?;
    let pages = 100_000_000 / jpeg.len() + 1;
    let mut pdf = BufWriter::new(File::create(directory.join("scans.pdf"))?);
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", 3 + 3 * page)).collect();
    writeln!(pdf, "%PDF-1.7\n1 0 obj<</Pages 2 0 R>>endobj\n2 0 obj<</MediaBox[0 0 595 842]/Kids[{kids}]>>endobj")?;
    for first in (0..pages).map(|page| 3 + 3 * page) {
        let (drawing, picture) = (first + 1, first + 2);
        writeln!(
            pdf,
            "{first} 0 obj<</Parent 2 0 R/Contents {drawing} 0 R/Resources<</XObject<</P {picture} 0 R>>>>>>endobj"
        )?;
        writeln!(pdf, "{drawing} 0 obj<</Length 27>>stream\n595 0 0 842 0 0 cm /P Do Q\nendstream endobj")?;
        write!(pdf, "{picture} 0 obj<</Subtype/Image/Width 4000/Height 3000/BitsPerComponent 8/ColorSpace/DeviceRGB")?;
        writeln!(pdf, "/Filter/DCTDecode/Length {}>>stream", jpeg.len())?;
        pdf.write_all(&jpeg)?;
        writeln!(pdf, "\nendstream endobj")?;
    }
    writeln!(pdf, "trailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF")?;
    Ok(pdf.flush()?)
}
