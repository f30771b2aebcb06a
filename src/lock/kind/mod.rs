//! The kinds of lock.

mod fair;

pub(crate) use fair::Leaders;
