//! Sealed objects: written and read in constant memory.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Bytes;
use futures_util::stream::{Stream, try_unfold};

use super::{Objects, ObjectsError, PIECE};
use crate::keys::KeyError;
use crate::keys::stream::{CHUNK, DataKey, HEADER, Opening, SEALED_CHUNK, Sealing, chunks, sealed_length};

/// How many chunks are read at once: 2 MiB, so that many who read at once stay small.
const WINDOW: u64 = 8;
/// How many chunks make a piece that is written.
const CHUNKS_OF_A_PIECE: usize = PIECE / CHUNK;

/// Seals `clear` bytes, which `source` gives in order, as many as it is asked for, and writes them as one object.
///
/// # Errors
/// As [`Objects::put`]; [`ObjectsError::Bytes`] when the source breaks off.
pub async fn write_sealed<F: Future<Output = io::Result<Vec<u8>>> + Send>(
    objects: &Objects, key: &str, data_key: DataKey, clear: u64, mut source: impl FnMut(usize) -> F + Send,
) -> Result<(), ObjectsError> {
    let mut sealing = data_key.seal()?;
    let mut left = clear;
    let first = piece(&mut sealing, &mut left, true, &mut source).await?;
    if left == 0 {
        objects.put(key, first).await?;
        return Ok(());
    }
    let upload = objects.begin(key).await?;
    let written = async {
        let mut tags = vec![objects.put_part(key, &upload, 1, first).await?];
        while left > 0 {
            let next = piece(&mut sealing, &mut left, false, &mut source).await?;
            let number = u16::try_from(tags.len() + 1).map_err(|_| ObjectsError::NotUnderstood("too many parts"))?;
            tags.push(objects.put_part(key, &upload, number, next).await?);
        }
        objects.finish(key, &upload, &tags).await
    };
    if let Err(error) = written.await {
        // What is left of it costs room and shows nothing.
        let _ = objects.abandon(key, &upload).await;
        return Err(error);
    }
    Ok(())
}

/// The next piece, sealed; with the header where it is the first.
async fn piece<F: Future<Output = io::Result<Vec<u8>>> + Send>(
    sealing: &mut Sealing, left: &mut u64, first: bool, source: &mut (impl FnMut(usize) -> F + Send),
) -> Result<Bytes, ObjectsError> {
    let most = CHUNKS_OF_A_PIECE * SEALED_CHUNK + HEADER;
    let room = usize::try_from(sealed_length(*left)).map_or(most, |length| length.min(most));
    let mut out = Vec::with_capacity(room);
    if first {
        out.extend_from_slice(&sealing.header());
    }
    for _ in 0..CHUNKS_OF_A_PIECE {
        let wanted = usize::try_from(*left).map_or(CHUNK, |left| left.min(CHUNK));
        let clear = source(wanted).await.map_err(|error| ObjectsError::Bytes(error.kind().to_string()))?;
        if clear.len() != wanted {
            return Err(ObjectsError::Bytes("the source ends early".into()));
        }
        *left -= wanted as u64;
        let start = out.len();
        out.extend_from_slice(&clear);
        sealing.chunk(&mut out, start, *left == 0)?;
        if *left == 0 {
            break;
        }
    }
    Ok(out.into())
}

/// The bytes of a range of a sealed object that is `clear` bytes long when opened. Each chunk is verified before any of it is
/// given away.
///
/// # Errors
/// As [`Objects::get`]; [`ObjectsError::Bytes`] when it is not what was sealed.
pub async fn read_sealed(
    objects: Arc<Objects>, key: String, data_key: DataKey, clear: u64, range: Range<u64>,
) -> Result<impl Stream<Item = Result<Bytes, ObjectsError>> + Send + 'static, ObjectsError> {
    let header = objects.get(&key, 0, HEADER).await?;
    let opening = data_key.open(&header, clear)?;
    let reader = Reader { objects, key, opening, clear };
    Ok(try_unfold((reader, range), async |(reader, range)| {
        if range.is_empty() {
            return Ok(None);
        }
        let bytes = reader.window(&range).await?;
        let next = range.start + bytes.len() as u64..range.end;
        Ok(Some((bytes, (reader, next))))
    }))
}

struct Reader {
    objects: Arc<Objects>,
    key: String,
    opening: Opening,
    clear: u64,
}

impl Reader {
    /// The first bytes of a range, as far as one window holds them.
    async fn window(&self, range: &Range<u64>) -> Result<Bytes, ObjectsError> {
        let chunk = CHUNK as u64;
        let (first, end) = (range.start / chunk, range.end.div_ceil(chunk).min(chunks(self.clear)));
        let end = end.min(first + WINDOW);
        let from = HEADER as u64 + first * SEALED_CHUNK as u64;
        let until = (HEADER as u64 + end * SEALED_CHUNK as u64).min(sealed_length(self.clear));
        let length = usize::try_from(until - from).map_err(|_| ObjectsError::NotUnderstood("a window"))?;
        let mut sealed = Vec::from(self.objects.get(&self.key, from, length).await?);
        if sealed.len() != length {
            return Err(ObjectsError::Bytes("the object is shorter than it was written".into()));
        }
        let mut clear = Vec::with_capacity(length);
        for (number, sealed) in (first..end).zip(sealed.chunks_mut(SEALED_CHUNK)) {
            let number = u32::try_from(number).map_err(|_| KeyError::DoesNotOpen)?;
            clear.extend_from_slice(self.opening.chunk(number, sealed)?);
        }
        let begins = first * chunk;
        let cut = |at: u64| usize::try_from(at - begins).map_or(clear.len(), |at| at.min(clear.len()));
        let (from, until) = (cut(range.start), cut(range.end));
        Ok(Bytes::from(clear).slice(from..until))
    }
}
