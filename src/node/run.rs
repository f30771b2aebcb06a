//! The run: commands of several locks that a client sends as one call of a script.
//!
//! The locks of a run stand in the order in which they asked.

use crate::{
    resp::{push_bulk, push_header, push_negative, push_number},
    script::{Argument, Call, Marks, Script},
};

/// The most locks in one run: more would hardly cost the server less for each, and block it longer.
pub(super) const MOST_LOCKS: usize = 32;

/// How many bytes a call with the hash of its script has besides its keys and arguments, at most.
const HEAD: usize = 128;

/// The words of a script call besides its keys and arguments: EVALSHA, the script, the number of keys, the nonce.
const FIXED_WORDS: usize = 4;

/// How a command names the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// EVALSHA, with the SHA-1.
    Hash,
    /// EVAL, with the source text, where the server does not have the script, or may not have it.
    Source,
}

/// The call that is being put together, as bytes.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Run {
    /// `None` if no run is open.
    script: Option<&'static Script>,
    nonce: u64,
    /// How many locks there are, and whether more may join.
    locks: usize,
    joinable: bool,
    /// How many keys of each lock key there are.
    roles: usize,
    /// The numbers of KEYS without the counter, and of ARGV without the nonce.
    key_count: usize,
    argument_count: usize,
    keys: Vec<u8>,
    /// The last of KEYS; empty for none.
    counter: Vec<u8>,
    common: Vec<u8>,
    own: Vec<u8>,
    /// The common arguments of a call that may join: kept to save an allocation.
    other: Vec<u8>,
    /// The marks of the lock keys.
    marks: Marks,
}

impl Run {
    pub(super) const fn script(&self) -> Option<&'static Script> {
        self.script
    }

    /// Opens a run with this call. The run before must be closed.
    pub(super) fn open(&mut self, call: &Call<'_>, nonce: u64) {
        self.script = Some(call.script);
        self.nonce = nonce;
        self.locks = 0;
        self.joinable = call.may_share();
        self.roles = call.roles;
        self.key_count = 0;
        self.argument_count = 0;
        self.counter.extend_from_slice(call.counter.unwrap_or_default());
        self.argument_count = push_arguments(&call.common, &mut self.common);
        self.add(call);
    }

    /// Adds a call to the open run, if that has the same script and the same common arguments.
    pub(super) fn join(&mut self, call: &Call<'_>) -> bool {
        let is_alike = self.joinable
            && self.locks < MOST_LOCKS
            && self.script == Some(call.script)
            && self.roles == call.roles
            && call.may_share()
            && self.counter == call.counter.unwrap_or_default();
        if !is_alike {
            return false;
        }
        self.other.clear();
        push_arguments(&call.common, &mut self.other);
        if self.other != self.common {
            return false;
        }
        self.add(call);
        true
    }

    /// Whether the run has the call's only lock key; sometimes true if it has not.
    pub(super) fn may_concern(&self, call: &Call<'_>) -> bool {
        self.marks.has(call.keys.mark())
    }

    fn add(&mut self, call: &Call<'_>) {
        self.locks = self.locks.saturating_add(1);
        self.marks.add(call.keys.mark());
        for keys in call.keys.encoded(call.roles) {
            self.keys.extend_from_slice(keys);
            self.key_count = self.key_count.saturating_add(call.roles);
            let added = push_arguments(&call.own, &mut self.own);
            self.argument_count = self.argument_count.saturating_add(added);
        }
    }

    /// Appends the call to `out`, and closes the run.
    pub(super) fn close(&mut self, form: Form, out: &mut Vec<u8>) {
        let Some(script) = self.script.take() else { return };
        let keys = self.key_count.saturating_add((!self.counter.is_empty()).into());
        let parts = [&self.keys, &self.counter, &self.common, &self.own];
        out.reserve(parts.iter().map(|part| part.len()).fold(HEAD, usize::saturating_add));
        push_header(b'*', FIXED_WORDS.saturating_add(keys).saturating_add(self.argument_count), out);
        push_script(script, form, out);
        push_number(u64::try_from(keys).unwrap_or(u64::MAX), out);
        out.extend_from_slice(&self.keys);
        if !self.counter.is_empty() {
            push_bulk(&self.counter, out);
        }
        push_bulk(&digits_of(self.nonce), out);
        out.extend_from_slice(&self.common);
        out.extend_from_slice(&self.own);
        for part in [&mut self.keys, &mut self.counter, &mut self.common, &mut self.own] {
            part.clear();
        }
        self.marks = Marks::default();
    }
}

/// Appends arguments up to the first `None`, and returns their number.
fn push_arguments(arguments: &[Option<Argument<'_>>], out: &mut Vec<u8>) -> usize {
    let mut count = 0_usize;
    for argument in arguments.iter().flatten() {
        match *argument {
            Argument::Bytes(bytes) => push_bulk(bytes, out),
            Argument::Number(number) => push_number(number, out),
            Argument::Negative(number) => push_negative(number, out),
        }
        count = count.saturating_add(1);
    }
    count
}

fn push_script(script: &Script, form: Form, out: &mut Vec<u8>) {
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
}

/// Replaces the hash by the source in the command that begins at `start`. Returns by how many bytes it is longer now.
pub(super) fn with_source(script: &Script, start: usize, out: &mut Vec<u8>) -> usize {
    let (mut hash, mut source) = (Vec::new(), Vec::new());
    push_script(script, Form::Hash, &mut hash);
    push_script(script, Form::Source, &mut source);
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
