/// A decoded reply. Its strings borrow from the frame's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `+OK`
    Simple(&'a [u8]),
    /// `-ERR ...`, or RESP3's blob error: the text after the type byte or the length line
    Error(&'a [u8]),
    /// `:42`
    Integer(i64),
    /// `$5 hello`
    Bulk(&'a [u8]),
    /// RESP2's null string and null array, RESP3's `_`
    Null,
    /// `*2 ...`
    Array(Vec<Self>),
    /// RESP3's `>2 ...`: a message, not a reply to a command. Empty if an element has a type that is never decoded.
    Push(Vec<Self>),
    /// A well-formed value of a type that is never decoded, because no command needs it: map, set, double, boolean, big
    /// number, ...
    Opaque,
}
