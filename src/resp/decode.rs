use redis_protocol::resp2::{decode::decode_range, types::RangeFrame};

use super::{Frame, Malformed, Reply, Shape};

/// Decodes a complete frame that a [`Scanner`](super::Scanner) found.
///
/// `redis-protocol` does the work. Its decoder recurses and trusts declared lengths, so it must only see bytes that a
/// scanner has accepted.
///
/// # Errors
/// [`Malformed::BadValue`] if the bytes are not exactly one frame for the decoder.
pub fn decode(frame: Frame<'_>) -> Result<Reply<'_>, Malformed> {
    match frame.shape {
        Shape::Null => Ok(Reply::Null),
        Shape::Opaque => Ok(Reply::Opaque),
        Shape::OpaquePush => Ok(Reply::Push(Vec::new())),
        Shape::Plain => decode_plain(frame.bytes),
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
