// The floors of both source trees, from the top to the ground: a file imports from its own room and from lower floors.
//
// One line is one floor. Rooms separated by a space may also import each other, as long as no circle results; rooms
// separated by "|" import nothing from each other. A room is a folder or a file; the longest name that fits counts.

export const TREES = {
  "pkg-template/src": {
    floors: `
      entry
      client.ts
      driver
      lock | transport | memory
      options
      core
      types
      errors
    `,
  },
  src: {
    floors: `
      wasm
      lib.rs
      engine
      lock/mod.rs
      lock/acquire | lock/hold | lock/release.rs
      lock/ask.rs
      lock/kind
      lock lock/kind/leader.rs
      quorum
      topology
      event.rs handles.rs stats.rs node | memory
      timers.rs entropy.rs
      script
      time.rs clock.rs error.rs patience.rs
      id.rs index.rs resp
    `,
    // The exports of the crate include the façade.
    exceptions: [["lib.rs", "wasm"]],
    // The memory server is for tests, and for a wasm of its own.
    only: { memory: ["lib.rs", "wasm/memory.rs"] },
  },
};
