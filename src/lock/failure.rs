//! Errors that more than one state reports.

use crate::error::{Code, LockError};

/// The lock was granted, but its lease had expired. The server was too slow; there may be no other holder.
pub(super) fn too_late(attempts: u32) -> LockError {
    LockError::new(Code::Connection, attempts, "the reply arrived after the lease had expired")
}

/// The application released the lock while operations were pending.
pub(super) fn released() -> LockError {
    LockError::new(Code::Lost, 0, "the lock was released")
}
