//! The input decides everything that happens: what the application does, what servers reply and when, which
//! connections are made and end, how time passes. Whatever it decides, the promises hold, and in the end
//! everything is settled.

use arbitrary::{Result, Unstructured};
use redlatch::{Duration, Request};

use super::{
    generate,
    session::{Session, trace},
};

/// What a target is about.
pub struct Setup {
    pub servers: (u8, u8),
    pub keys: (usize, usize),
    /// Whether locks are fair; `None` if the input decides.
    pub fair: Option<bool>,
    /// Whether bytes arrive that are no replies, spans are extreme and the input answers handshakes.
    pub wild: bool,
}

/// Plain locks of one key.
pub fn lock_single(data: &[u8]) {
    run(data, &Setup { servers: (1, 1), keys: (1, 1), fair: Some(false), wild: false });
}

/// Fair locks.
pub fn lock_fair(data: &[u8]) {
    run(data, &Setup { servers: (1, 1), keys: (1, 2), fair: Some(true), wild: false });
}

/// Locks of several keys.
pub fn lock_multi(data: &[u8]) {
    run(data, &Setup { servers: (1, 1), keys: (2, 4), fair: None, wild: false });
}

/// Locks of several servers.
pub fn lock_redlock(data: &[u8]) {
    run(data, &Setup { servers: (2, 5), keys: (1, 2), fair: Some(false), wild: false });
}

/// Anything, byte by byte.
pub fn engine(data: &[u8]) {
    run(data, &Setup { servers: (1, 3), keys: (1, 4), fair: None, wild: true });
}

fn run(data: &[u8], setup: &Setup) {
    let mut u = Unstructured::new(data);
    let Ok(mut session) = Session::begin(&mut u, setup) else { return };
    let ends_well = u.arbitrary().unwrap_or(false);
    let mut steps = 0;
    while !u.is_empty() && steps < 250 && session.play(&mut u, setup).is_ok() {
        steps += 1;
    }
    session.end(ends_well);
}

impl Session {
    /// One thing happens.
    fn play(&mut self, u: &mut Unstructured<'_>, setup: &Setup) -> Result<()> {
        let code: u8 = u.arbitrary()?;
        let code = if code >= 240 { 16 } else { code % 16 };
        trace(|| format!("{} code {code}", self.now.as_micros()));
        match code {
            0 | 1 => {
                let request = self.request(u, setup)?;
                self.step(None, |session| session.acquire(&request));
            }
            code @ 2..=5 => {
                let picked = self.app.pick(u.arbitrary()?);
                let ttl = if code == 4 { *u.choose(&[1, 50, 1000, 30_000, 600_000])? } else { 0 };
                if let Some(id) = picked.filter(|&id| self.app.may(id, code == 3)) {
                    self.operate(id, code, ttl);
                }
            }
            code @ 6..=10 => {
                let node = u.int_in_range(0..=self.ledger.nodes - 1)?;
                let Some(id) = self.wire.open(node) else { return Ok(()) };
                let connection = &self.wire.connections[&id];
                let reply = match (code, connection.queue.front()) {
                    (6..=8, Some(sent)) => generate::grant(&sent.command, self.wakes),
                    (9, Some(sent)) => generate::deny(&sent.command, u)?,
                    (10, _) if u.arbitrary()? => generate::wrong(connection, u)?,
                    _ => generate::error(u)?,
                };
                let cut: u8 = u.arbitrary()?;
                let width = reply.len() / 64 + 1;
                self.deliver(id, reply, if cut >= 192 { usize::from(cut - 192) * width } else { 0 });
            }
            11 => self.advance(u64::from(u.arbitrary::<u16>()? % 4000) * 1000),
            12 => {
                // Up to the next timer, and sometimes too late for it.
                let late = u.int_in_range(0..=3)? * 700_000;
                let next = self.engine.poll_timeout().map_or(0, |next| next.since(self.now).as_micros());
                self.advance(next.min(86_400_000_000) + late);
                self.call_timers();
            }
            13 => self.disconnect(u)?,
            14 if setup.wild => {
                let node = u.int_in_range(0..=self.ledger.nodes - 1)?;
                let length = usize::from(u.arbitrary::<u8>()? % 64).min(u.len());
                let bytes = u.bytes(length)?.to_vec();
                match self.wire.open(node) {
                    Some(id) => self.deliver(id, bytes, 0),
                    None => self.connect(node, true),
                }
            }
            14 => self.dry.set(!self.dry.get()),
            16 => self.at_once(u, setup)?,
            _ => {
                self.mono = self.mono.saturating_add(u.arbitrary::<u16>()?.into());
                self.wall = self.wall.saturating_add_signed(i64::from(u.arbitrary::<i32>()?) * 16);
                self.read_clocks();
            }
        }
        Ok(())
    }

