//! What the scripts use of Lua 5.1.

/// `tonumber` of a text that is a whole number which a double holds exactly.
pub(super) fn whole(text: &[u8]) -> Option<i64> {
    let number: i64 = core::str::from_utf8(text).ok()?.parse().ok()?;
    (number.unsigned_abs() <= 1 << 53).then_some(number)
}

/// `tonumber` of any text: as C's `strtod`, between spaces. Fractions in hexadecimal are not known here.
pub(super) fn number(text: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(text).ok()?.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let value = u32::from_str_radix(hex, 16).ok()?;
        return (!hex.starts_with('+')).then(|| sign * f64::from(value));
    }
    if digits.starts_with(['+', '-']) {
        return None;
    }
    digits.parse::<f64>().ok().map(|value| sign * value)
}

/// `math.max(a, b)`: a, unless b is larger.
pub(super) fn max(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// `string.match(text, '^([^:]+)')`, and what is behind the colon.
pub(super) fn split_waiter(waiter: &[u8]) -> (&[u8], &[u8]) {
    let end = waiter.iter().position(|&byte| byte == b':').unwrap_or(waiter.len());
    let (client, rest) = waiter.split_at_checked(end).unwrap_or((waiter, b""));
    (client, rest.get(1..).unwrap_or_default())
}

/// The number of the line that has this text; 0 if none has.
pub(super) fn line_of(source: &str, text: &str) -> usize {
    let before = source.split_once(text).map(|(before, _)| before);
    before.map_or(0, |before| before.matches('\n').count().saturating_add(1))
}
