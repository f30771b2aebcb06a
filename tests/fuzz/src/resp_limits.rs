//! The scanner's limits, with streams that are close to them.

use arbitrary::{Result, Unstructured};
use redlatch::resp::{Limits, Malformed, Scanner};

use super::reference::{self, Trouble};

/// Lengths around the ends of 8, 16, 31, 32, 63 and 64 bits, and invalid ones.
const LENGTHS: [&str; 24] = [
    "-1",
    "-2",
    "-0",
    "+1",
    "",
    "00",
    "0x1",
    "?",
    " 1",
    "1.0",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "4294967297",
    "0000000001",
    "00000000001",
    "9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999",
];

/// A reply is accepted if and only if it is well-formed and within all three limits; a broken limit is
/// reported by its name before the whole reply has arrived; and no more than the limit is ever buffered.
/// Input: the limits, then how to build the stream, then how it is split.
pub fn resp_limits(data: &[u8]) {
    let mut u = Unstructured::new(data);
    // At the end of the input, the stream built so far is used.
    let _ = attempt(&mut u);
}

fn attempt(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = Limits {
        depth: u.int_in_range(0..=18)?,
        elements: u.int_in_range(0..=40)?,
        bytes: usize::from(u.arbitrary::<u16>()? % 400),
    };
    let chunk = usize::from(u.arbitrary::<u8>()?) + 1;
    let mut stream = Vec::new();
    while stream.len() < 2000 && token(u, &mut stream).is_ok() {}
    check(limits, &stream, chunk);
    Ok(())
}

fn token(u: &mut Unstructured<'_>, stream: &mut Vec<u8>) -> Result<()> {
    if u.is_empty() {
        return Err(arbitrary::Error::NotEnoughData);
    }
    let kind = char::from(*u.choose(b"+-:$*_#,(!=~>%|")?);
    let piece = match u.int_in_range(0..=9)? {
        0..=4 => match kind {
            '+' | '-' | '(' | ',' => format!("{kind}{}\r\n", u.int_in_range(0..=99)?),
            ':' => format!(":{}\r\n", u.arbitrary::<i64>()?),
            '_' => "_\r\n".to_owned(),
            '#' => "#t\r\n".to_owned(),
            '$' | '!' | '=' => {
                let length = usize::from(u.arbitrary::<u8>()? % 80);
                format!("{kind}{length}\r\n{}\r\n", "x".repeat(length))
            }
            _ => format!("{kind}{}\r\n", u.int_in_range(0..=5)?),
        },
        5 => format!("{kind}{}\r\n", u.choose(&LENGTHS)?),
        // Nested, or wide.
        6 => format!("{kind}1\r\n").repeat(u.int_in_range(0..=20)?),
        7 => ":1\r\n".repeat(u.int_in_range(0..=45)?),
        8 => format!("{kind}{}", "1".repeat(u.int_in_range(0..=12)?)),
        _ => {
            stream.extend(u.bytes(u.len().min(3))?);
            return Ok(());
        }
    };
    stream.extend(piece.as_bytes());
    Ok(())
}

fn check(limits: Limits, stream: &[u8], chunk: usize) {
    let mut scanner = Scanner::new(limits);
    let mut rest = stream;
    for piece in stream.chunks(chunk) {
        scanner.push(piece);
        loop {
            let expected = reference::read(rest);
            match scanner.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let read = expected.unwrap_or_else(|trouble| panic!("{frame:?} is {trouble:?}"));
                    assert_eq!(frame.bytes.len(), read.bytes);
                    assert_eq!(broken(limits, &read), Vec::new(), "{limits:?} {frame:?}");
                    rest = &rest[read.bytes..];
                }
                Err(error) => {
                    match expected {
                        Ok(read) => {
                            assert!(broken(limits, &read).contains(&error), "{limits:?} {read:?}: {error:?}")
                        }
                        // All that is known is that it would exceed a limit, or be malformed, in the end.
                        Err(Trouble::Incomplete | Trouble::TooDeep) => assert!(
                            matches!(
                                error,
                                Malformed::TooLong
                                    | Malformed::TooDeep
                                    | Malformed::TooManyElements
                                    | Malformed::BadLength
                            ),
                            "{error:?}"
                        ),
                        Err(Trouble::Malformed) => {}
                    }
                    return;
                }
            }
        }
        assert!(scanner.buffered() <= limits.bytes, "{limits:?}: {} are kept", scanner.buffered());
    }
    // Everything was pushed, and the scanner waits for more: more must be able to fit.
    match reference::read(rest) {
        Err(Trouble::Incomplete) => {}
        other => panic!("{limits:?}: waits for more of {other:?}"),
    }
}

/// The limits that a value exceeds.
fn broken(limits: Limits, read: &reference::Read) -> Vec<Malformed> {
    let cases = [
        (read.depth > limits.depth.min(16), Malformed::TooDeep),
        (read.elements > u64::from(limits.elements), Malformed::TooManyElements),
        (read.bytes > limits.bytes, Malformed::TooLong),
    ];
    cases.into_iter().filter_map(|(broken, error)| broken.then_some(error)).collect()
}
