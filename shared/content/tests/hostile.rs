//! Whatever the bytes are: an answer, in time, and no panic.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod samples;

use std::fs::File;
use std::io::{Read, Seek};
use std::time::{Duration, Instant};

use content::{InspectError, Limits, MediaType};
use image::ImageFormat;
use proptest::prelude::*;
use samples::*;

/// For one small file, in a build that is hardly optimised, on a machine that does other things.
const LONGEST: Duration = Duration::from_secs(8);

/// All that is done with a file, also when it was refused: nothing may rely on the judgement having come first.
fn everything(bytes: &[u8]) {
    let begun = Instant::now();
    let limits = Limits { max_drawing_time: Duration::from_secs(2), ..Limits::default() };
    for media_type in MediaType::ALL {
        let mut input = file(bytes);
        let taken = bounded(content::inspect(&mut input, media_type, &limits)).is_some();
        let mut copy = tempfile::tempfile().unwrap();
        if let Some(true) = bounded(content::cleaned(&mut input, media_type, &mut copy))
            && taken
        {
            judge_copy(&mut copy, media_type);
        }
        bounded(content::preview(&mut input, media_type, &limits));
        bounded(content::text(&mut input, media_type, &limits));
    }
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
}

/// A copy of what was taken is taken too, and clean.
fn judge_copy(copy: &mut File, media_type: MediaType) {
    let inspection = content::inspect(copy, media_type, &Limits::default()).unwrap();
    assert_eq!(inspection.findings, []);
    let mut bytes = Vec::new();
    copy.rewind().unwrap();
    copy.read_to_end(&mut bytes).unwrap();
    assert_eq!(cleaned(&bytes, media_type), None);
}

fn bounded<T>(answer: Result<T, InspectError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(InspectError::Refused(refusal)) => {
            assert!(refusal.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            None
        }
        Err(InspectError::Io(error)) => panic!("{error}"),
    }
}

fn all_samples() -> Vec<Vec<u8>> {
    let photograph = with_segment(&with_exif(&jpeg(), 6), 0xfe, b"comment");
    let webp = encoded(32, 24, ImageFormat::WebP);
    vec![
        [photograph.clone(), jpeg()].concat(),
        photograph,
        with_chunk(&png(), *b"eXIf", &exif(8)),
        with_riff_chunks(&webp, 0x08, (32, 24), &[(b"EXIF", &exif(2))]),
        webp,
        encoded(32, 24, ImageFormat::Tiff),
        letter(),
        letter_with_hidden("<</Type/StructElem/K[1 2 (a)]>>", "/Filter/FlateDecode", deflated),
        "Chère consœur,\nmerci.".into(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_after_any_beginning(
        which in 0..9_usize, kept in 0..64_usize, rest in prop::collection::vec(any::<u8>(), 0..2048),
    ) {
        let sample = &all_samples()[which];
        everything(&[&sample[..kept.min(sample.len())], &rest].concat());
    }

    #[test]
    fn samples_that_are_cut_off(which in 0..9_usize, at in any::<prop::sample::Index>()) {
        let sample = &all_samples()[which];
        everything(&sample[..at.index(sample.len())]);
    }

    #[test]
    fn samples_with_bits_turned(
        which in 0..9_usize, turned in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..12),
    ) {
        let mut sample = all_samples()[which].clone();
        for (at, bit) in turned {
            let at = at.index(sample.len());
            sample[at] ^= 1 << bit;
        }
        everything(&sample);
    }

    #[test]
    fn samples_with_pieces_moved(
        which in 0..9_usize, from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), len in 1..200_usize,
    ) {
        let sample = &all_samples()[which];
        let (from, to) = (from.index(sample.len()), to.index(sample.len()));
        let piece = &sample[from..(from + len).min(sample.len())];
        everything(&[&sample[..to], piece, &sample[to..]].concat());
    }

    #[test]
    fn drawings_of_any_operators(words in prop::collection::vec(prop::sample::select(OPERATORS), 1..200)) {
        let drawing = words.join(" ");
        let bytes = letter().replacen(b"/Contents 4 0 R", b"/Contents 6 0 R");
        let bytes = bytes.replacen(b"xref\n0 6", &[&b"6 0 obj\n"[..], &stream("", drawing.as_bytes()), b"\nendobj\nxref\n0 6"].concat());
        everything(&bytes);
    }
}

/// Of drawing, with numbers that are none of a page's.
const OPERATORS: &[&str] = &[
    "q",
    "Q",
    "1 0 0 1 9 9 cm",
    "1e30 0 0 1e-30 0 0 cm",
    "0 0 m",
    "9 9 l",
    "1e38 -1e38 l",
    "0 0 1e9 1e9 re",
    "f",
    "S",
    "B*",
    "W n",
    "[1 2] 0 d",
    "[0 0] 0 d",
    "99999 w",
    "BT",
    "ET",
    "/F1 1e9 Tf",
    "/F1 12 Tf",
    "(abc) Tj",
    "[(a) -99999999 (b)] TJ",
    "1 Tr",
    "3 Tr",
    "0 0 0 0 0 0 Tm",
    "/F9 Do",
    "/P sh",
    "/Pattern cs",
    "/P scn",
    "1 0 0 rg",
    "0.5 g",
    "BI /W 2 /H 2 ID ab EI",
    "[[[[",
    "<<",
    ">>",
    "(",
    "% x",
    "9 9 9 9 9 9 c",
    "h",
    "/G gs",
    "BMC",
    "EMC",
];

trait Replacen {
    fn replacen(&self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replacen for Vec<u8> {
    fn replacen(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self.windows(from.len()).position(|it| it == from).unwrap();
        [&self[..at], to, &self[at + from.len()..]].concat()
    }
}

#[tokio::test]
async fn eicar_plain_zipped_and_in_a_pdf_is_found_or_refused() {
    use content::clamd::Outcome;
    use content::clamd::own::{EICAR_SIGNATURE, OwnClamd, eicar};
    let scanner = OwnClamd::start().unwrap();
    let found = Outcome::Infected { signature: EICAR_SIGNATURE.into() };
    let in_a_pdf = letter_with("", &[stream("/Filter/FlateDecode", &deflated(&eicar()))]);
    let embedded = letter_with("", &[stream("/Type/EmbeddedFile/Filter/FlateDecode", &deflated(&eicar()))]);
    for bytes in [eicar(), zip("a.com", &eicar()), in_a_pdf, embedded.clone()] {
        assert_eq!(scanner.scanner().scan(&bytes[..]).await.unwrap(), found);
    }
    // A text that is nothing else is a text; a ZIP is nothing that is taken; a file in a PDF is refused by itself.
    assert!(inspect(&eicar(), MediaType::Text).is_ok());
    assert!(inspect(&zip("a.com", &eicar()), MediaType::Text).is_err());
    assert_eq!(inspect(&embedded, MediaType::Pdf).unwrap_err().code(), "active_content");
}
