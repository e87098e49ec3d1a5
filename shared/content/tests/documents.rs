//! PDFs and texts: what is taken, what is refused, what is read and shown of them.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod samples;

use content::{Active, Finding, Limits, MediaType, Refusal};
use image::GenericImageView;
use samples::*;

fn pdf(bytes: &[u8]) -> Result<content::Inspection, Refusal> {
    inspect(bytes, MediaType::Pdf)
}

fn with_action(action: &str) -> Vec<u8> {
    letter_with("/Annots[6 0 R]", &[format!("<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A {action}>>").into_bytes()])
}

#[test]
fn a_letter_is_taken_read_and_shown() {
    let inspection = pdf(&letter()).unwrap();
    assert_eq!((inspection.pages, inspection.pixels, &inspection.findings[..]), (Some(1), None, &[][..]));
    assert_eq!(text(&letter(), MediaType::Pdf).unwrap(), "Bonjour le docteur\nMerci\n");
    let page = preview(&letter(), MediaType::Pdf).unwrap();
    assert!(page.height() >= 510 && page.height() <= 512, "{:?}", page.dimensions());
    assert!(page.get_pixel(100, 100).0[0] > 240 && page.get_pixel(100, 100).0[1] < 20);
    assert!(page.get_pixel(300, 500).0[1] > 240);
    assert_eq!(cleaned(&letter(), MediaType::Pdf), None);
}

#[test]
fn whatever_could_act_is_refused() {
    for (action, active) in [
        ("<</S/JavaScript/JS(app.alert(1))>>", Active::JavaScript),
        ("<</S/JavaScript/JS 9 0 R>>", Active::JavaScript),
        ("<</S/J#61v#61Script/J#53(app.alert(1))>>", Active::JavaScript),
        ("<</S/Rendition/JS(x)>>", Active::RichMedia),
        ("<</S/Launch/Win<</F(cmd.exe)>>>>", Active::LaunchAction),
        ("<</S/SubmitForm/F(http://example.org)>>", Active::SubmitForm),
        ("<</S/ImportData/F(a.fdf)>>", Active::SubmitForm),
        ("<</S/GoToE/T<</R/C>>>>", Active::EmbeddedFile),
        ("<</S/GoToR/F(\\\\\\\\example.org\\\\share)>>", Active::ExternalFile),
        ("<</S/URI/URI(https://example.org)/Next[<</S/Launch>>]>>", Active::LaunchAction),
    ] {
        assert_eq!(pdf(&with_action(action)), Err(Refusal::ActiveContent(active)), "{action}");
        // Nothing leads to it, and it does not matter.
        let alone = letter_with("", &[action.as_bytes().to_vec()]);
        assert_eq!(pdf(&alone), Err(Refusal::ActiveContent(active)), "{action}");
        // In an object stream, deflated and plain.
        let hidden = letter_with_hidden(action, "/Filter/FlateDecode", deflated);
        assert_eq!(pdf(&hidden), Err(Refusal::ActiveContent(active)), "{action}");
        let hidden = letter_with_hidden(action, "", <[u8]>::to_vec);
        assert_eq!(pdf(&hidden), Err(Refusal::ActiveContent(active)), "{action}");
    }
    for (object, active) in [
        ("<</Type/Filespec/F(a.exe)/EF<</F 9 0 R>>>>", Active::EmbeddedFile),
        ("<</Type/Annot/Subtype/FileAttachment>>", Active::EmbeddedFile),
        ("<</Type/Annot/Subtype/RichMedia>>", Active::RichMedia),
        ("<</Type/Annot/Subtype/3D>>", Active::RichMedia),
        ("<</Fields[]/XFA 9 0 R>>", Active::Xfa),
        ("<</Names[(a) 9 0 R]/JavaScript 9 0 R>>", Active::JavaScript),
        ("/JavaScript", Active::JavaScript),
        ("[1[<</A<</S/Launch>>>>]]", Active::LaunchAction),
    ] {
        let bytes = letter_with("", &[object.as_bytes().to_vec()]);
        assert_eq!(pdf(&bytes), Err(Refusal::ActiveContent(active)), "{object}");
    }
    let embedded = letter_with("", &[stream("/Type/EmbeddedFile", b"MZ")]);
    assert_eq!(pdf(&embedded), Err(Refusal::ActiveContent(Active::EmbeddedFile)));
    let outside = letter_with("", &[stream("/F(\\\\\\\\example.org\\\\a)", b"")]);
    assert_eq!(pdf(&outside), Err(Refusal::ActiveContent(Active::ExternalFile)));
}

