//! How it goes wrong.

use serde_json::json;
use store::{Db, DbError, params};
use uuid::Uuid;

use crate::{Outcome, holds, one, refusal, rows, same};

const TABLES: [&str; 3] = [
    "drop table if exists contract_part, contract",
    "create table contract (
        id int8 not null constraint contract_pkey primary key,
        size int8 constraint contract_size_positive check (size > 0),
        during int8range,
        constraint contract_no_overlap exclude using gist (during with &&)
    )",
    "create table contract_part (
        contract int8 constraint contract_part_contract_fkey references contract (id)
    )",
];

pub async fn constraints_are_told_by_name_and_code(db: &dyn Db) -> Outcome {
    for sql in TABLES {
        same(&rows(db, sql, params![]).await?.len(), &0, "a definition answers nothing")?;
    }
    let put = "insert into contract (id, size, during) values ($1::int8, $2::int8, int8range($3::int8, $3::int8 + 10))
        returning to_jsonb(id)";
    same(&one(db, put, params![1_i64, 1_i64, 0_i64]).await?, &json!(1), "a row")?;
    let part = "insert into contract_part (contract) values ($1::int8) returning to_jsonb(contract)";
    for (sql, given, constraint, sqlstate) in [
        (put, params![1_i64, 1_i64, 100_i64], "contract_pkey", "23505"),
        (put, params![2_i64, -1_i64, 100_i64], "contract_size_positive", "23514"),
        (put, params![2_i64, 1_i64, 5_i64], "contract_no_overlap", "23P01"),
        (part, params![7_i64], "contract_part_contract_fkey", "23503"),
    ] {
        match refusal(db, sql, given).await? {
            // What the server adds here quotes the row, and is no resource.
            DbError::Constraint { name, code, loser: None } => same(&(&*name, &*code), &(constraint, sqlstate), sql)?,
            other => return Err(format!("{constraint}: {other:?}")),
        }
    }
    // Nothing of what was refused is there, and the connection is good.
    same(&one(db, "select to_jsonb(count(*)) from contract", params![]).await?, &json!(1), "rows")?;
    // A constraint without a name of its own.
    let refused = refusal(db, put, params![None::<i64>, 1_i64, 100_i64]).await?;
    holds(matches!(&refused, DbError::Bug(said) if said.starts_with("SQLSTATE 23502")), refused)
}

pub async fn the_resource_that_lost_is_told(db: &dyn Db) -> Outcome {
    let lost = "do $$ begin raise exception using errcode = '23P01', constraint = 'reservation_no_overlap',
        detail = '01923456-789a-7bcd-8ef0-123456789abc'; end $$";
    match refusal(db, lost, params![]).await? {
        DbError::Constraint { name, code, loser } => {
            same(&(&*name, &*code), &("reservation_no_overlap", "23P01"), "the constraint")?;
            same(&loser, &Some(Uuid::from_u128(0x0192_3456_789a_7bcd_8ef0_1234_5678_9abc)), "who lost")
        }
        other => Err(format!("{other:?}")),
    }
}

pub async fn values_are_not_quoted(db: &dyn Db) -> Outcome {
    for (sql, code) in [
        ("select to_jsonb($1::text::int8)", "22P02"),
        ("select to_jsonb($1::text::timestamptz)", "22007"),
        ("select to_jsonb(length($1::text) / 0)", "22012"),
        ("select $1::text::jsonb", "22P02"),
    ] {
        let refused = refusal(db, sql, params!["s3cret"]).await?;
        holds(matches!(&refused, DbError::Bug(said) if *said == format!("SQLSTATE {code}")), (sql, refused))?;
    }
    Ok(())
}

pub async fn what_is_missing_mends(db: &dyn Db) -> Outcome {
    for (sql, code) in [("select to_jsonb(x) from nowhere x", "42P01"), ("select nothing_like_it(1)", "42883")] {
        let refused = refusal(db, sql, params![]).await?;
        holds(matches!(&refused, DbError::Unavailable(said) if said.starts_with(code)), (sql, refused))?;
    }
    let timeout = "do $$ begin raise exception using errcode = '55P03'; end $$";
    for (sql, code) in [
        (timeout, "55P03"),
        ("do $$ begin raise exception using errcode = '40P01'; end $$", "40P01"),
        ("do $$ begin raise exception using errcode = '40001'; end $$", "40001"),
        ("do $$ begin raise exception using errcode = '53300'; end $$", "53300"),
    ] {
        let refused = refusal(db, sql, params![]).await?;
        holds(matches!(&refused, DbError::Unavailable(said) if said == code), (sql, refused))?;
    }
    Ok(())
}

pub async fn mistakes_are_mistakes(db: &dyn Db) -> Outcome {
    for (sql, code) in [
        ("selekt 1", "42601"),
        ("select to_jsonb(1); select to_jsonb(2)", "42601"),
        ("select to_jsonb(nothing) from pg_class", "42703"),
    ] {
        let refused = refusal(db, sql, params![]).await?;
        let said = format!("SQLSTATE {code}: ");
        holds(matches!(&refused, DbError::Bug(text) if text.starts_with(&said)), (sql, refused))?;
    }
    same(&one(db, "select to_jsonb(1)", params![]).await?, &json!(1), "after mistakes")
}

pub async fn a_connection_that_is_cut_is_unavailable(db: &dyn Db) -> Outcome {
    for _ in 0..3 {
        let cut = "select to_jsonb(pg_terminate_backend(pg_backend_pid()))";
        let refused = refusal(db, cut, params![]).await?;
        holds(matches!(refused, DbError::Unavailable(_)), refused)?;
        same(&one(db, "select to_jsonb(1)", params![]).await?, &json!(1), "after a cut")?;
    }
    Ok(())
}

pub async fn a_slow_statement_is_cut(db: &dyn Db) -> Outcome {
    let refused = refusal(db, "select to_jsonb(pg_sleep(20)::text)", params![]).await?;
    holds(matches!(&refused, DbError::Unavailable(said) if said == "57014"), refused)?;
    same(&one(db, "select to_jsonb(1)", params![]).await?, &json!(1), "after a slow one")
}
