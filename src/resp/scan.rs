//! Finds the end of each frame in a stream of bytes, within limits, and resumes where it stopped.
//!
//! The work is linear in the bytes, however they are split: no byte is read twice, except a lone `\r` at the end of a
//! chunk. Nothing is allocated because of a declared length.

use super::{
    Limits, Malformed,
    number::{integer, natural},
};

/// The largest [`Limits::depth`] that counts.
const DEPTH: usize = 16;
/// The most digits of a length: 32 bits are at most 4 294 967 295.
const LENGTH_DIGITS: usize = 10;

/// A connection's input: bytes in, complete frames out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scanner {
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the current frame begins in the buffer.
    start: usize,
    /// Where the current token (a header line, or a blob's content) begins.
    token: usize,
    /// No line end was found before this position.
    searched: usize,
    /// If the token is a blob's content: how many bytes it has, with its line end.
    blob: Option<usize>,
    /// Values still to come at each level of nesting; the first level is the frame itself.
    open: [u32; DEPTH + 1],
    /// How many levels are open: 0 between frames.
    level: usize,
    elements: u32,
    shape: Shape,
    broken: Option<Malformed>,
}

/// How a frame differs from RESP2, which determines how it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Only RESP2 types: `+`, `-`, `:`, `$`, `*`.
    Plain,
    /// RESP3's push, with RESP2 types inside.
    Push,
    /// RESP3's push with other RESP3 types inside.
    OpaquePush,
    /// RESP3's blob error.
    BlobError,
    /// RESP3's null.
    Null,
    /// Contains other RESP3 types.
    Opaque,
}

/// The bytes of one complete frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// From the type byte to the last line end.
    pub bytes: &'a [u8],
    /// How to decode the bytes.
    pub shape: Shape,
}

enum Token {
    /// A value, or the header of one whose content follows.
    Value,
    Incomplete,
}

impl Scanner {
    /// A scanner at the beginning of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            start: 0,
            token: 0,
            searched: 0,
            blob: None,
            open: [0; DEPTH + 1],
            level: 0,
            elements: 0,
            shape: Shape::Plain,
            broken: None,
        }
    }

    /// Adds received bytes. Then call [`next_frame`](Self::next_frame) until it returns `None`.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        self.buffer.drain(..self.start);
        self.token = self.token.saturating_sub(self.start);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// How many buffered bytes belong to frames that were not taken yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    /// The next complete frame, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// [`Malformed`], and the same error on every later call, because a stream cannot be resynchronised. The buffer is
    /// dropped.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        match self.scan() {
            Ok(None) => Ok(None),
            Ok(Some((from, to, shape))) => {
                let bytes = self.buffer.get(from..to).unwrap_or_default();
                Ok(Some(Frame { bytes, shape }))
            }
            Err(error) => {
                self.broken = Some(error);
                self.buffer = Vec::new();
                Err(error)
            }
        }
    }

    fn scan(&mut self) -> Result<Option<(usize, usize, Shape)>, Malformed> {
        if self.level == 0 {
            if self.buffered() == 0 {
                return Ok(None);
            }
            self.open[0] = 1;
            self.level = 1;
            self.elements = 0;
            self.shape = Shape::Plain;
        }
        while self.level > 0 {
            let token = if self.blob.is_some() { self.blob_content()? } else { self.header()? };
            if self.token.saturating_sub(self.start) > self.limits.bytes {
                return Err(Malformed::TooLong);
            }
            match token {
                Token::Value => self.close_full_levels(),
                Token::Incomplete if self.buffered() > self.limits.bytes => return Err(Malformed::TooLong),
                Token::Incomplete => return Ok(None),
            }
        }
        let from = self.start;
        self.start = self.token;
        Ok(Some((from, self.token, self.shape)))
    }

    /// Closes each level whose values have all arrived, unless a blob's content is still missing.
    fn close_full_levels(&mut self) {
        while self.blob.is_none() && self.level > 0 && self.open.get(self.level.saturating_sub(1)) == Some(&0)
        {
            self.level = self.level.saturating_sub(1);
        }
    }

    fn blob_content(&mut self) -> Result<Token, Malformed> {
        let end = self.token.saturating_add(self.blob.unwrap_or(0));
        if self.buffer.len() < end {
            return Ok(Token::Incomplete);
        }
        if self.buffer.get(end.saturating_sub(2)..end) != Some(b"\r\n") {
            return Err(Malformed::BadTerminator);
        }
        self.blob = None;
        self.token = end;
        self.searched = end;
        Ok(Token::Value)
    }

    fn header(&mut self) -> Result<Token, Malformed> {
        let Some(&kind) = self.buffer.get(self.token) else {
            return Ok(Token::Incomplete);
        };
        if !b"+-:$*_#,(!=~>%|".contains(&kind) {
            return Err(Malformed::UnknownType(kind));
        }
        let end = self.line_end();
        let begun = self.token.saturating_add(1);
        let line = self.buffer.get(begun..end.unwrap_or(self.buffer.len())).unwrap_or_default();
        // A length line is short: do not wait for the end of one that is too long to be valid.
        let digits = if end.is_some() { line } else { line.strip_suffix(b"\r").unwrap_or(line) }.len();
        if digits > LENGTH_DIGITS && b"$*_#!=~>%|".contains(&kind) {
            return Err(Malformed::BadLength);
        }
        let Some(end) = end else {
            return Ok(Token::Incomplete);
        };
        let (content, shape) = classify(kind, line, self.level == 1)?;
        self.shape = match (self.shape, shape) {
            (seen, Shape::Plain) => seen,
            (Shape::Push | Shape::OpaquePush, _) => Shape::OpaquePush,
            (Shape::Opaque, _) => Shape::Opaque,
            (_, shape) => shape,
        };
        self.token = end.saturating_add(2);
        self.searched = self.token;
        self.enter(content)?;
        Ok(Token::Value)
    }

    /// The position of the current token's line end.
    fn line_end(&mut self) -> Option<usize> {
        let mut from = self.searched.max(self.token);
        while let Some(offset) = self.buffer.get(from..)?.iter().position(|&byte| byte == b'\r') {
            let at = from.saturating_add(offset);
            match self.buffer.get(at.saturating_add(1)) {
                Some(b'\n') => return Some(at),
                Some(_) => from = at.saturating_add(1),
                None => {
                    self.searched = at;
                    return None;
                }
            }
        }
        self.searched = self.buffer.len();
        None
    }

    /// Counts a value and opens what it contains.
    fn enter(&mut self, content: Content) -> Result<(), Malformed> {
        self.elements = self.elements.saturating_add(1);
        let is_element = !matches!(content, Content::Attribute(_));
        if is_element && let Some(left) = self.open.get_mut(self.level.saturating_sub(1)) {
            *left = left.saturating_sub(1);
        }
        match content {
            Content::None => {}
            Content::Blob(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > self.limits.bytes {
                    return Err(Malformed::TooLong);
                }
                self.blob = Some(length.saturating_add(2));
            }
            Content::Values(count) | Content::Attribute(count) => {
                // The declared count is checked, so that a huge one is refused before its values arrive.
                if count > self.limits.elements.saturating_sub(self.elements) {
                    return Err(Malformed::TooManyElements);
                }
                if self.level > self.limits.depth.min(DEPTH) {
                    return Err(Malformed::TooDeep);
                }
                if let Some(open) = self.open.get_mut(self.level) {
                    *open = count;
                }
                self.level = self.level.saturating_add(1);
            }
        }
        if self.elements > self.limits.elements {
            return Err(Malformed::TooManyElements);
        }
        Ok(())
    }
}

