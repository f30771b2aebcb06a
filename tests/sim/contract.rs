//! What the scripts promise to whoever calls them (`lua/README.md`), looked at after every command.

use redlatch::memory::{Keyspace, Value};

use crate::{
    network::LinkId,
    observer::Violation,
    server::{Executed, ScriptCall},
};

/// Looks at a command. `keys` are the server's, afterwards.
pub fn check(executed: &Executed, keys: &Keyspace, now: u64) -> Result<(), Violation> {
    let Some(call) = executed.call.as_ref().filter(|_| executed.done) else { return Ok(()) };
    if executed.hint.is_some_and(|hint| hint == 0 || hint < -1) {
        return Err(Violation::new("hint", format!("{} says {:?} ms", call.script, executed.hint)));
    }
    if call.script == "exclusive_extend" && executed.count == 1 && !executed.mine {
        let text = "keys were extended that are not the token's";
        return Err(Violation::new("extended what is not its own", text));
    }
    let absent = match call.script {
        "fair_release" => Some(("left", &call.arguments[1])),
        "fair_acquire" if call.arguments[4] != b"1" => Some(("only tried", &call.arguments[2])),
        _ => None,
    };
    if let Some((why, waiter)) = absent
        && call.keys_of(QUEUE).iter().any(|queue| members(keys, queue, now).contains(waiter))
    {
        let text = format!("{} {why}, and stands in line", waiter.escape_ascii());
        return Err(Violation::new("absent waiter queued", text));
    }
    Ok(())
}

/// In a world in which messages arrive: whoever leaves a fair lock free wakes the first in line.
pub fn check_woken(
    executed: &Executed,
    keys: &Keyspace,
    now: u64,
    outputs: &[(LinkId, Vec<u8>)],
) -> Result<(), Violation> {
    let frees = |call: &&ScriptCall| call.script == "fair_release" && executed.done;
    let Some(call) = executed.call.as_ref().filter(frees) else { return Ok(()) };
    for (lock, queue) in call.keys_of(0).iter().zip(call.keys_of(QUEUE)) {
        let first = members(keys, queue, now).first().cloned();
        let Some(first) = first.filter(|_| keys.peek(lock, now).is_none()) else { continue };
        let first = String::from_utf8_lossy(&first).into_owned();
        let (client, number) = first.split_once(':').expect("client:number");
        let message = format!("redlatch:wake:{client}\r\n${}\r\n{number}\r\n", number.len());
        let is_message = |output: &[u8]| output.windows(message.len()).any(|part| part == message.as_bytes());
        if !outputs.iter().any(|(_, output)| is_message(output)) {
            return Err(Violation::new("head of the queue woken", format!("{first} hears nothing")));
        }
    }
    Ok(())
}

/// The place of the queues among the kinds of keys of both fair scripts.
const QUEUE: usize = 2;

fn members(keys: &Keyspace, queue: &[u8], now: u64) -> Vec<Vec<u8>> {
    match keys.peek(queue, now) {
        Some((Value::SortedSet(set), _)) => set.entries().iter().map(|(_, member)| member.clone()).collect(),
        _ => Vec::new(),
    }
}
