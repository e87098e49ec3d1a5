//! Sealing what is sound, and showing it.

use std::io;
use std::sync::Arc;

use runtime::actor::system;
use runtime::documents::{object_key, place};
use runtime::keys::stream::DataKey;
use runtime::objects::{Objects, SEALED, write_sealed};
use runtime::scratch::Scratch;
use runtime::{Ctx, Problem};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};

use crate::judge::Sound;
use crate::{ToRemove, Work};

const PLAN: Statement<Planned> = statement!("plan");
const SHOW: Statement<ToRemove> = statement!("show");

#[derive(Debug, serde::Deserialize)]
struct Planned {
    planned: bool,
}

/// Bytes that become an object of their own.
struct Part {
    name: &'static str,
    media_type: String,
    clear_bytes: u64,
    source: Source,
}

enum Source {
    File(Scratch),
    Memory(Arc<[u8]>),
}

/// Where their names and keys are known before the bytes are anywhere, writes them, and shows the version by one statement. None
/// when the lease is another's by now: then the other's bytes are shown, and ours are removed as orphans.
///
/// # Errors
/// When the store, the disk, the database or a key fails.
pub(crate) async fn publish(
    ctx: &Ctx, objects: &Objects, work: &Work, sound: Sound,
) -> Result<Option<ToRemove>, Problem> {
    let said = json!({
        "media_type": sound.inspection.media_type.as_str(), "pages": sound.inspection.pages,
        "findings": sound.inspection.findings.iter().map(|finding| finding.code()).collect::<Vec<_>>(),
        "scanner": sound.scanner.as_ref().map(|it| &it.0), "signatures_at": sound.scanner.as_ref().and_then(|it| it.1),
    });
    let owner = ctx.keys.owner(work.patient, work.wrapped_key.as_deref()).await?;
    let (mut plan, mut writes): (Vec<Value>, Vec<(String, DataKey, Part)>) = (vec![], vec![]);
    for part in parts(sound)? {
        let (wrapped, key) = owner.new_data_key(place(work.document, work.version, part.name))?;
        let object = object_key(&ctx.keys, SEALED)?;
        plan.push(json!({"key": object, "part": part.name, "wrapped_key": wrapped, "media_type": part.media_type,
                         "clear_bytes": part.clear_bytes}));
        writes.push((object, key, part));
    }
    let (document, version) = (work.document.as_uuid(), i64::from(work.version));
    let planned = ctx.db.one(&PLAN, params![document, version, work.lease, Value::Array(plan), ctx.now()]).await?;
    if !planned.planned {
        return Ok(None);
    }
    for (object, key, part) in writes {
        write(objects, &object, key, part).await?;
    }
    Ok(ctx.db.optional(&SHOW, params![system(ctx.now()), document, version, work.lease, said]).await?)
}

fn parts(sound: Sound) -> Result<Vec<Part>, Problem> {
    let media_type = sound.inspection.media_type.as_str().to_owned();
    let file = |name, file: Scratch| -> Result<Part, Problem> {
        let clear_bytes = file.length().map_err(Problem::internal)?;
        Ok(Part { name, media_type: media_type.clone(), clear_bytes, source: Source::File(file) })
    };
    let memory = |name, media_type: &str, bytes: Vec<u8>| Part {
        name,
        media_type: media_type.into(),
        clear_bytes: bytes.len() as u64,
        source: Source::Memory(bytes.into()),
    };
    let mut parts = vec![file("content", sound.content)?];
    if let Some(original) = sound.original {
        parts.push(file("original", original)?);
    }
    parts.extend(sound.preview.map(|picture| memory("preview", "image/jpeg", picture)));
    parts.extend(sound.text.map(|words| memory("text", "text/plain", words.into_bytes())));
    Ok(parts)
}

async fn write(objects: &Objects, key: &str, data_key: DataKey, part: Part) -> Result<(), Problem> {
    let mut at = 0;
    let source = Arc::new(part.source);
    let read = move |length: usize| {
        let (from, source) = (at, source.clone());
        at += length;
        async move {
            match &*source {
                Source::File(file) => file.read_at(from as u64, length).await,
                Source::Memory(bytes) => bytes
                    .get(from..from + length)
                    .map(<[u8]>::to_vec)
                    .ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
            }
        }
    };
    write_sealed(objects, key, data_key, part.clear_bytes, read).await?;
    Ok(())
}
