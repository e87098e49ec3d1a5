use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn each_type_has_a_code_of_its_own() {
    let codes: BTreeSet<&str> = TYPES.iter().map(|it| it.code).collect();
    assert_eq!(codes.len(), TYPES.len());
    assert!(type_of("11488-4").is_some_and(|it| !it.administrative));
    assert!(type_of("51851-4").is_some_and(|it| it.administrative));
    assert!(TypeCode::try_from("0".to_owned()).is_err());
}

#[test]
fn a_title_is_one_line_that_is_what_it_seems() {
    let title = |text: &str| Title::try_from(text.to_owned());
    assert_eq!(title("  Lettre de sortie ").unwrap().as_str(), "Lettre de sortie");
    assert!(title(&"é".repeat(200)).is_ok());
    for wrong in ["", "  ", "a\0", "a\nb", "fdp.\u{202e}exe", "a\u{200b}b", &"é".repeat(201)] {
        assert!(title(wrong).is_err(), "{wrong:?}");
    }
    let hash = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(String::from(Sha256::try_from(hash.to_owned()).unwrap()), hash.to_lowercase());
    for wrong in ["", "é", &hash[1..], &hash.replace('E', "g")] {
        assert!(Sha256::try_from(wrong.to_owned()).is_err(), "{wrong}");
    }
    assert!(Size::try_from(0).is_err() && Size::try_from(MAX_BYTES).is_ok() && Size::try_from(MAX_BYTES + 1).is_err());
    assert!(Language::try_from("fr".to_owned()).is_ok() && Language::try_from("FR".to_owned()).is_err());
}

#[test]
fn a_range_is_what_rfc_9110_says() {
    let range = |header| byte_range(Some(header), 100);
    assert_eq!(range("bytes=0-9"), Ok(Some((0, 10))));
    assert_eq!(range("bytes=90-"), Ok(Some((90, 100))));
    assert_eq!(range("bytes=-10"), Ok(Some((90, 100))));
    assert_eq!(range("bytes=-1000"), Ok(Some((0, 100))));
    assert_eq!(range("bytes=50-1000"), Ok(Some((50, 100))));
    for none in ["bytes=9-0", "bytes=a-b", "bytes=0-1,5-6", "pages=1-2", "bytes=-", ""] {
        assert_eq!(range(none), Ok(None), "{none}");
    }
    assert_eq!(byte_range(None, 100), Ok(None));
    for beyond in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
        assert_eq!(range(beyond), Err(Unsatisfiable), "{beyond}");
    }
}

#[test]
fn a_file_is_called_by_its_title_and_nothing_in_it_is_a_path() {
    assert_eq!(file_name("Lettre du Dr Müller", "application/pdf"), "Lettre du Dr Müller.pdf");
    assert_eq!(file_name("../../etc/passwd", "image/png"), "etc passwd.png");
    assert_eq!(file_name("a\u{202e}fdp.exe\0\r\nx: y\"", "application/pdf"), "a fdp exe x y.pdf");
    assert_eq!(file_name("///", "text/plain"), "document.txt");
    assert_eq!(file_name(&"x".repeat(300), "application/pdf").chars().count(), 84);
}

proptest! {
    #[test]
    fn parts_make_up_the_whole(bytes in 1..=MAX_BYTES) {
        let slices = slices(bytes);
        prop_assert_eq!(slices.is_empty(), bytes <= WHOLE_BYTES);
        if !slices.is_empty() {
            prop_assert_eq!(slices.iter().map(|slice| slice.length).sum::<u64>(), bytes);
            prop_assert!(slices.iter().all(|slice| (1..=PART_BYTES).contains(&slice.length)));
            // No store takes a smaller one but at the end.
            prop_assert!(slices.iter().rev().skip(1).all(|slice| slice.length == PART_BYTES));
        }
    }

    #[test]
    fn a_range_is_never_beyond_the_end(from in 0_u64..300, to in 0_u64..300, length in 0_u64..200) {
        if let Ok(Some((start, end))) = byte_range(Some(&format!("bytes={from}-{to}")), length) {
            prop_assert!(start < end && end <= length && start == from);
        }
    }
}
