//! What goes in and comes out.

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use store::{Db, DbError, Param, Query as _, Statement, params};
use uuid::Uuid;

use crate::{Outcome, holds, one, refusal, rows, same};

const ALL: &str = "select jsonb_build_object('uuid', $1::uuid, 'text', $2::text, 'int', $3::int8, 'bool', $4::bool,
    'json', $5::jsonb, 'texts', $6::text[], 'uuids', $7::text[]::uuid[], 'at', $8::text::timestamptz)";

pub async fn every_type_of_parameter_arrives(db: &dyn Db) -> Outcome {
    let id = Uuid::from_u128(0x0192_3456_789a_7bcd_8ef0_1234_5678_9abc);
    let texts = vec!["a".to_owned(), String::new(), "null".to_owned()];
    let inner = json!({"deep": [1, {"er": null}]});
    let at = "2026-03-29T01:30:00.123456Z".to_owned();
    let given = params![id, "text", -7_i64, true, inner.clone(), texts.clone(), vec![id, Uuid::nil()], at];
    let wanted = json!({"uuid": id, "text": "text", "int": -7, "bool": true, "json": inner, "texts": texts,
                        "uuids": [id, Uuid::nil()], "at": "2026-03-29T01:30:00.123456+00:00"});
    same(&one(db, ALL, given).await?, &wanted, "all types")?;
    let empty = params![id, "", 0_i64, false, json!({}), Vec::<String>::new(), Vec::<Uuid>::new(), "infinity"];
    let wanted = json!({"uuid": id, "text": "", "int": 0, "bool": false, "json": {}, "texts": [], "uuids": [],
                        "at": "infinity"});
    same(&one(db, ALL, empty).await?, &wanted, "all types, empty")
}

pub async fn nothing_is_null_whatever_its_type(db: &dyn Db) -> Outcome {
    let none = vec![
        Param::Uuid(None),
        Param::Text(None),
        Param::Int(None),
        Param::Bool(None),
        Param::Json(None),
        Param::Texts(Vec::new()),
        Param::Uuids(Vec::new()),
        Param::Text(None),
    ];
    let wanted = json!({"uuid": null, "text": null, "int": null, "bool": null, "json": null, "texts": [], "uuids": [],
                        "at": null});
    same(&one(db, ALL, none).await?, &wanted, "nulls")?;
    // A document of null is not the absence of one.
    let told = "select jsonb_build_object('sql', $1::jsonb is null, 'json', jsonb_typeof($2::jsonb))";
    let answer = one(db, told, params![None::<Value>, Value::Null]).await?;
    same(&answer, &json!({"sql": true, "json": "null"}), "a document of null")
}

pub async fn texts_arrive_as_they_are(db: &dyn Db) -> Outcome {
    let echo = "select jsonb_build_object('text', $1::text, 'list', $2::text[], 'json', $3::jsonb,
        'length', char_length($1::text), 'bytes', octet_length($1::text))";
    for text in [
        "Zoë Ñandú Œuvre ß ﬁ",
        "e\u{301} is not é",
        "שלום مرحبا 你好 👩‍👩‍👧‍👦 \u{10ffff}",
        "'; drop table x; -- \\ \" $1 {a,b} {\"c\"} NULL",
        "a\ttab\nand\r\nlines\u{1}\u{7f}\u{2028}",
        "  spaces  ",
    ] {
        let answer = one(db, echo, params![text, vec![text.to_owned(); 2], json!({text: text})]).await?;
        let wanted = json!({"text": text, "list": [text, text], "json": {text: text}, "length": text.chars().count(),
                            "bytes": text.len()});
        same(&answer, &wanted, text)?;
    }
    // PostgreSQL keeps no NUL: a mistake, and no text in the message.
    let refused = refusal(db, "select to_jsonb($1::text)", params!["s3cret\0"]).await?;
    holds(matches!(&refused, DbError::Bug(said) if !said.contains("s3cret")), refused)
}

