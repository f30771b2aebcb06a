use std::fmt;

/// The id of a node: 40 hexadecimal digits, of which the first are zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(pub u64);

/// What a view has about a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterNode {
    /// The host in redirects and in CLUSTER SLOTS. A node whose announced host is not known is called `?`. `None` if
    /// clients shall use the host that they asked: it is null in CLUSTER SLOTS and empty in redirects.
    pub host: Option<String>,
    /// The port for clients.
    pub port: u16,
    /// The other names of the host in CLUSTER SLOTS, such as `hostname`, each with its kind before it.
    pub metadata: Vec<(String, String)>,
    /// The master of a replica; `None` for a master.
    pub master: Option<NodeName>,
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:040x}", self.0)
    }
}

impl ClusterNode {
    /// A master at that address.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: Some(host.to_owned()), port, metadata: Vec::new(), master: None }
    }
}
