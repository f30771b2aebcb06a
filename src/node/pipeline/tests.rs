use super::*;
use crate::{
    id::LockId,
    script::{Call, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, LockKeys, exclusive_acquire, exclusive_release},
};

fn tag(lock: u32) -> Tag {
    Tag { lock: LockId(lock), serial: 1 }
}

fn keys(names: &[&str]) -> LockKeys {
    LockKeys::new(b"", names.iter().map(|name| name.as_bytes().to_vec()).collect(), EXCLUSIVE_RELEASE.layout)
}

fn call<'a>(script: &'static Script, keys: &'a LockKeys) -> Call<'a> {
    if *script == EXCLUSIVE_ACQUIRE {
        return exclusive_acquire(keys, None, b"t", Duration::from_millis(100), None);
    }
    exclusive_release(keys, b"t", b"", false)
}

fn pushed(pipeline: &mut Pipeline, lock: u32, script: &'static Script) -> String {
    let mut out = Vec::new();
    let keys = keys(&["k"]);
    let command = Command { call: call(script, &keys), silence: Duration::from_millis(500) };
    pipeline.push(tag(lock), &command, Instant::from_micros(3), &mut out);
    String::from_utf8(out).unwrap()
}

fn released(nonce: &[u8]) -> Reply<'_> {
    Reply::Array(vec![Reply::Bulk(nonce), Reply::Integer(1)])
}

#[test]
fn commands_are_written_by_hash_and_by_source() {
    let mut pipeline = Pipeline::new(0xab, Order::AsSent);
    let sha1 = core::str::from_utf8(&EXCLUSIVE_RELEASE.sha1).unwrap();
    let by_hash = format!(
        "*7\r\n$7\r\nEVALSHA\r\n$40\r\n{sha1}\r\n$1\r\n1\r\n$1\r\nk\r\n$16\r\nn0000000000000ab\r\n$0\r\n\r\n$1\r\nt\r\n"
    );
    assert_eq!(pushed(&mut pipeline, 1, &EXCLUSIVE_RELEASE), by_hash);
    pipeline.pair(&Reply::Error(b"NOSCRIPT No matching script. Please use EVAL."), &mut Vec::new());
    assert!(pushed(&mut pipeline, 1, &EXCLUSIVE_RELEASE).contains(EXCLUSIVE_RELEASE.source));
}

#[test]
fn replies_are_paired_in_order_by_nonce() {
    let mut pipeline = Pipeline::new(1, Order::AsSent);
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    pushed(&mut pipeline, 8, &EXCLUSIVE_RELEASE);
    assert_eq!(
        pipeline.pair(&released(b"n000000000000001"), &mut Vec::new()),
        Paired::Answer(tag(7), Answer::Count(1))
    );
    assert_eq!(
        pipeline.pair(&released(b"n000000000000002"), &mut Vec::new()),
        Paired::Answer(tag(8), Answer::Count(1))
    );
    assert_eq!(
        pipeline.pair(&released(b"n000000000000003"), &mut Vec::new()),
        Paired::Mismatch,
        "no command is pending"
    );
}

#[test]
fn the_reply_to_another_command_is_a_mismatch() {
    let replies = [
        released(b"n000000000000002"),
        released(b"n0000000000000001"),
        released(b""),
        Reply::Integer(1),
        Reply::Simple(b"OK"),
        Reply::Null,
        Reply::Opaque,
        Reply::Array(vec![]),
        Reply::Array(vec![Reply::Bulk(b"n000000000000001")]),
        Reply::Array(vec![Reply::Bulk(b"n000000000000001"), Reply::Integer(-1)]),
        Reply::Array(vec![Reply::Bulk(b"n000000000000001"), Reply::Integer(1), Reply::Integer(1)]),
    ];
    for reply in replies {
        let mut pipeline = Pipeline::new(1, Order::AsSent);
        pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
        assert_eq!(pipeline.pair(&reply, &mut Vec::new()), Paired::Mismatch, "{reply:?}");
    }
}

#[test]
fn a_grant_without_a_proper_fence_is_a_mismatch() {
    for fence in [b"".as_slice(), b"+1", b"1e3", b"18446744073709551616"] {
        let mut pipeline = Pipeline::new(1, Order::AsSent);
        pushed(&mut pipeline, 7, &EXCLUSIVE_ACQUIRE);
        let reply = Reply::Array(vec![Reply::Bulk(b"n000000000000001"), Reply::Bulk(fence)]);
        assert_eq!(pipeline.pair(&reply, &mut Vec::new()), Paired::Mismatch, "{fence:?}");
    }
}

