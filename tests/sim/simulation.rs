//! The world: clients, servers, the network between them, and true time. Everything that will happen is in
//! one queue.

use std::collections::BTreeMap;

use redlatch::HandleId;

use crate::{
    client::SimClient,
    cluster::SimCluster,
    confirmation::Confirmations,
    network::{Link, LinkId, Way},
    observer::{Observer, Violation},
    plan::{Delay, MS, Micros, Operation, Plan, SECOND},
    rng::Rng,
    server::SimServer,
    trace::Trace,
    validity::Validity,
};

/// Something that happens at a time.
#[derive(Debug)]
pub enum Happening {
    /// A client's connection reaches the server.
    Dials(LinkId),
    /// The client is told that the connection was made, or refused.
    Dialed(LinkId, bool),
    ToServer(LinkId, Vec<u8>),
    ToClient(LinkId, Vec<u8>),
    /// The other end is gone.
    ServerEnd(LinkId),
    ClientEnd(LinkId),
    Timer(usize, u64),
    /// An application requests a lock: the number of its plan.
    Acquire(usize),
    Release(usize, HandleId),
    Cancel(usize, HandleId),
    Operation(usize, HandleId, Operation),
    /// An application hands its lock over, and another one gets it: the number of the plan, and the token.
    HandOver(usize, HandleId),
    Adopt(usize, usize, Vec<u8>),
    /// The client's event loop continues.
    Awake(usize),
    /// The turn of the client's event loop ends in which its application called.
    EndOfTurn(usize),
    Fault(usize),
    /// The next step of a cluster's upheaval: the number of its fault.
    Step(usize),
    /// A message of another node of the cluster arrives.
    Bus(usize, Vec<u8>, Vec<u8>),
    /// A fault ends.
    Mended(usize),
    /// The quiet period begins.
    Quiet,
}

pub struct Simulation<'p> {
    pub plan: &'p Plan,
    pub now: Micros,
    queue: BTreeMap<(Micros, u64), Happening>,
    sequence: u64,
    pub clients: Vec<SimClient>,
    pub servers: Vec<SimServer>,
    pub cluster: Option<SimCluster>,
    /// Happenings at a server that is paused.
    pub backlogs: Vec<Vec<Happening>>,
    pub links: BTreeMap<LinkId, Link>,
    pub observer: Observer,
    pub validity: Validity,
    pub confirmations: Confirmations,
    pub trace: Trace,
    pub quiet: bool,
    /// How long turns of event loops are in which applications call; `None` if each call is drained at once.
    pub turns: Option<Rng>,
}

/// In how many of a hundred worlds calls wait for the end of the turn.
const WORLDS_WITH_TURNS: u64 = 25;

/// How long it may take to settle everything in the quiet period, on servers whose clocks were not set back.
const SETTLING: Micros = 240 * SECOND;

/// More events than any world has, unless a client retries without pause.
const MOST_EVENTS: u64 = 1_000_000;

/// The result of a run, whether every rule held or not.
pub struct Summary {
    pub hash: u64,
    pub events: u64,
    pub lines: Vec<String>,
    pub coverage: BTreeMap<&'static str, u64>,
}

/// Runs a plan to its end, or until a rule is broken.
pub fn run(plan: &Plan, verbose: bool) -> (Summary, Result<(), Violation>) {
    let mut world = Simulation::new(plan, verbose);
    let result = world.run();
    world.count_redirects();
    let Simulation { trace, observer, .. } = world;
    let lines = trace.lines().to_vec();
    (Summary { hash: trace.hash(), events: trace.events, lines, coverage: observer.coverage }, result)
}

impl<'p> Simulation<'p> {
    fn new(plan: &'p Plan, verbose: bool) -> Self {
        let mut turns = Rng::of(plan.seed, 5000);
        let mut world = Self {
            plan,
            now: SECOND,
            queue: BTreeMap::new(),
            sequence: 0,
            clients: (0..plan.settings.clients).map(|index| SimClient::new(plan, index)).collect(),
            servers: (0..plan.settings.servers).map(|index| SimServer::new(&plan.settings, index)).collect(),
            cluster: SimCluster::new(&plan.settings),
            backlogs: (0..plan.settings.servers).map(|_| Vec::new()).collect(),
            links: BTreeMap::new(),
            observer: Observer::new(plan),
            validity: Validity::new(plan),
            confirmations: Confirmations::default(),
            trace: Trace::new(verbose),
            quiet: false,
            turns: turns.chance(WORLDS_WITH_TURNS).then_some(turns),
        };
        for (index, op) in plan.ops.iter().enumerate() {
            world.after(op.at, Happening::Acquire(index));
        }
        for (index, fault) in plan.faults.iter().enumerate() {
            world.after(fault.at, Happening::Fault(index));
        }
        world.after(plan.settings.span, Happening::Quiet);
        if let Some(kind) = plan.settings.patience {
            world.observer.count(kind);
        }
        world
    }

