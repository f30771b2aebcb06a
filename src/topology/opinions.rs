//! What sentinels say about their master, and which server is believed to be it.

use crate::{
    error::{Cause, NodeError},
    id::NodeId,
    node::no_master,
    time::{Duration, Instant},
};

/// For how long no sentinel is believed that names a replaced master. Sentinels tell each other of a switch within 2 s or so, and
/// the former master goes on as one for about 10 s.
const DISTRUST: Duration = Duration::from_millis(10_000);

/// How many servers are remembered that were replaced.
const MOST_REPLACED: usize = 8;

/// A sentinel's answer: the server that it names, `None` for no master of that name, or why it could not be asked.
type Said = Result<Option<NodeId>, NodeError>;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Opinions {
    /// The first of the sentinels.
    first: NodeId,
    /// Those of each sentinel, in the order of their numbers.
    views: Vec<View>,
    /// The servers that were replaced, and until when no sentinel is believed that names one of them. The newest come last.
    replaced: Vec<(NodeId, Instant)>,
    /// The server that was taken for the master, and said that it is a replica.
    demoted: Option<NodeId>,
}

/// The opinion of one sentinel.
#[derive(Clone, Debug, Default, Hash)]
struct View {
    /// Its last answer.
    said: Option<Said>,
    /// The server that it named last, whatever it has answered since.
    named: Option<NodeId>,
    /// Whether its answer is still to come.
    is_asked: bool,
}

/// Which server is the master, by what the sentinels say.
pub(crate) enum Verdict {
    Master(NodeId),
    /// Others may still answer.
    Open,
    Unknown(NodeError),
}

impl Opinions {
    /// The opinions of `count` sentinels, of which this is the first.
    pub(crate) fn of(first: NodeId, count: u32) -> Self {
        let views = (0..count).map(|_| View::default()).collect();
        Self { first, views, replaced: Vec::new(), demoted: None }
    }

    /// The sentinels.
    pub(crate) fn sentinels(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = self.first.0;
        let count = u32::try_from(self.views.len()).unwrap_or(u32::MAX);
        (first..first.saturating_add(count)).map(NodeId)
    }

