//! The façades for JavaScript. Each is a wasm of its own: the core, and with the feature `memory-wasm` the memory
//! server.

#[cfg(not(feature = "memory-wasm"))]
mod convert;
#[cfg(not(feature = "memory-wasm"))]
mod core;
#[cfg(not(feature = "memory-wasm"))]
mod entropy;
mod heap;
#[cfg(feature = "memory-wasm")]
mod memory;
#[cfg(not(feature = "memory-wasm"))]
mod record;
#[cfg(not(feature = "memory-wasm"))]
pub mod wire;

#[cfg(not(feature = "memory-wasm"))]
pub use self::core::Core;
#[cfg(feature = "memory-wasm")]
pub use memory::MemoryServer;
