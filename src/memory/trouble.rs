/// A state in which a server refuses commands that it would run otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// Commands that need memory are refused. Other commands work, and scripts until they call such a command.
    OutOfMemory,
    /// The server is loading its data set.
    Loading,
    /// The server is running a slow script.
    Busy,
    /// The server has become a replica.
    ReadOnly,
    /// The server is a replica without a master, and must not serve stale data.
    MasterDown,
    /// The cluster is down.
    ClusterDown,
    /// The server cannot persist, so it accepts no writes.
    Misconfigured,
    /// Too few replicas are in sync.
    NoReplicas,
    /// The keys are being moved to another server.
    TryAgain,
}

impl Trouble {
    /// Every trouble.
    pub const ALL: [Self; 9] = [
        Self::OutOfMemory,
        Self::Loading,
        Self::Busy,
        Self::ReadOnly,
        Self::MasterDown,
        Self::ClusterDown,
        Self::Misconfigured,
        Self::NoReplicas,
        Self::TryAgain,
    ];

    /// The error, in the words of Redis 7.0.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::Loading => "LOADING Redis is loading the dataset in memory",
            Self::Busy => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
            Self::ReadOnly => "READONLY You can't write against a read only replica.",
            Self::MasterDown => {
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
            }
            Self::ClusterDown => "CLUSTERDOWN The cluster is down",
            Self::Misconfigured => {
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
            }
            Self::NoReplicas => "NOREPLICAS Not enough good replicas to write.",
            Self::TryAgain => "TRYAGAIN Multiple keys request during rehashing of slot",
        }
    }
}
