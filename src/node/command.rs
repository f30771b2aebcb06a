//! Encodes a script call as EVALSHA or EVAL.

use crate::{
    resp::{push_bulk, push_header, push_number},
    script::{Argument, Call, Script},
    time::Duration,
};

/// A script call, and how long its connection may be silent.
pub(crate) struct Command<'a> {
    pub(crate) call: Call<'a>,
    /// How long the connection may be silent while this command is at the head of the pipeline, or three round trips if
    /// they take longer.
    pub(crate) silence: Duration,
}

/// How the command names the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// EVALSHA, with the SHA-1.
    Hash,
    /// EVAL, with the source text, where the server does not have the script, or may not have it.
    Source,
}

impl Command<'_> {
    /// Appends the command to `out`.
    pub(super) fn write(&self, form: Form, nonce: u64, out: &mut Vec<u8>) {
        let Call { script, keys, roles, counter, arguments, each } = &self.call;
        let locks = keys.locks().len();
        let count = locks.saturating_mul(*roles).saturating_add(counter.iter().len());
        let each = each.iter().flat_map(|each| core::iter::repeat_n(each, locks));
        let arguments = arguments.iter().flatten().chain(each);
        let words = FIXED_WORDS.saturating_add(count).saturating_add(arguments.clone().count());
        push_header(b'*', words, out);
        match form {
            Form::Hash => {
                push_bulk(b"EVALSHA", out);
                push_bulk(&script.sha1, out);
            }
            Form::Source => {
                push_bulk(b"EVAL", out);
                push_bulk(script.source.as_bytes(), out);
            }
        }
        push_number(u64::try_from(count).unwrap_or(u64::MAX), out);
        for key in keys.of(*roles).chain(*counter) {
            push_bulk(key, out);
        }
        push_bulk(&digits_of(nonce), out);
        for argument in arguments {
            match *argument {
                Argument::Bytes(bytes) => push_bulk(bytes, out),
                Argument::Number(number) => push_number(number, out),
            }
        }
    }
}

/// Replaces the hash by the source in the command that begins at `start`. Returns by how many bytes it is longer now.
pub(super) fn with_source(script: &Script, start: usize, out: &mut Vec<u8>) -> usize {
    let (mut hash, mut source) = (Vec::new(), Vec::new());
    push_bulk(b"EVALSHA", &mut hash);
    push_bulk(&script.sha1, &mut hash);
    push_bulk(b"EVAL", &mut source);
    push_bulk(script.source.as_bytes(), &mut source);
    // After the header, which ends with the first line.
    let header = out.get(start..).and_then(|command| command.iter().position(|&byte| byte == b'\n'));
    let begin = start.saturating_add(header.unwrap_or_default()).saturating_add(1);
    let end = begin.saturating_add(hash.len());
    if out.get(begin..end) != Some(&hash[..]) {
        return 0;
    }
    let before = out.len();
    out.splice(begin..end, source);
    out.len().saturating_sub(before)
}

/// The words of a script call besides its keys and arguments: EVALSHA, the script, the number of keys, the nonce.
const FIXED_WORDS: usize = 4;

/// A nonce as it is sent: an `n` and its last 15 hexadecimal digits. The letter keeps clients that turn strings into
/// numbers from changing it.
pub(super) fn digits_of(nonce: u64) -> [u8; 16] {
    let mut text = [b'n'; 16];
    for (digit, shift) in text.iter_mut().skip(1).zip((0..15).rev()) {
        let nibble = nonce.checked_shr(4_u32.saturating_mul(shift)).unwrap_or(0) & 15;
        *digit = b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or(0)).copied().unwrap_or(b'0');
    }
    text
}
