//! What happens in a random sequence: commands in many states, at many times, by several users.

use proptest::prelude::*;
use redlatch::{
    ADOPT, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, MULTI_ACQUIRE,
    RAISE_FENCE, Script,
};

/// Connections that a sequence has.
pub const CONNECTIONS: usize = 3;

#[derive(Clone, Debug)]
pub enum Step {
    /// Microseconds that pass, or are taken back.
    Time(i64),
    /// Commands in one write, on that connection.
    Commands(usize, Vec<Vec<Word>>),
    /// The server is out of memory from here on, or not any more.
    OutOfMemory(bool),
    /// The connection is made anew.
    Reconnect(usize),
}

#[derive(Clone, PartialEq, Eq)]
pub enum Word {
    Text(Vec<u8>),
    /// A key or a channel, which begins with the prefix.
    Key(String),
    /// The time at that step, in ms, plus this many.
    Now(i64),
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) if text.len() < 100 => write!(f, "{}", text.escape_ascii()),
            Self::Text(text) => write!(f, "({} bytes)", text.len()),
            Self::Key(key) => write!(f, "<prefix>{key}"),
            Self::Now(more) => write!(f, "now{more:+}"),
        }
    }
}

impl Word {
    pub fn render(&self, now: u64, prefix: &str) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Key(key) => format!("{prefix}{key}").into_bytes(),
            Self::Now(more) => (now as i64 / 1000 + more).to_string().into_bytes(),
        }
    }
}

/// Sequences of about 300 commands.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..CONNECTIONS, prop::collection::vec(command(), 1..9)).prop_map(|(on, all)| Step::Commands(on, all)),
        4 => time().prop_map(Step::Time),
        1 => prop_oneof![3 => Just(false), 1 => Just(true)].prop_map(Step::OutOfMemory),
        1 => (0..CONNECTIONS).prop_map(Step::Reconnect),
    ];
    prop::collection::vec(step, 1..180)
}

/// Steps that meet the spans of [`span`] to the microsecond.
pub fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => prop::sample::select(vec![1, 999, 1000, 1001, 99_000, 100_000, 101_000, 1_000_000]),
        2 => prop::sample::select(vec![5_000_000, 30_000_000, 3_600_000_000, 7_200_000_000]),
        1 => prop::sample::select(vec![-1, -1000, -100_000, -5_000_000]),
    ]
}

/// A span in ms.
fn span() -> impl Strategy<Value = Word> {
    prop::sample::select(vec!["1", "2", "100", "101", "1000", "5000", "30000"]).prop_map(text)
}

/// A registration TTL, negative if the lock cannot have registered before.
fn registration_ttl() -> impl Strategy<Value = Word> {
    let first = prop::sample::select(vec!["-1", "-100", "-5000", "0"]).prop_map(text);
    prop_oneof![span(), first]
}

