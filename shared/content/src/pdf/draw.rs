//! The first page as a picture, and the words of all pages, by the renderer `hayro`.
//!
//! It is given an excerpt, on a thread of its own. Before anything is drawn the page is gone through once without drawing,
//! which counts the steps; what has too many is not drawn. Should drawing still not end in time, its thread is left to
//! itself, and there are no more previews in this process until it ends: one core is what a hostile file can take.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hayro::hayro_interpret::font::{Glyph, GlyphRun};
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::pattern::Pattern;
use hayro::hayro_interpret::{
    BlendMode, CacheKey, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, Paint, SoftMask, StrokeProps, interpret_page,
};
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Affine, BezPath, Rect, Shape};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};

use super::document::Document;
use super::excerpt::Excerpt;
use super::scan;
use crate::picture::Shrink;
use crate::plain::shorten;
use crate::source::{Deadline, Source};
use crate::{InspectError, Limits, OPENING, Refusal};

/// Pixels of the page's long side.
const LONG_SIDE: f32 = 512.0;
/// Steps of one page: paths, pictures, clips, characters. Dense maps have some ten thousand.
const MOST_STEPS: u32 = 300_000;
/// Dashes of one line.
const MOST_DASHES: f64 = 20_000.0;
/// Bytes of stack: forms within forms, fifty levels at most.
const STACK: usize = 16 << 20;

/// Whether a page is being drawn.
static DRAWS: AtomicBool = AtomicBool::new(false);

pub(crate) fn preview(source: &mut Source, limits: &Limits) -> Result<Option<Vec<u8>>, InspectError> {
    let mut document = opened(source, limits)?;
    let _one_at_a_time = OPENING.lock();
    document.source.deadline = Deadline::after(limits.max_drawing_time);
    let excerpt = elsewhere(|| {
        let mut excerpt = Some(Excerpt::new(true));
        document.pages(|document, page| {
            if let Some(mut begun) = excerpt.take() {
                excerpt = begun.add(document, page)?.then_some(begun);
            }
            Ok(false)
        })?;
        Ok(excerpt.map(Excerpt::finish))
    })?;
    let Some(excerpt) = excerpt else { return Ok(None) };
    let until = Instant::now() + limits.max_drawing_time;
    Ok(aside(limits.max_drawing_time, move || drawn(excerpt, until)).flatten())
}

pub(crate) fn text(source: &mut Source, limits: &Limits) -> Result<Option<String>, InspectError> {
    let mut document = opened(source, limits)?;
    let _one_at_a_time = OPENING.lock();
    document.source.deadline = Deadline::after(limits.max_drawing_time);
    let mut text = String::new();
    let begun = Instant::now();
    let gone_through = elsewhere(|| {
        document.pages(|document, page| {
            let left = limits.max_drawing_time.saturating_sub(begun.elapsed());
            if left.is_zero() || text.len() >= limits.max_text_bytes {
                return Ok(false);
            }
            // Page by page, so that one that cannot be read costs its own words only.
            let mut excerpt = Excerpt::new(false);
            match excerpt.add(document, page) {
                Ok(true) => {}
                Ok(false) | Err(InspectError::Refused(_)) => return Ok(true),
                Err(error) => return Err(error),
            }
            let (bytes, until) = (excerpt.finish(), Instant::now() + left);
            let room = limits.max_text_bytes - text.len();
            if let Some(words) = aside(left, move || words(bytes, until, room)).flatten() {
                text.push_str(words.trim());
                text.push('\n');
            }
            Ok(true)
        })
    });
    // Where the pages cannot be gone through to the last one, there are the words of those before.
    match gone_through {
        Err(error @ InspectError::Io(_)) => return Err(error),
        Ok(_) | Err(InspectError::Refused(_)) => {}
    }
    shorten(&mut text, limits.max_text_bytes);
    Ok((!text.trim().is_empty()).then_some(text))
}

