//! The scanner, the decoder and the encoder.

use arbitrary::{Arbitrary, Unstructured};
use redis_protocol::{resp2, resp3};
use redlatch::resp::{Limits, Malformed, Scanner, Shape, decode, encode};

use super::reference::{self, Trouble, Value};

/// A frame's length, shape and meaning.
type Seen = (usize, Shape, String);

/// Bytes decode the same however they are split, and no byte is lost or kept for too long. Input: how many
/// chunk sizes, the sizes, which repeat, then the stream.
pub fn resp_split(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (sizes, stream) = rest.split_at(usize::from(count % 8).min(rest.len()));
    let mut chunks = Vec::new();
    let mut left = stream;
    for &size in sizes.iter().chain(&[0]).cycle() {
        let (chunk, others) = left.split_at((usize::from(size) + 1).min(left.len()));
        chunks.push(chunk);
        left = others;
        if left.is_empty() {
            break;
        }
    }
    let (whole, error) = scan(&[stream]);
    let (cut, cut_error) = scan(&chunks);
    assert_eq!(cut, whole, "cut otherwise, it means something else");
    // A value that is too long and also malformed may be reported as either.
    let too_long = [error, cut_error].contains(&Some(Malformed::TooLong));
    assert!(
        cut_error == error || too_long && error.is_some() && cut_error.is_some(),
        "{cut_error:?} {error:?}"
    );
}

fn scan(chunks: &[&[u8]]) -> (Vec<Seen>, Option<Malformed>) {
    let limits = Limits { depth: 4, elements: 64, bytes: 512 };
    let mut scanner = Scanner::new(limits);
    let (mut frames, mut taken, mut pushed) = (Vec::new(), 0, 0);
    for chunk in chunks {
        scanner.push(chunk);
        pushed += chunk.len();
        loop {
            match scanner.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    taken += frame.bytes.len();
                    frames.push((frame.bytes.len(), frame.shape, format!("{:?}", decode(frame))));
                }
                Err(error) => {
                    assert_eq!(scanner.buffered(), 0, "a broken stream is not kept");
                    scanner.push(b"+OK\r\n");
                    assert_eq!(scanner.next_frame(), Err(error), "a broken stream stays broken");
                    return (frames, Some(error));
                }
            }
        }
        assert_eq!(taken + scanner.buffered(), pushed, "every byte is taken once or kept");
        assert!(scanner.buffered() <= limits.bytes, "more is kept than a reply may have");
    }
    (frames, None)
}

/// The scanner with the decoder agrees with the reference about where each reply ends and what it is, and with
/// redis-protocol's RESP3 decoder, which the crate does not use, about where it ends. Input: the stream.
pub fn resp_reference(data: &[u8]) {
    let limits = Limits { bytes: usize::MAX, elements: u32::MAX, ..Limits::default() };
    let mut scanner = Scanner::new(limits);
    scanner.push(data);
    let mut rest = data;
    loop {
        let expected = reference::read(rest);
        match scanner.next_frame() {
            Ok(Some(frame)) => {
                let expected = expected.unwrap_or_else(|trouble| panic!("{frame:?} is {trouble:?}"));
                assert_eq!(frame.bytes, &rest[..expected.bytes], "a frame ends elsewhere");
                assert!(expected.depth <= limits.depth, "too deep: {frame:?}");
                assert_eq!(decode(frame), Ok(expected.value.as_reply()));
                if let Ok(Some((_, used))) = resp3::decode::complete::decode(frame.bytes) {
                    assert_eq!(used, expected.bytes, "redis-protocol ends {frame:?} elsewhere");
                }
                rest = &rest[expected.bytes..];
            }
            Ok(None) => {
                assert_eq!(expected, Err(Trouble::Incomplete));
                return;
            }
            Err(error) => {
                match (error, expected) {
                    // Reported before the line that cannot be a length has ended, or before the whole value
                    // has arrived.
                    (Malformed::BadLength | Malformed::TooDeep, Err(_)) => {}
                    (Malformed::TooDeep, Ok(read)) => assert!(read.depth > limits.depth),
                    // Maps of 2^31 pairs in all, reported before so many values, or such deep ones, have
                    // arrived.
                    (Malformed::TooManyElements, Err(Trouble::Incomplete | Trouble::TooDeep)) => {}
                    (_, expected) => assert_eq!(expected, Err(Trouble::Malformed), "{error:?}"),
                }
                return;
            }
        }
    }
}

/// Encoded arguments are read back unchanged: by redis-protocol, by the reference and by the scanner,
/// whatever was in the buffer before.
pub fn resp_encode(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let before = Vec::<u8>::arbitrary(&mut u).unwrap_or_default();
    let arguments = Vec::<Vec<u8>>::arbitrary(&mut u).unwrap_or_default();
    let mut out = before.clone();
    encode(&arguments.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut out);
    assert_eq!(out[..before.len()], before, "what was in the buffer stays");
    let bytes = &out[before.len()..];

    let value = Value::Array(arguments.iter().cloned().map(Value::Bulk).collect());
    let read = reference::read(bytes).expect("a command");
    assert_eq!((&read.value, read.bytes), (&value, bytes.len()));

    use resp2::types::OwnedFrame;
    let (frame, used) = resp2::decode::decode(bytes).unwrap().expect("a command");
    let expected = OwnedFrame::Array(arguments.into_iter().map(OwnedFrame::BulkString).collect());
    assert_eq!((frame, used), (expected, bytes.len()));

    let mut scanner = Scanner::new(Limits { elements: u32::MAX, bytes: usize::MAX, ..Limits::default() });
    scanner.push(bytes);
    let frame = scanner.next_frame().unwrap().expect("a command");
    assert_eq!(decode(frame), Ok(value.as_reply()));
}