    /// Whether the server is one of the sentinels.
    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.place(node).is_some_and(|place| place < self.views.len())
    }

    fn place(&self, node: NodeId) -> Option<usize> {
        usize::try_from(node.0.checked_sub(self.first.0)?).ok()
    }

    /// All sentinels are being asked.
    pub(crate) fn ask_all(&mut self) {
        self.views.iter_mut().for_each(|view| view.is_asked = true);
    }

    /// Those that have not answered have had their time.
    pub(crate) fn end_late(&mut self) {
        let late = || NodeError::connection(Cause::Unknown, "the sentinel has not answered in time");
        for view in self.views.iter_mut().filter(|view| view.is_asked) {
            *view = View { said: Some(Err(late())), is_asked: false, ..*view };
        }
    }

    /// Notes what a sentinel says. Returns whether it said so before; `None` if it is no sentinel.
    pub(crate) fn note(&mut self, from: NodeId, said: Said) -> Option<bool> {
        let place = self.place(from)?;
        let view = self.views.get_mut(place)?;
        let is_known = match (&view.said, &said) {
            (Some(Ok(before)), Ok(after)) => before == after,
            (before, after) => matches!(before, Some(Err(_))) && after.is_err(),
        };
        let named = said.as_ref().ok().copied().flatten();
        let before = view.named;
        *view = View { said: Some(said), is_asked: false, named: named.or(before) };
        if let Some(named) = named.filter(|&named| before.is_some_and(|before| before != named)) {
            // What sentinels know is never older than before: it was replaced, and is the master again.
            self.replaced.retain(|&(replaced, _)| replaced != named);
        }
        Some(is_known)
    }

    /// The server was replaced: for a time no sentinel is believed that names it, and then only a majority of all.
    pub(crate) fn distrust(&mut self, node: NodeId, now: Instant) {
        self.trust(node);
        self.replaced.push((node, now.after(DISTRUST)));
        if self.replaced.len() > MOST_REPLACED {
            self.replaced.remove(0);
        }
    }

    /// The server says that it is a replica: of as many sentinels, those that name another one are right.
    pub(crate) const fn demote(&mut self, node: NodeId) {
        self.demoted = Some(node);
    }

    /// The server is taken for the master.
    pub(crate) fn trust(&mut self, node: NodeId) {
        self.replaced.retain(|&(replaced, _)| replaced != node);
        self.demoted = self.demoted.filter(|&demoted| demoted != node);
    }

    /// Which server is the master, by what the sentinels say, if the `present` one is known. Without a majority of all sentinels
    /// it stays, if its connection `lives`. `name` is their name for it, for errors.
    pub(crate) fn verdict(&self, name: &[u8], present: Option<NodeId>, lives: bool, now: Instant) -> Verdict {
        let named = || self.answers().filter_map(|said| said.as_ref().ok().copied().flatten());
        let votes = |node| named().filter(|&each| each == node).count();
        let weight = |node| votes(node).saturating_mul(2).saturating_sub((self.demoted == Some(node)).into());
        let mut best = None;
        let mut is_tie = false;
        for node in named().filter(|&node| self.trusts(node, votes(node), now)) {
            match best {
                Some(leader) if leader == node => {}
                Some(leader) if weight(leader) > weight(node) => {}
                Some(leader) if weight(leader) == weight(node) => is_tie = true,
                _ => (best, is_tie) = (Some(node), false),
            }
        }
        match best {
            Some(node) if self.is_majority(votes(node)) => Verdict::Master(node),
            _ if self.views.iter().any(|view| view.is_asked) => Verdict::Open,
            Some(node) if !is_tie && !lives => Verdict::Master(node),
            // Few sentinels, or as many for each: the present master is no worse than another.
            best => match (present, best) {
                (Some(present), _) => Verdict::Master(present),
                (None, Some(_)) => Verdict::Unknown(NodeError::connection(Cause::Unknown, DISAGREE)),
                (None, None) => Verdict::Unknown(self.error(name)),
            },
        }
    }

    /// Whether so many sentinels suffice to believe that this server is the master.
    fn trusts(&self, node: NodeId, votes: usize, now: Instant) -> bool {
        let replaced = self.replaced.iter().find(|&&(replaced, _)| replaced == node);
        replaced.is_none_or(|&(_, until)| until <= now && self.is_majority(votes))
    }

    fn is_majority(&self, votes: usize) -> bool {
        votes > self.views.len() / 2
    }

    /// Whether half of the sentinels have answered.
    pub(crate) fn has_half_answered(&self) -> bool {
        self.answers().filter(|said| said.is_ok()).count() >= self.views.len().div_ceil(2)
    }

    /// What those say whose answer is not still to come.
    fn answers(&self) -> impl Iterator<Item = &Result<Option<NodeId>, NodeError>> {
        self.views.iter().filter(|view| !view.is_asked).filter_map(|view| view.said.as_ref())
    }

    /// Why no master is known: an error that may pass, if there is one.
    fn error(&self, name: &[u8]) -> NodeError {
        let errors = || self.answers().filter_map(|said| said.as_ref().err());
        let passing = errors().find(|error| !error.is_permanent());
        match passing.or_else(|| errors().next()) {
            Some(error) => error.clone(),
            None => NodeError::Server(no_master(name).into()),
        }
    }
}

