//! Error replies of the server while a lock is being acquired.

use crate::world::{Client, LOOK, at, failure, ms, one_attempt, request};
use redlatch::{Code, Request};

#[test]
fn an_attempt_without_a_reply_fails_as_a_connection_error_and_is_released() {
    let mut client = Client::ready();
    client.acquire(one_attempt("a"));
    client.command();
    client.run_for(ms(2000).plus(LOOK));
    client.greet();
    let acquire = client.command();
    client.run_for(ms(2000).plus(LOOK));
    let failure = failure(client.event());
    assert_eq!(failure.code, Code::Connection);
    assert!(failure.message.contains("stopped responding"), "{}", failure.message);
    client.wait_for_dial();
    client.greet();
    let release = client.command();
    assert_eq!(release.name(), "exclusive_release");
    assert_eq!(release.value(), acquire.value());
    client.reply(release.count(1));
    assert!(client.events().is_empty(), "settled once");
    assert_eq!(client.engine.busy(), 0);
}

#[test]
fn transient_errors_are_retried_within_the_wait_and_reported_at_its_end() {
    for line in [
        "LOADING Redis is loading",
        "BUSY Redis is busy",
        "OOM command not allowed",
        "MASTERDOWN Link",
        "TRYAGAIN x",
    ] {
        let mut client = Client::ready();
        client.acquire(Request { wait: ms(400), ..request("a") });
        for _ in 0..3 {
            client.command();
            client.reply(format!("-{line}\r\n"));
            assert!(client.events().is_empty(), "{line}");
            client.advance_to_timeout();
            if client.now >= at(1400) {
                break;
            }
        }
        client.run_for(ms(400));
        client.commands();
        let failure = failure(client.event());
        assert_eq!(failure.code, Code::Server, "{line}");
        assert!(line.starts_with(&*failure.prefix) && failure.message.starts_with(line), "{failure:?}");
    }
}

#[test]
fn permanent_errors_are_reported_at_once() {
    for line in [
        "NOPERM no permission",
        "WRONGTYPE Operation",
        "NOAUTH Authentication required.",
        "ERR unknown command",
    ] {
        let mut client = Client::ready();
        client.acquire(request("a"));
        client.command();
        client.reply(format!("-{line}\r\n"));
        let failure = failure(client.event());
        assert_eq!((failure.code, failure.attempts), (Code::Server, 1), "{line}");
        assert_eq!(&*failure.message, line);
    }
}

#[test]
fn every_transient_error_is_retried() {
    for prefix in [
        "READONLY",
        "LOADING",
        "BUSY",
        "TRYAGAIN",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "OOM",
        "MISCONF",
        "NOREPLICAS",
    ] {
        let mut client = Client::ready();
        client.acquire(request("a"));
        client.command();
        client.reply(format!("-{prefix} x\r\n"));
        assert_eq!(client.events(), [], "{prefix}");
    }
}
