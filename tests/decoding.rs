//! The scanner and the decoder against redis-protocol's own, and against everything that is not well-formed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use proptest::prelude::*;
use redis_protocol::{
    resp2, resp3,
    resp3::types::{OwnedFrame as Value, VerbatimStringFormat},
};
use redlatch::resp::{Limits, Malformed, Reply, Scanner, Shape, decode};

/// The frames in `chunks`, as length, shape and decoded text; or why there are no more.
fn scan<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<(usize, Shape, String)>, Option<Malformed>, usize) {
    let mut scanner = Scanner::new(Limits::default());
    let (mut frames, mut most) = (Vec::new(), 0);
    for chunk in chunks {
        scanner.push(chunk);
        most = most.max(scanner.buffered());
        loop {
            match scanner.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    frames.push((frame.bytes.len(), frame.shape, format!("{:?}", decode(frame))))
                }
                Err(error) => return (frames, Some(error), most),
            }
        }
    }
    (frames, None, most)
}

fn scan_whole(bytes: &[u8]) -> Result<(usize, Shape, String), Option<Malformed>> {
    let (mut frames, error, _) = scan([bytes]);
    if frames.is_empty() { Err(error) } else { Ok(frames.remove(0)) }
}

fn words() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

fn line() -> impl Strategy<Value = String> {
    "[ -~]{0,30}"
}

/// RESP2 values, nested up to the limit of depth.
fn resp2_value() -> impl Strategy<Value = resp2::types::OwnedFrame> {
    use resp2::types::OwnedFrame;
    let leaf = prop_oneof![
        line().prop_map(|text| OwnedFrame::SimpleString(text.into_bytes())),
        line().prop_map(OwnedFrame::Error),
        any::<i64>().prop_map(OwnedFrame::Integer),
        words().prop_map(OwnedFrame::BulkString),
        Just(OwnedFrame::Null),
    ];
    leaf.prop_recursive(8, 60, 5, |inner| prop::collection::vec(inner, 0..5).prop_map(OwnedFrame::Array))
}

/// RESP3 values of every type but attributes and streams, within the limit of depth.
fn resp3_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        words().prop_map(|data| Value::BlobString { data, attributes: None }),
        words().prop_map(|data| Value::BlobError { data, attributes: None }),
        line().prop_map(|text| Value::SimpleString { data: text.into_bytes(), attributes: None }),
        line().prop_map(|data| Value::SimpleError { data, attributes: None }),
        any::<bool>().prop_map(|data| Value::Boolean { data, attributes: None }),
        any::<i64>().prop_map(|data| Value::Number { data, attributes: None }),
        (-1e9f64..1e9).prop_map(|data| Value::Double { data, attributes: None }),
        "[1-9][0-9]{0,60}".prop_map(|text| Value::BigNumber { data: text.into_bytes(), attributes: None }),
        words().prop_map(|data| Value::VerbatimString {
            data,
            format: VerbatimStringFormat::Text,
            attributes: None
        }),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|data| Value::Array { data, attributes: None }),
            prop::collection::vec((line(), inner.clone()), 0..4).prop_map(|pairs| {
                let key = |text: String| Value::SimpleString { data: text.into_bytes(), attributes: None };
                Value::Map { data: pairs.into_iter().map(|(k, v)| (key(k), v)).collect(), attributes: None }
            }),
        ]
    })
}

fn expected(frame: &resp2::types::OwnedFrame) -> Reply<'_> {
    use resp2::types::OwnedFrame;
    match frame {
        OwnedFrame::SimpleString(text) => Reply::Simple(text),
        OwnedFrame::Error(text) => Reply::Error(text.as_bytes()),
        OwnedFrame::Integer(n) => Reply::Integer(*n),
        OwnedFrame::BulkString(bytes) => Reply::Bulk(bytes),
        OwnedFrame::Array(frames) => Reply::Array(frames.iter().map(expected).collect()),
        OwnedFrame::Null => Reply::Null,
    }
}

