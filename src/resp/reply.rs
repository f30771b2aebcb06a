/// One decoded reply; strings borrow from the frame's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `+OK`
    Simple(&'a [u8]),
    /// `-ERR ...`, or RESP3's blob error: the text behind the first byte or the length
    Error(&'a [u8]),
    /// `:42`
    Integer(i64),
    /// `$5 hello`
    Bulk(&'a [u8]),
    /// RESP2's null string and null array, RESP3's `_`
    Null,
    /// `*2 ...`
    Array(Vec<Self>),
    /// RESP3's `>2 ...`: not an answer to any command. Empty if it has elements of types that nobody needs to look into.
    Push(Vec<Self>),
    /// A well-formed value of a type that no command of ours needs to look into: maps, sets, doubles, booleans, big numbers, ...
    Opaque,
}
