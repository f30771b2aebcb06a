//! The Redis serialization protocol, versions 2 and 3, as far as a lock client meets it.
//!
//! Bytes go into a [`Scanner`], which finds where frames end however the bytes are split, and enforces [`Limits`].
//! Complete frames are decoded into [`Reply`] by the `redis-protocol` crate. [`encode`] appends commands to a buffer.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

mod decode;
mod encode;
mod limits;
mod malformed;
mod reply;
mod scan;

pub use decode::decode;
pub use encode::encode;
#[cfg(feature = "memory")]
pub(crate) use encode::push_header;
pub(crate) use encode::{Decimal, push_decimal};
pub use limits::Limits;
pub use malformed::Malformed;
pub use reply::Reply;
pub use scan::{Frame, Scanner, Shape};