pub fn text(text: impl AsRef<[u8]>) -> Word {
    Word::Text(text.as_ref().to_vec())
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Word> {
    prop::sample::select(texts).prop_map(text)
}

fn lock() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

pub fn derived(name: &str, lock: &str) -> String {
    format!("redlatch:{name}:{{{lock}}}")
}

pub const COUNTER: &str = "redlatch:fence";

fn key() -> impl Strategy<Value = Word> {
    let name = prop::sample::select(vec!["", "waiters", "queue", "places"]);
    let of_lock = (name, lock())
        .prop_map(|(name, lock)| if name.is_empty() { lock.to_owned() } else { derived(name, lock) });
    prop_oneof![8 => of_lock, 1 => Just(COUNTER.to_owned())].prop_map(Word::Key)
}

fn token() -> impl Strategy<Value = Word> {
    one_of(&["t1", "t2", "t3", "t4"])
}

pub fn client() -> impl Strategy<Value = Word> {
    one_of(&["c1", "c2", "c3", SHARDED])
}

/// A client that listens to shard channels.
pub const SHARDED: &str = "c4{x}";

pub fn waiter() -> impl Strategy<Value = Word> {
    one_of(&["c1:1", "c1:2", "c2:1", "c2:7", "c3:1", "c3:12", "c4{x}:1", "c4{x}:3"])
}

/// Claims of locks whose tokens may be used again.
const CLAIMS: &[&str] = &["c1:1", "c1:2", "c1:10", "c2:1", "c2:7", "c4{x}:1"];

/// What a lock key holds: a token, mostly with a claim.
pub fn value() -> impl Strategy<Value = Word> {
    let claimed = (prop::sample::select(vec!["t1", "t2", "t 3"]), prop::sample::select(CLAIMS))
        .prop_map(|(token, claim)| text(format!("{token} {claim}")));
    prop_oneof![2 => token(), 3 => claimed]
}

fn words(words: impl IntoIterator<Item = Word>) -> Vec<Word> {
    words.into_iter().collect()
}

/// Any command.
pub fn command() -> impl Strategy<Value = Vec<Word>> {
    prop_oneof![10 => script(), 8 => plain(), 2 => odd(), 2 => session()]
}

/// A call of one of the scripts, by hash or by source.
pub fn script() -> impl Strategy<Value = Vec<Word>> {
    let which = prop_oneof![
        4 => exclusive_acquire(), 2 => multi_acquire(), 1 => raise_fence(), 2 => extend(), 1 => adopt(), 3 => exclusive_release(),
        5 => fair_acquire(), 3 => fair_release(),
    ];
    (which, prop::bool::weighted(0.3)).prop_map(|(Call { script, keys, arguments }, by_source)| {
        let form = if by_source {
            [text("EVAL"), text(script.source)]
        } else {
            [text("EVALSHA"), text(script.sha1)]
        };
        let mut words = form.to_vec();
        words.push(text(keys.len().to_string()));
        words.extend(keys.into_iter().map(Word::Key));
        words.push(text("n0000000000000ab"));
        words.extend(arguments);
        words
    })
}

#[derive(Clone, Debug)]
struct Call {
    script: &'static Script,
    keys: Vec<String>,
    /// ARGV behind the nonce.
    arguments: Vec<Word>,
}

/// The keys of these locks, lock by lock, and the fence counter.
fn keys_of(locks: &[&str], names: &[&str], counter: bool) -> Vec<String> {
    let keys = locks.iter().flat_map(|lock| {
        [(*lock).to_owned()].into_iter().chain(names.iter().map(|name| derived(name, lock)))
    });
    keys.chain(counter.then(|| COUNTER.to_owned())).collect()
}

/// The locks of one call that takes all or none.
fn locks() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![
        5 => lock().prop_map(|lock| vec![lock]),
        2 => prop::sample::subsequence(vec!["a", "b", "c"], 2..=3),
    ]
}

/// The independent locks of one call, up to as many as a client asks for at once, also the same lock more than once.
fn run() -> impl Strategy<Value = Vec<(&'static str, Word, Word)>> {
    let any = (0..26_usize).prop_map(|at| &"abcdefghijklmnopqrstuvwxyz"[at..=at]);
    prop_oneof![
        12 => prop::collection::vec((lock(), value(), waiter()), 1..=1),
        6 => prop::collection::vec((lock(), value(), waiter()), 2..=6),
        2 => prop::collection::vec((any, value(), waiter()), 2..=32),
    ]
}

fn exclusive_acquire() -> BoxedStrategy<Call> {
    (run(), span(), prop::option::weighted(0.6, registration_ttl()), prop::bool::weighted(0.8))
        .prop_map(|(run, lease, kept, counter)| {
            let locks: Vec<_> = run.iter().map(|(lock, ..)| *lock).collect();
            let names: &[&str] = if kept.is_some() { &["waiters"] } else { &[] };
            let keys = keys_of(&locks, names, counter);
            let each = run.into_iter().flat_map(|(_, value, waiter)| {
                [value].into_iter().chain(kept.is_some().then_some(waiter)).collect::<Vec<_>>()
            });
            let first = [lease, kept.clone().unwrap_or_else(|| text(""))];
            Call { script: &EXCLUSIVE_ACQUIRE, keys, arguments: first.into_iter().chain(each).collect() }
        })
        .boxed()
}

