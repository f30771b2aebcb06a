/// How far messages on a channel reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All nodes of a cluster: PUBLISH, SUBSCRIBE.
    Everywhere,
    /// The shard that has the channel's slot: SPUBLISH, SSUBSCRIBE.
    Shard,
}

impl Scope {
    /// What the pushes about subscriptions and messages begin with.
    pub(super) const fn words(self) -> [&'static str; 3] {
        match self {
            Self::Everywhere => ["message", "subscribe", "unsubscribe"],
            Self::Shard => ["smessage", "ssubscribe", "sunsubscribe"],
        }
    }
}