#[test]
fn what_is_hidden_from_an_honest_reader_is_found() {
    let script = b"<</S/JavaScript/JS(app.alert(1))>>";
    // In a former revision, of which nothing is left in the table.
    let former = [&letter_with("", &[script.to_vec()])[..], b"6 0 obj\nnull\nendobj\nstartxref\n9\n%%EOF\n"].concat();
    assert_eq!(pdf(&former), Err(Refusal::ActiveContent(Active::JavaScript)));
    // Within a stream, whose length says that it is none of its readers' business.
    let within = [b"x\nendstream endobj 9 0 obj ", &script[..], b" endobj"].concat();
    assert_eq!(pdf(&letter_with("", &[stream("", &within)])), Err(Refusal::ActiveContent(Active::JavaScript)));
    // With comments and line ends in odd places.
    let odd = letter_with("", &[b"<<%\r/S%a\n/JavaScript>>".to_vec()]);
    assert_eq!(pdf(&odd), Err(Refusal::ActiveContent(Active::JavaScript)));
    // Over the border of what is read at once.
    for padding in [0, 1, 7, 20, 31, 33, 64] {
        let len = (256 << 10) - letter().len() - padding;
        let bytes = letter_with("", &[stream("", &vec![b'a'; len]), script.to_vec()]);
        assert_eq!(pdf(&bytes), Err(Refusal::ActiveContent(Active::JavaScript)), "{padding}");
    }
    // Behind a filter that no writer uses for objects.
    for filter in [
        "/Filter/ASCIIHexDecode",
        "/Filter[/ASCII85Decode/FlateDecode]",
        "/Filter 9 0 R",
        "/Filter/FlateDecode/DecodeParms<</Predictor 12>>",
    ] {
        let bytes = letter_with_hidden("<</S/JavaScript>>", filter, deflated);
        assert!(matches!(pdf(&bytes), Err(Refusal::Malformed(_))), "{filter}");
    }
    let bytes = letter_with("", &[b"4".to_vec(), stream("/N 1/First 6 0 R", b"8 0 <</S/JavaScript>>")]);
    assert!(matches!(pdf(&bytes), Err(Refusal::Malformed(_))));
}

/// Refused, for what it does or for how it is hidden.
fn assert_seen(bytes: &[u8], how: &str) {
    let judged = pdf(bytes);
    let seen = matches!(judged, Err(Refusal::ActiveContent(Active::JavaScript) | Refusal::Malformed(_)));
    assert!(seen, "{how}: {judged:?}");
}

const SCRIPT: &str = "<</S/JavaScript/JS(app.alert(1))>>";

/// What would have begun at this place, and the end of a letter behind it.
fn at_place(place: usize, hidden: &str) -> Vec<u8> {
    let (objects, end) = letter().split_at_bytes(b"xref\n");
    let filler = vec![b'a'; place - objects.len() - 1];
    [&objects[..], b"%", &filler[..filler.len() - 1], b"\n", hidden.as_bytes(), b" endobj\n", &end].concat()
}

#[test]
fn no_place_in_the_file_hides_an_object() {
    let (window, after) = (256 << 10, 16 << 10);
    // Each byte of it once on each side of where a window ends, and of where what is read beyond it ends.
    for edge in [window, window + after] {
        for back in 0..60 {
            let bytes = at_place(edge - back, &format!("7 0 obj {SCRIPT}"));
            assert_eq!(pdf(&bytes), Err(Refusal::ActiveContent(Active::JavaScript)), "{edge} {back}");
        }
    }
    // With blanks between a number in one window and its object behind the end of it.
    for blank in [" ", "\n", "\0", "%\n", "%a comment\r"] {
        for many in [1, 100, 4000, 4090, 4097, 16_000, 16_376, 16_377, 16_384, 20_000, 300_000] {
            for back in [0, 1, 3, 7, 8, 9, 40] {
                let blanks = blank.repeat(many / blank.len());
                assert_seen(&at_place(window - back, &format!("7 0 obj{blanks}{SCRIPT}")), &format!("{many} {back}"));
            }
        }
    }
    for many in 16_360..16_392 {
        assert_seen(&at_place(window - 8, &format!("7 0 obj{}{SCRIPT}", " ".repeat(many))), &format!("{many}"));
    }
}

