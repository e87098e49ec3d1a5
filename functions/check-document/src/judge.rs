//! What is judged of bytes: that they are those that were announced, what they really are, and whether they are known as malware.

use content::clamd::{Address, Outcome as Scanned, ScanError, Scanner};
use content::{InspectError, Inspection, Limits, MediaType};
use domain::Timestamp;
use ring::digest::{Context, SHA256};
use runtime::documents::content_hash;
use runtime::objects::{Objects, PIECE};
use runtime::scratch::Scratch;
use runtime::{Ctx, Kind, Problem, pace};

use crate::Work;

/// Older signatures than this many days are told to be stale.
const FRESH_DAYS: i64 = 7;

/// How it ended.
pub(crate) enum Verdict {
    /// What is to be sealed and shown.
    Sound(Box<Sound>),
    /// Never; why, a code.
    Refused(&'static str),
    /// Not now: nobody looked for malware.
    Unscanned(String),
}

/// What is made of a file that is sound.
pub(crate) struct Sound {
    /// What is shown.
    pub(crate) content: Scratch,
    /// The photograph as it came, where what is shown is a copy without its place and its camera.
    pub(crate) original: Option<Scratch>,
    /// A small picture, JPEG.
    pub(crate) preview: Option<Vec<u8>>,
    /// Its words.
    pub(crate) text: Option<String>,
    pub(crate) inspection: Inspection,
    /// The scanner's name and the day of its signatures; none where nobody scans.
    pub(crate) scanner: Option<(String, Option<Timestamp>)>,
}

/// They were there when the upload was completed.
#[derive(Debug, thiserror::Error)]
#[error("the store does not know the bytes that came")]
struct Missing;

/// Judges the bytes of a version.
///
/// # Errors
/// When the store, the disk or a key fails: it says nothing of the bytes.
pub(crate) async fn judge(ctx: &Ctx, objects: &Objects, work: &Work) -> Result<Verdict, Problem> {
    if let Some(why) = work.hopeless() {
        return Ok(Verdict::Refused(why));
    }
    let staging = work.staging.as_deref().unwrap_or_default();
    match objects.size(staging).await? {
        None if !work.is_old(ctx.now()) => return Err(Problem::new(Kind::Unavailable).because(Missing)),
        None => return Ok(Verdict::Refused("bytes_missing")),
        Some(size) if size != work.size_bytes => return Ok(Verdict::Refused("size_differs")),
        Some(_) => {}
    }
    let (file, sha256) = fetched(objects, staging, work.size_bytes).await?;
    if content_hash(&ctx.keys, work.patient, &sha256)? != work.content_hash {
        return Ok(Verdict::Refused("hash_differs"));
    }
    let media_type: MediaType = work.media_type.parse().map_err(Problem::internal)?;
    let inspection = match inspected(file.clone(), media_type).await? {
        Ok(inspection) => inspection,
        Err(refused) => return Ok(Verdict::Refused(refused)),
    };
    let scanner = match scanned(ctx, &file).await? {
        Ok(scanner) => scanner,
        Err(verdict) => return Ok(verdict),
    };
    let copy = Scratch::new(&std::env::temp_dir()).await.map_err(Problem::internal)?;
    let made = made(file.clone(), copy.clone(), inspection.media_type).await?;
    let Some(made) = made else { return Ok(Verdict::Refused("malformed")) };
    let (content, original) = if made.cleaned { (copy, Some(file)) } else { (file, None) };
    let (preview, text) = (made.preview, made.text);
    Ok(Verdict::Sound(Box::new(Sound { content, original, preview, text, inspection, scanner })))
}

/// The bytes on the disk, piece by piece, and their SHA-256.
async fn fetched(objects: &Objects, key: &str, size: u64) -> Result<(Scratch, Vec<u8>), Problem> {
    let file = Scratch::new(&std::env::temp_dir()).await.map_err(Problem::internal)?;
    let mut hash = Context::new(&SHA256);
    let mut at = 0;
    while at < size {
        let wanted = usize::try_from(size - at).map_or(PIECE, |left| left.min(PIECE));
        let piece = objects.get(key, at, wanted).await?;
        if piece.is_empty() {
            return Err(Problem::new(Kind::Unavailable));
        }
        at += piece.len() as u64;
        hash.update(&piece);
        file.append(piece).await.map_err(Problem::internal)?;
    }
    Ok((file, hash.finish().as_ref().to_vec()))
}

async fn inspected(file: Scratch, declared: MediaType) -> Result<Result<Inspection, &'static str>, Problem> {
    let inspected = pace::blocking(move || content::inspect(&mut file.file()?, declared, &Limits::default())).await;
    match inspected {
        Some(Ok(inspection)) => Ok(Ok(inspection)),
        Some(Err(InspectError::Refused(refusal))) => Ok(Err(refusal.code())),
        Some(Err(InspectError::Io(error))) => Err(Problem::internal(error)),
        // A file at which we fall down is not one to show.
        None => Ok(Err("malformed")),
    }
}

/// Who found nothing in it, or the verdict.
async fn scanned(ctx: &Ctx, file: &Scratch) -> Result<Result<Option<(String, Option<Timestamp>)>, Verdict>, Problem> {
    let Some(address) = ctx.config.clamd.as_deref() else {
        let none = Verdict::Unscanned("CLAMD: is missing".into());
        return Ok(if ctx.config.is_development() { Ok(None) } else { Err(none) });
    };
    let address: Address = match address.parse() {
        Ok(address) => address,
        Err(_) => return Ok(Err(Verdict::Unscanned("CLAMD: is not an address".into()))),
    };
    let scanner = Scanner::new(address);
    let away = |error: ScanError| Ok(Err(Verdict::Unscanned(error.to_string())));
    match scanner.scan(file.reader().map_err(Problem::internal)?).await {
        Ok(Scanned::Clean) => {}
        Ok(Scanned::Infected { .. }) => return Ok(Err(Verdict::Refused("malware"))),
        Err(ScanError::Source(error)) => return Err(Problem::internal(error)),
        Err(error) => return away(error),
    }
    match scanner.version().await {
        Ok(version) => {
            let freshness = version.freshness(ctx.now(), FRESH_DAYS);
            if freshness != content::clamd::Freshness::Fresh {
                tracing::warn!(?freshness, "the scanner's signatures are not of these days");
            }
            Ok(Ok(Some((version.engine, version.database.map(|database| database.made_at)))))
        }
        Err(error) => away(error),
    }
}

#[derive(Default)]
struct Made {
    cleaned: bool,
    preview: Option<Vec<u8>>,
    text: Option<String>,
}

/// The copy without place and camera, the small picture, the words.
async fn made(file: Scratch, copy: Scratch, media_type: MediaType) -> Result<Option<Made>, Problem> {
    let work = move || -> Result<Made, InspectError> {
        let (mut file, mut copy, limits) = (file.file()?, copy.file()?, Limits::default());
        let cleaned = content::cleaned(&mut file, media_type, &mut copy)?;
        // A preview is of what is shown.
        let shown = if cleaned { &mut copy } else { &mut file };
        let preview = content::preview(shown, media_type, &limits)?;
        Ok(Made { cleaned, preview, text: content::text(&mut file, media_type, &limits)? })
    };
    match pace::blocking(work).await {
        Some(Ok(made)) => Ok(Some(made)),
        Some(Err(InspectError::Io(error))) => Err(Problem::internal(error)),
        // It was found to be sound before.
        Some(Err(InspectError::Refused(refusal))) => Err(Problem::internal(refusal)),
        // As above.
        None => Ok(None),
    }
}
