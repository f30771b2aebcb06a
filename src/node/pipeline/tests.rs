use super::*;
use crate::{
    id::{LockId, NodeId},
    script::{
        Answer, Call, EXCLUSIVE_ACQUIRE, EXCLUSIVE_RELEASE, LockKeys, Registration, Script, Waiter,
        exclusive_acquire, exclusive_release,
    },
};

fn tag(lock: u32) -> Tag {
    Tag { lock: LockId(lock), serial: 1, node: NodeId(0), epoch: 0 }
}

fn keys(names: &[&str]) -> LockKeys {
    let names: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
    LockKeys::new(b"", &names, EXCLUSIVE_RELEASE.layout)
}

fn call<'a>(script: &'static Script, keys: &'a LockKeys) -> Call<'a> {
    if *script == EXCLUSIVE_ACQUIRE {
        return exclusive_acquire(keys, None, b"t", Duration::from_millis(100), None);
    }
    exclusive_release(keys, b"t", b"", false)
}

fn push(pipeline: &mut Pipeline, lock: u32, script: &'static Script, out: &mut Vec<u8>) {
    let keys = keys(&[&format!("k{lock}")]);
    let command = Command {
        call: call(script, &keys),
        silence: Duration::from_millis(500),
        replication: Duration::ZERO,
    };
    pipeline.push(tag(lock), &command, Instant::from_micros(3), out);
}

/// Sends a command alone, and returns its bytes.
fn pushed(pipeline: &mut Pipeline, lock: u32, script: &'static Script) -> String {
    let mut out = Vec::new();
    push(pipeline, lock, script, &mut out);
    pipeline.close_runs(&mut out);
    pipeline.transmitted();
    String::from_utf8(out).unwrap()
}

