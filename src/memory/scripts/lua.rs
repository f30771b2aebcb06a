//! The functions of Lua 5.1 that the scripts use.

/// `tonumber` of a string with an integer that a double represents exactly.
pub(super) fn whole(text: &[u8]) -> Option<i64> {
    let number: i64 = core::str::from_utf8(text).ok()?.parse().ok()?;
    (number.unsigned_abs() <= 1 << 53).then_some(number)
}

/// `string.match(text, '^%d+')`.
pub(super) fn leading_digits(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..digits).filter(|digits| !digits.is_empty())
}

/// `tonumber(string.match(text, '^%d+')) or 0`.
pub(super) fn leading_number(text: &[u8]) -> f64 {
    leading_digits(text).map_or(0.0, to_number)
}

/// `string.match(text, ' (.+)$')`.
pub(super) fn claim_in(counter: &[u8]) -> Option<&[u8]> {
    let space = counter.iter().position(|&byte| byte == b' ')?;
    counter.get(space.saturating_add(1)..).filter(|claim| !claim.is_empty())
}

/// `string.match(claim, '^(.+):(%d+)$')`, the second part as a number.
pub(super) fn split_claim(claim: &[u8]) -> Option<(&[u8], f64)> {
    let colon = claim.iter().rposition(|&byte| byte == b':').filter(|&colon| colon > 0)?;
    let number = claim.get(colon.saturating_add(1)..)?;
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    is_number.then(|| (claim.get(..colon).unwrap_or_default(), to_number(number)))
}

/// Parses digits as C's `strtod` does; 0 if there are none.
fn to_number(digits: &[u8]) -> f64 {
    core::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0.0)
}

/// `math.max(a, b)`: a, unless b is larger.
pub(super) fn max(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// `string.match(text, '^([^:]+)')`, and the rest after the colon.
pub(super) fn split_waiter(waiter: &[u8]) -> (&[u8], &[u8]) {
    let end = waiter.iter().position(|&byte| byte == b':').unwrap_or(waiter.len());
    let (client, rest) = waiter.split_at_checked(end).unwrap_or((waiter, b""));
    (client, rest.get(1..).unwrap_or_default())
}

/// The number of the line with this text; 0 if there is none.
pub(super) fn line_of(source: &str, text: &str) -> usize {
    let before = source.split_once(text).map(|(before, _)| before);
    before.map_or(0, |before| before.matches('\n').count().saturating_add(1))
}
