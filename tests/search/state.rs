//! The state of a small world, how it changes, and the rules that hold in each state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redlatch::{
    ConnectionId, Duration, Event, NodeId,
    memory::{ClusterNode, ClusterView, NodeName, Server, SessionId},
};

use crate::{
    action::Action,
    client::{Client, HOST, Status, instant, port},
    memory::{holder, load_scripts},
    network::{Link, LinkState},
    queue::Queue,
    setup::{Budget, Setup},
    shared::Shared,
    world::{Output, ScriptCall, next_output, one_attempt, split_words},
};

/// The rule that was broken, and how.
pub type Violation = String;

#[derive(Clone, Hash)]
pub struct State {
    pub tick: u64,
    pub clients: Vec<Shared<Client>>,
    pub servers: Vec<Shared<Server>>,
    pub links: Vec<Shared<Link>>,
    pub budget: Budget,
    sessions: u64,
    /// The last fence that a grant of each key had.
    fences: Shared<BTreeMap<&'static str, u64>>,
    pub queue: Shared<Queue>,
    /// A server has lost a lock: no client can notice that in time.
    is_weak: bool,
    /// The outcomes that this world has had, for the report; not part of the state.
    pub news: News,
}

/// Left out of the hash.
#[derive(Clone, Default)]
pub struct News(pub BTreeSet<&'static str>);

impl std::hash::Hash for News {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl State {
    /// Connections are made and scripts are cached, so that the search begins where it gets interesting.
    pub fn new(setup: &Setup) -> Self {
        let mut servers = vec![Shared::new(Server::new()); setup.servers];
        for (me, server) in servers.iter_mut().enumerate() {
            server.set_cluster(setup.is_cluster.then(|| view(me, setup.servers)));
            load_scripts(server, instant(0));
        }
        let mut world = Self {
            tick: 0,
            clients: (0..setup.plans.len()).map(|index| Shared::new(Client::new(index, setup))).collect(),
            servers,
            links: Vec::new(),
            budget: Budget::default(),
            sessions: 1,
            fences: Shared::default(),
            queue: Shared::default(),
            is_weak: false,
            news: News::default(),
        };
        world.connect(setup);
        world.budget = setup.budget;
        world
    }

    pub fn act(&mut self, action: Action, setup: &Setup) -> Result<(), Violation> {
        match action {
            Action::Op(index) => {
                let op = &setup.plans[index][self.clients[index].step];
                self.clients[index].carry_out(op, setup, self.tick);
                self.drain(index)?;
            }
            Action::Timer(index) => {
                self.clients[index].fire(self.tick);
                self.drain(index)?;
            }
            Action::Dial(index) => {
                let link = &mut self.links[index];
                link.state = LinkState::Open;
                self.servers[link.server].connect(link.session);
                let (connection, client) = (link.connection, link.client);
                let now = self.clients[client].now(self.tick);
                self.clients[client].engine.handle_connected(connection, now);
                self.drain(client)?;
            }
            Action::Up(index) => self.arrive(index)?,
            Action::Down(index) => {
                let link = &mut self.links[index];
                let bytes = link.down.pop_front().unwrap();
                let (connection, client) = (link.connection, link.client);
                let now = self.clients[client].now(self.tick);
                self.clients[client].engine.handle_bytes(connection, &bytes, now);
                self.drain(client)?;
            }
            Action::Cut(index) => {
                self.budget.breaks -= 1;
                self.links[index].up.clear();
                self.end(index)?;
            }
            Action::Abandon(index) => {
                self.budget.breaks -= 1;
                self.end(index)?;
            }
            Action::Tick => self.tick(),
            Action::TickWithout(client) => {
                self.budget.lags -= 1;
                self.clients[client].lag += 1;
                self.tick();
            }
            Action::Crash(server) => {
                self.budget.crashes -= 1;
                self.servers[server].restart(true);
                let links = &mut self.links;
                links.iter_mut().filter(|link| link.server == server).for_each(|link| link.up.clear());
                let ended = |link: &Shared<Link>| link.server == server && link.state == LinkState::Open;
                while let Some(index) = self.links.iter().position(ended) {
                    self.end(index)?;
                }
            }
            Action::FlushScripts(server) => {
                self.budget.flushes -= 1;
                self.servers[server].flush_scripts();
            }
            Action::LoseKey(server, key) => {
                self.budget.key_losses -= 1;
                self.is_weak = true;
                self.servers[server]
                    .database_mut(0)
                    .remove(key.as_bytes(), instant(self.tick).as_micros() / 1000);
            }
        }
        self.links.retain(|link| !link.is_over());
        self.check()
    }

    fn tick(&mut self) {
        if self.clients.iter().any(|client| client.has_due_timer(self.tick)) {
            self.budget.stalls -= 1;
        }
        self.tick += 1;
    }

    /// Bytes arrive at a server, which executes them.
    fn arrive(&mut self, index: usize) -> Result<(), Violation> {
        let link = &mut self.links[index];
        let (server, session) = (link.server, link.session);
        let bytes = link.up.pop_front().unwrap();
        for (bytes, words) in split_words(&bytes) {
            let before = self.owner(server, "a").map(<[u8]>::to_vec);
            self.servers[server].receive(session, bytes, instant(self.tick));
            let owner = self.owner(server, "a").map(<[u8]>::to_vec);
            if let Some(call) = ScriptCall::read(&words) {
                self.news.0.extend((call.locks() > 1).then_some("run"));
                self.queue.saw(&call, before.as_deref(), owner.as_deref())?;
            }
        }
        for link in self.links.iter_mut().filter(|link| link.server == server) {
            let output = self.servers[server].take_output(link.session);
            if !output.is_empty() && link.state == LinkState::Open {
                link.down.push_back(output);
            }
        }
        Ok(())
    }

    /// A connection ends for the client.
    fn end(&mut self, index: usize) -> Result<(), Violation> {
        let link = &mut self.links[index];
        link.state = LinkState::Abandoned;
        link.down.clear();
        let (connection, client) = (link.connection, link.client);
        let now = self.clients[client].now(self.tick);
        self.clients[client].engine.handle_closed(connection, "reset by peer", now);
        self.drain(client)
    }

    /// Drains a client's engine.
    fn drain(&mut self, index: usize) -> Result<(), Violation> {
        loop {
            let now = self.clients[index].now(self.tick);
            let Some(output) = next_output(&mut self.clients[index].engine, now) else { break };
            match output {
                Output::Event(event) => self.on_event(index, event)?,
                Output::Close(connection) => {
                    if let Some(link) = self.link_of(index, connection) {
                        link.state = LinkState::Abandoned;
                        link.down.clear();
                    }
                }
                Output::Connect(node, connection) => self.dial(index, node, connection),
                Output::Transmit(connection, bytes) => {
                    if let Some(link) = self.link_of(index, connection) {
                        link.up.push_back(bytes);
                    }
                }
            }
        }
        self.check_losses(index)
    }

    fn on_event(&mut self, index: usize, event: Event) -> Result<(), Violation> {
        let Some((slot, outcome)) = self.clients[index].on_event(event) else { return Ok(()) };
        self.news.0.insert(outcome);
        slot.map_or(Ok(()), |slot| self.check_fence(index, slot))
    }

    fn link_of(&mut self, client: usize, connection: ConnectionId) -> Option<&mut Shared<Link>> {
        self.links.iter_mut().find(|link| link.client == client && link.connection == connection)
    }

    fn dial(&mut self, client: usize, node: NodeId, connection: ConnectionId) {
        self.sessions += 1;
        self.links.push(Shared::new(Link {
            client,
            server: node.0 as usize,
            connection,
            session: SessionId(self.sessions),
            state: LinkState::Dialing,
            up: VecDeque::new(),
            down: VecDeque::new(),
        }));
    }

    /// The token that holds the key on a server.
    pub fn owner(&self, server: usize, key: &str) -> Option<&[u8]> {
        let now = instant(self.tick).as_micros() / 1000;
        holder(self.servers[server].database(0)?, key.as_bytes(), now)
    }

    /// Rule: at most one believer per key.
    fn check(&self) -> Result<(), Violation> {
        if self.is_weak {
            return Ok(());
        }
        let mut believers: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (index, client) in self.clients.iter().enumerate() {
            for slot in client.slots.iter().filter(|slot| client.believes(slot, self.tick)) {
                for &key in &slot.keys {
                    let other = believers.insert(key, (index, slot.owner));
                    if other.is_some_and(|other| other != (index, slot.owner)) {
                        return Err(format!("two believe that they hold {key}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Rule: fences grow.
    fn check_fence(&mut self, client: usize, slot: usize) -> Result<(), Violation> {
        let slot = &self.clients[client].slots[slot];
        let Status::Granted { fence } = slot.status else { return Ok(()) };
        let shared = self.clients[client].slots.iter().filter(|other| other.owner == slot.owner).count() > 1;
        // Several independent servers have no common fence, and a re-entry has the same one.
        let have_one_fence = self.servers.len() == 1 || self.servers[0].cluster().is_some();
        if !have_one_fence || self.is_weak || shared {
            return Ok(());
        }
        for &key in &slot.keys {
            if self.fences.insert(key, fence).is_some_and(|last| last >= fence) {
                return Err(format!("the fence of {key} did not grow: {fence}"));
            }
        }
        Ok(())
    }

    /// Rule: a loss is reported before anything else, once it is due.
    fn check_losses(&self, index: usize) -> Result<(), Violation> {
        let client = &self.clients[index];
        let held = client.slots.iter().filter(|slot| matches!(slot.status, Status::Granted { .. }));
        for slot in held {
            if client.engine.remaining(slot.lock, client.now(self.tick)) == Duration::ZERO {
                return Err(format!("client {index} got no event about the loss of its lock"));
            }
        }
        Ok(())
    }

    fn connect(&mut self, setup: &Setup) {
        let quick = Setup { horizon: 0, ..crate::setup::warm_up() };
        let mut request = one_attempt("warm-up");
        if setup.is_cluster {
            request.keys = vec![b"a".to_vec(), b"b".to_vec()];
        }
        for index in 0..self.clients.len() {
            let now = self.clients[index].now(0);
            let lock = self.clients[index].engine.acquire(request.clone(), now).unwrap();
            self.run(&quick);
            let now = self.clients[index].now(0);
            self.clients[index].engine.release(lock, now);
            self.run(&quick);
        }
        assert!(self.links.len() == self.clients.len() * self.servers.len());
        // What is left of the warm-up must make no difference.
        for server in &mut self.servers {
            server.database_mut(0).clear();
        }
        self.news = News::default();
    }

    /// Delivers everything that is in flight.
    fn run(&mut self, setup: &Setup) {
        for index in 0..self.clients.len() {
            self.drain(index).unwrap();
        }
        while let Some(&action) = self.actions(setup).first() {
            self.act(action, setup).unwrap();
        }
    }
}

/// What a node knows of its cluster: that all share the slots equally.
fn view(me: usize, count: usize) -> ClusterView {
    let name = |node: usize| NodeName(node as u64 + 1);
    let mut view = ClusterView::new(name(me));
    for node in 0..count {
        view.set_node(name(node), ClusterNode::new(HOST, port(node)));
        let first = |node: usize| (16_384 * node / count) as u16;
        view.set_owner(first(node)..=first(node + 1) - 1, Some(name(node)));
    }
    view
}