/// What a reply turns out to be, and what it says to each lock.
fn paired<'a>(pipeline: &mut Pipeline, reply: &Reply<'a>) -> (Paired, Vec<(Tag, Outcome<'a>)>) {
    let mut outcomes = Vec::new();
    let paired = pipeline.pair(0, reply, &mut Vec::new(), |tag, outcome| outcomes.push((tag, outcome)));
    (paired, outcomes)
}

/// The reply of a script with these results.
fn results<'a>(nonce: &'a [u8], results: &[Reply<'a>]) -> Reply<'a> {
    Reply::Array([&[Reply::Bulk(nonce)], results].concat())
}

fn released(nonce: &[u8]) -> Reply<'_> {
    results(nonce, &[Reply::Integer(1)])
}

const RAN: Paired = Paired::Ran;
const NO_SCRIPT: Reply<'static> = Reply::Error(b"NOSCRIPT no");

#[test]
fn commands_are_written_by_hash_and_by_source() {
    let mut pipeline = Pipeline::new(0xab, Order::AsSent, 0);
    let sha1 = core::str::from_utf8(&EXCLUSIVE_RELEASE.sha1).unwrap();
    let by_hash = format!(
        "*7\r\n$7\r\nEVALSHA\r\n$40\r\n{sha1}\r\n$1\r\n1\r\n$2\r\nk1\r\n$16\r\nn0000000000000ab\r\n$0\r\n\r\n$1\r\nt\r\n"
    );
    assert_eq!(pushed(&mut pipeline, 1, &EXCLUSIVE_RELEASE), by_hash);
    paired(&mut pipeline, &NO_SCRIPT);
    assert!(pushed(&mut pipeline, 1, &EXCLUSIVE_RELEASE).contains(EXCLUSIVE_RELEASE.source));
}

#[test]
fn replies_are_paired_in_order_by_nonce() {
    let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    pushed(&mut pipeline, 8, &EXCLUSIVE_RELEASE);
    let answer = Outcome::Answer(Answer::Count(1));
    assert_eq!(paired(&mut pipeline, &released(b"n000000000000001")), (RAN, vec![(tag(7), answer)]));
    assert_eq!(paired(&mut pipeline, &released(b"n000000000000002")), (RAN, vec![(tag(8), answer)]));
    assert_eq!(
        paired(&mut pipeline, &released(b"n000000000000003")),
        (Paired::Mismatch, vec![]),
        "no command is pending"
    );
}

#[test]
fn the_reply_to_another_command_is_a_mismatch() {
    let nonce = b"n000000000000001".as_slice();
    let replies = [
        released(b"n000000000000002"),
        released(b"n0000000000000001"),
        released(b""),
        Reply::Integer(1),
        Reply::Simple(b"OK"),
        Reply::Null,
        Reply::Opaque,
        Reply::Array(vec![]),
        results(nonce, &[]),
        results(nonce, &[Reply::Integer(-1)]),
        results(nonce, &[Reply::Integer(1), Reply::Integer(1)]),
    ];
    for reply in replies {
        let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
        pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
        assert_eq!(paired(&mut pipeline, &reply), (Paired::Mismatch, vec![]), "{reply:?}");
        assert_eq!(tags_of(pipeline), [tag(7)], "it has no answer: {reply:?}");
    }
}

#[test]
fn a_grant_without_a_proper_fence_is_a_mismatch() {
    for fence in [b"".as_slice(), b"+1", b"1e3", b"18446744073709551616"] {
        let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
        pushed(&mut pipeline, 7, &EXCLUSIVE_ACQUIRE);
        let reply = results(b"n000000000000001", &[Reply::Bulk(fence)]);
        assert_eq!(paired(&mut pipeline, &reply), (Paired::Mismatch, vec![]), "{fence:?}");
    }
}

#[test]
fn the_error_of_one_lock_is_that_of_its_command() {
    let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
    pushed(&mut pipeline, 7, &EXCLUSIVE_ACQUIRE);
    let (_, outcomes) = paired(&mut pipeline, &results(b"n000000000000001", &[Reply::Bulk(b"WRONGTYPE no")]));
    assert_eq!(outcomes, [(tag(7), Outcome::Error(b"WRONGTYPE no"))]);
}

#[test]
fn an_unknown_script_is_sent_with_eval_until_it_has_run() {
    let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
    let sent = |pipeline: &mut Pipeline, script| pushed(pipeline, 7, script);
    sent(&mut pipeline, &EXCLUSIVE_ACQUIRE);
    paired(&mut pipeline, &NO_SCRIPT);
    assert!(sent(&mut pipeline, &EXCLUSIVE_ACQUIRE).contains(EXCLUSIVE_ACQUIRE.source));
    assert!(
        !sent(&mut pipeline, &EXCLUSIVE_RELEASE).contains(EXCLUSIVE_RELEASE.source),
        "only the unknown script"
    );
    let reply = results(b"n000000000000002", &[Reply::Integer(-5)]);
    assert_eq!(paired(&mut pipeline, &reply).0, RAN);
    assert!(!sent(&mut pipeline, &EXCLUSIVE_ACQUIRE).contains(EXCLUSIVE_ACQUIRE.source));
}

#[test]
fn noscript_is_reported_once() {
    let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    assert_eq!(paired(&mut pipeline, &NO_SCRIPT), (Paired::NoScript, vec![(tag(7), Outcome::Repeat)]));
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    assert_eq!(
        paired(&mut pipeline, &NO_SCRIPT),
        (Paired::Refused, vec![(tag(7), Outcome::Error(b"NOSCRIPT no"))])
    );
}

#[test]
fn noscript_before_its_command_is_written_is_reported_too() {
    let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
    pushed(&mut pipeline, 7, &EXCLUSIVE_RELEASE);
    assert_eq!(paired(&mut pipeline, &NO_SCRIPT).0, Paired::NoScript);
    push(&mut pipeline, 7, &EXCLUSIVE_RELEASE, &mut Vec::new());
    assert_eq!(paired(&mut pipeline, &NO_SCRIPT).0, Paired::Refused);
}

fn tags_of(pipeline: Pipeline) -> Vec<Tag> {
    let mut tags = Vec::new();
    pipeline.into_tags(&mut tags);
    tags
}

/// The locks of all commands, in the order in which these are sent.
fn locks_of(pipeline: Pipeline) -> Vec<u32> {
    tags_of(pipeline).iter().map(|tag| tag.lock.0).collect()
}

/// How many locks each call in `bytes` concerns.
fn runs(bytes: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(bytes);
    let keys = |call: &str| call.matches("\r\nk").count();
    text.split("EVAL").skip(1).map(keys).collect()
}

#[test]
fn commands_of_one_kind_share_a_call_of_at_most_32_locks() {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    (100..170).for_each(|lock| push(&mut pipeline, lock, &EXCLUSIVE_ACQUIRE, &mut out));
    pipeline.close_runs(&mut out);
    assert_eq!(runs(&out), [32, 32, 6]);
    assert_eq!(pipeline.len(), 3);
    out.clear();
    for script in [&EXCLUSIVE_ACQUIRE, &EXCLUSIVE_ACQUIRE, &EXCLUSIVE_RELEASE, &EXCLUSIVE_ACQUIRE] {
        push(&mut pipeline, 1, script, &mut out);
    }
    pipeline.close_runs(&mut out);
    assert_eq!(runs(&out), [2, 1, 1], "the order of asking is kept");
}

#[test]
fn acquires_and_releases_of_other_keys_share_two_calls_in_any_order() {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    for lock in [101, 102, 201, 103, 104, 202, 203, 105] {
        let script = if lock < 200 { &EXCLUSIVE_ACQUIRE } else { &EXCLUSIVE_RELEASE };
        push(&mut pipeline, lock, script, &mut out);
    }
    pipeline.close_runs(&mut out);
    assert_eq!(runs(&out), [5, 3]);
    assert_eq!(locks_of(pipeline), [101, 102, 103, 104, 105, 201, 202, 203]);
}

#[test]
fn sixteen_locks_that_wait_for_answers_are_a_backlog() {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    for lock in 100..115 {
        push(&mut pipeline, lock, &EXCLUSIVE_RELEASE, &mut out);
    }
    pipeline.close(&mut out);
    pipeline.transmitted();
    assert!(!pipeline.has_backlog());
    push(&mut pipeline, 115, &EXCLUSIVE_RELEASE, &mut out);
    assert!(!pipeline.has_backlog(), "it was not sent");
    pipeline.close(&mut out);
    pipeline.transmitted();
    assert!(pipeline.has_backlog());
    let answers: Vec<_> = (0..15).map(|_| Reply::Integer(1)).collect();
    assert_eq!(paired(&mut pipeline, &results(b"n000000000000001", &answers)).0, RAN);
    assert!(!pipeline.has_backlog());
}

#[test]
fn of_several_open_runs_of_an_unknown_script_the_first_has_its_source() {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    push(&mut pipeline, 1, &EXCLUSIVE_RELEASE, &mut out);
    for lock in 100..133 {
        push(&mut pipeline, lock, &EXCLUSIVE_ACQUIRE, &mut out);
    }
    push(&mut pipeline, 2, &EXCLUSIVE_RELEASE, &mut out);
    pipeline.close_runs(&mut out);
    assert_eq!(runs(&out), [2, 32, 1]);
    let forms: Vec<_> = pipeline.queue.iter().map(|command| command.form).collect();
    assert_eq!(forms, [Form::Hash, Form::Source, Form::Hash]);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches(EXCLUSIVE_ACQUIRE.source).count(), 1);
    assert!(!text.contains(EXCLUSIVE_RELEASE.source));
}

