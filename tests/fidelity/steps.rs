//! What happens in a random sequence: commands in many states, at many times, by several users.

use proptest::prelude::*;
use redlatch::{EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, EXTEND, FAIR_ACQUIRE, FAIR_RELEASE, Script};

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
    /// The time at that step, in ms, plus this many.
    Now(i64),
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) if text.len() < 100 => write!(f, "{}", text.escape_ascii()),
            Self::Text(text) => write!(f, "({} bytes)", text.len()),
            Self::Now(more) => write!(f, "now{more:+}"),
        }
    }
}

impl Word {
    pub fn render(&self, now: u64) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Now(more) => (now as i64 / 1000 + more).to_string().into_bytes(),
        }
    }
}

/// The users that a sequence begins with, each with the rules for ACL SETUSER after the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Users {
    pub default_needs_password: bool,
    /// What `bob` may not do.
    pub denied: &'static [&'static str],
    pub no_channels: bool,
}

pub fn users() -> impl Strategy<Value = Users> {
    let denied = prop::sample::select(vec![
        &[] as &[_],
        &["set"],
        &["get"],
        &["publish"],
        &["time", "zrem"],
        &["script|load", "client|setname"],
        &["pexpire", "del"],
    ]);
    (prop::bool::weighted(0.2), denied, prop::bool::weighted(0.3)).prop_map(
        |(default_needs_password, denied, no_channels)| Users { default_needs_password, denied, no_channels },
    )
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
fn time() -> impl Strategy<Value = i64> {
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

fn text(text: impl AsRef<[u8]>) -> Word {
    Word::Text(text.as_ref().to_vec())
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Word> {
    prop::sample::select(texts).prop_map(text)
}

fn lock() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

fn derived(name: &str, lock: &str) -> String {
    format!("{{{lock}}}:redlatch:{name}:{lock}")
}

fn key() -> impl Strategy<Value = Word> {
    let name = prop::sample::select(vec!["", "fence", "waiters", "queue", "places"]);
    (name, lock())
        .prop_map(|(name, lock)| if name.is_empty() { text(lock) } else { text(derived(name, lock)) })
}

fn token() -> impl Strategy<Value = Word> {
    one_of(&["t1", "t2", "t3", "t4"])
}

fn client() -> impl Strategy<Value = Word> {
    one_of(&["c1", "c2", "c3"])
}

fn waiter() -> impl Strategy<Value = Word> {
    one_of(&["c1:1", "c1:2", "c2:1", "c2:7", "c3:1", "c3:12"])
}

/// The claim of a lock whose token may be used again; mostly none.
fn claim() -> impl Strategy<Value = Word> {
    prop_oneof![1 => Just(text("")), 3 => one_of(&["c1:1", "c1:2", "c1:10", "c2:1", "c2:7"])]
}

fn call(words: impl IntoIterator<Item = Word>) -> Vec<Word> {
    words.into_iter().collect()
}

fn command() -> impl Strategy<Value = Vec<Word>> {
    prop_oneof![10 => script(), 8 => plain(), 2 => odd(), 2 => session()]
}

/// A call of one of the scripts, by hash or by source, on one to three locks.
fn script() -> impl Strategy<Value = Vec<Word>> {
    let none = || text("");
    let waits = move || prop_oneof![1 => Just(none()), 3 => waiter()];
    let acquire = (token(), span(), waits(), span(), claim()).prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]);
    let extend = (token(), prop_oneof![4 => span(), 1 => Just(text("0"))], claim())
        .prop_map(|(a, b, c)| vec![a, b, c]);
    let release = || (token(), waits(), claim()).prop_map(|(a, b, c)| vec![a, b, c]);
    let fair = (token(), span(), waiter(), span(), one_of(&["1", "1", "1", "0"]), claim())
        .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]);
    let which = prop_oneof![
        3 => acquire.prop_map(|rest| (&EXCLUSIVE_ACQUIRE, &["fence", "waiters"][..], rest)),
        2 => extend.prop_map(|rest| (&EXTEND, &["fence"][..], rest)),
        2 => release().prop_map(|rest| (&EXCLUSIVE_RELEASE, &["fence", "waiters"][..], rest)),
        5 => fair.prop_map(|rest| (&FAIR_ACQUIRE, &["fence", "queue", "places"][..], rest)),
        3 => release().prop_map(|rest| (&FAIR_RELEASE, &["fence", "queue", "places"][..], rest)),
    ];
    let locks = prop_oneof![
        5 => lock().prop_map(|lock| vec![lock]),
        2 => prop::sample::subsequence(vec!["a", "b", "c"], 2..=3),
    ];
    (which, locks, prop::bool::weighted(0.3)).prop_map(
        |((script, names, rest), locks, by_source): ((&'static Script, _, _), Vec<&str>, bool)| {
            let form = if by_source {
                [text("EVAL"), text(script.source)]
            } else {
                [text("EVALSHA"), text(script.sha1)]
            };
            let mut words = form.to_vec();
            let mut keys: Vec<_> = locks.iter().map(text).collect();
            keys.extend(names.iter().flat_map(|name| locks.iter().map(|lock| text(derived(name, lock)))));
            words.push(text(keys.len().to_string()));
            words.extend(keys);
            words.push(text("00000000000000ab"));
            words.extend(rest);
            words
        },
    )
}

/// Commands that the scripts use, on the keys that they use.
fn plain() -> impl Strategy<Value = Vec<Word>> {
    let named = |name: &'static str| Just(text(name));
    // What a counter may hold, and what it should not.
    let content = prop_oneof![
        3 => token(),
        2 => one_of(&["7", "1700000000000000", "9007199254740992", "9223372036854775807", "99999999999999999999"]),
        1 => one_of(&["", "-5", " 12 ", "1e3", "0x10", "inf", "nan", "12abc", "1.5", "+3", "0"]),
        2 => one_of(&["5 c1:1", "5 c1:7", "5 c2:1", "5 c1:x", "5 :1", "5 c1:", "5  c1:2", "5 ", " c1:2", "5 a:c1:2", "x c1:9"]),
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
            call([text("SET"), key, content].into_iter().chain(options))
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
            call([a, b, c, d].into_iter().chain(scored.then(|| text("WITHSCORES"))))
        }),
        (named("ZPOPMIN"), key()).prop_map(|(a, b)| vec![a, b]),
        Just(vec![text("TIME")]),
    ]
}

/// Commands about the session: its user, its protocol version, its subscriptions.
fn session() -> impl Strategy<Value = Vec<Word>> {
    let words = |line: &'static str| Just(line.split(' ').map(text).collect::<Vec<_>>());
    let channel = || one_of(&["redlatch:wake:c1", "redlatch:wake:c2", "other"]);
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
        "FLUSHALL WHAT",
    ])
    .prop_filter("grammar that is beyond", |line| !line.is_empty())
    .prop_map(|line| line.split(' ').map(text).collect())
}