#[test]
fn no_comment_and_no_stray_delimiter_hides_an_object() {
    for before in ["7 %x\n0 obj", "7 0%x\nobj", "7%x\r0%y\robj", "7 0 %7 0 obj\nobj", "7 0obj", "7 +0obj", "7 0.obj"] {
        for between in ["", " ", "%z\n", "%<<\n", ")", " > ", "]]", "%)\r}"] {
            for object in [SCRIPT, "/JavaScript ", "[ <</Subtype/Link/A<</S/JavaScript/JS(1)>>>>]", "[/JavaScript]"] {
                let hidden = format!("{before}{between}{object}");
                let bytes = letter_with("", &[format!("null endobj\n{hidden}").into_bytes()]);
                assert_eq!(pdf(&bytes), Err(Refusal::ActiveContent(Active::JavaScript)), "{hidden}");
            }
        }
    }
    for before in [")", " ]\n> ", "%)\r", "}"] {
        let held = letter_with_hidden(&format!("{before}{SCRIPT}"), "/Filter/FlateDecode", deflated);
        assert_eq!(pdf(&held), Err(Refusal::ActiveContent(Active::JavaScript)), "{before}");
    }
    // Blanks to some readers and letters to others.
    for blank in [b"\x80", b"\xff"] {
        for object in [&b"<</S@/JavaScript@/JS@(1)>>"[..], b"@<</S/J@/JS(1)>>", b"@[/JavaScript@]", b"@/JavaScript "] {
            let object = object.iter().map(|byte| if *byte == b'@' { blank[0] } else { *byte }).collect();
            let bytes = letter_with("", &[object]);
            assert_eq!(pdf(&bytes), Err(Refusal::ActiveContent(Active::JavaScript)), "{blank:?}");
        }
    }
    let far = format!("7 {}0 obj [{SCRIPT}]", " ".repeat(64));
    assert_seen(&letter_with("", &[format!("null endobj\n{far}").into_bytes()]), &far);
    // Words and chance bytes are none.
    for words in ["(an obj", "\u{fb}obj[", "xobj/JavaScript ", "7 0 objective /JavaScript", "7 0 endobj /JavaScript"] {
        let bytes = letter_with("", &[stream("", words.as_bytes())]);
        assert_eq!(pdf(&bytes).map(|it| it.pages), Ok(Some(1)), "{words}");
    }
}

#[test]
fn no_distance_hides_the_stream_of_an_object_stream() {
    let held = format!("6 0 {SCRIPT}");
    let hidden = |between: &str, word: &str| {
        let object = format!("<</Type/ObjStm/N 1/First 4/Length {}>>{between}{word}{held}\nendstream", held.len());
        letter_with("", &[b"null".to_vec(), object.into_bytes()])
    };
    for blank in [" ", "\n", "%\n", "%a comment\r", ")", "\0"] {
        for many in [1_usize, 60, 64, 4090, 4096, 4097, 4200, 16_384, 66_000, 262_144, 300_000] {
            assert_seen(&hidden(&blank.repeat(many.div_ceil(blank.len())), "\nstream\n"), &format!("{many} {blank:?}"));
        }
    }
    for word in ["stream\r", "stream \r\n", "stream", "stream  ", "stream 9 9 9\n", "streamx\n"] {
        assert_seen(&hidden("\n", word), word);
    }
    assert_seen(&hidden("\n", &format!("stream{}\n", " ".repeat(300_000))), "far");
    for edge in [256 << 10, (256 + 16) << 10] {
        for back in 0..90 {
            let object = format!("8 0 obj<</Type/ObjStm/N 1/First 4>>\nstream\n{held}\nendstream");
            assert_seen(&at_place(edge - back, &object), &format!("{edge} {back}"));
        }
    }
}

#[test]
fn a_link_leads_to_a_page_a_letter_or_a_telephone_and_nowhere_else() {
    let link = |uri: &str| pdf(&letter_with(&format!("/Annots[<</Subtype/Link/A<</S/URI/URI {uri}>>>>]"), &[]));
    for fine in [
        "(https://sante.fr)",
        "(HTTP://sante.fr:80/a)",
        "(mailto:a@b.fr)",
        "(tel:+33100000000)",
        "(www.sante.fr)",
        "(page?at=12:30)",
        "(#fin)",
        "<68747470733a2f2f61>",
        "()",
    ] {
        assert!(link(fine).is_ok(), "{fine}");
    }
    for refused in [
        "(file:///c:/calc.exe)",
        "(javascript:alert\\(1\\))",
        "(java\nscript:a)",
        "( JavaScript:a)",
        "(java\\163cript:a)",
        "(\\\\\\\\evil\\\\x)",
        "<6a6176617363726970743a61>",
        "<feff006a>",
        "7 0 R",
        "(ms-settings:a)",
        "(c:\\\\x.exe)",
    ] {
        assert!(matches!(link(refused), Err(Refusal::ActiveContent(_))), "{refused}");
    }
    for object in
        ["<</S/Thread/F(\\\\\\\\evil)>>", "<</Type/Filespec/FS/URL/F(http://evil)>>", "<</Ref<</F(x.pdf)/Page 0>>>>"]
    {
        assert!(pdf(&letter_with("", &[object.as_bytes().to_vec()])).is_err(), "{object}");
    }
}