#[test]
fn bytes_that_answer_nothing_answer_no_open_run() {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    push(&mut pipeline, 1, &EXCLUSIVE_ACQUIRE, &mut out);
    push(&mut pipeline, 2, &EXCLUSIVE_RELEASE, &mut out);
    assert_eq!(paired(&mut pipeline, &Reply::Simple(b"OK")).0, Paired::Mismatch);
    assert_eq!(locks_of(pipeline), [1, 2]);
}

#[test]
fn no_command_overtakes_one_on_the_same_key() {
    // Lock 2 is given up in the turn that asked for it, and asks again.
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    let turn = [
        (1, &EXCLUSIVE_RELEASE),
        (2, &EXCLUSIVE_ACQUIRE),
        (3, &EXCLUSIVE_RELEASE),
        (2, &EXCLUSIVE_RELEASE),
        (2, &EXCLUSIVE_ACQUIRE),
        (4, &EXCLUSIVE_ACQUIRE),
    ];
    turn.iter().for_each(|&(lock, script)| push(&mut pipeline, lock, script, &mut out));
    pipeline.close_runs(&mut out);
    assert_eq!(runs(&out), [2, 1, 1, 2]);
    assert_eq!(locks_of(pipeline), [1, 3, 2, 2, 2, 4]);
}

