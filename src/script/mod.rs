//! The server scripts: sources, calls, replies and keys.

mod answer;
mod calls;
mod keys;
mod lock_keys;
mod marks;
mod scripts;
mod source;
mod verb;

pub use answer::Answer;
pub(crate) use answer::Said;
pub(crate) use calls::{
    Argument, Call, Registration, adopt, exclusive_acquire, exclusive_release, extend, fair_acquire,
    fair_release, raise_fence,
};
pub use keys::KeyRole;
pub(crate) use keys::{
    client_of_slot, fence_counter, fence_counter_of_slot, into_sorted_set, is_reserved, wake_channel,
};
pub(crate) use lock_keys::LockKeys;
pub(crate) use marks::Marks;
pub use scripts::{
    ADOPT, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, MULTI_ACQUIRE,
    RAISE_FENCE, Script,
};
pub(crate) use verb::{Verb, Waiter};