#[test]
fn the_error_of_one_lock_is_that_of_its_command() {
    let mut pipeline = Pipeline::new(1, Order::AsSent);
    pushed(&mut pipeline, 7, &EXCLUSIVE_ACQUIRE);
    let reply = Reply::Array(vec![Reply::Bulk(b"n000000000000001"), Reply::Bulk(b"WRONGTYPE no")]);
    assert_eq!(pipeline.pair(&reply, &mut Vec::new()), Paired::Error(tag(7), b"WRONGTYPE no"));
}

#[test]
fn an_unknown_script_is_sent_with_eval_until_it_has_run() {
    let mut pipeline = Pipeline::new(1, Order::AsSent);
    let line = Reply::Error(b"NOSCRIPT No matching script. Please use EVAL.");
    let sent = |pipeline: &mut Pipeline, script| pushed(pipeline, 7, script);
    sent(&mut pipeline, &EXCLUSIVE_ACQUIRE);
    pipeline.pair(&line, &mut Vec::new());
    assert!(sent(&mut pipeline, &EXCLUSIVE_ACQUIRE).contains(EXCLUSIVE_ACQUIRE.source));
    assert!(
        !sent(&mut pipeline, &EXCLUSIVE_RELEASE).contains(EXCLUSIVE_RELEASE.source),
        "only the unknown script"
    );
    let reply = [Reply::Bulk(b"n000000000000002"), Reply::Integer(-5)];
    assert!(matches!(pipeline.pair(&Reply::Array(reply.to_vec()), &mut Vec::new()), Paired::Answer(..)));
    assert!(!sent(&mut pipeline, &EXCLUSIVE_ACQUIRE).contains(EXCLUSIVE_ACQUIRE.source));
}

#[test]
fn noscript_is_reported_once() {
    let mut pipeline = Pipeline::new(1, Order::AsSent);
    let line = Reply::Error(b"NOSCRIPT No matching script. Please use EVAL.");
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    assert_eq!(pipeline.pair(&line, &mut Vec::new()), Paired::NoScript(tag(7)));
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    assert!(matches!(pipeline.pair(&line, &mut Vec::new()), Paired::Error(..)));
}

#[test]
fn silence_counts_from_the_last_sign_of_life() {
    let mut pipeline = Pipeline::new(1, Order::AsSent);
    assert_eq!(pipeline.silent_at(Instant::from_micros(9), Duration::ZERO), None);
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    assert_eq!(
        pipeline.silent_at(Instant::from_micros(1), Duration::ZERO),
        Some(Instant::from_micros(500_003))
    );
    assert_eq!(
        pipeline.silent_at(Instant::from_micros(9), Duration::ZERO),
        Some(Instant::from_micros(500_009))
    );
}

fn pushed_on(pipeline: &mut Pipeline, names: &[&str]) -> bool {
    let mut out = Vec::new();
    let keys = keys(names);
    let command = Command { call: call(&EXCLUSIVE_RELEASE, &keys), silence: Duration::from_millis(500) };
    pipeline.push(tag(1), &command, Instant::from_micros(3), &mut out);
    !out.is_empty()
}

#[test]
fn with_order_per_key_commands_on_one_key_wait_for_each_other() {
    let mut pipeline = Pipeline::new(1, Order::PerKey);
    assert!(pushed_on(&mut pipeline, &["a"]));
    assert!(pushed_on(&mut pipeline, &["b"]), "another key");
    assert!(!pushed_on(&mut pipeline, &["b", "a"]));
    assert!(!pushed_on(&mut pipeline, &["a"]), "behind a deferred command");
    assert!(pushed_on(&mut pipeline, &["c"]));
    assert_eq!(pipeline.len(), 5);

    // Nonces follow the order in which commands were pushed, replies the order in which they were sent.
    let mut answered = |nonce: &[u8]| {
        let mut out = Vec::new();
        let mut reply = vec![Reply::Bulk(nonce), Reply::Integer(1)];
        if nonce == b"n000000000000003" {
            reply.push(Reply::Integer(1));
        }
        assert!(matches!(pipeline.pair(&Reply::Array(reply), &mut out), Paired::Answer(..)), "{nonce:?}");
        String::from_utf8(out).unwrap()
    };
    assert_eq!(answered(b"n000000000000001"), "", "b is not answered");
    let freed = answered(b"n000000000000002");
    assert!(freed.contains("n000000000000003") && !freed.contains("n000000000000004"), "{freed}");
    assert_eq!(answered(b"n000000000000005"), "");
    assert!(answered(b"n000000000000003").contains("n000000000000004"));
    assert_eq!(answered(b"n000000000000004"), "");
}

#[test]
fn with_order_per_key_deferred_commands_are_not_lost() {
    let mut pipeline = Pipeline::new(1, Order::PerKey);
    pushed_on(&mut pipeline, &["a"]);
    pushed_on(&mut pipeline, &["a"]);
    assert_eq!(pipeline.into_tags().count(), 2);
}
