//! Writing early: the server works on one half of a turn's commands while the application asks for the other half.

use crate::world::{Client, Command, read_commands, request};
use redlatch::{Endpoint, HandleId, Policy, Transport};

/// Acquires so many locks in one turn. Returns what is written early, and after how many calls.
fn acquire(client: &mut Client, count: usize) -> (Vec<HandleId>, Vec<(usize, Command)>) {
    let mut early = Vec::new();
    let locks = (0..count)
        .map(|at| {
            let lock = client.acquire(request(format!("key {at}")));
            early.extend(written_early(client).map(|command| (at + 1, command)));
            lock
        })
        .collect();
    (locks, early)
}

fn written_early(client: &mut Client) -> Option<Command> {
    let (_, bytes) = client.engine.poll_early_transmit()?;
    let mut commands = read_commands(&bytes);
    assert_eq!(commands.len(), 1);
    commands.pop()
}

/// Acquires so many locks in one turn, and grants them all at once.
fn hold(count: usize) -> (Client, Vec<HandleId>) {
    let mut client = Client::ready();
    let (locks, early) = acquire(&mut client, count);
    let first = early.into_iter().map(|(_, command)| command);
    let replies: String = first.chain(client.commands()).map(|command| command.granted(1)).collect();
    client.reply(replies);
    assert_eq!(client.events().len(), count);
    (client, locks)
}

#[test]
fn a_whole_run_is_written_before_the_turn_ends_if_the_server_has_nothing_to_do() {
    let mut client = Client::ready();
    let (_, early) = acquire(&mut client, 100);
    assert_eq!(early.len(), 1, "then the server has something to do");
    assert_eq!((early[0].0, early[0].1.call().locks()), (32, 32));
    let rest: Vec<_> = client.commands().iter().map(|command| command.call().locks()).collect();
    assert_eq!(rest, [32, 32, 4]);
}

#[test]
fn nothing_is_written_early_where_each_write_may_be_a_request() {
    let endpoint = Endpoint { transport: Transport::Commands, ..Endpoint::default() };
    let mut client = Client::with(Policy::default(), endpoint);
    client.acquire(request("first"));
    client.connect();
    let first = client.command();
    client.reply(first.granted(1));
    let (_, early) = acquire(&mut client, 100);
    assert!(early.is_empty());
    assert_eq!(client.commands().len(), 100);
}

#[test]
fn half_as_many_commands_as_were_answered_last_are_written_early() {
    for (answered, half) in [(8, Some(4)), (20, Some(10)), (100, Some(50)), (7, None)] {
        let (mut client, locks) = hold(answered);
        let mut early = None;
        for (at, lock) in locks.into_iter().enumerate() {
            client.engine.release(lock, client.now);
            assert_eq!(client.engine.has_early_transmit(), early.is_none() && Some(at + 1) == half);
            if let Some((_, bytes)) = client.engine.poll_early_transmit() {
                early = Some(read_commands(&bytes));
            }
        }
        let early: usize = early.iter().flatten().map(|command| command.call().locks()).sum();
        assert_eq!(early, half.unwrap_or(0));
        let rest: usize = client.commands().iter().map(|command| command.call().locks()).sum();
        assert_eq!(early + rest, answered, "each is written once");
    }
}
