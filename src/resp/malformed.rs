/// Why a stream of bytes cannot be decoded any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// A value begins with a byte that is not a RESP type.
    UnknownType(u8),
    /// A length is not a decimal number of at most 32 bits (or -1 where null is allowed).
    BadLength,
    /// An integer does not fit 64 bits, or is no number.
    BadInteger,
    /// A value's bytes do not fit its type.
    BadValue,
    /// A string does not end where its length says.
    BadTerminator,
    /// A reply is nested deeper than [`Limits::depth`](super::Limits::depth).
    TooDeep,
    /// A reply has more values than [`Limits::elements`](super::Limits::elements).
    TooManyElements,
    /// A reply has more bytes than [`Limits::bytes`](super::Limits::bytes).
    TooLong,
}

impl Malformed {
    /// The error as a sentence, for error messages.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::UnknownType(_) => {
                "a reply begins with a byte that is not a RESP type; is this a Redis server, and do both ends use TLS or neither?"
            }
            Self::BadLength => "a reply has an invalid length",
            Self::BadInteger => "a reply has an invalid 64-bit integer",
            Self::BadValue => "a reply has a value that does not fit its type",
            Self::BadTerminator => "a reply's string does not end where its length says",
            Self::TooDeep => "a reply is nested too deeply",
            Self::TooManyElements => "a reply has too many elements",
            Self::TooLong => "a reply is too long",
        }
    }
}
