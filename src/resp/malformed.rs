/// Why a stream of bytes cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// A value begins with a byte that is no type of the protocol.
    UnknownType(u8),
    /// A length that is not a plain decimal number within 32 bits (or -1 where null is allowed).
    BadLength,
    /// An integer that is not one of 64 bits.
    BadInteger,
    /// A value whose bytes do not fit its type.
    BadValue,
    /// A blob that does not end where its length says.
    BadTerminator,
    /// Nested deeper than [`Limits::depth`].
    TooDeep,
    /// More values than [`Limits::elements`].
    TooManyElements,
    /// More bytes than [`Limits::bytes`].
    TooLong,
}

impl Malformed {
    /// What was wrong, for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::UnknownType(_) => {
                "a reply begins with a byte that is not a type of the Redis protocol; is this a Redis server, and is TLS on at both ends or neither?"
            }
            Self::BadLength => "a reply has a length that is not a number within limits",
            Self::BadInteger => "a reply has an integer that is not one of 64 bits",
            Self::BadValue => "a reply has a value that does not fit its type",
            Self::BadTerminator => "a reply's string does not end where its length says",
            Self::TooDeep => "a reply is nested too deeply",
            Self::TooManyElements => "a reply has too many elements",
            Self::TooLong => "a reply is too long",
        }
    }
}
