//! The users that a sequence begins with, on a real server and in memory.

use proptest::prelude::*;
use redlatch::memory::{Server, User};

use crate::real::RealServer;

/// Each user with its rights. `default` may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Users {
    pub default_needs_password: bool,
    /// What `bob` may not do.
    pub denied: &'static [&'static str],
    pub no_channels: bool,
}

impl Users {
    /// Makes these the users of both servers.
    pub fn install(self, real: &mut RealServer, memory: &mut Server) {
        let (rule, default) = if self.default_needs_password {
            (">secret", User::new().with_password(b"secret"))
        } else {
            ("nopass", User::new())
        };
        real.command(&["ACL", "SETUSER", "default", "reset", "on", rule, "~*", "&*", "+@all"]);
        memory.set_user(b"default", default);
        let mut rules = vec!["ACL", "SETUSER", "bob", "reset", "on", ">builder", "~*", "+@all"];
        let denials: Vec<_> = self.denied.iter().map(|name| format!("-{name}")).collect();
        rules.extend(denials.iter().map(String::as_str));
        let mut bob = User::new().with_password(b"builder");
        for name in self.denied {
            bob = bob.without_command(name);
        }
        if self.no_channels {
            bob = bob.without_channels();
        } else {
            rules.push("&*");
        }
        real.command(&rules);
        memory.set_user(b"bob", bob);
    }
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
        &["zadd"],
        &["exists", "zrange"],
        &["asking", "cluster|slots"],
        &["spublish"],
        &["ssubscribe"],
    ]);
    (prop::bool::weighted(0.2), denied, prop::bool::weighted(0.3)).prop_map(
        |(default_needs_password, denied, no_channels)| Users { default_needs_password, denied, no_channels },
    )
}
