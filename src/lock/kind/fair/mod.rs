//! The fair lock.

mod leader;

pub(crate) use leader::Leaders;
