//! Everything that happened, as a hash by which two runs can be compared, and as readable text if wanted.

use redlatch::KeyRole;

use crate::{plan::Micros, world::ScriptCall};

#[derive(Clone, Debug, Default)]
pub struct Trace {
    hash: u64,
    pub events: u64,
    /// Kept only for a transcript.
    lines: Option<Vec<String>>,
}

impl Trace {
    pub fn new(verbose: bool) -> Self {
        Self { lines: verbose.then(Vec::new), ..Self::default() }
    }

    /// Adds that something happened; `content` is the data that came with it.
    pub fn note(&mut self, time: Micros, kind: u64, content: &[u8], line: impl FnOnce() -> String) {
        self.events += 1;
        self.mix(time);
        self.mix(kind);
        for chunk in content.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>11.3} ms  {}", time as f64 / 1000.0, line()));
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    pub const fn hash(&self) -> u64 {
        self.hash
    }

    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// Bytes in readable form: on one line, scripts by name.
pub fn shown(bytes: &[u8]) -> String {
    if let Some(call) = ScriptCall::parse(bytes) {
        let text = |texts: &[Vec<u8>]| texts.join(&b' ').escape_ascii().to_string();
        return format!("{} {}: {}", call.name(), text(&call.keys_of(KeyRole::Lock)), text(&call.arguments));
    }
    let text = bytes.escape_ascii().to_string().replace("\\r\\n", " ");
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], bytes.len()),
        None => text,
    }
}
