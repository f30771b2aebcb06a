//! The Redis serialization protocol (RESP), versions 2 and 3, as far as a lock client needs it.
//!
//! A [`Scanner`] takes bytes, split anywhere, finds where frames end and enforces [`Limits`]. [`decode`] turns a
//! complete [`Frame`] into a [`Reply`], with the `redis-protocol` crate. [`encode`] appends a command to a buffer.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

mod decode;
mod encode;
mod limits;
mod malformed;
mod number;
mod pairs;
mod reply;
mod scan;

pub use decode::decode;
pub use encode::encode;
pub(crate) use encode::{push_bulk, push_bulk_of, push_decimal, push_header, push_negative, push_number};
pub use limits::Limits;
pub use malformed::Malformed;
pub(crate) use number::natural;
pub(crate) use pairs::value_of;
pub use reply::Reply;
pub use scan::{Frame, Scanner, Shape};
