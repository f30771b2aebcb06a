use redis_protocol::resp2::{decode::decode_range, types::RangeFrame};

use super::{Frame, Malformed, Reply, Shape, number};

/// Decodes a complete frame that a [`Scanner`](super::Scanner) found.
///
/// `redis-protocol` does the work, except for arrays of integers and bulk strings: scripts answer with these, for every
/// lock. Its decoder recurses and trusts declared lengths, so it must only see bytes that a scanner has accepted.
///
/// # Errors
/// [`Malformed::BadValue`] if the bytes are not exactly one frame for the decoder.
pub fn decode(frame: Frame<'_>) -> Result<Reply<'_>, Malformed> {
    match frame.shape {
        Shape::Null => Ok(Reply::Null),
        Shape::Opaque => Ok(Reply::Opaque),
        Shape::OpaquePush => Ok(Reply::Push(Vec::new())),
        Shape::Plain => match flat_array(frame.bytes) {
            Some(elements) => Ok(Reply::Array(elements)),
            None => decode_plain(frame.bytes),
        },
        // RESP3's blob error has a length line, like a bulk string. The error is the text after that line.
        Shape::BlobError => {
            let text = frame
                .bytes
                .iter()
                .position(|&byte| byte == b'\n')
                .and_then(|at| frame.bytes.get(at.saturating_add(1)..));
            Ok(Reply::Error(text.and_then(|text| text.strip_suffix(b"\r\n")).ok_or(Malformed::BadValue)?))
        }
        // A push is an array with another first byte. Its elements are frames.
        Shape::Push => {
            let mut elements = Vec::new();
            let header = frame.bytes.iter().position(|&byte| byte == b'\n').ok_or(Malformed::BadValue)?;
            let mut rest = frame.bytes.get(header.saturating_add(1)..).unwrap_or_default();
            while !rest.is_empty() {
                let (element, used) = decode_first(rest)?;
                elements.push(element);
                rest = rest.get(used..).unwrap_or_default();
            }
            Ok(Reply::Push(elements))
        }
    }
}

/// The elements of an array of integers and bulk strings. `None` for anything else.
fn flat_array(bytes: &[u8]) -> Option<Vec<Reply<'_>>> {
    let (count, mut rest) = number_after(bytes.strip_prefix(b"*")?, number::natural)?;
    let mut elements = Vec::with_capacity(usize::try_from(count).ok()?.min(rest.len()));
    for _ in 0..count {
        let (&kind, line) = rest.split_first()?;
        let element;
        (element, rest) = match kind {
            b':' => {
                let (integer, rest) = number_after(line, number::integer)?;
                (Reply::Integer(integer), rest)
            }
            b'$' => {
                let (length, rest) = number_after(line, number::natural)?;
                let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Reply::Bulk(content), rest.strip_prefix(b"\r\n")?)
            }
            _ => return None,
        };
        elements.push(element);
    }
    rest.is_empty().then_some(elements)
}

/// The number in a line, and what comes after the line.
fn number_after<T>(bytes: &[u8], read: fn(&[u8]) -> Option<T>) -> Option<(T, &[u8])> {
    let (line, rest) = bytes.split_at_checked(bytes.iter().position(|&byte| byte == b'\r')?)?;
    Some((read(line)?, rest.strip_prefix(b"\r\n")?))
}

fn decode_plain(bytes: &[u8]) -> Result<Reply<'_>, Malformed> {
    match decode_first(bytes)? {
        (reply, used) if used == bytes.len() => Ok(reply),
        _ => Err(Malformed::BadValue),
    }
}

fn decode_first(bytes: &[u8]) -> Result<(Reply<'_>, usize), Malformed> {
    let (frame, used) = decode_range(bytes).ok().flatten().ok_or(Malformed::BadValue)?;
    Ok((borrow(&frame, bytes)?, used))
}

/// Converts a decoded frame. The scanner's depth limit bounds the recursion.
fn borrow<'a>(frame: &RangeFrame, bytes: &'a [u8]) -> Result<Reply<'a>, Malformed> {
    let slice = |&(from, to): &(usize, usize)| bytes.get(from..to).ok_or(Malformed::BadValue);
    Ok(match frame {
        RangeFrame::SimpleString(range) => Reply::Simple(slice(range)?),
        RangeFrame::Error(range) => Reply::Error(slice(range)?),
        RangeFrame::Integer(n) => Reply::Integer(*n),
        RangeFrame::BulkString(range) => Reply::Bulk(slice(range)?),
        RangeFrame::Array(frames) => {
            Reply::Array(frames.iter().map(|frame| borrow(frame, bytes)).collect::<Result<_, _>>()?)
        }
        RangeFrame::Null => Reply::Null,
    })
}