const DISAGREE: &str = "the sentinels name different masters";

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Said = Ok(None);

    fn said(node: u32) -> Said {
        Ok(Some(NodeId(node)))
    }

    fn gone() -> Said {
        Err(NodeError::connection(Cause::Unknown, "gone"))
    }

    fn opinions(all: &[Said]) -> Opinions {
        let count = u32::try_from(all.len()).unwrap();
        let mut opinions = Opinions::of(NodeId(2), count);
        for (sentinel, said) in (2..).map(NodeId).zip(all) {
            opinions.note(sentinel, said.clone());
        }
        opinions
    }

    fn master(opinions: &Opinions, present: Option<u32>, lives: bool, at: u64) -> Option<u32> {
        let now = Instant::default().after(Duration::from_millis(at));
        match opinions.verdict(b"m", present.map(NodeId), lives, now) {
            Verdict::Master(NodeId(node)) => Some(node),
            Verdict::Open | Verdict::Unknown(_) => None,
        }
    }

    #[test]
    fn most_of_those_who_answer_are_believed() {
        for (all, present, lives, expected) in [
            (vec![said(7)], None, false, Some(7)),
            (vec![said(8), said(7), said(7)], None, false, Some(7)),
            (vec![said(8), said(7), said(7)], Some(8), true, Some(7)),
            (vec![said(7), gone(), gone()], None, false, Some(7)),
            (vec![said(7), gone(), gone()], Some(8), true, Some(8)),
            (vec![said(7), gone(), gone()], Some(8), false, Some(7)),
            (vec![said(7), said(8)], None, false, None),
            (vec![said(7), said(8)], Some(8), false, Some(8)),
            (vec![said(7), said(7), said(8), said(8), said(9)], None, false, None),
            (vec![said(7), said(7), said(8), said(9), gone()], None, false, Some(7)),
            (vec![gone(), gone()], Some(8), false, Some(8)),
            (vec![NONE, NONE], None, false, None),
            (vec![NONE, said(7), NONE], None, false, Some(7)),
        ] {
            let shown = format!("{all:?}, {present:?}, {lives}");
            assert_eq!(master(&opinions(&all), present, lives, 0), expected, "{shown}");
        }
    }

    #[test]
    fn those_whose_answer_is_still_to_come_may_decide() {
        let mut asked = opinions(&[said(7), said(7), said(7)]);
        asked.ask_all();
        asked.note(NodeId(2), said(8));
        assert_eq!(master(&asked, None, false, 0), None);
        asked.note(NodeId(3), said(8));
        assert_eq!(master(&asked, None, false, 0), Some(8), "the third one changes nothing");
    }

    #[test]
    fn a_server_that_was_replaced_is_the_master_again_by_a_majority_later() {
        let mut all = opinions(&[said(7), said(7), said(8)]);
        all.distrust(NodeId(7), Instant::default());
        all.distrust(NodeId(6), Instant::default());
        assert_eq!(master(&all, None, false, 9_999), Some(8));
        assert_eq!(master(&all, None, false, 10_000), Some(7));
        let mut few = opinions(&[said(7), gone(), gone()]);
        few.distrust(NodeId(7), Instant::default());
        assert_eq!(master(&few, None, false, 60_000), None);
        few.trust(NodeId(7));
        assert_eq!(master(&few, None, false, 60_000), Some(7));
    }

    #[test]
    fn a_sentinel_that_names_a_replaced_server_again_has_seen_another_switch() {
        let mut all = opinions(&[said(8), said(7), said(7)]);
        all.distrust(NodeId(7), Instant::default());
        all.note(NodeId(3), gone());
        all.note(NodeId(3), said(7));
        assert_eq!(master(&all, Some(8), false, 3_000), Some(8), "this one may only be behind");
        all.note(NodeId(2), gone());
        all.note(NodeId(2), said(7));
        assert_eq!(master(&all, Some(8), false, 3_000), Some(7));
    }

    #[test]
    fn an_error_that_may_pass_is_told_before_a_permanent_one() {
        let refused = || NodeError::NotRedis;
        for (all, permanent) in [
            (vec![Err(refused()), gone()], false),
            (vec![Err(refused()), Err(refused())], true),
            (vec![NONE, NONE], true),
            (vec![NONE, gone()], false),
        ] {
            let verdict = opinions(&all).verdict(b"m", None, false, Instant::default());
            assert!(
                matches!(verdict, Verdict::Unknown(error) if error.is_permanent() == permanent),
                "{all:?}"
            );
        }
    }
}
