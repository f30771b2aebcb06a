//! One run of a script: its arguments, and the commands that it calls.

use super::lua;
use crate::{
    memory::{
        access::User,
        cluster::{Asking, ClusterView, Names, Refusal},
        keyspace::Keyspace,
        reply::{ErrorReply, Reply},
        scope::Scope,
        trouble::Trouble,
    },
    script::Script,
    time::Instant,
};

/// How many dead waiters one call removes from one set at most.
pub(super) const PURGE_LIMIT: usize = 100;

pub(in crate::memory) type Outcome<T> = Result<T, ErrorReply>;

/// What a command that a script calls may be refused for.
pub(in crate::memory) struct Limits<'a> {
    pub(in crate::memory) user: &'a User,
    pub(in crate::memory) trouble: Option<Trouble>,
    /// What the server knows of its cluster, if it is a node of one.
    pub(in crate::memory) cluster: Option<&'a ClusterView>,
    pub(in crate::memory) asking: Asking,
}

/// One run of a script.
pub(in crate::memory) struct Call<'a> {
    pub(super) script: &'static Script,
    /// KEYS.
    pub(super) keys: &'a [Vec<u8>],
    /// ARGV.
    pub(super) arguments: &'a [Vec<u8>],
    limits: Limits<'a>,
    keyspace: &'a mut Keyspace,
    pub(super) now: Instant,
    /// Whether commands that need memory are refused. They are not once the script has written.
    out_of_memory: bool,
    /// Whether errors are caught with `pcall`: they name no line then.
    catches: bool,
    published: Vec<(Scope, Vec<u8>, Vec<u8>)>,
}

impl<'a> Call<'a> {
    pub(in crate::memory) fn new(
        script: &'static Script,
        keys: &'a [Vec<u8>],
        arguments: &'a [Vec<u8>],
        limits: Limits<'a>,
        keyspace: &'a mut Keyspace,
        now: Instant,
    ) -> Self {
        let out_of_memory = limits.trouble == Some(Trouble::OutOfMemory);
        Self {
            script,
            keys,
            arguments,
            limits,
            keyspace,
            now,
            out_of_memory,
            catches: false,
            published: Vec::new(),
        }
    }

    /// The messages that the script published, in order.
    pub(in crate::memory) fn into_published(self) -> Vec<(Scope, Vec<u8>, Vec<u8>)> {
        self.published
    }

    /// The reply: the nonce, then the results.
    pub(super) fn reply(&self, results: impl IntoIterator<Item = Reply>) -> Outcome<Reply> {
        let nonce = Reply::bulk(self.text(0)?);
        Ok(Reply::Array([nonce].into_iter().chain(results).collect()))
    }

