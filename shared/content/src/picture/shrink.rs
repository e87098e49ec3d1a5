//! Makes a small picture out of rows of a large one, in any order, in the memory of the small one.

use image::codecs::jpeg::JpegEncoder;

/// Pixels of a preview's long side.
const LONG_SIDE: u32 = 512;
/// Of a JPEG, 1 to 100: words on a page can still be told, at some 40 kB.
const QUALITY: u8 = 80;

/// Sums up, for each pixel of the small picture, all pixels of the large one that fall on it.
pub(crate) struct Shrink {
    from: (u32, u32),
    to: (u32, u32),
    sums: Vec<[u32; 4]>,
}

impl Shrink {
    pub fn new(from: (u32, u32)) -> Self {
        let long = from.0.max(from.1).max(1);
        let side = |it: u32| {
            let scaled = u64::from(it) * u64::from(LONG_SIDE) / u64::from(long);
            u32::try_from(scaled).unwrap_or(LONG_SIDE).max(1)
        };
        let to = if long <= LONG_SIDE { (from.0.max(1), from.1.max(1)) } else { (side(from.0), side(from.1)) };
        Self { from, to, sums: vec![[0; 4]; to.0 as usize * to.1 as usize] }
    }

    /// Pixels of line `y`, from `x` on, each `step`th. Grey, grey and alpha, RGB, RGB and alpha by the number of samples.
    pub fn add(&mut self, samples: &[u8], channels: usize, (x, y, step): (u32, u32, u32)) {
        let line = Self::place(y, self.from.1, self.to.1) * self.to.0 as usize;
        let pixels = samples.chunks_exact(channels.max(1));
        for (pixel, x) in pixels.zip((x..self.from.0).step_by(step.max(1) as usize)) {
            let colour = match *pixel {
                [grey] => [grey; 3],
                [grey, alpha] => [on_white(grey, alpha); 3],
                [red, green, blue] => [red, green, blue],
                [red, green, blue, alpha] => [red, green, blue].map(|it| on_white(it, alpha)),
                _ => return,
            };
            let sum = &mut self.sums[line + Self::place(x, self.from.0, self.to.0)];
            for (sum, colour) in sum.iter_mut().zip(colour) {
                *sum += u32::from(colour);
            }
            sum[3] += 1;
        }
    }

    fn place(at: u32, from: u32, to: u32) -> usize {
        let place = u64::from(at) * u64::from(to) / u64::from(from.max(1));
        usize::try_from(place.min(u64::from(to - 1))).unwrap_or(0)
    }

    /// The small picture, turned as `orientation` of EXIF says.
    pub fn into_jpeg(self, orientation: u8) -> Option<Vec<u8>> {
        let (width, height) = self.to;
        let turned = orientation >= 5;
        let (to_width, to_height) = if turned { (height, width) } else { (width, height) };
        let mut pixels = Vec::with_capacity(3 * self.sums.len());
        for y in 0..to_height {
            for x in 0..to_width {
                let (right, bottom) = (width - 1, height - 1);
                let (from_x, from_y) = match orientation {
                    2 => (right - x, y),
                    3 => (right - x, bottom - y),
                    4 => (x, bottom - y),
                    5 => (y, x),
                    6 => (y, bottom - x),
                    7 => (right - y, bottom - x),
                    8 => (right - y, x),
                    _ => (x, y),
                };
                let [red, green, blue, count] = self.sums[from_y as usize * width as usize + from_x as usize];
                let mean = |sum: u32| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX);
                // What no row came for stays white.
                let colour = if count == 0 { [u8::MAX; 3] } else { [mean(red), mean(green), mean(blue)] };
                pixels.extend(colour);
            }
        }
        let mut jpeg = Vec::new();
        let encoder = &mut JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        encoder.encode(&pixels, to_width, to_height, image::ExtendedColorType::Rgb8).ok()?;
        Some(jpeg)
    }
}

fn on_white(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
}