#[test]
fn what_only_looks_active_is_taken() {
    for object in [
        &b"(a text on /JavaScript and /Launch)"[..],
        b"<</Title(Launch)/S/Span/Names<</EmbeddedFiles<</Names[]>>/JavaScript<<>>>>>>",
        b"<</XFA null/AA<<>>>>",
        b"<</Type/StructElem/S/Figure>>",
    ] {
        assert_eq!(pdf(&letter_with("", &[object.to_vec()])).map(|it| it.pages), Ok(Some(1)), "{object:?}");
    }
}

#[test]
fn fields_links_signatures_and_revisions_are_told() {
    let findings = |bytes: Vec<u8>| pdf(&bytes).unwrap().findings;
    assert_eq!(findings(with_action("<</S/URI/URI(https://example.org)>>")), [Finding::ExternalLinks]);
    assert_eq!(findings(letter_with("", &[b"<</FT/Tx/T(name)>>".to_vec()])), [Finding::FormFields]);
    assert_eq!(findings(letter_with("", &[b"<</FT/Sig/T(s)>>".to_vec()])), [Finding::Signed]);
    let again = [letter(), b"6 0 obj\nnull\nendobj\ntrailer\n<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n".to_vec()].concat();
    assert_eq!(findings(again), [Finding::FormerRevisions]);
}

#[test]
fn an_encrypted_pdf_is_refused() {
    let text = String::from_utf8_lossy(&letter()).replace("/Root 1 0 R", "/Root 1 0 R/Encrypt 9 0 R");
    assert_eq!(pdf(text.as_bytes()), Err(Refusal::Encrypted));
    let bytes = letter_with("", &[stream("/Type/XRef/W[1 1 1]/Root 1 0 R/Encrypt 9 0 R", b"")]);
    assert_eq!(pdf(&bytes), Err(Refusal::Encrypted));
}

#[test]
fn pages_in_a_circle_too_many_or_none_are_refused() {
    let tree = |pages: &str| {
        pdf_of(&[
            b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
            pages.as_bytes().to_vec(),
            b"<</Kids[2 0 R 2 0 R]>>".to_vec(),
        ])
    };
    assert!(matches!(pdf(&tree("<</Kids[3 0 R]>>")), Err(Refusal::Malformed(_))));
    assert!(matches!(pdf(&tree("<</Kids[2 0 R]>>")), Err(Refusal::Malformed(_))));
    assert!(matches!(pdf(&tree("<</Kids[]>>")), Err(Refusal::Malformed(_))));
    assert!(matches!(pdf(&tree("<</Kids[9 0 R]>>")), Err(Refusal::Malformed(_))));
    assert_eq!(pdf(&tree(&format!("<</Kids[{}]>>", "4 0 R ".repeat(3000)))), Err(Refusal::TooManyPages));
    assert!(matches!(pdf(&pdf_of(&[b"<</Pages 1 0 R/Kids 1 0 R>>".to_vec()])), Ok(_) | Err(Refusal::Malformed(_))));
    assert!(matches!(pdf(&pdf_of(&[b"1 0 R".to_vec()])), Err(Refusal::Malformed(_))));
    let pages: Vec<Vec<u8>> = [b"<</Pages 2 0 R>>".to_vec()]
        .into_iter()
        .chain([format!("<</Kids[{}]>>", (3..2100).map(|it| format!("{it} 0 R ")).collect::<String>()).into_bytes()])
        .chain((3..2100).map(|_| b"<</Type/Page>>".to_vec()))
        .collect();
    assert_eq!(pdf(&pdf_of(&pages)), Err(Refusal::TooManyPages));
}