    fn run(&mut self) -> Result<(), Violation> {
        let end = self.now + self.plan.settings.span + SETTLING + self.plan.set_back();
        while let Some(((time, _), happening)) = self.queue.pop_first() {
            if time > end {
                break;
            }
            if self.trace.events > MOST_EVENTS {
                return Err(Violation::new("bounded work", format!("more than {MOST_EVENTS} events")));
            }
            self.now = time;
            self.happen(happening)?;
        }
        self.check_settled()
    }

    /// How often clients followed redirects counts as coverage.
    fn count_redirects(&mut self) {
        for (kind, times) in self.validity.routes.iter().flat_map(|routes| &routes.followed) {
            *self.observer.coverage.entry(kind).or_default() += times;
        }
    }

    /// Schedules a happening after this span.
    pub fn after(&mut self, span: Micros, happening: Happening) {
        self.at(self.now + span, happening);
    }

    pub fn at(&mut self, time: Micros, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((time.max(self.now), self.sequence), happening);
    }

    /// What happens next, if it happens at this time.
    pub fn next_now(&self) -> Option<&Happening> {
        let (&(time, _), happening) = self.queue.first_key_value()?;
        (time == self.now).then_some(happening)
    }

    pub fn take_next(&mut self) -> Option<Happening> {
        self.queue.pop_first().map(|(_, happening)| happening)
    }

    pub fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        if let Some(client) = self.client_of(&happening) {
            if !self.clients[client].alive {
                return Ok(());
            }
            if self.clients[client].stalled.is_some() {
                self.clients[client].inbox.push(happening);
                return Ok(());
            }
        }
        match happening {
            Happening::Dials(link) => {
                self.dials(link);
                Ok(())
            }
            Happening::ToServer(..) | Happening::ServerEnd(_) | Happening::Bus(..) => {
                self.at_server(happening)
            }
            Happening::HandOver(client, lock) => {
                self.hand_over(client, lock);
                Ok(())
            }
            Happening::Fault(index) => self.begin_fault(index),
            Happening::Step(index) => self.step(index),
            Happening::Mended(index) => self.end_fault(index),
            Happening::Quiet => self.begin_quiet(),
            Happening::Awake(client) => self.awake(client),
            other => self.at_client(other),
        }
    }

    /// The client whose event loop has to run for this.
    pub fn client_of(&self, happening: &Happening) -> Option<usize> {
        match happening {
            Happening::Dialed(link, _) | Happening::ToClient(link, _) | Happening::ClientEnd(link) => {
                Some(self.links[link].client)
            }
            Happening::Timer(client, _) | Happening::HandOver(client, _) | Happening::EndOfTurn(client) => {
                Some(*client)
            }
            other => self.asking(other),
        }
    }

    /// The client whose application asks it for something.
    pub fn asking(&self, happening: &Happening) -> Option<usize> {
        match happening {
            Happening::Release(client, _)
            | Happening::Cancel(client, _)
            | Happening::Operation(client, ..)
            | Happening::Adopt(client, ..) => Some(*client),
            Happening::Acquire(op) => Some(self.plan.ops[*op].client),
            _ => None,
        }
    }

    pub fn delay(&self) -> Delay {
        if self.quiet {
            return Delay { least: 100, most: MS, tail_chance: 0, tail: 0 };
        }
        self.plan.settings.delay
    }

    /// Sends something over a link, to arrive after everything that was sent before.
    pub fn send(&mut self, id: LinkId, way: Way, happening: Happening) {
        let (delay, now) = (self.delay(), self.now);
        let Some(link) = self.links.get_mut(&id) else { return };
        let distance = self.plan.settings.distances[link.server];
        let arrival = link.arrival(way, delay, distance, now);
        if !link.is_muted(way) {
            self.at(arrival, happening);
        } else if way == Way::Up && std::mem::take(&mut link.reset) {
            self.at(arrival, Happening::ClientEnd(id));
        }
    }

    /// Sends bytes, in chunks if the plan says so.
    pub fn send_bytes(&mut self, id: LinkId, way: Way, bytes: Vec<u8>) {
        let rechunks = self.plan.settings.rechunks && !self.quiet;
        let Some(link) = self.links.get_mut(&id) else { return };
        for part in link.parts(bytes, rechunks) {
            self.send(
                id,
                way,
                match way {
                    Way::Up => Happening::ToServer(id, part),
                    Way::Down => Happening::ToClient(id, part),
                },
            );
        }
    }

    /// The bytes in flight on a link, first to arrive first.
    pub fn under_way(&mut self, id: LinkId, way: Way) -> impl Iterator<Item = &mut Vec<u8>> {
        self.queue.values_mut().filter_map(move |happening| match (happening, way) {
            (Happening::ToServer(link, bytes), Way::Up) if *link == id => Some(bytes),
            (Happening::ToClient(link, bytes), Way::Down) if *link == id => Some(bytes),
            _ => None,
        })
    }
}
