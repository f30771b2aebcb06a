//! The functions of Lua 5.1 that the scripts use.

/// `tonumber` of a string with an integer that a double represents exactly.
pub(super) fn whole(text: &[u8]) -> Option<i64> {
    let number: i64 = core::str::from_utf8(text).ok()?.parse().ok()?;
    (number.unsigned_abs() <= 1 << 53).then_some(number)
}

/// `string.match(text, '^([^:]+)')`, and the rest after the colon.
pub(super) fn split_waiter(waiter: &[u8]) -> (&[u8], &[u8]) {
    let end = waiter.iter().position(|&byte| byte == b':').unwrap_or(waiter.len());
    let (client, rest) = waiter.split_at_checked(end).unwrap_or((waiter, b""));
    (client, rest.get(1..).unwrap_or_default())
}

/// A value with a claim, split by `string.match(value, '^(.*) ([^ :]+):(%d+)$')`.
struct Claimed<'a> {
    token: &'a [u8],
    client: &'a [u8],
    number: f64,
}

fn split_value(value: &[u8]) -> Option<Claimed<'_>> {
    let space = value.iter().rposition(|&byte| byte == b' ')?;
    let claim = value.get(space.saturating_add(1)..)?;
    let (client, number) = split_waiter(claim);
    let is_claim = !client.is_empty() && !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    // Digits are parsed as C's `strtod` does.
    let number = core::str::from_utf8(number).ok()?.parse().ok().filter(|_| is_claim)?;
    Some(Claimed { token: value.get(..space)?, client, number })
}

/// `string.match(value, '^(.*) [^ :]+:%d+$')`: the token of a value with a claim.
pub(super) fn token_of(value: &[u8]) -> Option<&[u8]> {
    split_value(value).map(|claimed| claimed.token)
}

/// `takes_over` in `lua/lib/claim.lua`.
pub(super) fn takes_over(value: &[u8], stored: &[u8]) -> bool {
    let Some(own) = split_value(value) else { return false };
    if stored == own.token {
        return true;
    }
    split_value(stored).is_some_and(|other| {
        other.token == own.token && (other.client != own.client || other.number <= own.number)
    })
}

/// The number of the line with this text; 0 if there is none. A text that begins a line begins with a line break.
pub(super) fn line_of(source: &str, text: &str) -> usize {
    let (before, breaks) = (source.split_once(text).map(|(before, _)| before), text.starts_with('\n'));
    before.map_or(0, |before| before.matches('\n').count().saturating_add(1).saturating_add(breaks.into()))
}