#[test]
fn bombs_are_refused_before_they_burst() {
    let zeros = deflated(&vec![b' '; 20 << 20]);
    let bomb = letter_with("", &[stream("/Type/ObjStm/N 1/First 4/Filter/FlateDecode", &zeros)]);
    assert_eq!(pdf(&bomb), Err(Refusal::Bomb));
    let many = vec![stream("/Type/ObjStm/N 0/First 0/Filter/FlateDecode", &deflated(&vec![b' '; 3 << 20])); 100];
    assert_eq!(pdf(&letter_with("", &many)), Err(Refusal::Bomb));
    for deep in [&b"["[..], b"<</A", b"<</A["] {
        assert_eq!(pdf(&letter_with("", &[deep.repeat(100_000)])), Err(Refusal::Bomb));
    }
    // Each of these would be read to the end of the file.
    let begun = std::time::Instant::now();
    for nested in [&b"9 0 obj<<("[..], b"9 0 obj[(", b"obj<<(", b"9 0 obj<</A("] {
        assert!(pdf(&letter_with("", &[nested.repeat(400_000)])).is_err());
    }
    let on_top = "9 4000 ".repeat(2000);
    let bytes = format!("{on_top}{}[{}]", " ".repeat(14_000 - on_top.len() + 4000), "1 ".repeat(100_000));
    let bytes =
        letter_with("", &[stream("/Type/ObjStm/N 2000/First 14000/Filter/FlateDecode", &deflated(bytes.as_bytes()))]);
    assert_eq!(pdf(&bytes), Err(Refusal::Bomb));
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn what_draws_without_end_has_no_preview_and_no_words() {
    let drawing = |drawing: &[u8], resources: &str, more: &[Vec<u8>]| {
        let mut objects = vec![
            b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
            b"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 595 842]>>".to_vec(),
            format!("<</Type/Page/Parent 2 0 R/Resources<<{resources}>>/Contents 4 0 R>>").into_bytes(),
            stream("", drawing),
        ];
        objects.extend_from_slice(more);
        pdf_of(&objects)
    };
    let begun = std::time::Instant::now();
    // Forms of forms of forms: ten to the twentieth.
    let form = |next: u32| {
        let drawing = format!("/X{next} Do ").repeat(10);
        let resources = format!("/Resources<</XObject<</X{next} {next} 0 R>>>>");
        stream(&format!("/Type/XObject/Subtype/Form/BBox[0 0 9 9]{resources}"), drawing.as_bytes())
    };
    let forms: Vec<Vec<u8>> = (6..26).map(form).collect();
    let laughs = drawing(b"/X5 Do", "/XObject<</X5 5 0 R>>", &forms);
    assert!(preview(&laughs, MediaType::Pdf).is_none());
    // A compressed part of half a gigabyte in what is drawn; and one within another.
    let zeros = deflated(&vec![b' '; 64 << 20]);
    let more = [stream("/Filter/FlateDecode", &zeros), stream("/Filter[/FlateDecode/FlateDecode]", &deflated(&zeros))];
    for number in [5, 6] {
        let contents = format!("/Contents {number} 0 R");
        let bytes = drawing(b"", "", &more).replacen_bytes(b"/Contents 4 0 R", contents.as_bytes());
        assert!(preview(&bytes, MediaType::Pdf).is_none());
        assert_eq!(text(&bytes, MediaType::Pdf), None);
    }
    let bomb = letter_with("/Annots[<</Rect[0 0 9 9]/AP<</N 6 0 R>>>>]", &more);
    assert!(preview(&bomb, MediaType::Pdf).is_none());
    // Pictures larger than any page, in an object and in the drawing.
    let picture = stream(
        "/Subtype/Image/Width 60000/Height 60000/BitsPerComponent 8/ColorSpace/DeviceGray/Filter/CCITTFaxDecode",
        b"",
    );
    assert!(preview(&drawing(b"/P Do", "/XObject<</P 5 0 R>>", &[picture]), MediaType::Pdf).is_none());
    let inline = b"BI /W 60000 /H 60000 /BPC 8 /CS /G ID \0\0 EI";
    assert!(preview(&drawing(inline, "", &[]), MediaType::Pdf).is_none());
    // Dashes too fine to be seen.
    let dashes = b"[0.0001 0.0001] 0 d 0 0 m 100000000 100000000 l S";
    assert!(preview(&drawing(dashes, "", &[]), MediaType::Pdf).is_none());
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    // What follows is drawn.
    assert!(preview(&letter(), MediaType::Pdf).is_some());
}

#[test]
fn a_pdf_that_is_cut_off_or_something_else_as_well_is_refused() {
    let bytes = letter();
    for len in [bytes.len() - 8, bytes.len() / 2, 300] {
        let refused = pdf(&bytes[..len]);
        assert!(matches!(refused, Err(Refusal::Truncated | Refusal::Malformed(_))), "{len}: {refused:?}");
    }
    let cases: [(&str, Vec<u8>, Refusal); 6] = [
        ("ZIP behind", [letter(), zip("a", b"b")].concat(), Refusal::Polyglot),
        ("HTML behind", [letter(), b"<html><script>".to_vec()].concat(), Refusal::Polyglot),
        ("ZIP before", [zip("a", b"b"), letter()].concat(), Refusal::Polyglot),
        ("JPEG before", [jpeg(), letter()].concat(), Refusal::Polyglot),
        ("text before", [b"Bonjour\n".to_vec(), letter()].concat(), Refusal::Polyglot),
        ("HTML in a comment", letter().replacen_bytes(b"%\xe2\xe3", b"%<script>alert(1)</script>"), Refusal::Polyglot),
    ];
    for (name, bytes, refusal) in cases {
        assert_eq!(pdf(&bytes), Err(refusal), "{name}");
    }
    assert_eq!(pdf(b"%PDF-1.7\n%%EOF\n"), Err(Refusal::Truncated));
}

trait ReplacenBytes {
    fn replacen_bytes(&self, from: &[u8], to: &[u8]) -> Vec<u8>;
    fn split_at_bytes(&self, at: &[u8]) -> (Vec<u8>, Vec<u8>);
}

impl ReplacenBytes for Vec<u8> {
    fn replacen_bytes(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self.windows(from.len()).position(|it| it == from).unwrap();
        [&self[..at], to, &self[at + from.len()..]].concat()
    }

    fn split_at_bytes(&self, at: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let at = self.windows(at.len()).position(|it| it == at).unwrap();
        (self[..at].to_vec(), self[at..].to_vec())
    }
}

#[test]
fn a_text_is_words_and_nothing_else() {
    let plain = |bytes: &[u8]| inspect(bytes, MediaType::Text).map(|it| it.media_type);
    for words in ["Chère consœur,\r\n\tmerci.\n", "\u{feff}Bonjour", "< 5 mg/l", "<3", "עברית", "a"] {
        assert_eq!(plain(words.as_bytes()), Ok(MediaType::Text), "{words}");
    }
    for markup in [
        "<!DOCTYPE html>",
        "<html>",
        "\u{feff} \n<HTML>",
        "<svg onload=x>",
        "<?xml version='1.0'?>",
        "<script>",
        "#!/bin/sh\n",
        "<!-- a --><html>",
        "<a href=x>",
        "{\\rtf1",
        "%!PS-Adobe",
        "Bonjour <script>alert(1)</script>",
        "</p>",
        "<br/>",
    ] {
        let refused = plain(markup.as_bytes());
        assert!(matches!(refused, Err(Refusal::Markup | Refusal::TypeUnknown)), "{markup}: {refused:?}");
    }
    for odd in [&b"a\x07b"[..], b"a\xffb", b"caf\xe9", b"a\x1b[31m", "a\u{85}b".as_bytes(), "a\u{ffff}".as_bytes()] {
        assert_eq!(plain(odd), Err(Refusal::NotPlainText), "{odd:?}");
    }
    assert_eq!(plain(b"a\0b"), Err(Refusal::TypeUnknown));
    assert_eq!(plain(b" \n\t "), Err(Refusal::Empty));
    // Characters over the border of what is read at once, and one that ends with the file.
    let long = format!("a{}", "é".repeat(200_000));
    assert_eq!(plain(long.as_bytes()), Ok(MediaType::Text));
    assert_eq!(plain(&long.as_bytes()[..long.len() - 1]), Err(Refusal::NotPlainText));
    let late = [long.as_bytes(), b"\x07"].concat();
    assert_eq!(plain(&late), Err(Refusal::NotPlainText));
    assert_eq!(text("Chère consœur".as_bytes(), MediaType::Text).unwrap(), "Chère consœur");
    let short = Limits { max_text_bytes: 4, ..Limits::default() };
    let words = content::text(&mut file("Chère".as_bytes()), MediaType::Text, &short).unwrap();
    assert_eq!(words.unwrap(), "Chè");
}

#[test]
fn a_file_over_the_limit_is_refused_unread() {
    let few = Limits { max_bytes: 10, ..Limits::default() };
    let refused = content::inspect(&mut file(&letter()), MediaType::Pdf, &few).unwrap_err();
    assert_eq!(refused.to_string(), "the file is too large");
}