fn depth(frame: &resp2::types::OwnedFrame) -> usize {
    match frame {
        resp2::types::OwnedFrame::Array(frames) => 1 + frames.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn encoded2(frame: &resp2::types::OwnedFrame) -> Vec<u8> {
    let mut bytes = vec![0; resp2::types::Resp2Frame::encode_len(frame, false)];
    let length = resp2::encode::encode(&mut bytes, frame, false).unwrap();
    bytes.truncate(length);
    bytes
}

fn encoded3(frame: &Value) -> Vec<u8> {
    let mut bytes = vec![0; resp3::types::Resp3Frame::encode_len(frame, false)];
    let length = resp3::encode::complete::encode(&mut bytes, frame, false).unwrap();
    bytes.truncate(length);
    bytes
}

proptest! {
    #[test]
    fn resp2_values_decode_like_redis_protocol(frame in resp2_value()) {
        prop_assume!(depth(&frame) <= 8);
        let bytes = encoded2(&frame);
        let (length, shape, text) = scan_whole(&bytes).unwrap();
        prop_assert_eq!((length, shape), (bytes.len(), Shape::Plain));
        prop_assert_eq!(text, format!("{:?}", Ok::<_, Malformed>(expected(&frame))));
    }

    #[test]
    fn resp3_values_end_where_redis_protocol_says(frame in resp3_value(), tail in words()) {
        let mut bytes = encoded3(&frame);
        let length = bytes.len();
        bytes.extend(tail);
        let (_, used) = resp3::decode::complete::decode(&bytes).unwrap().unwrap();
        prop_assert_eq!(used, length);
        prop_assert_eq!(scan_whole(&bytes).unwrap().0, length);
    }

    #[test]
    fn pushes_carry_their_elements(frames in prop::collection::vec(resp2_value(), 0..4)) {
        prop_assume!(frames.iter().all(|frame| depth(frame) < 8));
        let bytes = [format!(">{}\r\n", frames.len()).into_bytes(), frames.iter().flat_map(encoded2).collect()].concat();
        let (length, shape, text) = scan_whole(&bytes).unwrap();
        prop_assert_eq!((length, shape), (bytes.len(), Shape::Push));
        prop_assert_eq!(text, format!("{:?}", Ok::<_, Malformed>(Reply::Push(frames.iter().map(expected).collect()))));
    }

    #[test]
    fn streams_decode_the_same_however_they_are_split(frames in prop::collection::vec(resp3_value(), 1..8), cuts in prop::collection::vec(1usize..20, 1..50)) {
        let bytes: Vec<u8> = frames.iter().flat_map(encoded3).collect();
        let mut chunks = Vec::new();
        let mut rest = bytes.as_slice();
        for size in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, others) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk);
            rest = others;
        }
        let (cut, error, _) = scan(chunks);
        prop_assert_eq!(error, None);
        prop_assert_eq!(cut, scan([bytes.as_slice()]).0);
    }

    #[test]
    fn random_bytes_never_panic_and_redis_protocol_agrees(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"+-:$*_#,(!=~>%|?0123456789\r\n".to_vec())], 0..300)) {
        let (whole, error, _) = scan([bytes.as_slice()]);
        let (bytewise, same_error, _) = scan(bytes.chunks(1));
        prop_assert_eq!((&whole, error), (&bytewise, same_error));
        // What the scanner takes for RESP2 means the same to redis-protocol.
        let mut at = 0;
        for (length, shape, _) in whole {
            if shape == Shape::Plain {
                let (_, used) = resp2::decode::decode_range(&bytes[at..]).unwrap().unwrap();
                prop_assert_eq!(used, length);
            }
            at += length;
        }
    }
}

#[test]
fn an_exceeded_limit_is_named_in_the_error() {
    let nested = |depth: usize| ["*1\r\n".repeat(depth).as_str(), ":1\r\n"].concat().into_bytes();
    assert!(scan_whole(&nested(8)).is_ok());
    let wide =
        |count: usize| [format!("*{count}\r\n").as_str(), &":1\r\n".repeat(count)].concat().into_bytes();
    assert!(scan_whole(&wide(4095)).is_ok());
    let long = |length: usize| {
        [format!("${length}\r\n").as_str(), &"x".repeat(length), "\r\n"].concat().into_bytes()
    };
    assert!(scan_whole(&long(256 * 1024 - 11)).is_ok());
    let cases: [(Vec<u8>, Malformed); 8] = [
        (nested(9), Malformed::TooDeep),
        (nested(100_000), Malformed::TooDeep),
        (wide(4096), Malformed::TooManyElements),
        (long(256 * 1024), Malformed::TooLong),
        (b"*4294967295\r\n".to_vec(), Malformed::TooManyElements),
        (b"%2147483648\r\n".to_vec(), Malformed::TooManyElements),
        (b"$4294967295\r\n".to_vec(), Malformed::TooLong),
        ([b"+".as_slice(), &[b'x'; 300 * 1024]].concat(), Malformed::TooLong),
    ];
    for (bytes, error) in cases {
        assert_eq!(
            scan_whole(&bytes),
            Err(Some(error)),
            "{:?}",
            String::from_utf8_lossy(&bytes[..20.min(bytes.len())])
        );
        assert!(!error.describe().is_empty());
    }
}

#[test]
fn invalid_lengths_are_refused_at_once() {
    let lengths = [
        "-2",
        "-0",
        "+1",
        "",
        " 1",
        "1 ",
        "1.0",
        "0x1",
        "4294967296",
        "4294967297",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "?",
        "-9223372036854775808",
    ];
    for kind in ['$', '*', '>', '%', '~', '!', '=', '|'] {
        for length in lengths.into_iter().chain((!"$*".contains(kind)).then_some("-1")) {
            let bytes = format!("{kind}{length}\r\n");
            assert_eq!(scan_whole(bytes.as_bytes()), Err(Some(Malformed::BadLength)), "{bytes:?}");
        }
        // A header that is too long is refused before its line ends.
        let endless = format!("{kind}{}", "1".repeat(20));
        assert_eq!(scan_whole(endless.as_bytes()), Err(Some(Malformed::BadLength)), "{endless:?}");
    }
    assert_eq!(scan_whole(b"$-1\r\n").unwrap().2, "Ok(Null)");
    assert_eq!(scan_whole(b"*-1\r\n").unwrap().2, "Ok(Null)");
    assert_eq!(scan_whole(b"$0\r\n\r\n").unwrap().2, "Ok(Bulk([]))");
}

