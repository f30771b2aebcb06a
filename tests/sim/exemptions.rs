//! Assumptions on servers and clocks that did not hold: no client can keep its promises without them.

use crate::plan::{Micros, Settings};

pub struct Exemptions {
    /// Whether broken assumptions exempt from the rules at all.
    enabled: bool,
    rates_broken: bool,
    /// When a server lost keys (`None` for all of them): a lock requested before that may have two believers.
    losses: Vec<(Micros, Option<usize>)>,
    counters_lost: bool,
    stepped_back: bool,
}

impl Exemptions {
    pub fn new(settings: &Settings) -> Self {
        Self {
            enabled: settings.exemptions,
            rates_broken: settings.rates_broken,
            losses: Vec::new(),
            counters_lost: false,
            stepped_back: false,
        }
    }

    /// A server lost this key, or all of them.
    pub fn keys_lost(&mut self, key: Option<usize>, time: Micros) {
        self.losses.push((time, key));
    }

    /// A server lost its fence counters.
    pub fn counters_lost(&mut self) {
        self.counters_lost = true;
    }

    /// A server's clock was set. If it was set forward, leases end early.
    pub fn clock_set(&mut self, by: i64, time: Micros) {
        if by > 0 {
            self.losses.push((time, None));
        } else {
            self.stepped_back = true;
        }
    }

    /// Whether this key may have two believers, the first of which requested it at that time.
    pub fn two_believers(&self, key: usize, since: Micros) -> bool {
        let concerns =
            |&(time, lost): &(Micros, Option<usize>)| time >= since && lost.is_none_or(|lost| lost == key);
        self.enabled && (self.rates_broken || self.losses.iter().any(concerns))
    }

    /// Whether fencing tokens may start again from a smaller number.
    pub fn fence_reset(&self) -> bool {
        self.enabled && self.counters_lost && self.stepped_back
    }
}
