//! A second reader of RESP, written from the specification as plainly as possible: recursive, from the first
//! byte every time, without limits except for depth.
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>

use redlatch::resp::Reply;

/// Deeper than any limit of the crate: values that are nested more deeply are not read.
const DEEPEST: usize = 40;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Value>),
    /// RESP3's `>`
    Push(Vec<Value>),
    /// RESP3's `!`
    BlobError(Vec<u8>),
    /// RESP3's `_`
    Nothing,
    /// Any other type of RESP3, or anything that attributes precede.
    Other,
}

/// One value, and its size.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub value: Value,
    pub bytes: usize,
    /// The number of aggregates within each other.
    pub depth: usize,
    /// Values, those within aggregates and attributes counted one by one, and attributes themselves.
    pub elements: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Incomplete,
    Malformed,
    /// Not read: nested more deeply than the limit.
    TooDeep,
}

/// The first value in `bytes`.
pub fn read(bytes: &[u8]) -> Result<Read, Trouble> {
    let mut reader = Reader { bytes, at: 0, deepest: 0, elements: 0 };
    let value = reader.value(0)?;
    Ok(Read { value, bytes: reader.at, depth: reader.deepest, elements: reader.elements })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    deepest: usize,
    elements: u64,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Trouble> {
        let kind = *self.bytes.get(self.at).ok_or(Trouble::Incomplete)?;
        if !b"+-:$*_#,(!=~>%|".contains(&kind) {
            return Err(Trouble::Malformed);
        }
        self.at += 1;
        let line = self.line()?;
        self.elements += 1;
        Ok(match kind {
            b'+' => Value::Simple(line),
            b'-' => Value::Error(line),
            b':' => Value::Integer(text(&line)?.parse().map_err(|_| Trouble::Malformed)?),
            b'$' | b'*' if line == b"-1" => Value::Null,
            b'$' => Value::Bulk(self.blob(&line)?),
            b'!' => Value::BlobError(self.blob(&line)?),
            b'=' => {
                self.blob(&line)?;
                Value::Other
            }
            b'*' => Value::Array(self.values(length(&line)?, depth)?),
            b'>' => Value::Push(self.values(length(&line)?, depth)?),
            b'~' => {
                self.values(length(&line)?, depth)?;
                Value::Other
            }
            b'%' => {
                self.values(2 * length(&line)?, depth)?;
                Value::Other
            }
            b'|' => {
                self.values(2 * length(&line)?, depth)?;
                self.value(depth)?;
                Value::Other
            }
            b'_' if line.is_empty() => Value::Nothing,
            b'#' if line == b"t" || line == b"f" => Value::Other,
            b',' | b'(' if !line.is_empty() => Value::Other,
            _ => return Err(Trouble::Malformed),
        })
    }

    fn line(&mut self) -> Result<Vec<u8>, Trouble> {
        let rest = &self.bytes[self.at..];
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Trouble::Incomplete)?;
        self.at += end + 2;
        Ok(rest[..end].to_vec())
    }

    fn blob(&mut self, line: &[u8]) -> Result<Vec<u8>, Trouble> {
        let length = usize::try_from(length(line)?).unwrap();
        let rest = &self.bytes[self.at..];
        match rest.get(length..length + 2) {
            None => Err(Trouble::Incomplete),
            Some(b"\r\n") => {
                self.at += length + 2;
                Ok(rest[..length].to_vec())
            }
            Some(_) => Err(Trouble::Malformed),
        }
    }

    fn values(&mut self, count: u64, depth: usize) -> Result<Vec<Value>, Trouble> {
        let depth = depth + 1;
        self.deepest = self.deepest.max(depth);
        if depth > DEEPEST {
            return Err(Trouble::TooDeep);
        }
        (0..count).map(|_| self.value(depth)).collect()
    }
}

fn text(line: &[u8]) -> Result<&str, Trouble> {
    core::str::from_utf8(line).map_err(|_| Trouble::Malformed)
}

/// At most ten plain digits, of a number of 32 bits.
fn length(line: &[u8]) -> Result<u64, Trouble> {
    let plain = (1..=10).contains(&line.len()) && line.iter().all(u8::is_ascii_digit);
    let number = text(line)?.parse().ok().filter(|&number| plain && number <= u64::from(u32::MAX));
    number.ok_or(Trouble::Malformed)
}

impl Value {
    /// An integer, also as a decimal string.
    pub fn integer(&self) -> Option<i64> {
        let text = match self {
            Self::Integer(number) => return Some(*number),
            Self::Bulk(text) | Self::Simple(text) => text,
            _ => return None,
        };
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let text = core::str::from_utf8(text).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?;
        text.parse().ok()
    }

    /// The reply that the crate must decode it to.
    pub fn as_reply(&self) -> Reply<'_> {
        match self {
            Self::BlobError(text) => Reply::Error(text),
            Self::Nothing => Reply::Null,
            Self::Push(elements) => {
                let plain: Option<Vec<_>> = elements.iter().map(Self::as_plain).collect();
                Reply::Push(plain.unwrap_or_default())
            }
            other => other.as_plain().unwrap_or(Reply::Opaque),
        }
    }

    /// The value in terms of RESP2, if it contains nothing else.
    fn as_plain(&self) -> Option<Reply<'_>> {
        Some(match self {
            Self::Simple(text) => Reply::Simple(text),
            Self::Error(text) => Reply::Error(text),
            Self::Integer(number) => Reply::Integer(*number),
            Self::Bulk(text) => Reply::Bulk(text),
            Self::Null => Reply::Null,
            Self::Array(elements) => {
                Reply::Array(elements.iter().map(Self::as_plain).collect::<Option<_>>()?)
            }
            Self::Push(_) | Self::BlobError(_) | Self::Nothing | Self::Other => return None,
        })
    }
}
