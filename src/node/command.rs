//! A call of a script, and how it is written.

use crate::{
    resp::{encode, push_decimal},
    script::Script,
    time::Duration,
};

/// A call of a script, but for its nonce.
pub(crate) struct Command<'a> {
    pub(crate) script: &'static Script,
    /// KEYS.
    pub(crate) keys: &'a [Vec<u8>],
    /// Behind the nonce.
    pub(crate) arguments: &'a [&'a [u8]],
    /// How long the connection may be silent with this command at the head of the queue.
    pub(crate) patience: Duration,
}

/// How a script is named to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// By its SHA-1.
    Hash,
    /// By its text, once the server said that it does not know the SHA-1.
    Source,
}

impl Command<'_> {
    /// Appends it as the server reads it.
    pub(super) fn write(&self, form: Form, nonce: u64, out: &mut Vec<u8>) {
        let mut keys = Vec::with_capacity(2);
        push_decimal(u64::try_from(self.keys.len()).unwrap_or(u64::MAX), &mut keys);
        let nonce = hex(nonce);
        let mut arguments: Vec<&[u8]> = Vec::with_capacity(12);
        match form {
            Form::Hash => arguments.extend([b"EVALSHA".as_slice(), &self.script.sha1]),
            Form::Source => arguments.extend([b"EVAL".as_slice(), self.script.source.as_bytes()]),
        }
        arguments.push(&keys);
        arguments.extend(self.keys.iter().map(Vec::as_slice));
        arguments.push(&nonce);
        arguments.extend(self.arguments);
        encode(&arguments, out);
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