fn multi_acquire() -> BoxedStrategy<Call> {
    (
        locks(),
        span(),
        prop::option::weighted(0.6, registration_ttl()),
        value(),
        waiter(),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(locks, lease, kept, value, waiter, counter)| {
            let names: &[&str] = if kept.is_some() { &["waiters"] } else { &[] };
            let keys = keys_of(&locks, names, counter);
            let count = text(locks.len().to_string());
            let kept = kept.unwrap_or_else(|| text(""));
            Call { script: &MULTI_ACQUIRE, keys, arguments: vec![count, lease, kept, value, waiter] }
        })
        .boxed()
}

fn raise_fence() -> BoxedStrategy<Call> {
    // Below and above what the counter has, by the server's time.
    let fence = one_of(&["1", "1700000000000000", "1900000000000000", "9007199254740880"]);
    (locks(), value(), fence)
        .prop_map(|(locks, value, fence)| Call {
            script: &RAISE_FENCE,
            keys: keys_of(&locks, &[], true),
            arguments: vec![value, fence],
        })
        .boxed()
}

fn extend() -> BoxedStrategy<Call> {
    let lease = || prop_oneof![4 => span(), 1 => Just(text("0"))];
    let one = (locks(), lease(), value()).prop_map(|(locks, lease, value)| (locks, vec![lease, value]));
    let several = (run(), lease()).prop_map(|(run, lease)| {
        let locks: Vec<_> = run.iter().map(|(lock, ..)| *lock).collect();
        (locks, [lease].into_iter().chain(run.into_iter().map(|(_, value, _)| value)).collect())
    });
    prop_oneof![one, several]
        .prop_map(|(locks, arguments)| Call { script: &EXTEND, keys: keys_of(&locks, &[], false), arguments })
        .boxed()
}

fn adopt() -> BoxedStrategy<Call> {
    (locks(), span(), one_of(&["t1", "t2", "t 3"]), one_of(CLAIMS))
        .prop_map(|(locks, lease, token, claim)| Call {
            script: &ADOPT,
            keys: keys_of(&locks, &[], false),
            arguments: vec![lease, token, claim],
        })
        .boxed()
}

fn leaver() -> impl Strategy<Value = Word> {
    prop_oneof![1 => Just(text("")), 1 => waiter()]
}

fn exclusive_release() -> BoxedStrategy<Call> {
    (run(), leaver(), prop::bool::weighted(0.8))
        .prop_map(|(run, leaver, has_waiters)| {
            let locks: Vec<_> = run.iter().map(|(lock, ..)| *lock).collect();
            let keys = keys_of(&locks, if has_waiters { &["waiters"] } else { &[] }, false);
            let values = run.into_iter().map(|(_, value, _)| value);
            Call { script: &EXCLUSIVE_RELEASE, keys, arguments: [leaver].into_iter().chain(values).collect() }
        })
        .boxed()
}

fn fair_acquire() -> BoxedStrategy<Call> {
    (locks(), span(), value(), waiter(), span(), one_of(&["1", "1", "1", "0"]))
        .prop_map(|(locks, lease, value, waiter, kept, join)| {
            let keys = keys_of(&locks, &["queue", "places"], true);
            Call { script: &FAIR_ACQUIRE, keys, arguments: vec![lease, value, waiter, kept, join] }
        })
        .boxed()
}

fn fair_release() -> BoxedStrategy<Call> {
    (locks(), leaver(), value())
        .prop_map(|(locks, leaver, value)| {
            let keys = keys_of(&locks, &["queue", "places"], false);
            let values = vec![value; locks.len()];
            Call { script: &FAIR_RELEASE, keys, arguments: [leaver].into_iter().chain(values).collect() }
        })
        .boxed()
}