    /// `ARGV[at + 1]`.
    pub(super) fn text(&self, at: usize) -> Outcome<&'a [u8]> {
        self.arguments
            .get(at)
            .map(Vec::as_slice)
            .ok_or_else(|| ErrorReply::beyond("a call with fewer arguments"))
    }

    /// `tonumber(ARGV[at + 1])`.
    pub(super) fn number(&self, at: usize) -> Outcome<i64> {
        lua::whole(self.text(at)?).ok_or_else(|| ErrorReply::beyond("an argument that is no whole number"))
    }

    pub(super) fn millis(&self) -> u64 {
        self.now.as_micros() / 1000
    }

    /// The time in ms, as the scripts compute it.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.millis()).unwrap_or(i64::MAX)
    }

    /// A call of a command on these keys, on the line that has this text.
    pub(super) fn call<T>(
        &mut self,
        text: &str,
        command: &'static str,
        keys: &[&[u8]],
        run: impl FnOnce(&mut Keyspace, u64) -> Outcome<T>,
    ) -> Outcome<T> {
        let now = self.millis();
        let grows = matches!(command, "set" | "zadd");
        let result = match self.limits.user.may_in_script(command) {
            Err(denied) => Err(denied),
            Ok(()) if grows && self.out_of_memory => Err(ErrorReply::new(Trouble::OutOfMemory.describe())),
            Ok(()) => {
                if grows || matches!(command, "del" | "pexpire" | "zrem") {
                    self.out_of_memory = false;
                }
                self.may_touch(keys).and_then(|()| run(self.keyspace, now))
            }
        };
        if self.catches {
            return result;
        }
        result.map_err(|error| error.in_script(&self.script.sha1, lua::line_of(self.script.source, text)))
    }

    /// Whether the node of a cluster lets a script use these keys now. While a slot moves, a key that the script has
    /// emptied counts as a key of the other node.
    fn may_touch(&self, keys: &[&[u8]]) -> Outcome<()> {
        let Some(view) = self.limits.cluster else { return Ok(()) };
        let exists = |key: &[u8]| self.keyspace.peek(key, self.millis()).is_some();
        let keys = (Names::Keys, keys.iter().copied());
        Refusal::check(view, keys, self.limits.asking, exists).map_err(Refusal::in_script)
    }

    /// `pcall` of a function that calls commands: an error is a value.
    pub(super) fn in_pcall<T>(&mut self, function: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.catches = true;
        let result = function(self);
        self.catches = false;
        result
    }

    /// `redis.call('TIME')`: the time itself stands still while a script runs.
    pub(super) fn time(&mut self) -> Outcome<()> {
        self.call("redis.call('TIME')", "time", &[], |_, _| Ok(()))
    }

    /// `redis.call('SET', key, text, 'PX', lease)`
    pub(super) fn set(&mut self, at: &str, key: &[u8], text: &[u8], lease: i64) -> Outcome<()> {
        self.call(at, "set", &[key], |keyspace, now| {
            keyspace.set(key, text, Some(expiry(lease, now)?));
            Ok(())
        })
    }

    /// `redis.call('SET', key, text, 'NX', 'PX', lease)`: whether there was no key.
    pub(super) fn set_if_absent(&mut self, at: &str, key: &[u8], text: &[u8], lease: i64) -> Outcome<bool> {
        self.call(at, "set", &[key], |keyspace, now| {
            let expiry = expiry(lease, now)?;
            let is_absent = !keyspace.exists(key, now);
            if is_absent {
                keyspace.set(key, text, Some(expiry));
            }
            Ok(is_absent)
        })
    }

    pub(super) fn get(&mut self, at: &str, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        self.call(at, "get", &[key], |keyspace, now| Ok(keyspace.get(key, now)?.map(<[u8]>::to_vec)))
    }

    /// `redis.pcall('GET', key)`
    pub(super) fn get_in_pcall(&mut self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        self.in_pcall(|call| call.get("", key))
    }

    /// `redis.call('EXISTS', unpack(keys)) > 0`
    pub(super) fn any_exists(&mut self, at: &str, keys: &[&[u8]]) -> Outcome<bool> {
        self.call(at, "exists", keys, |keyspace, now| {
            // It looks at every key, and so deletes every one that has expired.
            Ok(keys.iter().filter(|key| keyspace.exists(key, now)).count() > 0)
        })
    }

    /// `redis.call('DEL', unpack(keys))`
    pub(super) fn del(&mut self, at: &str, keys: &[&[u8]]) -> Outcome<()> {
        self.call(at, "del", keys, |keyspace, now| {
            for key in keys {
                keyspace.remove(key, now);
            }
            Ok(())
        })
    }

    pub(super) fn pttl(&mut self, at: &str, key: &[u8]) -> Outcome<i64> {
        self.call(at, "pttl", &[key], |keyspace, now| Ok(keyspace.pttl(key, now)))
    }

    pub(super) fn pexpire(&mut self, at: &str, key: &[u8], ttl: i64) -> Outcome<()> {
        self.call(at, "pexpire", &[key], |keyspace, now| keyspace.pexpire(key, ttl, now, "pexpire"))?;
        Ok(())
    }

    /// `lengthen` in `lua/lib/expiry.lua`.
    pub(super) fn lengthen(&mut self, key: &[u8], ttl: i64) -> Outcome<()> {
        let at = "if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end";
        if self.pttl(at, key)? < ttl {
            self.pexpire(at, key, ttl)?;
        }
        Ok(())
    }

    /// `enter` in `lua/lib/expiry.lua`.
    pub(super) fn enter(&mut self, key: &[u8], score: i64, member: &[u8], ttl: i64) -> Outcome<()> {
        if self.pttl("if redis.call('PTTL', key) == -2 then", key)? == -2 {
            // Does nothing to a missing key, but may be denied.
            self.call("redis.call('ZADD', key, 'XX', score, member)", "zadd", &[key], |_, _| Ok(()))?;
            self.pexpire("\nredis.call('PEXPIRE', key, ttl)", key, ttl)?;
        }
        self.zadd("redis.call('ZADD', key, score, member)", key, score, member)?;
        self.lengthen(key, ttl)
    }

    /// The member at a rank of a sorted set, with its score.
    pub(super) fn ranked(&mut self, at: &str, key: &[u8], rank: usize) -> Outcome<Option<(i64, Vec<u8>)>> {
        self.call(at, "zrange", &[key], |keyspace, now| {
            Ok(keyspace.sorted_set(key, now)?.and_then(|set| set.entries().get(rank)).cloned())
        })
    }

    pub(super) fn zcard(&mut self, at: &str, key: &[u8]) -> Outcome<usize> {
        self.call(at, "zcard", &[key], |keyspace, now| {
            Ok(keyspace.sorted_set(key, now)?.map_or(0, |set| set.entries().len()))
        })
    }

    pub(super) fn zscore(&mut self, at: &str, key: &[u8], member: &[u8]) -> Outcome<Option<i64>> {
        self.call(at, "zscore", &[key], |keyspace, now| {
            Ok(keyspace.sorted_set(key, now)?.and_then(|set| set.score(member)))
        })
    }

    /// Sends nothing without members.
    pub(super) fn zrem(&mut self, at: &str, key: &[u8], members: &[Vec<u8>]) -> Outcome<()> {
        if members.is_empty() {
            return Ok(());
        }
        self.call(at, "zrem", &[key], |keyspace, now| {
            keyspace.with_sorted_set(key, now, |set| {
                for member in members {
                    set.remove(member);
                }
            })
        })
    }

    fn zadd(&mut self, at: &str, key: &[u8], score: i64, member: &[u8]) -> Outcome<()> {
        self.call(at, "zadd", &[key], |keyspace, now| {
            keyspace.with_sorted_set(key, now, |set| set.add(member, score))
        })?;
        Ok(())
    }

    /// Wakes a waiter, `client:number`, of clients with this prefix. Another text is passed over.
    pub(super) fn wake(&mut self, prefix: &[u8], waiter: &[u8]) {
        let (client, number) = lua::split_waiter(waiter);
        if client.is_empty() || number.is_empty() {
            return;
        }
        let channel = [prefix, b"redlatch:wake:", client].concat();
        let (scope, command) =
            if client.contains(&b'{') { (Scope::Shard, "spublish") } else { (Scope::Everywhere, "publish") };
        if self.limits.user.may_publish(command) && (scope == Scope::Everywhere || self.is_here(&channel)) {
            self.published.push((scope, channel, number.to_vec()));
        }
    }

    /// Whether the node of a cluster lets a script publish on this shard channel now.
    fn is_here(&self, channel: &[u8]) -> bool {
        let names = (Names::ShardChannels, core::iter::once(channel));
        let exists = |_: &[u8]| true;
        self.limits.cluster.is_none_or(|view| Refusal::check(view, names, self.limits.asking, exists).is_ok())
    }
}

/// When a key expires that is kept for so many ms.
fn expiry(lease: i64, now: u64) -> Outcome<u64> {
    let expiry = u64::try_from(lease).ok().filter(|&lease| lease > 0);
    let expiry = expiry.and_then(|lease| now.checked_add(lease)).filter(|&at| i64::try_from(at).is_ok());
    expiry.ok_or_else(|| ErrorReply::bad_expiry("set"))
}