#[test]
fn a_full_run_is_followed_by_another_one_and_four_are_open_at_most() {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    for lock in 100..244 {
        let script = if lock % 2 == 0 { &EXCLUSIVE_ACQUIRE } else { &EXCLUSIVE_RELEASE };
        push(&mut pipeline, lock, script, &mut out);
    }
    pipeline.close_runs(&mut out);
    assert_eq!(runs(&out), [32, 32, 32, 32, 8, 8]);
    assert_eq!(locks_of(pipeline).len(), 144);
}

#[test]
fn calls_with_other_arguments_do_not_share() {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    let (one, two) = (keys(&["k1"]), keys(&["k2", "k3"]));
    let ms = Duration::from_millis;
    let registration = |before| Some(Registration { waiter: b"c:1", ttl: ms(9), before });
    for call in [
        exclusive_acquire(&one, None, b"t", ms(100), None),
        exclusive_acquire(&one, None, b"t", ms(200), None),
        exclusive_acquire(&one, Some(b"fence"), b"t", ms(200), None),
        exclusive_acquire(&one, Some(b"fence"), b"t", ms(200), registration(Waiter::Absent)),
        exclusive_acquire(&one, Some(b"fence"), b"t", ms(200), registration(Waiter::Registered)),
        exclusive_acquire(&two, Some(b"fence"), b"t", ms(200), registration(Waiter::Registered)),
        exclusive_release(&one, b"t", b"", false),
        exclusive_release(&one, b"t", b"", true),
        exclusive_release(&one, b"t", b"c:1", true),
        exclusive_release(&two, b"t", b"c:1", true),
    ] {
        let command = Command { call, silence: ms(500), replication: ms(0) };
        pipeline.push(tag(1), &command, Instant::default(), &mut out);
    }
    assert_eq!(pipeline.len(), 10);
}

/// A pipeline with a run of three acquires in flight.
fn with_a_run() -> Pipeline {
    let (mut pipeline, mut out) = (Pipeline::new(1, Order::AsSent, 0), Vec::new());
    (1..4).for_each(|lock| push(&mut pipeline, lock, &EXCLUSIVE_ACQUIRE, &mut out));
    pipeline.close_runs(&mut out);
    pipeline.transmitted();
    pipeline
}

#[test]
fn each_lock_of_a_run_gets_its_own_result() {
    let mut pipeline = with_a_run();
    let reply = [Reply::Integer(7), Reply::Bulk(b"WRONGTYPE no"), Reply::Integer(-5)];
    let (verdict, outcomes) = paired(&mut pipeline, &results(b"n000000000000001", &reply));
    let left = Some(Duration::from_millis(5));
    let expected = [
        Outcome::Answer(Answer::Fence(7)),
        Outcome::Error(b"WRONGTYPE no"),
        Outcome::Answer(Answer::Wait { left, joined: false, ahead: 0 }),
    ];
    assert_eq!((verdict, outcomes), (RAN, [1, 2, 3].map(tag).into_iter().zip(expected).collect()));
}

