//! The national directory's file becomes practitioners. Everybody here is made up: numbers begin with 99909, apart from the fixtures' 99900.
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::App;

const TITLES: &[&str] = &[
    "Type d'identifiant PP",
    "Identifiant PP",
    "Code civilité d'exercice",
    "Nom d'exercice",
    "Prénom d'exercice",
    "Code profession",
    "Code type savoir-faire",
    "Code savoir-faire",
    "Libellé savoir-faire",
    "Numéro FINESS site",
    "Raison sociale site",
    "Libellé Voie (coord. structure)",
    "Code postal (coord. structure)",
    "Libellé commune (coord. structure)",
];

/// The n-th fictive number, with a sound key.
fn rpps(n: usize) -> String {
    let body = format!("99909{n:05}");
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// Practitioner n at place `site`.
fn line(n: usize, site: usize) -> Vec<String> {
    let (rpps, name, finess) =
        (rpps(n), format!("FICTIVE-É{}", char::from(b'A' + (n % 26) as u8)), format!("6999{site:05}"));
    [
        "8",
        &rpps,
        "DR",
        &name,
        "Zoé",
        "10",
        "S",
        "SM40",
        "Pédiatrie",
        &finess,
        "Cabinet d'été",
        "rue de l'Église",
        "69003",
        "Lyon",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn file(lines: &[Vec<String>]) -> String {
    let rows = lines.iter().map(|line| line.join("|") + "|\r\n");
    std::iter::once(TITLES.join("|") + "|\r\n").chain(rows).collect()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

fn counts(report: &Value) -> Value {
    json!([report["lines"], report["created"], report["updated"], report["unchanged"], report["rejected"]])
}

async fn imported(app: &App) -> Value {
    let rows = app.sql("select jsonb_build_object('name', given_name || ' ' || family_name, 'title', title,
        'specialties', (select jsonb_agg(specialty_code order by specialty_code) from practitioner_specialty where practitioner_id = practitioner.id),
        'sites', (select jsonb_agg(jsonb_build_array(site.source_key, site.name, site.address_line, site.time_zone) order by site.source_key)
                  from practice join site on site.id = practice.site_id where practitioner_id = practitioner.id))
        from practitioner where rpps like '99909%' order by rpps").await;
    Value::Array(rows)
}

#[tokio::test]
async fn both_encodings_and_a_mark_give_the_same_practitioners() {
    let text = file(&[line(1, 1), line(2, 1)]);
    let mut results = Vec::new();
    for body in [
        text.clone().into_bytes(),
        format!("\u{feff}{text}").into_bytes(),
        latin1(&text),
        text.replace("\r\n", "\n").into_bytes(),
    ] {
        let app = App::start().await;
        let (status, report) = app.event("import-directory", body).await;
        assert_eq!((status, counts(&report)), (StatusCode::OK, json!([2, 2, 0, 0, 0])), "{report}");
        results.push(imported(&app).await);
    }
    assert_eq!(results[0][0]["name"], "Zoé FICTIVE-ÉB");
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
}

#[tokio::test]
async fn the_same_file_twice_changes_nothing_and_an_edited_line_updates() {
    let app = App::start().await;
    // The third person's lines are far apart and disagree on the name: the first wins, at every run.
    let mut lines: Vec<_> = (0..1500).map(|n| line(n, n / 10)).collect();
    let mut far = line(3, 149);
    far[3] = "AUTREMENT".to_owned();
    lines.push(far);
    let (_, report) = app.event("import-directory", file(&lines).into_bytes()).await;
    assert_eq!(counts(&report), json!([1501, 1500, 0, 0, 0]));
    app.sql("with typed as (update practitioner set online = true, email = 'ada@example.org' where rpps like '99909%' returning id)
        select jsonb_build_object('n', count(*)) from typed").await;
    let versions = "select jsonb_build_array((select jsonb_agg(xmin::text order by id) from practitioner), (select jsonb_agg(xmin::text order by id) from site))";
    let before = app.sql(versions).await;
    let (_, report) = app.event("import-directory", file(&lines).into_bytes()).await;
    assert_eq!(counts(&report), json!([1501, 0, 0, 1500, 0]));
    assert_eq!(app.sql(versions).await, before, "not one row was written");

    lines[7][3] = "NOUVELLE".to_owned();
    lines[20][11] = "rue Neuve".to_owned();
    let (_, report) = app.event("import-directory", file(&lines).into_bytes()).await;
    // The place of lines 20 to 29 moved: its ten people are updated with it.
    assert_eq!(counts(&report), json!([1501, 0, 11, 1489, 0]));
    let kept = app
        .sql("select jsonb_build_object('n', count(*)) from practitioner where online and email = 'ada@example.org'")
        .await;
    assert_eq!(kept[0]["n"], 1500, "what the practice typed stays");
}

#[tokio::test]
async fn bad_lines_are_told_with_their_numbers_and_lose_nobody_else() {
    let app = App::start().await;
    let edited = |n: usize, at: usize, value: &str| {
        let mut line = line(n, 1);
        line[at] = value.to_owned();
        line
    };
    let mut body = file(&[
        line(1, 1),
        edited(2, 1, ""),
        edited(3, 1, "1234"),
        edited(4, 3, ""),
        edited(5, 5, "9999"),
        line(6, 1)[1..].to_vec(),
        edited(7, 5, "21"),
    ])
    .into_bytes();
    body.extend_from_slice(b"8|\xff\xfe|\r\n");
    body.extend_from_slice(&vec![b'x'; 40_000]);
    body.extend_from_slice(format!("\r\n{}", edited(8, 1, "99909000080").join("|")).as_bytes());
    let (status, report) = app.event("import-directory", body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(counts(&report), json!([10, 2, 0, 0, 7]), "{report}");
    assert_eq!((&report["ignored"], &report["warnings"]), (&json!(1), &json!(1)));
    assert_eq!(
        report["rejections"],
        json!([
            { "line": 3, "reason": "rpps-missing" }, { "line": 4, "reason": "rpps-invalid: 11 digits expected" },
            { "line": 5, "reason": "family-name-missing" }, { "line": 6, "reason": "profession-unknown" },
            { "line": 7, "reason": "column-count: 13 values for 14 columns" },
            { "line": 9, "reason": "not-utf-8" }, { "line": 10, "reason": "line-too-long: 16384 bytes at most" },
        ])
    );
    let run = app.sql("select to_jsonb(import_run) from import_run").await;
    assert_eq!((&run[0]["rejected"], &run[0]["rejections"]), (&json!(7), &report["rejections"]));
}

#[tokio::test]
async fn the_order_of_columns_does_not_matter() {
    let (one, other) = (App::start().await, App::start().await);
    let text = file(&[line(1, 1), line(2, 2)]);
    let reversed: String =
        text.lines().map(|line| line.trim_end_matches('|').rsplit('|').collect::<Vec<_>>().join("|") + "\n").collect();
    one.event("import-directory", text.into_bytes()).await;
    other.event("import-directory", reversed.into_bytes()).await;
    assert_eq!(imported(&one).await, imported(&other).await);
}

#[tokio::test]
async fn another_file_is_refused_and_nothing_is_written() {
    let app = App::start().await;
    for body in [&b""[..], b"a;b;c\n1;2;3\n", b"\xff\xfeI\0d\0", &[b'x'; 40_000]] {
        let (status, problem) = app.event("import-directory", body.to_vec()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    }
    assert_eq!(app.sql("select jsonb_build_object('n', count(*)) from import_run").await[0]["n"], 0);
}

#[tokio::test]
async fn killed_in_the_middle_and_run_again_it_is_complete() {
    let app = App::start().await;
    let body = file(&(0..6000).map(|n| line(n, n / 10)).collect::<Vec<_>>()).into_bytes();
    let some_are_written = async {
        while app.sql("select jsonb_build_object('n', count(*)) from practitioner where rpps like '99909%'").await[0]["n"]
            == 0
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = app.event("import-directory", body.clone()) => panic!("finished before it was killed: make the file larger"),
        () = some_are_written => {}
    }
    let (_, report) = app.event("import-directory", body).await;
    let [created, unchanged] = ["created", "unchanged"].map(|count| report[count].as_u64().unwrap());
    assert!(created > 0 && unchanged > 0 && created + unchanged == 6000, "{report}");
    let orphans = app.sql("select jsonb_build_object('people', (select count(*) from practitioner where rpps like '99909%'),
        'placeless', (select count(*) from practitioner p where rpps like '99909%' and not exists (select from practice where practitioner_id = p.id)),
        'open', (select count(*) from import_run where finished_at is null))").await;
    assert_eq!(orphans[0], json!({ "people": 6000, "placeless": 0, "open": 1 }));
}

#[tokio::test]
async fn two_imports_at_once_agree() {
    let app = App::start().await;
    let lines: Vec<_> = (0..2000).map(|n| line(n, n / 10)).collect();
    let backwards: Vec<_> = lines.iter().rev().cloned().collect();
    let (one, other) = tokio::join!(
        app.event("import-directory", file(&lines).into_bytes()),
        app.event("import-directory", file(&backwards).into_bytes())
    );
    assert_eq!((one.0, other.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(one.1["created"].as_u64().unwrap() + other.1["created"].as_u64().unwrap(), 2000);
    let orphans = app.sql("select jsonb_build_object('n', count(*)) from resource where kind = 'practitioner' and not exists (select from practitioner p where p.id = resource.id)").await;
    assert_eq!(orphans[0]["n"], 0);
}

/// Imports two people, for the walk through all statements.
pub async fn a_small_file(app: &App) {
    let (status, _) = app.event("import-directory", file(&[line(1, 1), line(2, 2)]).into_bytes()).await;
    assert_eq!(status, StatusCode::OK);
}
