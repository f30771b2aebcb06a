//! Encodes a script call as EVALSHA or EVAL.

use crate::{
    resp::{Decimal, encode},
    script::{Argument, Call},
    time::Duration,
};

/// A script call, and how long its reply may take.
pub(crate) struct Command<'a> {
    pub(crate) call: Call<'a>,
    /// How long the connection may be silent while this command is at the head of the pipeline.
    pub(crate) patience: Duration,
}

/// How the command names the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// EVALSHA, with the SHA-1.
    Hash,
    /// EVAL, with the source text, after the server answered NOSCRIPT.
    Source,
}

impl Command<'_> {
    /// Appends the command to `out`.
    pub(super) fn write(&self, form: Form, nonce: u64, out: &mut Vec<u8>) {
        let Call { script, keys, arguments } = &self.call;
        let count = Decimal::new(u64::try_from(keys.len()).unwrap_or(u64::MAX));
        let nonce = hex(nonce);
        let mut words: Vec<&[u8]> = Vec::with_capacity(16);
        match form {
            Form::Hash => words.extend([b"EVALSHA".as_slice(), &script.sha1]),
            Form::Source => words.extend([b"EVAL".as_slice(), script.source.as_bytes()]),
        }
        words.push(count.digits());
        words.extend(keys.iter().map(Vec::as_slice));
        words.push(&nonce);
        words.extend(arguments.iter().flatten().map(Argument::bytes));
        encode(&words, out);
    }
}

/// A nonce as it is sent: 16 hexadecimal digits.
pub(super) fn hex(nonce: u64) -> [u8; 16] {
    let mut text = [0; 16];
    for (digit, shift) in text.iter_mut().zip((0..16).rev()) {
        let nibble = nonce.checked_shr(4_u32.saturating_mul(shift)).unwrap_or(0) & 15;
        *digit = b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or(0)).copied().unwrap_or(b'0');
    }
    text
}
