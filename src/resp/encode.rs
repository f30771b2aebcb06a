/// Appends a command to `out`, as an array of bulk strings.
pub fn encode(arguments: &[&[u8]], out: &mut Vec<u8>) {
    push_header(b'*', arguments.len(), out);
    for argument in arguments {
        push_bulk(argument, out);
    }
}

/// Appends a bulk string.
pub(crate) fn push_bulk(bytes: &[u8], out: &mut Vec<u8>) {
    push_header(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the parts as one bulk string. Returns where its content begins.
pub(crate) fn push_bulk_of(parts: &[&[u8]], out: &mut Vec<u8>) -> usize {
    let length = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
    push_header(b'$', length, out);
    let begin = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
    begin
}

/// Appends a number as a bulk string.
pub(crate) fn push_number(n: u64, out: &mut Vec<u8>) {
    push_bulk(Decimal::new(n).digits(), out);
}

/// Appends a number below zero as a bulk string.
pub(crate) fn push_negative(n: u64, out: &mut Vec<u8>) {
    push_bulk_of(&[b"-", Decimal::new(n).digits()], out);
}

/// Appends the header line of an array (`*`) or a bulk string (`$`): the type byte and a count.
pub(crate) fn push_header(kind: u8, count: usize, out: &mut Vec<u8>) {
    match u8::try_from(count) {
        // At once, because most are short: each word of a command has one.
        Ok(count @ 0..10) => out.extend_from_slice(&[kind, digit(count), b'\r', b'\n']),
        Ok(count @ 10..100) => {
            out.extend_from_slice(&[kind, digit(count / 10), digit(count % 10), b'\r', b'\n']);
        }
        _ => {
            out.push(kind);
            push_decimal(u64::try_from(count).unwrap_or(u64::MAX), out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

const fn digit(number: u8) -> u8 {
    b'0'.saturating_add(number)
}

/// Appends `n` in decimal.
pub(crate) fn push_decimal(n: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(Decimal::new(n).digits());
}

/// A number in decimal. Written by hand, because the standard library's formatting adds kilobytes to the wasm.
struct Decimal {
    digits: [u8; 20],
    from: usize,
}

impl Decimal {
    fn new(mut n: u64) -> Self {
        let mut decimal = Self { digits: [b'0'; 20], from: 20 };
        for digit in decimal.digits.iter_mut().rev() {
            *digit = self::digit(u8::try_from(n % 10).unwrap_or(0));
            decimal.from = decimal.from.saturating_sub(1);
            n /= 10;
            if n == 0 {
                break;
            }
        }
        decimal
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(self.from..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redis_protocol::resp2::{decode::decode, types::OwnedFrame};

    #[test]
    fn appends_in_place() {
        let mut out = b"before".to_vec();
        encode(&[b"GET", b"", &[0, 255]], &mut out);
        assert_eq!(out, b"before*3\r\n$3\r\nGET\r\n$0\r\n\r\n$2\r\n\x00\xff\r\n");
    }

    proptest! {
        #[test]
        fn a_server_reads_back_what_was_written(arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..12)) {
            let mut out = Vec::new();
            encode(&arguments.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut out);
            let (frame, used) = decode(&out).unwrap().unwrap();
            prop_assert_eq!(used, out.len());
            prop_assert_eq!(frame, OwnedFrame::Array(arguments.into_iter().map(OwnedFrame::BulkString).collect()));
        }

        #[test]
        fn decimal_agrees_with_the_standard_library(n: u64) {
            let mut out = Vec::new();
            push_decimal(n, &mut out);
            prop_assert_eq!(out, n.to_string().into_bytes());
        }
    }
}
