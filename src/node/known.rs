//! What is known of the scripts on one connection: whether the server has each of them, and so how a command names it.

use super::run::{Form, with_source};
use crate::script::Script;

/// What is known of the scripts that were used on a connection.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct KnownScripts(Vec<(&'static Script, Known)>);

/// Whether the server has a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Known {
    /// One command used it, and has no answer yet. `unsent` is where its bytes begin among those not sent yet.
    Asked {
        unsent: Option<usize>,
    },
    /// A command with its source is in flight, so later commands may use the hash. Without it, each of many commands
    /// that are sent before the first answer would get NOSCRIPT.
    OnItsWay,
    Yes,
    /// It got NOSCRIPT and has not run since. It is sent with EVAL for every lock, because the lock that got NOSCRIPT
    /// may have given up by then.
    No,
}

/// What a reply turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paired {
    /// The script ran.
    Ran,
    /// An error, for every lock of the command.
    Refused,
    /// The server does not have the script.
    NoScript,
    /// The reply does not belong to the command.
    Mismatch,
}

impl KnownScripts {
    /// How to send the script in a command that is about to be appended to `out`. If only one command used it so far, and
    /// its bytes are still in `out`, that command gets the source: all commands keep their order, and none gets NOSCRIPT.
    /// Then the second result is true. `keeps_order` if commands are sent in the order in which they are appended.
    pub(super) fn form_of(
        &mut self,
        script: &'static Script,
        keeps_order: bool,
        out: &mut Vec<u8>,
    ) -> (Form, bool) {
        let Some(known) = self.get(script) else {
            let unsent = keeps_order.then_some(out.len());
            self.0.push((script, Known::Asked { unsent }));
            return (Form::Hash, false);
        };
        match *known {
            Known::Asked { unsent: Some(start) } => {
                *known = Known::OnItsWay;
                let longer = with_source(script, start, out);
                for (_, known) in &mut self.0 {
                    if let Known::Asked { unsent: Some(other) } = known
                        && *other > start
                    {
                        *other = other.saturating_add(longer);
                    }
                }
                (Form::Hash, true)
            }
            Known::No => (Form::Source, false),
            Known::Asked { unsent: None } | Known::OnItsWay | Known::Yes => (Form::Hash, false),
        }
    }

    /// The bytes of all commands so far were taken.
    pub(super) fn transmitted(&mut self) {
        for (_, known) in &mut self.0 {
            if let Known::Asked { unsent } = known {
                *unsent = None;
            }
        }
    }

    /// Notes what the reply to a command with this form was.
    pub(super) fn learn(&mut self, script: &'static Script, form: Form, reply: Paired) {
        let Some(known) = self.get(script) else { return };
        match reply {
            Paired::Ran => *known = Known::Yes,
            Paired::NoScript if *known != Known::OnItsWay => *known = Known::No,
            Paired::Refused if form == Form::Source => *known = Known::No,
            Paired::NoScript | Paired::Refused | Paired::Mismatch => {}
        }
    }

    fn get(&mut self, script: &'static Script) -> Option<&mut Known> {
        self.0.iter_mut().find(|(each, _)| *each == script).map(|(_, known)| known)
    }
}
