//! Photographs and scans: what is taken, what is refused, what a cleaned copy and a preview hold.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod samples;

use content::{Finding, MediaType, Refusal};
use image::{DynamicImage, GenericImageView, ImageFormat};
use samples::*;

fn pixels(bytes: &[u8], format: ImageFormat) -> Vec<u8> {
    image::load_from_memory_with_format(bytes, format).unwrap().into_rgb8().into_raw()
}

fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

#[test]
fn every_kind_of_picture_is_taken_as_what_it_is() {
    for (format, media_type) in [
        (ImageFormat::Jpeg, MediaType::Jpeg),
        (ImageFormat::Png, MediaType::Png),
        (ImageFormat::WebP, MediaType::WebP),
        (ImageFormat::Tiff, MediaType::Tiff),
    ] {
        let bytes = encoded(64, 48, format);
        let inspection = inspect(&bytes, media_type).unwrap();
        assert_eq!((inspection.media_type, inspection.pixels), (media_type, Some((64, 48))));
        assert_eq!(inspection.findings, [], "{media_type}");
        assert_eq!(cleaned(&bytes, media_type), None, "{media_type}");
        for other in MediaType::ALL.into_iter().filter(|other| *other != media_type) {
            assert_eq!(inspect(&bytes, other), Err(Refusal::TypeDiffers { declared: other, real: media_type }));
        }
    }
}

