//! What is agreed with the store: the requests that bring the bytes, and whether they came.

use domain::document::{Slice, UPLOAD_LIFE, slices};
use runtime::documents::open_upload;
use runtime::objects::{Objects, Signed};
use runtime::{Ctx, Kind, Problem};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

use crate::UploadRow;

const NAMED: Statement<Named> = statement!("named");

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// What to send to the store, by whoever has these: nobody is asked who they are there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Requests {
    /// Until when they are good.
    #[schema(value_type = String, format = DateTime)]
    expires_at: domain::Timestamp,
    /// The whole file in one request; none where it goes in parts.
    whole: Option<Signed>,
    /// The parts that the store has not got.
    parts: Vec<PartRequest>,
    /// Numbers of those that it has.
    received_parts: Vec<u16>,
}

/// One part of a file.
#[derive(Debug, Serialize, ToSchema)]
struct PartRequest {
    /// From 1 on.
    number: u16,
    /// Its first byte.
    offset: u64,
    /// Its length.
    size_bytes: u64,
    request: Signed,
}

/// Signs what is still to be sent.
///
/// # Errors
/// 503 while the store is away.
pub(crate) async fn requests(ctx: &Ctx, row: &UploadRow) -> Result<Requests, Problem> {
    let objects = ctx.objects()?;
    let gone = || Problem::new(Kind::NotFound);
    let staging = row.staging.as_deref().ok_or_else(gone)?;
    let good_for = UPLOAD_LIFE.unsigned_abs();
    let expires_at = ctx.now() + UPLOAD_LIFE;
    let slices = slices(row.size_bytes);
    if slices.is_empty() {
        let document = &row.document;
        let sealed = row.upload.as_deref().ok_or_else(gone)?;
        let wrapped = document.wrapped_key.as_deref();
        let sha256 = open_upload(&ctx.keys, document.patient, wrapped, document.id, sealed).await?;
        let whole = objects.sign_put(staging, &row.media_type, row.size_bytes, &sha256, good_for);
        return Ok(Requests { expires_at, whole: Some(whole), parts: vec![], received_parts: vec![] });
    }
    let (name, fresh) = match &row.upload_name {
        Some(name) => (name.clone(), false),
        None => (begun(ctx, &objects, row, staging).await?, true),
    };
    let received = if fresh { vec![] } else { whole_parts(&objects, staging, &name, &slices).await? };
    let missing = slices.iter().filter(|slice| !received.iter().any(|(number, _)| number == &slice.number));
    let parts = missing.map(|slice| PartRequest {
        number: slice.number,
        offset: u64::from(slice.number - 1) * domain::document::PART_BYTES,
        size_bytes: slice.length,
        request: objects.sign_part(staging, &name, slice.number, slice.length, good_for),
    });
    Ok(Requests {
        expires_at,
        whole: None,
        parts: parts.collect(),
        received_parts: received.into_iter().map(|(number, _)| number).collect(),
    })
}

/// Begins an upload in parts. Of two who begin at once the first one's stays, and the store forgets the other's.
async fn begun(ctx: &Ctx, objects: &Objects, row: &UploadRow, staging: &str) -> Result<String, Problem> {
    let name = objects.begin(staging).await?;
    let parameters = params![row.document.id.as_uuid(), i64::from(row.number), name.as_str()];
    let named = ctx.db.optional(&NAMED, parameters).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    if named.name != name {
        objects.abandon(staging, &name).await?;
    }
    Ok(named.name)
}

/// The parts that the store has whole, with its tags of them.
async fn whole_parts(
    objects: &Objects, staging: &str, name: &str, slices: &[Slice],
) -> Result<Vec<(u16, String)>, Problem> {
    let parts = objects.parts(staging, name).await?.unwrap_or_default();
    let whole = |number, size| slices.iter().any(|slice| slice.number == number && slice.length == size);
    Ok(parts.into_iter().filter(|part| whole(part.number, part.size)).map(|part| (part.number, part.tag)).collect())
}

/// Makes sure that the bytes are there, as many as were announced; of parts it makes one file. What is there already stays.
///
/// # Errors
/// `upload-incomplete` when bytes are missing, 503 while the store is away.
pub(crate) async fn arrived(ctx: &Ctx, row: &UploadRow) -> Result<(), Problem> {
    let objects = ctx.objects()?;
    let incomplete = || Problem::new(Kind::UploadIncomplete);
    let staging = row.staging.as_deref().ok_or_else(incomplete)?;
    match objects.size(staging).await? {
        Some(size) if size == row.size_bytes => return Ok(()),
        Some(_) => return Err(incomplete()),
        None => {}
    }
    let name = row.upload_name.as_deref().ok_or_else(incomplete)?;
    let slices = slices(row.size_bytes);
    let parts = whole_parts(&objects, staging, name, &slices).await?;
    let missing: Vec<u16> =
        slices.iter().map(|it| it.number).filter(|it| !parts.iter().any(|part| part.0 == *it)).collect();
    if !missing.is_empty() {
        return Err(incomplete().with("missing_parts", missing));
    }
    let tags: Vec<String> = parts.into_iter().map(|(_, tag)| tag).collect();
    let finished = objects.finish(staging, name, &tags).await;
    // Somebody who completed it at the same time has done it.
    match objects.size(staging).await? {
        Some(size) if size == row.size_bytes => Ok(()),
        _ => finished.map_err(Problem::from).and(Err(incomplete())),
    }
}