/// Commands that the scripts use, on the keys that they use.
fn plain() -> impl Strategy<Value = Vec<Word>> {
    let named = |name: &'static str| Just(text(name));
    // What a lock key and a counter may hold, and what they should not.
    let content = prop_oneof![
        3 => value(),
        3 => one_of(&["7", "1700000000000000", "100000000000000", "9007199254740990", "9007199254740992",
            "9223372036854775807", "99999999999999999999", "-5"]),
        1 => one_of(&["", " 12 ", "1e3", "0x10", "inf", "nan", "12abc", "1.5", "+3", "0"]),
        2 => one_of(&["t1 c1:1", "t1 c1:7", "t1 c1:x", "t1 :1", "t1 c1:", "t1  c1:2", "t1 ", " c1:2", "t1 a:c1:2", "t 3 c1:9"]),
    ];
    let ends = || one_of(&["0", "-1", "1", "-2", "5", "-9"]);
    let score = prop_oneof![3 => (-200_i64..6000).prop_map(Word::Now), 1 => one_of(&["0", "1", "2", "-3"])];
    let set_options = prop_oneof![
        2 => Just(vec![]),
        3 => span().prop_map(|span| vec![text("PX"), span]),
        1 => one_of(&["1", "10"]).prop_map(|span| vec![text("ex"), span]),
        1 => one_of(&["NX", "xx", "KEEPTTL"]).prop_map(|option| vec![option]),
        1 => span().prop_map(|span| vec![text("NX"), text("PX"), span]),
        1 => Just(vec![text("PX"), text("5"), text("XX")]),
    ];
    prop_oneof![
        (key(), content, set_options).prop_map(|(key, content, options)| {
            words([text("SET"), key, content].into_iter().chain(options))
        }),
        (one_of(&["GET", "PTTL", "INCR", "TYPE", "ZCARD", "DEL", "EXISTS"]), key())
            .prop_map(|(a, b)| vec![a, b]),
        (one_of(&["DEL", "exists"]), key(), key()).prop_map(|(a, b, c)| vec![a, b, c]),
        (named("PEXPIRE"), key(), prop_oneof![5 => span(), 1 => one_of(&["0", "-1"])])
            .prop_map(|(a, b, c)| vec![a, b, c]),
        (named("ZADD"), key(), score, prop_oneof![waiter(), client()])
            .prop_map(|(a, b, c, d)| vec![a, b, c, d]),
        (one_of(&["ZREM", "ZSCORE", "ZRANK"]), key(), prop_oneof![waiter(), client()])
            .prop_map(|(a, b, c)| vec![a, b, c]),
        (named("ZRANGE"), key(), ends(), ends(), prop::bool::ANY).prop_map(|(a, b, c, d, scored)| {
            words([a, b, c, d].into_iter().chain(scored.then(|| text("WITHSCORES"))))
        }),
        (named("ZPOPMIN"), key()).prop_map(|(a, b)| vec![a, b]),
        Just(vec![text("TIME")]),
        // Without a replica to wait for: for others a server waits by its clock, which stands still here.
        Just(vec![text("WAIT"), text("0"), text("1")]),
    ]
}

