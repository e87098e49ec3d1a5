//! A small picture of a picture, in little memory where its format allows it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::ImageDecoder;
use jpeg_decoder::PixelFormat;

use super::{Picture, Shrink, png};
use crate::source::Source;
use crate::{InspectError, Limits, MediaType};

/// None when it cannot be opened within the limits.
pub(crate) fn preview(
    source: &mut Source, media_type: MediaType, limits: &Limits,
) -> Result<Option<Vec<u8>>, InspectError> {
    let picture = Picture::read(source, media_type, limits)?;
    // Decoders are written for honest files, and have panicked over others before.
    let opened = catch_unwind(AssertUnwindSafe(|| match media_type {
        MediaType::Jpeg => jpeg(source, &picture, limits),
        MediaType::Png => png_by_rows(source, &picture, limits),
        _ => whole(source, media_type, &picture, limits),
    }));
    let Ok(opened) = opened else { return Ok(None) };
    Ok(opened?.and_then(|small| small.into_jpeg(picture.orientation)))
}

fn png_by_rows(source: &mut Source, picture: &Picture, limits: &Limits) -> Result<Option<Shrink>, InspectError> {
    let mut small = Shrink::new(picture.pixels);
    png::rows(source, limits, |row| small.add(row.samples, row.channels, (row.x, row.y, row.step)))?;
    Ok(Some(small))
}

/// Opened at an eighth of its size or so, as the format lends itself to it: a photograph of 12 megapixels in 1 MB. A
/// progressive one comes in passes over the whole picture, so that all of it is held: two bytes a sample.
fn jpeg(source: &mut Source, picture: &Picture, limits: &Limits) -> Result<Option<Shrink>, InspectError> {
    let pixels = u64::from(picture.pixels.0) * u64::from(picture.pixels.1);
    if picture.progressive && 6 * pixels > limits.max_preview_bytes {
        return Ok(None);
    }
    let mut decoder = jpeg_decoder::Decoder::new(source.from(0)?);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.max_preview_bytes).unwrap_or(usize::MAX));
    let Ok((width, height)) = decoder.read_info().and_then(|()| decoder.scale(512, 512)) else { return Ok(None) };
    let Ok(mut samples) = decoder.decode() else { return Ok(None) };
    let channels = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::L8) => 1,
        Some(PixelFormat::RGB24) => 3,
        Some(PixelFormat::CMYK32) => {
            mix_inks(&mut samples);
            4
        }
        _ => return Ok(None),
    };
    Ok(Some(shrunk(&samples, channels, (u32::from(width), u32::from(height)))))
}

/// Inks as Adobe's programs write them, the wrong way round, which the decoder leaves so. In the place of the fourth comes
/// an alpha that covers all.
fn mix_inks(samples: &mut [u8]) {
    for pixel in samples.chunks_exact_mut(4) {
        let black = u16::from(pixel[3]);
        for ink in &mut pixel[..3] {
            *ink = u8::try_from(u16::from(*ink) * black / 255).unwrap_or(u8::MAX);
        }
        pixel[3] = u8::MAX;
    }
}

/// Formats whose decoders give all pixels at once.
fn whole(
    source: &mut Source, media_type: MediaType, picture: &Picture, limits: &Limits,
) -> Result<Option<Shrink>, InspectError> {
    let pixels = u64::from(picture.pixels.0) * u64::from(picture.pixels.1);
    // Four bytes a pixel, and half of that for what the decoder works in.
    if 6 * pixels > limits.max_preview_bytes {
        return Ok(None);
    }
    let reader = source.from(0)?;
    let opened = if media_type == MediaType::WebP {
        image::codecs::webp::WebPDecoder::new(reader).and_then(|it| samples(it, limits))
    } else {
        image::codecs::tiff::TiffDecoder::new(reader).and_then(|it| samples(it, limits))
    };
    Ok(opened.ok().flatten().map(|(bytes, channels)| shrunk(&bytes, channels, picture.pixels)))
}

fn samples(mut decoder: impl ImageDecoder, limits: &Limits) -> image::ImageResult<Option<(Vec<u8>, usize)>> {
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(limits.max_preview_bytes);
    decoder.set_limits(bounds)?;
    let bytes = decoder.total_bytes();
    if bytes > limits.max_preview_bytes {
        return Ok(None);
    }
    let colour = decoder.color_type();
    let mut all = vec![0; usize::try_from(bytes).unwrap_or(0)];
    decoder.read_image(&mut all)?;
    // Of samples with sixteen bits the upper eight, which are the second in the order of this machine.
    if colour.bytes_per_pixel() == 2 * colour.channel_count() {
        let upper = usize::from(cfg!(target_endian = "little"));
        all = all.chunks_exact(2).map(|pair| pair[upper]).collect();
    } else if colour.bytes_per_pixel() != colour.channel_count() {
        return Ok(None);
    }
    Ok(Some((all, usize::from(colour.channel_count()))))
}

fn shrunk(samples: &[u8], channels: usize, size: (u32, u32)) -> Shrink {
    let mut small = Shrink::new(size);
    let line = (size.0 as usize * channels).max(1);
    for (row, y) in samples.chunks_exact(line).zip(0..size.1) {
        small.add(row, channels, (0, y, 1));
    }
    small
}