    /// Many calls of the application in one step: their commands may share runs.
    fn at_once(&mut self, u: &mut Unstructured<'_>, setup: &Setup) -> Result<()> {
        let (code, count) = (u.int_in_range(0..=5)?, u.int_in_range(2..=40_u8)?);
        if code < 2 {
            // More would take long, and show nothing else.
            if self.app.requests() > 80 {
                return Ok(());
            }
            let one = self.request(u, setup)?;
            // Some for the same key, some for many.
            let names = *u.choose(&[1_usize, 3, 40])?;
            self.step(None, |session| {
                for number in 0..count {
                    let mut request = one.clone();
                    for key in &mut request.keys {
                        key.extend(format!("-{}", usize::from(number) % names).bytes());
                    }
                    session.acquire(&request);
                }
            });
            return Ok(());
        }
        let first: u8 = u.arbitrary()?;
        let ttl = *u.choose(&[50, 30_000])?;
        self.step(None, |session| {
            for number in 0..count {
                let picked = session.app.pick(first.wrapping_add(number));
                if let Some(id) = picked.filter(|&id| session.app.may(id, code == 3)) {
                    session.call(id, code, ttl);
                }
            }
        });
        Ok(())
    }

    fn request(&mut self, u: &mut Unstructured<'_>, setup: &Setup) -> Result<Request> {
        let (how, what): (u8, u8) = (u.arbitrary()?, u.arbitrary()?);
        let all = [b"a".as_slice(), b"b", b"{t}c", b"d"];
        let mut keys: Vec<_> = (0..4).filter(|n| what >> n & 1 == 1).map(|n| all[n].to_vec()).collect();
        keys.truncate(setup.keys.1);
        for key in all.iter().take(setup.keys.0.saturating_sub(keys.len()).max(usize::from(keys.is_empty())))
        {
            keys.insert(0, key.to_vec());
        }
        let mut ttl = Duration::from_millis([100, 1000, 10_000, 60_000][usize::from(what >> 4 & 3)]);
        if setup.wild && how == 0xff {
            ttl = Duration::from_millis(u.arbitrary::<u64>()?.clamp(100, 1 << 50));
            self.endless |= ttl > Duration::from_millis(60_000);
        }
        let adopt = how >> 3 & 7 == 7;
        let token = match how >> 6 {
            0 | 1 if !adopt => None,
            2 => Some(b"owner-1".to_vec()),
            _ => Some(b"owner-2".to_vec()),
        };
        let wait = match how >> 1 & 3 {
            0 => Duration::ZERO,
            1 => Duration::from_millis(500),
            2 => Duration::from_millis(5000),
            _ => Duration::MAX,
        };
        Ok(Request {
            keys,
            token,
            ttl,
            wait,
            renew: how & 1 == 1,
            max_hold: if what & 128 != 0 { Duration::from_millis(2000) } else { Duration::MAX },
            fair: self.ledger.nodes == 1 && setup.fair.unwrap_or(what & 64 != 0),
            adopt: adopt.then_some(0),
        })
    }

    fn disconnect(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let node = u.int_in_range(0..=self.ledger.nodes - 1)?;
        match (u.int_in_range(0..=2)?, self.wire.open(node)) {
            (0, _) => {
                let down = &mut self.down[node as usize];
                *down = !*down;
            }
            (_, Some(id)) => self.close(id),
            (code, None) => self.connect(node, code == 1),
        }
        Ok(())
    }
}