fn opened<'s, 'f>(source: &'s mut Source<'f>, limits: &'s Limits) -> Result<Document<'s, 'f>, InspectError> {
    let scan = scan::scan(source, limits)?;
    Ok(Document::new(source, scan, limits))
}

/// Does this on a thread that ends with it. The allocator keeps what each thread once had: of ten callers' threads that
/// each made an excerpt 90 MB stayed behind.
fn elsewhere<T: Send>(work: impl FnOnce() -> Result<T, InspectError> + Send) -> Result<T, InspectError> {
    std::thread::scope(|scope| {
        let spawned = std::thread::Builder::new().name("excerpt".into()).spawn_scoped(scope, work)?;
        // A fall is the file's doing, and would come again.
        spawned.join().unwrap_or_else(|_| Err(Refusal::Malformed("pages that cannot be taken out").into()))
    })
}

/// Does this on a thread of its own while nobody else draws. None when it did not end in time or panicked.
fn aside<T: Send + 'static>(time: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    struct Drawn;
    impl Drop for Drawn {
        fn drop(&mut self) {
            DRAWS.store(false, Ordering::Release);
        }
    }
    let begun = Instant::now();
    while DRAWS.swap(true, Ordering::Acquire) {
        if begun.elapsed() > 2 * time {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let drawn = Drawn;
    let (give, take) = mpsc::channel();
    let thread = std::thread::Builder::new().name("page".into()).stack_size(STACK);
    // Where there are no threads there are no previews; `drawn` is dropped with the work.
    let spawned = thread.spawn(move || {
        let _drawn = drawn;
        if let Ok(done) = catch_unwind(AssertUnwindSafe(work)) {
            let _ = give.send(done);
        }
    });
    spawned.ok()?;
    take.recv_timeout(time).ok()
}

fn drawn(excerpt: Vec<u8>, until: Instant) -> Option<Vec<u8>> {
    let pdf = Pdf::new(excerpt).ok()?;
    let page = pdf.pages().first()?;
    let cache = InterpreterCache::new();
    walk(page, &cache, until, 0)?;
    let (width, height) = page.render_dimensions();
    let long = width.max(height);
    if !(1.0..=1e6).contains(&long) || width.min(height) < 1.0 {
        return None;
    }
    let scale = LONG_SIDE / long;
    let at_least_one = |it: f32| scale.max(1.0 / it);
    let pixmap = render(
        page,
        &RenderCache::new(),
        &InterpreterSettings::default(),
        &RenderSettings::default(),
        &PixmapSettings { x_scale: at_least_one(width), y_scale: at_least_one(height), bg_color: WHITE },
    );
    let size = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    let mut small = Shrink::new(size);
    for (row, y) in pixmap.data_as_u8_slice().chunks_exact(4 * size.0.max(1) as usize).zip(0..size.1) {
        small.add(row, 4, (0, y, 1));
    }
    small.into_jpeg(1)
}

fn words(excerpt: Vec<u8>, until: Instant, room: usize) -> Option<String> {
    let pdf = Pdf::new(excerpt).ok()?;
    walk(pdf.pages().first()?, &InterpreterCache::new(), until, room)
}

/// Goes through a page without drawing it. None when that takes too many steps or too long.
fn walk<'a>(page: &'a Page<'a>, cache: &InterpreterCache<'a>, until: Instant, room: usize) -> Option<String> {
    let all = Rect::new(-1e6, -1e6, 1e6, 1e6);
    let mut context = Context::new(Affine::IDENTITY, all, cache, page.xref(), InterpreterSettings::default());
    let mut walk = Walk { until, left: MOST_STEPS, masks: HashSet::new(), words: String::new(), room, last: None };
    catch_unwind(AssertUnwindSafe(|| interpret_page(page, &mut context, &mut walk))).ok()?;
    Some(walk.words)
}

struct Walk {
    until: Instant,
    left: u32,
    masks: HashSet<u128>,
    words: String,
    /// Bytes that the words may have.
    room: usize,
    /// Where the last character ended, and how large it was.
    last: Option<(f64, f64, f64)>,
}