pub async fn numbers_arrive_exactly(db: &dyn Db) -> Outcome {
    for number in [i64::MIN, -1, 0, 9_007_199_254_740_993, i64::MAX] {
        same(&one(db, "select to_jsonb($1::int8)", params![number]).await?, &json!(number), "a number")?;
        let within = one(db, "select jsonb_build_object('n', $1::jsonb)", params![json!([number])]).await?;
        same(&within, &json!({"n": [number]}), "a number in a document")?;
    }
    let half = one(db, "select to_jsonb(0.5 + $1::int8)", params![1_i64]).await?;
    same(&half, &json!(1.5), "a fraction")
}

pub async fn rows_come_all_and_in_order(db: &dyn Db) -> Outcome {
    const COUNT: Statement<i64> =
        Statement::new("count", "select to_jsonb(n) from generate_series(1, $1::int8) n order by n desc");
    let counted = |many: i64| db.many(&COUNT, params![many]);
    for many in [0, 1, 2, 3000] {
        let given = counted(many).await.map_err(|error| error.to_string())?;
        same(&given, &(1..=many).rev().collect::<Vec<_>>(), "rows")?;
    }
    let optional = |many: i64| db.optional(&COUNT, params![many]);
    holds(matches!(optional(0).await, Ok(None)), "no row")?;
    holds(matches!(optional(1).await, Ok(Some(1))), "one row")?;
    holds(matches!(optional(2).await, Err(DbError::Bug(_))), "two rows")?;
    holds(matches!(db.one(&COUNT, params![0_i64]).await, Err(DbError::Bug(_))), "no row where there must be one")
}

pub async fn big_rows_arrive(db: &dyn Db) -> Outcome {
    let big = one(db, "select to_jsonb(repeat('é', $1::int8::int))", params![4_000_000_i64]).await?;
    holds(big.as_str().is_some_and(|text| text.len() == 8_000_000 && text.ends_with('é')), "a row of 8 MB")?;
    let many =
        "select jsonb_build_object('n', n, 'text', repeat('x', 1000)) from generate_series(1, 5000) n order by n";
    let all = rows(db, many, params![]).await?;
    holds(all.len() == 5000 && all[4999]["n"] == 5000, "5000 rows of a kilobyte")?;
    let long = "y".repeat(2_000_000);
    let there = one(db, "select to_jsonb(octet_length($1::text))", params![long]).await?;
    same(&there, &json!(2_000_000), "a parameter of 2 MB")
}

pub async fn a_row_that_is_no_document_is_a_mistake(db: &dyn Db) -> Outcome {
    const TEXT: Statement<i64> = Statement::new("wrong", "select to_jsonb('s3cret'::text)");
    for sql in ["select null::jsonb", "select 1", "select 'text'::text"] {
        let refused = refusal(db, sql, params![]).await?;
        holds(matches!(refused, DbError::Bug(_)), (sql, refused))?;
    }
    match db.one(&TEXT, params![]).await {
        Err(DbError::Bug(said)) if !said.contains("s3cret") && said.contains("wrong") => Ok(()),
        other => Err(format!("a row of another type: {other:?}")),
    }
}

pub async fn statements_at_once_keep_apart(db: &dyn Db) -> Outcome {
    let sql = "select jsonb_build_object('n', $1::int8, 'slept', pg_sleep(0.05)::text)";
    let answers = try_join_all((0..24_i64).map(|n| one(db, sql, params![n]))).await?;
    let numbers: Vec<_> = answers.iter().map(|answer| answer["n"].as_i64()).collect();
    same(&numbers, &(0..24).map(Some).collect(), "24 statements at once")
}

pub async fn a_session_is_set_up(db: &dyn Db) -> Outcome {
    let sql = "select jsonb_build_object('zone', current_setting('timezone'),
        'statement', current_setting('statement_timeout'), 'lock', current_setting('lock_timeout'),
        'idle', current_setting('idle_in_transaction_session_timeout'),
        'plans', current_setting('plan_cache_mode'), 'who', current_setting('application_name'),
        'transaction', pg_current_xact_id_if_assigned())";
    let wanted = json!({"zone": "UTC", "statement": "8s", "lock": "5s", "idle": "5s", "plans": "force_generic_plan",
                        "who": "carnet", "transaction": null});
    // Again and again: connections are lent, cleaned, and lent again.
    for _ in 0..5 {
        same(&one(db, sql, params![]).await?, &wanted, "settings")?;
    }
    Ok(())
}
