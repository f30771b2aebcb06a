//! The contract of the scripts (`lua/README.md`), checked after every command.

use redlatch::{KeyRole, memory::Keyspace};

use crate::{memory::members, network::LinkId, observer::Violation, server::Executed};

/// Checks what a command did to one of its locks. `keys` are the server's keys after it.
pub fn check(executed: &Executed, keys: &Keyspace, now: u64) -> Result<(), Violation> {
    let call = &executed.call;
    if !executed.done {
        return Ok(());
    }
    if executed.hint.is_some_and(|hint| hint == 0 || hint < -1) {
        return Err(Violation::new("hint", format!("{} says {:?} ms", call.name(), executed.hint)));
    }
    if call.extends() && executed.count == 1 && !executed.mine {
        let text = "keys were extended that are not the token's";
        return Err(Violation::new("extended what is not its own", text));
    }
    if executed.hint.is_some()
        && let Some(waiter) = call.waiter()
        && let sets = call.keys_of(KeyRole::Registrations)
        && let Some(set) = sets.iter().find(|set| !members(keys, set, now).contains(&waiter.as_slice()))
    {
        let text = format!("{} is not registered in {}", waiter.escape_ascii(), set.escape_ascii());
        return Err(Violation::new("denied waiter registered", text));
    }
    if call.is_fair()
        && !call.joins()
        && let Some(waiter) = call.waiter()
        && call
            .keys_of(KeyRole::Queue)
            .iter()
            .any(|queue| members(keys, queue, now).contains(&waiter.as_slice()))
    {
        let why = if call.releases() { "left" } else { "made a single attempt" };
        let text = format!("{} {why}, and is in the queue", waiter.escape_ascii());
        return Err(Violation::new("absent waiter queued", text));
    }
    Ok(())
}

/// In a world in which messages arrive: a release that leaves a fair lock free wakes the head of its queue.
pub fn check_woken(
    executed: &Executed,
    keys: &Keyspace,
    now: u64,
    outputs: &[(LinkId, Vec<u8>)],
) -> Result<(), Violation> {
    let call = &executed.call;
    if !call.is_fair() || !call.releases() || !executed.done {
        return Ok(());
    }
    for (lock, queue) in call.keys_of(KeyRole::Lock).iter().zip(&call.keys_of(KeyRole::Queue)) {
        let first = members(keys, queue, now).first().copied();
        let Some(first) = first.filter(|_| keys.peek(lock, now).is_none()) else { continue };
        let first = String::from_utf8_lossy(first).into_owned();
        let (client, number) = first.split_once(':').expect("client:number");
        let message = format!("redlatch:wake:{client}\r\n${}\r\n{number}\r\n", number.len());
        let is_message = |output: &[u8]| output.windows(message.len()).any(|part| part == message.as_bytes());
        if !outputs.iter().any(|(_, output)| is_message(output)) {
            return Err(Violation::new("head of the queue woken", format!("{first} hears nothing")));
        }
    }
    Ok(())
}