#[test]
fn a_run_needs_its_nonce_and_one_result_for_each_lock() {
    let yes = Reply::Integer(1);
    let nonce = b"n000000000000001".as_slice();
    for reply in [
        results(b"n000000000000002", &[yes.clone(), yes.clone(), yes.clone()]),
        results(nonce, &[yes.clone(), yes.clone()]),
        results(nonce, &[yes.clone(), yes.clone(), yes.clone(), yes.clone()]),
        results(nonce, &[yes.clone(), Reply::Null, yes.clone()]),
    ] {
        let mut pipeline = with_a_run();
        assert_eq!(paired(&mut pipeline, &reply), (Paired::Mismatch, vec![]), "{reply:?}");
        assert_eq!(tags_of(pipeline).len(), 3, "none has an answer");
    }
}

#[test]
fn an_error_reply_to_a_run_is_one_for_each_lock() {
    let mut pipeline = with_a_run();
    let (verdict, outcomes) = paired(&mut pipeline, &Reply::Error(b"OOM no"));
    assert_eq!(verdict, Paired::Refused);
    assert_eq!(outcomes, [1, 2, 3].map(|lock| (tag(lock), Outcome::Error(b"OOM no"))));
}

#[test]
fn the_locks_of_a_run_that_is_refused_for_one_of_them_are_asked_alone() {
    for line in ["NOPERM no", "CROSSSLOT no", "TRYAGAIN no"] {
        let (mut pipeline, mut out) = (with_a_run(), Vec::new());
        let (_, outcomes) = paired(&mut pipeline, &Reply::Error(line.as_bytes()));
        assert_eq!(outcomes, [1, 2, 3].map(|lock| (tag(lock), Outcome::Repeat)), "{line}");
        (1..7).for_each(|lock| push(&mut pipeline, lock, &EXCLUSIVE_ACQUIRE, &mut out));
        pipeline.close_runs(&mut out);
        assert_eq!(runs(&out), [1, 1, 1, 3], "{line}");
        let (_, outcomes) = paired(&mut pipeline, &Reply::Error(line.as_bytes()));
        assert_eq!(outcomes, [(tag(1), Outcome::Error(line.as_bytes()))], "it is told why");
    }
}

#[test]
fn without_the_script_a_whole_run_is_repeated_by_eval() {
    let (mut pipeline, mut out) = (with_a_run(), Vec::new());
    let (verdict, outcomes) = paired(&mut pipeline, &NO_SCRIPT);
    assert_eq!((verdict, outcomes.len()), (Paired::NoScript, 3));
    (1..4).for_each(|lock| push(&mut pipeline, lock, &EXCLUSIVE_ACQUIRE, &mut out));
    pipeline.close_runs(&mut out);
    assert_eq!(String::from_utf8(out).unwrap().matches(EXCLUSIVE_ACQUIRE.source).count(), 1);
}

#[test]
fn silence_counts_from_the_last_sign_of_life() {
    let mut pipeline = Pipeline::new(1, Order::AsSent, 0);
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
    let command = Command {
        call: call(&EXCLUSIVE_RELEASE, &keys),
        silence: Duration::from_millis(500),
        replication: Duration::ZERO,
    };
    pipeline.push(tag(1), &command, Instant::from_micros(3), &mut out);
    !out.is_empty()
}

#[test]
fn with_order_per_key_commands_on_one_key_wait_for_each_other() {
    let mut pipeline = Pipeline::new(1, Order::PerKey, 0);
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
        assert_eq!(pipeline.pair(0, &Reply::Array(reply), &mut out, |_, _| {}), RAN, "{nonce:?}");
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
    let mut pipeline = Pipeline::new(1, Order::PerKey, 0);
    pushed_on(&mut pipeline, &["a"]);
    pushed_on(&mut pipeline, &["a"]);
    assert_eq!(tags_of(pipeline).len(), 2);
}
