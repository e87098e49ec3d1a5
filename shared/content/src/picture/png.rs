//! PNG: a chain of chunks between a signature and `IEND`.

use std::io::{Read, Seek, SeekFrom};

use super::{Picture, check_size};
use crate::source::{Piece, Source};
use crate::{InspectError, Limits, Refusal};

/// Chunks that the pixels need to be shown rightly. Others say something about the picture, or move it.
const OF_THE_PIXELS: [&[u8; 4]; 15] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs",
    b"cICP", b"mDCV", b"cLLI",
];
/// Chunks of a picture: writers make IDATs of 8 KiB at least, so that 200 MiB of them are no more than these.
const MOST_CHUNKS: u32 = 100_000;
/// Bytes of a chunk that is no pixels: colour profiles have one at most.
const LARGEST_OTHER: u64 = 16 << 20;

pub(super) fn read(source: &mut Source, limits: &Limits) -> Result<Picture, InspectError> {
    let mut picture = Picture::new();
    picture.keep(0, 8);
    let mut position = 8;
    for count in 0.. {
        if count > MOST_CHUNKS {
            return Err(Refusal::Bomb.into());
        }
        let head = source.at(position, 8)?;
        let len = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let name = [head[4], head[5], head[6], head[7]];
        let whole = 12 + len;
        if position + whole > source.len {
            return Err(Refusal::Truncated.into());
        }
        if (count == 0) != (name == *b"IHDR") {
            return Err(Refusal::Malformed("chunks in a wrong order").into());
        }
        if name != *b"IDAT" && len > LARGEST_OTHER {
            return Err(Refusal::Bomb.into());
        }
        check_sum(source, position + 4, 4 + len)?;
        match &name {
            b"IHDR" => {
                let size = source.at(position + 8, 13)?;
                let number = |at: usize| u32::from_be_bytes([size[at], size[at + 1], size[at + 2], size[at + 3]]);
                picture.pixels = (number(0), number(4));
                check_size(picture.pixels, limits)?;
                picture.keep(position, whole);
            }
            b"eXIf" => {
                let exif = source.at(position + 8, usize::try_from(len).unwrap_or(0))?;
                if let Some(left) = picture.take_exif(&exif) {
                    picture.pieces.push(Piece::Write(chunk(*b"eXIf", &left)));
                }
            }
            b"iTXt" | b"tEXt" | b"zTXt" => {
                let words = source.at(position + 8, usize::try_from(len).unwrap_or(0))?;
                picture.take_xmp(&words);
            }
            name if OF_THE_PIXELS.contains(&name) => picture.keep(position, whole),
            // A capital letter says that the picture cannot be shown without it.
            [first, ..] if first.is_ascii_uppercase() => {
                return Err(Refusal::Malformed("a chunk that nobody knows").into());
            }
            _ => picture.removes = true,
        }
        position += whole;
        if name == *b"IEND" {
            break;
        }
    }
    if position != source.len {
        return Err(Refusal::Polyglot.into());
    }
    Ok(picture)
}

fn check_sum(source: &mut Source, from: u64, len: u64) -> Result<(), InspectError> {
    let mut sum = flate2::Crc::new();
    // Without a buffer of its own: there are many chunks, and most are short.
    source.file.seek(SeekFrom::Start(from))?;
    let deadline = source.deadline;
    let mut reader = Read::by_ref(source.file).take(len);
    let mut buffer = [0; 16 << 10];
    loop {
        deadline.check()?;
        match reader.read(&mut buffer)? {
            0 => break,
            read => sum.update(&buffer[..read]),
        }
    }
    let stated = source.at(from + len, 4)?;
    if stated != sum.sum().to_be_bytes() {
        return Err(Refusal::Malformed("a chunk with a wrong sum").into());
    }
    Ok(())
}

fn chunk(name: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes().to_vec();
    chunk.extend(name);
    chunk.extend(payload);
    let mut sum = flate2::Crc::new();
    sum.update(&chunk[4..]);
    chunk.extend(sum.sum().to_be_bytes());
    chunk
}

/// Opens every row, in the memory of two: that there are as many as the header says.
pub(super) fn check_pixels(source: &mut Source, limits: &Limits) -> Result<(), InspectError> {
    rows(source, limits, |_| ())
}

/// A row of samples of eight bits, where it belongs: every `step`th pixel of line `y` from `x` on.
pub(super) struct Row<'r> {
    pub samples: &'r [u8],
    /// Samples of a pixel: grey, grey and alpha, RGB, RGB and alpha.
    pub channels: usize,
    pub y: u32,
    pub x: u32,
    pub step: u32,
}

/// The first pixel's x and y, and the steps between pixels and lines, of the passes of an interlaced picture.
const PASSES: [(u32, u32, u32, u32); 7] =
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

/// Gives every row as it comes out.
pub(super) fn rows(source: &mut Source, limits: &Limits, mut each: impl FnMut(Row)) -> Result<(), InspectError> {
    let most = usize::try_from(limits.max_inflated_bytes).unwrap_or(usize::MAX);
    let deadline = source.deadline;
    let mut decoder = png::Decoder::new_with_limits(source.from(0)?, png::Limits { bytes: most });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let bad = |error: png::DecodingError| match error {
        png::DecodingError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => error.into(),
        png::DecodingError::LimitsExceeded => InspectError::Refused(Refusal::Bomb),
        _ => InspectError::Refused(Refusal::Malformed("pixels that cannot be opened")),
    };
    let mut reader = decoder.read_info().map_err(bad)?;
    let channels = reader.output_color_type().0.samples();
    let (width, height) = reader.info().size();
    let passes = if reader.info().interlaced { &PASSES[..] } else { &[(0, 0, 1, 1)] };
    for &(x, y0, step, lines) in passes.iter().filter(|pass| pass.0 < width) {
        let mut y = y0;
        while y < height {
            deadline.check()?;
            let row = reader.next_interlaced_row().map_err(bad)?;
            let row = row.ok_or(Refusal::Malformed("fewer rows than it says"))?;
            each(Row { samples: row.data(), channels, y, x, step });
            y += lines;
        }
    }
    Ok(())
}