#[test]
fn a_cleaned_photograph_tells_nothing_but_which_way_is_up() {
    let plain = jpeg();
    let mut told = with_exif(&plain, 6);
    told = with_segment(&told, 0xfe, b"comment of Carnet-1");
    told = with_segment(&told, 0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta exif:GPSLatitude='Carnet-1'/>");
    told = with_segment(&told, 0xed, b"Photoshop 3.0\0 Carnet-1");
    told = with_segment(&told, 0xe2, b"MPF\0 Carnet-1");
    // As telephones do: the same again, with other light.
    told.extend(&told.clone());
    let inspection = inspect(&told, MediaType::Jpeg).unwrap();
    assert_eq!(inspection.findings, [Finding::Place, Finding::Metadata]);
    let clean = cleaned(&told, MediaType::Jpeg).unwrap();
    assert!(!holds(&clean, b"Carnet-1"));
    assert_eq!(pixels(&clean, ImageFormat::Jpeg), pixels(&plain, ImageFormat::Jpeg));
    assert!(clean.len() < plain.len() + 50);
    // Upright, the green corner is right and above.
    let upright = preview(&clean, MediaType::Jpeg).unwrap();
    assert_eq!(upright.dimensions(), (48, 64));
    assert!(upright.get_pixel(44, 4).0[1] > 200 && upright.get_pixel(44, 60).0[0] > 200);
    // What is clean stays as it is.
    assert_eq!(inspect(&clean, MediaType::Jpeg).unwrap().findings, []);
    assert_eq!(cleaned(&clean, MediaType::Jpeg), None);
}

#[test]
fn a_photograph_is_cleaned_in_png_webp_and_tiff_too() {
    let words: &[u8] = b"Carnet-1";
    let png = with_chunk(&png(), *b"eXIf", &exif(3));
    let png = with_chunk(&png, *b"tEXt", b"Author\0Carnet-1");
    let webp = encoded(64, 48, ImageFormat::WebP);
    let webp = with_riff_chunks(&webp, 0x0c, (64, 48), &[(b"EXIF", &exif(3)), (b"XMP ", b"<x:xmpmeta Carnet-1 />")]);
    for (bytes, format, media_type) in
        [(png, ImageFormat::Png, MediaType::Png), (webp, ImageFormat::WebP, MediaType::WebP)]
    {
        assert!(holds(&bytes, words));
        assert_eq!(inspect(&bytes, media_type).unwrap().findings, [Finding::Place, Finding::Metadata], "{media_type}");
        let clean = cleaned(&bytes, media_type).unwrap();
        assert!(!holds(&clean, words), "{media_type}");
        assert_eq!(pixels(&clean, format), pixels(&bytes, format), "{media_type}");
        assert_eq!(inspect(&clean, media_type).unwrap().findings, [], "{media_type}");
        assert_eq!(cleaned(&clean, media_type), None, "{media_type}");
        let turned = preview(&clean, media_type).unwrap();
        assert!(turned.get_pixel(60, 44).0[1] > 200, "{media_type}");
    }
}

/// A TIFF with another tag at the end of its directory, and words in a gap.
fn tiff_with(tag: u16, words: &[u8]) -> Vec<u8> {
    let plain = encoded(64, 48, ImageFormat::Tiff);
    let order = |at: usize| u32::from_le_bytes(plain[at..at + 4].try_into().unwrap()) as usize;
    assert!(plain.starts_with(b"II*\0"));
    let at = order(4);
    let count = usize::from(plain[at]);
    let mut directory = u16::try_from(count + 1).unwrap().to_le_bytes().to_vec();
    directory.extend(&plain[at + 2..at + 2 + 12 * count]);
    let place = plain.len();
    directory.extend(tag.to_le_bytes());
    directory.extend(2_u16.to_le_bytes());
    directory.extend(u32::try_from(words.len()).unwrap().to_le_bytes());
    directory.extend(u32::try_from(place).unwrap().to_le_bytes());
    directory.extend([0; 4]);
    let mut tiff = plain.clone();
    tiff[4..8].copy_from_slice(&u32::try_from(place + words.len()).unwrap().to_le_bytes());
    tiff.extend(words);
    tiff.extend(directory);
    tiff
}

#[test]
fn a_scan_in_tiff_is_rid_of_its_words_and_keeps_its_pixels() {
    let told = tiff_with(0x8825, b"place of Carnet-1 and so on.....");
    assert_eq!(inspect(&told, MediaType::Tiff).unwrap().findings, [Finding::Place, Finding::Metadata]);
    let clean = cleaned(&told, MediaType::Tiff).unwrap();
    assert!(!holds(&clean, b"Carnet-1"));
    assert_eq!(pixels(&clean, ImageFormat::Tiff), pixels(&told, ImageFormat::Tiff));
    assert_eq!(inspect(&clean, MediaType::Tiff).unwrap().findings, []);
    assert_eq!(cleaned(&clean, MediaType::Tiff), None);
    assert_eq!(inspect(&clean, MediaType::Tiff).unwrap().pages, Some(1));
}

/// A TIFF of these directories of tags, kinds, counts and values, with this behind the header.
fn tiff_of(body: &[u8], pages: &[Vec<(u16, u16, u32, u32)>]) -> Vec<u8> {
    let mut tiff = b"II*\0".to_vec();
    let mut next = u32::try_from(8 + body.len()).unwrap();
    tiff.extend(next.to_le_bytes());
    tiff.extend(body);
    for (page, index) in pages.iter().zip(1..) {
        tiff.extend(u16::try_from(page.len()).unwrap().to_le_bytes());
        for (tag, kind, count, value) in page {
            tiff.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
            tiff.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
        }
        next += u32::try_from(6 + 12 * page.len()).unwrap();
        tiff.extend((if index == pages.len() { 0 } else { next }).to_le_bytes());
    }
    tiff
}

fn page_of(at: u32, len: u32) -> Vec<(u16, u16, u32, u32)> {
    vec![(256, 4, 1, 8), (257, 4, 1, 8), (273, 4, 1, at), (279, 4, 1, len)]
}

#[test]
fn a_tiff_whose_pages_lie_on_top_of_one_another_is_a_bomb() {
    let body = vec![7; 1 << 20];
    let len = 1 << 20;
    assert_eq!(inspect(&tiff_of(&body, &[page_of(8, len)]), MediaType::Tiff).unwrap().findings, []);
    assert_eq!(inspect(&tiff_of(&body, &vec![page_of(8, len); 400]), MediaType::Tiff), Err(Refusal::Bomb));
    let halves = [page_of(8, len / 2), page_of(8 + len / 2, len / 2)];
    assert_eq!(inspect(&tiff_of(&body, &halves), MediaType::Tiff).unwrap().findings, []);
    // What lies in gaps is removed, though other bytes are used twice.
    let twice = tiff_of(&body, &[page_of(8, len / 2), page_of(8, len / 2)]);
    assert_eq!(inspect(&twice, MediaType::Tiff).unwrap().findings, [Finding::Metadata]);
    assert!(cleaned(&twice, MediaType::Tiff).is_some());
}

#[test]
fn values_of_a_tiff_on_top_of_one_another_take_no_memory() {
    let body = vec![7; 4 << 20];
    let len = 4 << 20;
    let tags =
        [258, 259, 262, 263, 264, 265, 266, 277, 278, 280, 281, 282, 283, 284, 290, 291, 292, 293, 296, 297, 301];
    let mut page: Vec<_> = page_of(8, 100).into_iter().chain(tags.map(|tag| (tag, 7, len, 0))).collect();
    page.sort_unstable();
    assert_eq!(inspect(&tiff_of(&body, &vec![page; 10]), MediaType::Tiff), Err(Refusal::Bomb));
    // Tables of places are held, whatever else is not.
    let places = |count| vec![(256, 4, 1, 8), (257, 4, 1, 8), (273, 4, count, 8), (279, 4, count, 8)];
    assert_eq!(inspect(&tiff_of(&vec![0; 4 << 20], &vec![places(190_000); 10]), MediaType::Tiff), Err(Refusal::Bomb));
    // A colour profile that all pages share is copied, and the same pixels come out.
    let profile: Vec<u8> = (0..100_001_u32).map(|it| it.to_le_bytes()[0]).collect();
    let body = [&profile[..], &[0; 99]].concat();
    let sharing = |at: u32| [page_of(8 + 100_001 + at, 30), vec![(305, 2, 4, 0), (34675, 7, 100_001, 8)]].concat();
    let shared = tiff_of(&body, &[sharing(0), sharing(30)]);
    let clean = cleaned(&shared, MediaType::Tiff).unwrap();
    assert_eq!(clean.windows(profile.len()).filter(|it| it == &profile).count(), 2);
    assert_eq!(inspect(&clean, MediaType::Tiff).unwrap().findings, []);
    assert_eq!(cleaned(&clean, MediaType::Tiff), None);
}

#[test]
fn a_tiff_whose_pages_go_in_a_circle_is_damaged() {
    let mut tiff = encoded(64, 48, ImageFormat::Tiff);
    let at = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
    let next = at + 2 + 12 * usize::from(tiff[at]);
    let first = tiff[4..8].to_vec();
    tiff[next..next + 4].copy_from_slice(&first);
    assert!(matches!(inspect(&tiff, MediaType::Tiff), Err(Refusal::Malformed(_))));
}

#[test]
fn a_hundred_megapixels_are_refused_by_the_header_alone() {
    let mut huge = png();
    huge[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
    let mut sum = flate2::Crc::new();
    sum.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    assert_eq!(inspect(&huge, MediaType::Png), Err(Refusal::TooManyPixels));
    let mut huge = jpeg();
    let frame = huge.windows(2).position(|it| it == [0xff, 0xc0]).unwrap();
    huge[frame + 5..frame + 9].copy_from_slice(&[0x27, 0x10, 0x27, 0x10]);
    assert_eq!(inspect(&huge, MediaType::Jpeg), Err(Refusal::TooManyPixels));
}

#[test]
fn a_picture_that_is_cut_off_is_refused() {
    for (format, media_type) in [
        (ImageFormat::Jpeg, MediaType::Jpeg),
        (ImageFormat::Png, MediaType::Png),
        (ImageFormat::WebP, MediaType::WebP),
        (ImageFormat::Tiff, MediaType::Tiff),
    ] {
        let bytes = encoded(64, 48, format);
        for len in [bytes.len() - 1, bytes.len() / 2, 20] {
            let refused = inspect(&bytes[..len], media_type);
            assert!(
                matches!(refused, Err(Refusal::Truncated | Refusal::Malformed(_))),
                "{media_type} {len}: {refused:?}"
            );
        }
    }
}

#[test]
fn a_picture_that_is_something_else_as_well_is_refused() {
    let archive = zip("a.txt", b"hello");
    let pdf = letter();
    let html = b"<html><script>alert(1)</script></html>";
    let cases: Vec<(&str, Vec<u8>, MediaType)> = vec![
        ("PNG and ZIP", [png(), archive.clone()].concat(), MediaType::Png),
        ("JPEG and ZIP", [jpeg(), archive.clone()].concat(), MediaType::Jpeg),
        ("JPEG and JPEG and ZIP", [jpeg(), jpeg(), archive].concat(), MediaType::Jpeg),
        ("JPEG and PDF", [jpeg(), pdf.clone()].concat(), MediaType::Jpeg),
        ("JPEG and HTML", [jpeg(), html.to_vec()].concat(), MediaType::Jpeg),
        ("PDF in a comment", with_segment(&jpeg(), 0xfe, &pdf), MediaType::Jpeg),
        ("HTML in a comment", with_segment(&jpeg(), 0xfe, html), MediaType::Jpeg),
        (
            "HTML in a late comment",
            with_segment(&with_segment(&jpeg(), 0xfe, html), 0xfe, &[b'a'; 2000]),
            MediaType::Jpeg,
        ),
        ("WebP and more", [encoded(8, 8, ImageFormat::WebP), b"Rar!".to_vec()].concat(), MediaType::WebP),
        ("GIFAR", [jpeg(), zip("META-INF/MANIFEST.MF", b"Main-Class: A")].concat(), MediaType::Jpeg),
    ];
    for (name, bytes, media_type) in cases {
        assert_eq!(inspect(&bytes, media_type), Err(Refusal::Polyglot), "{name}");
    }
    for other in
        [b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), zip("a", b"b"), b"MZ\x90\0".to_vec(), b"\x7fELF\x02\x01".to_vec()]
    {
        assert_eq!(inspect(&other, MediaType::Png), Err(Refusal::TypeUnknown));
    }
    assert_eq!(inspect(b"", MediaType::Png), Err(Refusal::Empty));
}

#[test]
fn a_moving_picture_is_refused_or_stands_still() {
    let webp = with_riff_chunks(&encoded(8, 8, ImageFormat::WebP), 0x02, (8, 8), &[]);
    assert!(matches!(inspect(&webp, MediaType::WebP), Err(Refusal::Malformed(_))));
    let png = with_chunk(&png(), *b"fdAT", b"\0\0\0\0 other pictures");
    assert!(!holds(&cleaned(&png, MediaType::Png).unwrap(), b"other"));
}

#[test]
fn previews_are_small_and_show_what_was_there() {
    for (format, media_type) in [
        (ImageFormat::Jpeg, MediaType::Jpeg),
        (ImageFormat::Png, MediaType::Png),
        (ImageFormat::WebP, MediaType::WebP),
        (ImageFormat::Tiff, MediaType::Tiff),
    ] {
        let small = preview(&encoded(1600, 1200, format), media_type).unwrap();
        assert_eq!(small.dimensions(), (512, 384), "{media_type}");
        let is = |x, y, channel: usize| small.get_pixel(x, y).0[channel] > 200;
        assert!(is(10, 10, 1) && is(400, 50, 0) && is(400, 350, 2), "{media_type}");
    }
}

#[test]
fn interlaced_grey_and_transparent_pictures_have_previews() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 600, 10);
    encoder.set_color(png::ColorType::GrayscaleAlpha);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    let row: Vec<u8> = (0..600).flat_map(|x| if x < 300 { [0, 255] } else { [0, 0] }).collect();
    writer.write_image_data(&row.repeat(10)).unwrap();
    writer.finish().unwrap();
    let small = preview(&bytes, MediaType::Png).unwrap();
    assert_eq!(small.dimensions(), (512, 8));
    assert!(small.get_pixel(10, 4).0[0] < 20 && small.get_pixel(500, 4).0[0] > 240);
}

#[test]
fn a_preview_that_would_take_too_much_memory_is_none() {
    let limits = content::Limits { max_preview_bytes: 1 << 20, ..content::Limits::default() };
    for (format, media_type) in [(ImageFormat::WebP, MediaType::WebP), (ImageFormat::Tiff, MediaType::Tiff)] {
        let bytes = encoded(1600, 1200, format);
        assert_eq!(content::preview(&mut file(&bytes), media_type, &limits).unwrap(), None);
    }
}

#[test]
fn a_grey_jpeg_has_a_preview() {
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::from(image::GrayImage::from_pixel(100, 50, image::Luma([90])))
        .write_to(&mut bytes, ImageFormat::Jpeg)
        .unwrap();
    let small = preview(&bytes.into_inner(), MediaType::Jpeg).unwrap();
    assert!(small.get_pixel(50, 25).0[0].abs_diff(90) < 5);
}
