use crate::time::Duration;

/// What all locks of an engine have in common.
#[derive(Clone, Debug, Hash)]
pub struct Policy {
    /// The error allowed for in the rate of clocks, in millionths. 10 000 is 1 %.
    pub drift: u32,
    /// The shortest pause between attempts.
    pub retry_min: Duration,
    /// The longest pause between attempts.
    pub retry_max: Duration,
    /// How long a server may take to answer; by default 5 % of the lease, 20 ms to 1 s.
    pub node_timeout: Option<Duration>,
    /// How long a connection, with its handshake, may take.
    pub connect_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            drift: 10_000,
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_millis(250),
            node_timeout: None,
            connect_timeout: Duration::from_millis(5000),
        }
    }
}
