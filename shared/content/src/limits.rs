use std::time::Duration;

/// What a file may cost. Who sends it chooses its bytes, so that everything that they can make large has a limit here.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a file: 200 MiB, the largest upload there is.
    pub max_bytes: u64,
    /// Pixels of a picture, width × height as its header says: 50 million. Telephones of 2026 take 12 to 50; a page of A4
    /// scanned at 600 dpi has 35.
    pub max_pixels: u64,
    /// Pages of a PDF, pictures of a TIFF: 2,000. The longest discharge files that hospitals print have some hundred.
    pub max_pages: u32,
    /// Objects of a PDF: 500,000. Each costs the index 16 bytes of memory, and a page of text makes about ten.
    pub max_objects: u32,
    /// Bytes that one compressed part of a file may become, when it has to be opened and held: 16 MiB.
    pub max_inflated_bytes: u64,
    /// Bytes that all compressed parts which have to be opened may become together: 256 MiB.
    pub max_inflated_bytes_in_all: u64,
    /// How many times larger than itself a compressed part that becomes more than 4 MiB may become: 250. Deflate reaches 1,032, on
    /// zeros only; dense text reaches 20.
    pub max_ratio: u64,
    /// Levels of arrays and dictionaries within one another: 64. Writers of PDF use ten.
    pub max_depth: u32,
    /// Bytes of text that [`text`](crate::text) gives: 1 MiB, some 300 pages. The rest is left out.
    pub max_text_bytes: usize,
    /// Bytes that one [`preview`](crate::preview) may hold at once, where it has to hold all pixels: of WebP and TIFF, of
    /// progressive JPEG, of what is on the first page of a PDF. 80 MiB: 12 megapixels, or a page of A4 at 300 dpi in colour.
    pub max_preview_bytes: u64,
    /// Time for judging a file, and for cleaning one: 60 s each. Two hundred megabytes take some seconds, so that what takes
    /// longer was made to. After it the file is refused, as one that becomes too large.
    pub max_time: Duration,
    /// Time for drawing a page or reading its words: 10 s. After it there is no preview.
    pub max_drawing_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 200 << 20,
            max_pixels: 50_000_000,
            max_pages: 2_000,
            max_objects: 500_000,
            max_inflated_bytes: 16 << 20,
            max_inflated_bytes_in_all: 256 << 20,
            max_ratio: 250,
            max_depth: 64,
            max_text_bytes: 1 << 20,
            max_preview_bytes: 80 << 20,
            max_time: Duration::from_mins(1),
            max_drawing_time: Duration::from_secs(10),
        }
    }
}
