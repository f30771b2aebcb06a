//! Reads numbers in text. The standard library's functions do the same in twice the time, and need UTF-8.

/// What a number may be before another digit comes: an `i64` needs no more. To check the multiplication would take longer:
/// wasm has none of 128 bits.
const MOST_BEFORE: u64 = u64::MAX / 20;

/// Digits alone, at least one. `None` for numbers far beyond 63 bits, too.
pub(crate) fn natural(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, &byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        (number <= MOST_BEFORE).then(|| number.wrapping_mul(10).wrapping_add(digit.into()))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

/// Digits behind a sign, or without one.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => 0_i64.checked_sub_unsigned(natural(digits)?),
        [b'+', digits @ ..] => i64::try_from(natural(digits)?).ok(),
        digits => i64::try_from(natural(digits)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_agree_with_the_standard_library(number: i64, odd in "[-+0-9 x]{0,22}") {
            prop_assert_eq!(integer(number.to_string().as_bytes()), Some(number));
            prop_assert_eq!(integer(odd.as_bytes()), odd.parse().ok());
        }
    }

    #[test]
    fn integers_of_64_bits_alone() {
        for text in ["9223372036854775807", "-9223372036854775808", "+7", "-0"] {
            assert_eq!(integer(text.as_bytes()), text.parse().ok());
        }
        for text in ["9223372036854775808", "-9223372036854775809", "18446744073709551616", "", "-", "+-1"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
