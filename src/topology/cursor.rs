//! Reads replies from their bytes, value by value, because some contain maps, which are never decoded.

use crate::resp::natural;

/// Takes a line of this type, and returns what it says.
pub(super) fn line<'a>(rest: &mut &'a [u8], kind: u8) -> Option<&'a [u8]> {
    let (&first, after) = rest.split_first()?;
    let end = after.iter().position(|&byte| byte == b'\r')?;
    let (content, after) = after.split_at_checked(end)?;
    *rest = after.strip_prefix(b"\r\n")?;
    (first == kind).then_some(content)
}

pub(super) fn count(rest: &mut &[u8], kind: u8) -> Option<usize> {
    usize::try_from(natural(line(rest, kind)?)?).ok()
}

/// A string; empty for null.
pub(super) fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if let Some(after) = rest.strip_prefix(b"_\r\n").or_else(|| rest.strip_prefix(b"$-1\r\n")) {
        *rest = after;
        return Some(b"");
    }
    let length = count(rest, b'$')?;
    let (content, after) = rest.split_at_checked(length)?;
    *rest = after.strip_prefix(b"\r\n")?;
    Some(content)
}

/// Skips this many values of any type.
pub(super) fn skip(rest: &mut &[u8], mut values: usize) -> Option<()> {
    while let Some(others) = values.checked_sub(1) {
        values = others;
        let kind = *rest.first()?;
        match kind {
            b'$' | b'_' => drop(text(rest)?),
            b'*' | b'~' | b'%' => {
                let each = if kind == b'%' { 2 } else { 1 };
                values = values.checked_add(count(rest, kind)?.checked_mul(each)?)?;
            }
            _ => drop(line(rest, kind)?),
        }
    }
    Some(())
}