/// What follows a header line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    None,
    Blob(u32),
    Values(u32),
    /// Values that do not count as an element: the value that they describe follows.
    Attribute(u32),
}

fn classify(kind: u8, line: &[u8], outermost: bool) -> Result<(Content, Shape), Malformed> {
    let special = |shape| if outermost { shape } else { Shape::Opaque };
    let doubled = |count: u32| count.checked_mul(2).ok_or(Malformed::TooManyElements);
    Ok(match kind {
        b'+' | b'-' => (Content::None, Shape::Plain),
        b':' => {
            integer(line).ok_or(Malformed::BadInteger)?;
            (Content::None, Shape::Plain)
        }
        b'$' | b'*' if line == b"-1" => (Content::None, Shape::Plain),
        b'$' => (Content::Blob(length(line)?), Shape::Plain),
        b'*' => (Content::Values(length(line)?), Shape::Plain),
        b'>' => (Content::Values(length(line)?), special(Shape::Push)),
        b'!' => (Content::Blob(length(line)?), special(Shape::BlobError)),
        b'=' => (Content::Blob(length(line)?), Shape::Opaque),
        b'~' => (Content::Values(length(line)?), Shape::Opaque),
        b'%' => (Content::Values(doubled(length(line)?)?), Shape::Opaque),
        b'|' => (Content::Attribute(doubled(length(line)?)?), Shape::Opaque),
        b'_' if line.is_empty() => (Content::None, special(Shape::Null)),
        b'#' if line == b"t" || line == b"f" => (Content::None, Shape::Opaque),
        b',' | b'(' if !line.is_empty() => (Content::None, Shape::Opaque),
        _ => return Err(Malformed::BadValue),
    })
}

/// A declared length, of at most 32 bits: `usize` has no more in wasm.
fn length(line: &[u8]) -> Result<u32, Malformed> {
    natural(line).and_then(|length| length.try_into().ok()).ok_or(Malformed::BadLength)
}