#[test]
fn a_length_with_a_stray_carriage_return_gives_one_error_however_it_is_split() {
    let bytes = b"#1234567890\r\r\n";
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(scan([head, tail]).1, Some(Malformed::BadLength), "{cut}");
    }
}

#[test]
fn invalid_values_are_refused() {
    let cases = [
        ("?x\r\n", Malformed::UnknownType(b'?')),
        ("\r\n", Malformed::UnknownType(b'\r')),
        (":\r\n", Malformed::BadInteger),
        (":9223372036854775808\r\n", Malformed::BadInteger),
        (":1.5\r\n", Malformed::BadInteger),
        ("$3\r\nabcde\r\n", Malformed::BadTerminator),
        ("$3\r\nabc\n\r", Malformed::BadTerminator),
        ("#x\r\n", Malformed::BadValue),
        ("_x\r\n", Malformed::BadValue),
        (",\r\n", Malformed::BadValue),
        ("*1\r\n;4\r\n", Malformed::UnknownType(b';')),
    ];
    for (bytes, error) in cases {
        assert_eq!(scan_whole(bytes.as_bytes()), Err(Some(error)), "{bytes:?}");
    }
    assert_eq!(scan_whole(b":9223372036854775807\r\n").unwrap().2, "Ok(Integer(9223372036854775807))");
    assert_eq!(scan_whole(b":-9223372036854775808\r\n").unwrap().2, "Ok(Integer(-9223372036854775808))");
}

#[test]
fn a_broken_stream_stays_broken_and_buffers_nothing() {
    let mut scanner = Scanner::new(Limits::default());
    scanner.push(b"?");
    assert!(scanner.next_frame().is_err());
    scanner.push(&[b'x'; 100_000]);
    scanner.push(b"+OK\r\n");
    assert!(scanner.next_frame().is_err());
    assert_eq!(scanner.buffered(), 0);
}

#[test]
fn the_buffer_of_an_incomplete_reply_is_bounded_whatever_its_length_says() {
    let chunk = [b'x'; 1000];
    let endless =
        std::iter::once(b"$262000\r\n".as_slice()).chain(std::iter::repeat_n(chunk.as_slice(), 10_000));
    let (frames, error, most) = scan(endless);
    assert_eq!((frames.len(), error), (0, Some(Malformed::BadTerminator)));
    assert!(most <= 263_000 + 9, "{most}");
    let line = std::iter::once(b"+".as_slice()).chain(std::iter::repeat_n(chunk.as_slice(), 10_000));
    let (_, error, most) = scan(line);
    assert_eq!(error, Some(Malformed::TooLong));
    assert!(most <= 256 * 1024 + 1001, "{most}");
}

#[test]
fn pushes_are_distinguished_from_replies_whatever_they_contain() {
    for push in [">2\r\n+invalidate\r\n_\r\n", ">1\r\n%1\r\n+a\r\n>1\r\n:1\r\n", ">2\r\n_\r\n+x\r\n"] {
        assert_eq!(
            scan_whole(push.as_bytes()).unwrap(),
            (push.len(), Shape::OpaquePush, "Ok(Push([]))".to_owned())
        );
    }
}

#[test]
fn attributes_are_skipped_with_the_value_they_describe() {
    assert_eq!(scan_whole(b"|1\r\n+ttl\r\n:3\r\n*1\r\n:1\r\n:2\r\n").unwrap().0, 22);
    assert_eq!(scan_whole(b"*1\r\n|1\r\n+ttl\r\n:3\r\n:1\r\n:2\r\n").unwrap().0, 22);
}

#[test]
fn blob_errors_and_nulls_of_resp3_are_decoded() {
    assert_eq!(
        scan_whole(b"!5\r\nERR x\r\n").unwrap().2,
        format!("{:?}", Ok::<_, Malformed>(Reply::Error(b"ERR x")))
    );
    assert_eq!(scan_whole(b"_\r\n").unwrap().2, "Ok(Null)");
}

#[test]
fn nested_values_count_towards_the_element_limit() {
    use redlatch::resp::*;
    let nested = |inner: usize| format!("*4000\r\n*{inner}\r\n{}", ":1\r\n".repeat(inner + 3999));
    for (inner, ok) in [(95, true), (96, false)] {
        let mut scanner = Scanner::new(Limits::default());
        scanner.push(nested(inner).as_bytes());
        assert_eq!(scanner.next_frame().is_ok(), ok, "{inner}");
    }
}
