use std::io;

use crate::MediaType;

/// What is known of a file that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What it really is, which is what was declared.
    pub media_type: MediaType,
    /// Pages of a PDF, pictures of a TIFF.
    pub pages: Option<u32>,
    /// Width and height as they are stored, before any turning; of the first picture of a TIFF.
    pub pixels: Option<(u32, u32)>,
    /// What is not refused but worth telling; each at most once.
    pub findings: Vec<Finding>,
}

/// What is let pass and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Finding {
    /// A PDF with fields to fill in.
    FormFields,
    /// A PDF with links to web pages.
    ExternalLinks,
    /// A PDF with an electronic signature. It is not verified here.
    Signed,
    /// A PDF that was saved more than once and still holds its former states, also what was blacked out since.
    FormerRevisions,
    /// A photograph that says where it was taken.
    Place,
    /// A picture with other data about itself: camera, time, author, comments, thumbnail.
    Metadata,
}

impl Finding {
    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::FormFields => "form_fields",
            Self::ExternalLinks => "external_links",
            Self::Signed => "signed",
            Self::FormerRevisions => "former_revisions",
            Self::Place => "place",
            Self::Metadata => "metadata",
        }
    }
}

/// What in a PDF could act, or bring something along that acts, when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Active {
    /// A script.
    #[error("a script")]
    JavaScript,
    /// An action that starts a program or opens a file of the reader's machine.
    #[error("an action that starts a program")]
    LaunchAction,
    /// A file within the file.
    #[error("another file inside")]
    EmbeddedFile,
    /// An action that sends or loads the contents of fields.
    #[error("an action that sends a form")]
    SubmitForm,
    /// Sound, film, Flash, models in three dimensions.
    #[error("sound, film or other moving contents")]
    RichMedia,
    /// A form in Adobe's XML, which has scripts of its own.
    #[error("a form in XFA")]
    Xfa,
    /// Contents that lie outside the file: on a network share, say, which would be told who opened it.
    #[error("contents that lie outside the file")]
    ExternalFile,
}

impl Active {
    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::JavaScript => "javascript",
            Self::LaunchAction => "launch_action",
            Self::EmbeddedFile => "embedded_file",
            Self::SubmitForm => "submit_form",
            Self::RichMedia => "rich_media",
            Self::Xfa => "xfa",
            Self::ExternalFile => "external_file",
        }
    }
}

/// Why a file is not taken. Nothing of the file's contents is in it: it may be logged and shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No byte, or a text without a word.
    #[error("the file is empty")]
    Empty,
    /// More bytes than [`Limits::max_bytes`](crate::Limits::max_bytes).
    #[error("the file is too large")]
    TooLarge,
    /// None of the types that are taken.
    #[error("the file is of no type that is taken")]
    TypeUnknown,
    /// Another type than was declared.
    #[error("the file was declared as {declared} and is {real}")]
    TypeDiffers {
        /// What the sender said.
        declared: MediaType,
        /// What the bytes say.
        real: MediaType,
    },
    /// More than one type at once, or something before or after the file proper: what one program shows is not what
    /// another one runs.
    #[error("the file is more than one thing at once")]
    Polyglot,
    /// Not as the format says.
    #[error("the file is damaged: {0}")]
    Malformed(&'static str),
    /// It ends before its end.
    #[error("the file is cut off")]
    Truncated,
    /// It could act when it is opened.
    #[error("the file holds {0}")]
    ActiveContent(Active),
    /// Locked with a password or with rights; what it holds cannot be checked.
    #[error("the file is encrypted")]
    Encrypted,
    /// More than [`Limits::max_pixels`](crate::Limits::max_pixels).
    #[error("the picture is too large")]
    TooManyPixels,
    /// More than [`Limits::max_pages`](crate::Limits::max_pages).
    #[error("the file has too many pages")]
    TooManyPages,
    /// It becomes too large, too deep or too much when it is opened.
    #[error("the file becomes too large when it is opened")]
    Bomb,
    /// A text that is not UTF-8, or with control characters.
    #[error("the text is not plain text in UTF-8")]
    NotPlainText,
    /// A text that a browser or a shell would take for more than that: HTML, SVG, XML, a script.
    #[error("the text is a page or a script")]
    Markup,
}

impl Refusal {
    /// A stable name. For a problem's `type`, and the choice of words.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::TypeUnknown => "type_unknown",
            Self::TypeDiffers { .. } => "type_differs",
            Self::Polyglot => "polyglot",
            Self::Malformed(_) => "malformed",
            Self::Truncated => "truncated",
            Self::ActiveContent(_) => "active_content",
            Self::Encrypted => "encrypted",
            Self::TooManyPixels => "too_many_pixels",
            Self::TooManyPages => "too_many_pages",
            Self::Bomb => "bomb",
            Self::NotPlainText => "not_plain_text",
            Self::Markup => "markup",
        }
    }
}

/// Why there is no answer that lets the file pass.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file is not taken. Trying again changes nothing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Reading or writing failed, which says nothing about the file.
    #[error("the file could not be read or written")]
    Io(#[from] io::Error),
}
