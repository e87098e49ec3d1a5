//! What `docs/asvs.md` names as a proof is there.

use std::path::Path;

/// Whether a text defines something of that name.
fn defines(text: &str, name: &str) -> bool {
    let words: Vec<&str> =
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    let kinds = ["fn", "const", "struct", "enum", "trait", "function"];
    words.windows(2).any(|pair| kinds.contains(&pair[0]) && pair[1] == name)
}

#[test]
fn every_requirement_has_an_answer_and_every_proof_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/asvs.md")).unwrap();
    let (mut wrong, mut ids) = (Vec::new(), Vec::new());
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if cells.len() != 5 || cells.iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("not five cells: {line}"));
        } else if cells[0].starts_with(|c: char| c.is_ascii_digit()) {
            let answers = ["Met", "Partly: ", "Not met: ", "Not applicable: "];
            if !answers.iter().any(|answer| cells[3].starts_with(answer)) {
                wrong.push(format!("{}: {}", cells[0], cells[3]));
            }
            if !cells[4].contains('`') {
                wrong.push(format!("{}: no proof", cells[0]));
            }
            ids.push(cells[0].to_owned());
        }
    }
    assert!(ids.len() >= 100, "{} requirements", ids.len());
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "a requirement twice");

    let folders = ["docs/", "functions/", "infra/", "shared/", "tests/", "tools/"];
    let mut tests = 0;
    for cited in page.split('`').skip(1).step_by(2) {
        let (file, item) = cited.split_once("::").unwrap_or((cited, ""));
        let is_file = folders.iter().any(|folder| file.starts_with(folder)) || root.join(file).is_file();
        if !is_file {
            continue;
        }
        tests += usize::from(file.starts_with("tests/src/"));
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        if text.is_empty() || !(item.is_empty() || defines(&text, item)) {
            wrong.push(format!("is not there: {cited}"));
        }
    }
    assert!(tests >= 50, "{tests} tests");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
