//! What went wrong that no client can make up for: the assumptions on servers and clocks that did not hold.

use crate::plan::{Micros, Settings};

pub struct Exemptions {
    /// Whether anything is excused.
    enabled: bool,
    rates_broken: bool,
    /// When what a lock rests on was lost: locks asked for before may have two believers. `None` for all keys.
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

    /// A server lost what its fencing tokens are counted by.
    pub fn counters_lost(&mut self) {
        self.counters_lost = true;
    }

    /// A server's clock was set. Forward, leases end early.
    pub fn clock_set(&mut self, by: i64, time: Micros) {
        if by > 0 {
            self.losses.push((time, None));
        } else {
            self.stepped_back = true;
        }
    }

    /// Whether this key may have two believers, one of whom asked then.
    pub fn two_believers(&self, key: usize, since: Micros) -> bool {
        let concerns =
            |&(time, lost): &(Micros, Option<usize>)| time >= since && lost.is_none_or(|lost| lost == key);
        self.enabled && (self.rates_broken || self.losses.iter().any(concerns))
    }

    /// Whether fencing tokens may begin anew.
    pub fn fence_reset(&self) -> bool {
        self.enabled && self.counters_lost && self.stepped_back
    }
}