impl Walk {
    fn step(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || (self.left.is_multiple_of(64) && Instant::now() > self.until) {
            // The interpreter has no other way to be stopped. No hook hears of it.
            resume_unwind(Box::new("too many steps"));
        }
    }

    fn mask(&mut self, mask: Option<&SoftMask<'_>>) {
        self.step();
        if let Some(mask) = mask
            && self.masks.insert(mask.cache_key())
        {
            mask.interpret(self);
        }
    }

    fn props(&mut self, props: &DrawProps<'_>, is_stroke: bool) {
        self.mask(props.soft_mask.as_ref());
        if let Paint::Pattern(pattern) = &props.paint
            && let Pattern::Tiling(tiling) = &**pattern
        {
            tiling.interpret(self, Affine::IDENTITY, is_stroke);
        }
    }

    fn dashes(&mut self, path: &BezPath, stroke: &StrokeProps) {
        let period: f32 = stroke.dash_array.iter().sum();
        let bounds = path.bounding_box();
        let lines = u32::try_from(path.elements().len()).map_or(f64::MAX, f64::from);
        let length = (bounds.width() + bounds.height()) * lines;
        if !stroke.dash_array.is_empty() && length / f64::from(period) > MOST_DASHES {
            self.left = 1;
        }
    }

    fn character(&mut self, unicode: &str, at: Affine, advance: f64) {
        let [right_x, right_y, up_x, up_y, x, y] = at.as_coeffs();
        // Glyphs are drawn a thousand units to the em.
        let (size, step) = (1000.0 * up_x.hypot(up_y), right_x.hypot(right_y) * advance);
        if let Some((last_x, last_y, last_size)) = self.last {
            let em = if last_size > 0.0 { last_size } else { 1.0 };
            if (y - last_y).abs() > 0.5 * em {
                self.words.push('\n');
            } else if (x - last_x).abs() > 0.2 * em && !self.words.ends_with(char::is_whitespace) {
                self.words.push(' ');
            }
        }
        let printable = unicode.chars().filter(|it| !it.is_control() && *it != '\u{fffd}');
        self.words.extend(printable);
        self.last = Some((x + step, y, size));
    }
}

impl<'a> Device<'a> for Walk {
    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, mode: &DrawMode) {
        if let DrawMode::Stroke(stroke) | DrawMode::FillAndStroke(_, stroke) = mode {
            self.dashes(path, stroke);
        }
        self.props(&props, !matches!(mode, DrawMode::Fill(_)));
    }

    fn push_clip_path(&mut self, _: &ClipPath) {
        self.step();
    }

    fn push_transparency_group(&mut self, _: f32, mask: Option<SoftMask<'a>>, _: BlendMode) {
        self.mask(mask.as_ref());
    }

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        self.props(&props, !matches!(mode, DrawMode::Fill(_)));
        for glyph in run.glyphs() {
            self.step();
            let at = props.transform * glyph.transform();
            let (unicode, advance) = match &**glyph {
                Glyph::Outline(outline) => (outline.as_unicode(), outline.advance_width()),
                Glyph::Type3(type3) => {
                    if self.room == 0 {
                        type3.interpret(self, props.transform, glyph.transform(), &props.paint);
                    }
                    (type3.as_unicode(), type3.advance_width())
                }
            };
            if self.words.len() < self.room {
                let advance = f64::from(advance.unwrap_or(0.0));
                match unicode {
                    Some(BfString::Char(it)) => self.character(it.encode_utf8(&mut [0; 4]), at, advance),
                    Some(BfString::String(it)) => self.character(&it, at, advance),
                    None => {}
                }
            }
        }
    }

    fn draw_image(&mut self, _: Image<'a, '_>, props: ImageDrawProps<'a>) {
        self.mask(props.soft_mask.as_ref());
    }

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}
