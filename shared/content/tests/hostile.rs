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

fn refused(bytes: &[u8], media_type: MediaType, limits: &Limits) -> Option<&'static str> {
    match content::inspect(&mut file(bytes), media_type, limits) {
        Err(InspectError::Refused(refusal)) => Some(refusal.code()),
        Err(InspectError::Io(error)) => panic!("{error}"),
        Ok(_) => None,
    }
}

#[test]
fn no_file_is_worked_on_past_the_deadline() {
    let none = Limits { max_time: Duration::ZERO, ..Limits::default() };
    for sample in all_samples() {
        for media_type in MediaType::ALL {
            assert_eq!(refused(&sample, media_type, &none), Some("bomb"));
        }
    }
    // Of each of these the last byte would be reached much later.
    let soon = Limits { max_time: Duration::from_millis(20), ..Limits::default() };
    let objects = letter_with("", &vec![b"<</A[1 2 3 (abc)]>>".to_vec(); 200_000]);
    let held = "[1 2 3 (abc)] ".repeat(100_000);
    let heads: String = (0..100_000).map(|it| format!("{} {} ", it + 10, it * 14)).collect();
    let dict = format!("/Type/ObjStm/N 100000/First {}", heads.len());
    let in_a_stream = letter_with("", &[stream(&dict, [heads, held].concat().as_bytes())]);
    let kids: String = (10..2000).map(|it| format!("{it} 0 R ")).collect();
    let mut tree = vec![b"<</Pages 2 0 R>>".to_vec(), format!("<</Kids[{kids}]>>").into_bytes()];
    tree.extend((3..2000).map(|_| [&b"<</A["[..], &b"(abc)".repeat(2000), b"]>>"].concat()));
    for bytes in [objects, in_a_stream, pdf_of(&tree)] {
        let begun = Instant::now();
        assert_eq!(refused(&bytes, MediaType::Pdf, &soon), Some("bomb"));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}

#[test]
fn lines_and_segments_without_end_are_refused_at_once() {
    let begun = Instant::now();
    for line in ["%obj\n", "%7 0 obj\n", "% \0obj\r"] {
        for many in [700_usize, 100_000, 4_000_000] {
            // With a word that ends what is skipped, and without.
            for end in ["x ", ""] {
                let lines = [line.repeat(many.min(700)).as_str(), end].concat().repeat(many.div_ceil(700));
                let code = refused(&letter_with("", &[lines.into_bytes()]), MediaType::Pdf, &Limits::default());
                assert!(
                    many == 700 || code == Some("malformed") || code == Some("bomb"),
                    "{line} {many} {end} {code:?}"
                );
            }
        }
    }
    let segments = |count: usize| [&jpeg()[..2], &b"\xff\xfe\0\x02".repeat(count), &jpeg()[2..]].concat();
    let limits = Limits::default();
    assert_eq!(refused(&segments(4000), MediaType::Jpeg, &limits), None);
    for many in [4096, 5_000_000] {
        assert_eq!(refused(&segments(many), MediaType::Jpeg, &limits), Some("bomb"));
    }
    let filled = [&jpeg()[..2], &vec![0xff; 60_000], &jpeg()[2..]].concat();
    assert_eq!(refused(&filled, MediaType::Jpeg, &limits), None);
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
}

#[test]
fn what_all_pages_share_is_held_once() {
    let begun = Instant::now();
    let kids: String = (4..2000).map(|it| format!("{it} 0 R ")).collect();
    let mut objects = vec![
        b"<</Pages 2 0 R>>".to_vec(),
        [b"<</Resources<</A[", &b"[] ".repeat(350_000)[..], b"]>>/Kids[", kids.as_bytes(), b"]>>"].concat(),
        b"null".to_vec(),
    ];
    objects.resize(2000, b"<</Type/Page/MediaBox[0 0 9 9]>>".to_vec());
    let bytes = pdf_of(&objects);
    assert_eq!(inspect(&bytes, MediaType::Pdf).unwrap().pages, Some(1996));
    text(&bytes, MediaType::Pdf);
    // Each of the pages is read by a thread of its own, which on a busy machine waits some milliseconds for its turn.
    assert!(begun.elapsed() < 4 * LONGEST, "{:?}", begun.elapsed());
}

#[test]
fn delimiters_that_close_nothing_fill_no_memory() {
    for stray in [&b")"[..], b"}", b"> ", b"]"] {
        let open = if stray == b"]" { &b"<</A "[..] } else { b"[" };
        let bytes = letter_with("", &[[open, &stray.repeat(8 << 20), b"]>>"].concat()]);
        assert_eq!(inspect(&bytes, MediaType::Pdf).map_err(|it| it.code()), Err("bomb"));
    }
}

#[test]
fn a_sound_file_that_takes_too_much_to_read_has_fewer_words_and_is_not_refused() {
    // The pages in one object stream, their font in another, each so large that both are not kept at once.
    let held = |numbers: &[u32], object: &str| {
        let heads: String =
            numbers.iter().map(|it| format!("{it} {} ", (it - numbers[0]) as usize * object.len())).collect();
        let first = heads.len();
        let padding = "9".repeat(2600 << 10).replace("99", "1 ");
        let bytes = [heads.as_str(), &object.repeat(numbers.len()), &padding].concat();
        let dict = format!("/Type/ObjStm/N {}/First {first}/Filter/FlateDecode", numbers.len());
        stream(&dict, &deflated(bytes.as_bytes()))
    };
    let pages: Vec<u32> = (10..50).collect();
    let kids: String = pages.iter().map(|it| format!("{it} 0 R ")).collect();
    let bytes = pdf_of(&[
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        format!("<</Type/Pages/Kids[{kids}]/MediaBox[0 0 595 842]>>").into_bytes(),
        stream("", b"BT /F1 24 Tf 72 200 Td (Bonjour) Tj ET"),
        held(&pages, "<</Type/Page/Resources<</Font<</F1 60 0 R>>>>/Contents 3 0 R>>"),
        held(&[60], "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"),
    ]);
    let limits = Limits { max_inflated_bytes_in_all: 6 << 20, ..Limits::default() };
    let pdf = MediaType::Pdf;
    assert_eq!(content::inspect(&mut file(&bytes), pdf, &limits).unwrap().pages, Some(40));
    let words = content::text(&mut file(&bytes), pdf, &limits).unwrap().unwrap();
    let count = words.lines().count();
    assert!(words.starts_with("Bonjour\n") && (2..40).contains(&count), "{count}");
    // Even where the file itself would be refused.
    for limits in [
        Limits { max_objects: 1, ..Limits::default() },
        Limits { max_time: Duration::ZERO, ..Limits::default() },
        Limits { max_drawing_time: Duration::ZERO, ..Limits::default() },
        Limits { max_inflated_bytes_in_all: 0, ..Limits::default() },
    ] {
        assert_eq!(content::text(&mut file(&bytes), pdf, &limits).unwrap(), None);
        assert_eq!(content::preview(&mut file(&bytes), pdf, &limits).unwrap(), None);
    }
    assert_eq!(text(b"a\xffb", MediaType::Text), None);
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