/// Commands about the session: its user, its protocol version, its subscriptions.
fn session() -> impl Strategy<Value = Vec<Word>> {
    let words = |line: &'static str| Just(line.split(' ').map(text).collect::<Vec<_>>());
    let channel = || {
        let wake = prop::sample::select(vec!["redlatch:wake:c1", "redlatch:wake:c2"]);
        prop_oneof![2 => wake.prop_map(|name| Word::Key(name.to_owned())), 1 => Just(text("other"))]
    };
    let shard_channel = || {
        let wake = Just(Word::Key(format!("redlatch:wake:{SHARDED}")));
        prop_oneof![3 => wake, 1 => one_of(&["other", "redlatch:wake:c1"])]
    };
    prop_oneof![
        3 => words("HELLO 3"), 1 => words("HELLO 2"), 1 => words("HELLO"), 1 => words("HELLO 4"), 1 => words("HELLO x"),
        2 => words("HELLO 3 AUTH default secret SETNAME redlatch"),
        2 => words("HELLO 3 AUTH bob builder"), 1 => words("HELLO 3 AUTH bob wrong"), 1 => words("HELLO 3 AUTH nobody x"),
        1 => words("HELLO 2 SETNAME"), 1 => words("HELLO 3 WHAT"), 1 => words("HELLO 3 SETNAME a\u{7f}b"),
        2 => words("AUTH secret"), 1 => words("AUTH bob builder"), 1 => words("AUTH bob wrong"), 1 => words("AUTH a b c"),
        4 => channel().prop_map(|channel| vec![text("SUBSCRIBE"), channel]),
        1 => words("SUBSCRIBE other redlatch:wake:c1 other"),
        2 => channel().prop_map(|channel| vec![text("UNSUBSCRIBE"), channel]),
        2 => channel().prop_map(|channel| vec![text("PUBLISH"), channel, text("12")]),
        4 => shard_channel().prop_map(|channel| vec![text("SSUBSCRIBE"), channel]),
        1 => (shard_channel(), shard_channel()).prop_map(|(one, other)| vec![text("SSUBSCRIBE"), one, other]),
        1 => shard_channel().prop_map(|channel| vec![text("SUNSUBSCRIBE"), channel]),
        1 => shard_channel().prop_map(|channel| vec![text("SUNSUBSCRIBE"), channel.clone(), channel]),
        1 => words("SSUBSCRIBE"), 1 => words("SPUBLISH x"),
        2 => shard_channel().prop_map(|channel| vec![text("SPUBLISH"), channel, text("3")]),
        1 => words("SELECT 0"), 1 => words("SELECT 1"), 1 => words("SELECT 16"), 1 => words("SELECT x"),
        1 => words("CLIENT SETNAME me"), 1 => words("CLIENT GETNAME"), 1 => words("CLIENT ID"), 1 => words("PING"),
        1 => words("PING hello"), 1 => words("SCRIPT FLUSH"), 1 => words("SCRIPT FLUSH ASYNC"), 1 => words("SCRIPT FLUSH x"),
        1 => words("FLUSHDB"), 1 => words("FLUSHALL SYNC"),
        1 => prop::sample::select(vec![&EXCLUSIVE_ACQUIRE, &FAIR_ACQUIRE, &FAIR_RELEASE])
            .prop_map(|script| vec![text("SCRIPT"), text("LOAD"), text(script.source)]),
        1 => prop::sample::select(vec![&EXCLUSIVE_RELEASE, &FAIR_ACQUIRE])
            .prop_map(|script| vec![text("SCRIPT"), text("EXISTS"), text(script.sha1), text("00")]),
    ]
}

/// Commands that are wrong in some way.
fn odd() -> impl Strategy<Value = Vec<Word>> {
    prop::sample::select(vec![
        "GET",
        "GET a b",
        "SET a",
        "SET a b PX",
        "SET a b PX 0",
        "SET a b PX x",
        "SET a b NX XX",
        "SET a b EX 10 PX 10",
        "SET a b PX 9223372036854775807",
        "SET a b WHAT",
        "SET a b KEEPTTL PX 5",
        "SET a b EX 9223372036854775807",
        "PEXPIRE a 01",
        "PEXPIRE a 9223372036854775807",
        "PEXPIRE a",
        "INCR",
        "TYPE",
        "ZADD a 1",
        "ZADD a 1 b 2",
        "ZRANGE a 0",
        "ZRANGE a x 1",
        "ZRANGE a 0 1 WHAT",
        "NOSUCH",
        "nosuch 1 2 3",
        "EVALSHA 00 0",
        "EVALSHA 00 -1",
        "EVALSHA 0123456789012345678901234567890123456789 2 a",
        "EVALSHA 0123456789012345678901234567890123456789 x a",
        "EVALSHA 0123456789012345678901234567890123456789 -1",
        "EVALSHA 00",
        "EVAL x",
        "HELLO 3 AUTH bob",
        "SUBSCRIBE",
        "PUBLISH other",
        "PING a b",
        "SELECT",
        "SCRIPT",
        "SCRIPT LOAD",
        "SCRIPT EXISTS",
        "CLIENT",
        "CLIENT ID x",
        "CLIENT SETNAME",
        "AUTH",
        "TIME 1",
        "TYPE a b",
        "PTTL a b",
        "ZSCORE a",
        "ZRANK a",
        "DEL",
        "EXISTS",
        "WAIT 1",
        "WAIT x 1",
        "WAIT 1 x",
        "WAIT 1 -1",
        "WAIT 1 1 1",
        "FLUSHALL WHAT",
        "ASKING",
        "ASKING x",
        "CLUSTER",
        "CLUSTER SLOTS",
        "CLUSTER SLOTS x",
        "CLUSTER MYID",
        "CLUSTER KEYSLOT a",
        "CLUSTER KEYSLOT",
    ])
    .prop_filter("grammar that is beyond", |line| !line.is_empty())
    .prop_map(|line| line.split(' ').map(text).collect())
}
