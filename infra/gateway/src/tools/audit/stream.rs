//! Rows out of the database, one after the other.

use domain::audit::Position;
use futures_util::StreamExt as _;
use runtime::host::StartError;
use sqlx::{Executor as _, PgConnection, PgPool};

use super::row::{self, NotARow};

/// Signature, flags and length of an extension, before the first row.
const HEADER: usize = 19;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// A connection of its own on which a long look is nothing to cut short, and rows come in the order of the index.
pub(super) async fn connection(pool: &PgPool) -> Result<PgConnection, StartError> {
    let mut connection = pool.acquire().await?.detach();
    let settings =
        "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; set search_path = pg_catalog;
                    set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off; set timezone = 'UTC';
                    set max_parallel_workers_per_gather = 0";
    connection.execute(settings).await?;
    Ok(connection)
}

/// Calls `each` with every row from a position on and before another: where it stands, and its bytes.
pub(super) async fn rows(
    connection: &mut PgConnection, from: Option<Position>, until: Position,
    mut each: impl FnMut(Position, &[u8]) + Send,
) -> Result<(), StartError> {
    let columns = row::columns().join(", ");
    let position = |at: Position| format!("('{}'::xid8, '{}'::int8)", at.transaction, at.seq);
    let lower = from.map(|from| format!("(transaction_id, seq) >= {} and ", position(from))).unwrap_or_default();
    let upper = position(until);
    let copy = format!(
        "copy (select {columns} from public.audit where {lower}(transaction_id, seq) < {upper}
               order by transaction_id, seq) to stdout (format binary)"
    );
    let mut chunks = connection.copy_out_raw(&copy).await?;
    let (mut line, mut begun, mut ended) = (Vec::with_capacity(1024), false, false);
    // A message is whole rows in practice, but nobody promises it.
    let mut kept: Vec<u8> = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        let joined;
        let mut bytes: &[u8] = if kept.is_empty() {
            &chunk
        } else {
            kept.extend_from_slice(&chunk);
            joined = std::mem::take(&mut kept);
            &joined
        };
        if !begun && bytes.len() >= HEADER {
            bytes.starts_with(SIGNATURE).then_some(()).ok_or(NotARow)?;
            bytes = &bytes[HEADER..];
            begun = true;
        }
        while begun && !bytes.is_empty() && !ended {
            let before = bytes;
            match row::read(&mut bytes, &mut line) {
                Ok(Some(at)) => each(at, &line),
                Ok(None) => ended = true,
                // Perhaps the rest is in the next message.
                Err(NotARow) => {
                    bytes = before;
                    break;
                }
            }
        }
        kept.extend_from_slice(bytes);
    }
    if ended { Ok(()) } else { Err(NotARow.into()) }
}
