//! What happens at servers: connections arrive, commands are executed and seen by the observer, replies go back.

use std::collections::BTreeSet;

use redlatch::KeyRole;

use crate::{
    contract,
    network::{LinkId, Way},
    observer::Violation,
    plan::Tamper,
    server::{DENIED_KEY, Executed},
    simulation::{Happening, Simulation},
    trace::shown,
    world::ScriptCall,
};

/// Pushes about shard channels, and under which names they are counted.
const SHARD_PUSHES: [(&[u8], &str); 2] = [
    (b"$8\r\nsmessage\r\n", "wake-ups on shard channels"),
    (b"$12\r\nsunsubscribe\r\n", "subscriptions that ended"),
];

impl Simulation<'_> {
    pub fn dials(&mut self, id: LinkId) {
        let refused = if self.quiet { 0 } else { self.plan.settings.refused };
        let link = self.links.get_mut(&id).expect("a link");
        if link.is_muted(Way::Up) || !link.client_open {
            return;
        }
        let server = &mut self.servers[link.server];
        let unlucky = link.rng.chance(refused);
        if server.down && server.silent || unlucky && link.rng.chance(30) {
            return;
        }
        let accepted = !server.down && !unlucky;
        if accepted {
            link.server_open = true;
            server.open(id);
        }
        self.send(id, Way::Down, Happening::Dialed(id, accepted));
    }

    pub fn at_server(&mut self, happening: Happening) -> Result<(), Violation> {
        if let Happening::Bus(index, channel, message) = happening {
            return self.hear(index, channel, message);
        }
        let (Happening::ToServer(id, _) | Happening::ServerEnd(id)) = happening else { return Ok(()) };
        let index = self.links[&id].server;
        if self.servers[index].paused {
            self.backlogs[index].push(happening);
            return Ok(());
        }
        if !self.links[&id].server_open {
            return Ok(());
        }
        match happening {
            Happening::ToServer(_, bytes) => {
                self.trace
                    .note(self.now, 1, &bytes, || format!("server {index} <- {id:?}: {}", shown(&bytes)));
                for command in self.servers[index].commands(id, &bytes) {
                    self.execute(index, id, &command)?;
                }
            }
            _ => {
                self.servers[index].end(id);
                self.links.get_mut(&id).expect("a link").server_open = false;
            }
        }
        Ok(())
    }

    fn execute(&mut self, index: usize, id: LinkId, command: &[u8]) -> Result<(), Violation> {
        let server = &mut self.servers[index];
        let calls = ScriptCall::parse(command).map_or_else(Vec::new, |call| call.split());
        let asked = |call: ScriptCall| {
            let mine = server.is_owner(&call, self.now);
            Executed::new(call, mine)
        };
        let mut locks: Vec<_> = calls.into_iter().map(asked).collect();
        if command.starts_with(b"*3\r\n$4\r\nWAIT\r\n") {
            let is_away =
                self.links.get_mut(&id).expect("a link").rng.chance(self.plan.settings.replica_away);
            server.memory.set_replicas(u32::from(!is_away));
            self.observer.count(if is_away { "replica away" } else { "replica confirms" });
        }
        if server.execute(id, command, &locks, self.now) {
            self.observer.count("connections in RESP2");
        }
        let outputs = server.take_outputs();
        let own = outputs.iter().find(|(link, _)| *link == id).map(|(_, output)| output.as_slice());
        Executed::read(&mut locks, own.unwrap_or_default());
        if own == Some(DENIED_KEY) && locks.len() > 1 {
            self.observer.count("runs refused for one key");
        }
        let given = locks.iter().filter(|lock| lock.fence.is_some() || lock.extended());
        let names: BTreeSet<_> = given.flat_map(|lock| lock.call.keys_of(KeyRole::Lock)).collect();
        self.note_stale_master(index, &names);
        let server = &self.servers[index];
        let (millis, keys) =
            (server.now(self.now).as_micros() / 1000, server.memory.database(server.database));
        self.observer.executed(index, &locks, keys, millis, self.now)?;
        let settings = &self.plan.settings;
        let messages_arrive =
            settings.calm && settings.cluster.is_none() && !settings.without_channels && !settings.old[index];
        if let Some(keys) = keys.filter(|_| messages_arrive) {
            for executed in &locks {
                contract::check_woken(executed, keys, millis, &outputs)?;
            }
        }
        self.broadcast(index);
        self.send_outputs(index, outputs);
        Ok(())
    }

    /// A message of another node of the cluster arrives.
    fn hear(&mut self, index: usize, channel: Vec<u8>, message: Vec<u8>) -> Result<(), Violation> {
        if self.servers[index].paused {
            self.backlogs[index].push(Happening::Bus(index, channel, message));
        } else if !self.servers[index].down {
            self.servers[index].memory.deliver(&channel, &message);
            let outputs = self.servers[index].take_outputs();
            self.send_outputs(index, outputs);
        }
        Ok(())
    }

    pub fn send_outputs(&mut self, index: usize, outputs: Vec<(LinkId, Vec<u8>)>) {
        for (to, output) in outputs {
            for (push, what) in SHARD_PUSHES {
                if output.windows(push.len()).any(|part| part == push) {
                    self.observer.count(what);
                }
            }
            self.trace.note(self.now, 2, &output, || format!("server {index} -> {to:?}: {}", shown(&output)));
            let Some(link) = self.links.get_mut(&to) else { continue };
            match link.tamper.take() {
                Some(Tamper::Drop) => {}
                Some(Tamper::Double) => {
                    self.send_bytes(to, Way::Down, output.clone());
                    self.send_bytes(to, Way::Down, output);
                }
                Some(Tamper::Inject) => {
                    self.send_bytes(to, Way::Down, [b"+OK\r\n", output.as_slice()].concat())
                }
                None => self.send_bytes(to, Way::Down, output),
            }
        }
    }

    /// A server that was paused reads what arrived meanwhile.
    pub fn resume(&mut self, server: usize) -> Result<(), Violation> {
        self.servers[server].paused = false;
        for happening in std::mem::take(&mut self.backlogs[server]) {
            self.at_server(happening)?;
        }
        Ok(())
    }
}
