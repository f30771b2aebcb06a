//! Locks of several votes, some of which are groups of servers: a cluster, or a master with its sentinels.

use redlatch::{Code, Event, InvalidRequest, LockError, NodeError, Request, Vote};

use crate::{
    vote_groups::{CLUSTER, MASTER, REPLICA, SENTINEL, SERVER, VoteGroups},
    world::{failure, ms, one_attempt, renewed, request, waiting},
};

/// Its slot is on the first master of the cluster.
const KEY: &str = "b";

fn is_granted(groups: &mut VoteGroups) -> bool {
    groups.events().iter().any(|event| matches!(event, Event::Granted { .. }))
}

fn refused(groups: &mut VoteGroups, request: Request) -> LockError {
    groups.acquire(request);
    groups.run_for(ms(5_000));
    failure(groups.events().remove(0))
}

#[test]
fn each_group_has_one_vote_in_whichever_of_its_servers_has_the_slot() {
    let mut groups = VoteGroups::new();
    let (first, second) = (groups.hold(renewed(KEY)), groups.hold(renewed("a")));
    groups.run_for(ms(20_000));
    assert_eq!(groups.holders(KEY), [CLUSTER[0], MASTER, SERVER]);
    assert_eq!(groups.holders("a"), [CLUSTER[1], MASTER, SERVER]);
    groups.release(first);
    groups.release(second);
    assert_eq!([groups.holders(KEY), groups.holders("a")], [vec![], vec![]]);
    assert_eq!(groups.nodes[REPLICA].dialled, 0);
}

#[test]
fn the_loss_of_one_group_leaves_a_majority_and_that_of_two_does_not() {
    let mut groups = VoteGroups::new();
    groups.kill(CLUSTER[0]);
    groups.kill(CLUSTER[1]);
    let lock = groups.acquire(request(KEY));
    groups.run_for(ms(1_000));
    assert!(is_granted(&mut groups));
    groups.release(lock);
    groups.run_for(ms(100));
    groups.events();
    groups.kill(SENTINEL);
    groups.kill(MASTER);
    let error = refused(&mut groups, one_attempt(KEY));
    assert_eq!(error.code, Code::Quorum);
    let failed = |vote: &Vote| matches!(vote, Vote::Failed(NodeError::Connection { .. }));
    let votes: Vec<_> = error.votes.iter().map(|(_, vote)| failed(vote)).collect();
    assert_eq!(votes, [false, true, true], "{error:?}");
}

#[test]
fn what_a_master_answered_before_it_was_replaced_is_asked_again() {
    let mut groups = VoteGroups::new();
    groups.visit(KEY);
    groups.stop(CLUSTER[0]);
    groups.stop(SERVER);
    groups.acquire(waiting(KEY));
    assert_eq!(groups.holders(KEY), [MASTER]);
    groups.switch();
    assert!(groups.holders(KEY).contains(&REPLICA), "the new master is asked");
    groups.resume(SERVER);
    assert!(is_granted(&mut groups));
}

#[test]
fn a_former_master_has_no_vote() {
    let mut groups = VoteGroups::new();
    groups.visit(KEY);
    groups.kill(CLUSTER[0]);
    groups.stop(MASTER);
    groups.acquire(waiting(KEY));
    groups.run_for(ms(10));
    groups.stop(REPLICA);
    groups.switch();
    groups.resume(MASTER);
    groups.run_for(ms(10));
    assert!(!is_granted(&mut groups), "the former master and the server have granted");
    groups.resume(REPLICA);
    groups.run_for(ms(1_000));
    assert!(is_granted(&mut groups));
}

#[test]
fn a_held_lock_is_confirmed_and_regained_where_a_group_has_another_server() {
    let mut groups = VoteGroups::new();
    let lock = groups.hold(renewed(KEY));
    groups.switch();
    groups.run_for(ms(200));
    assert!(groups.holders(KEY).contains(&REPLICA), "the new master has the lock");
    groups.set_owner(KEY, CLUSTER[1]);
    groups.run_for(ms(10_000));
    assert!(groups.holders(KEY).contains(&CLUSTER[1]), "the new owner of the slot has the lock");
    assert!(groups.events().is_empty());
    groups.release(lock);
    groups.run_for(ms(100));
    assert!(![CLUSTER[1], REPLICA, SERVER].iter().any(|node| groups.holders(KEY).contains(node)));
}

#[test]
fn a_held_lock_is_lost_when_two_groups_have_lost_it() {
    let mut groups = VoteGroups::new();
    groups.hold(request(KEY));
    groups.switch();
    groups.run_for(ms(500));
    assert!(groups.events().is_empty(), "two still have it");
    groups.set_owner(KEY, CLUSTER[1]);
    let other = groups.acquire(one_attempt(format!("{{{KEY}}}other")));
    groups.run_for(ms(500));
    let events = groups.events();
    assert!(
        events.iter().any(|event| matches!(event, Event::Lost { lock, .. } if *lock != other)),
        "{events:?}"
    );
}

#[test]
fn a_redirect_after_the_others_have_granted_is_followed() {
    let mut groups = VoteGroups::new();
    groups.visit(KEY);
    groups.set_owner(KEY, CLUSTER[1]);
    groups.stop(CLUSTER[0]);
    groups.hold(request(KEY));
    assert_eq!(groups.holders(KEY), [MASTER, SERVER]);
    groups.resume(CLUSTER[0]);
    assert_eq!(groups.holders(KEY), [CLUSTER[1], MASTER, SERVER]);
}

#[test]
fn of_two_votes_that_are_the_same_servers_only_the_first_counts() {
    for mut groups in [VoteGroups::same_clusters(), VoteGroups::same_masters()] {
        let lock = groups.acquire(request(KEY));
        groups.run_for(ms(1_000));
        let events = groups.events();
        let is_reported = |event: &Event| matches!(event, Event::Connection { error: Some(NodeError::Server(error)), .. } if error.prefix == "SAMESERVERS");
        assert_eq!(events.iter().filter(|event| is_reported(event)).count(), 1, "{events:?}");
        groups.release(lock);
        groups.run_for(ms(1_000));
        groups.events();
        groups.kill(SERVER);
        let error = refused(&mut groups, one_attempt(KEY));
        let is_refusal = |vote: &Vote| matches!(vote, Vote::Failed(NodeError::Server(error)) if error.prefix == "SAMESERVERS");
        assert_eq!(error.votes.iter().filter(|(_, vote)| is_refusal(vote)).count(), 1, "{error:?}");
    }
}

#[test]
fn a_grant_that_was_on_its_way_when_its_vote_turned_out_to_be_another_one_does_not_count() {
    let mut groups = VoteGroups::same_clusters();
    groups.stop(CLUSTER[0]);
    // The second cluster's seed has this slot.
    groups.visit("a");
    groups.heard(CLUSTER[1]);
    groups.kill(SERVER);
    groups.stop(CLUSTER[1]);
    groups.acquire(request("a"));
    groups.resume(CLUSTER[0]);
    groups.resume(CLUSTER[1]);
    groups.run_for(ms(100));
    assert!(!is_granted(&mut groups));
    let asked = groups.heard(CLUSTER[1]);
    assert!(asked.iter().filter(|name| *name == "EVALSHA").count() >= 2, "for both votes: {asked:?}");
}

#[test]
fn keys_in_several_slots_and_fair_locks_are_refused() {
    let mut groups = VoteGroups::new();
    let keys = vec![b"a".to_vec(), KEY.as_bytes().to_vec()];
    let now = groups.now;
    let refused = groups.engine.acquire(Request { keys, ..request(KEY) }, now);
    assert_eq!(refused, Err(InvalidRequest::SlotsOnSeveral));
    let refused = groups.engine.acquire(Request { fair: true, ..request(KEY) }, now);
    assert_eq!(refused, Err(InvalidRequest::FairOnSeveral));
    let keys = vec![b"{a}:1".to_vec(), b"{a}:2".to_vec()];
    groups.acquire(Request { keys, ..request(KEY) });
    assert!(is_granted(&mut groups));
}

#[test]
fn a_group_takes_the_last_servers_that_belong_to_no_other() {
    let mut groups = VoteGroups::new();
    assert!(!groups.engine.form_cluster("a:1"), "the last server belongs to a cluster");
    assert!(!groups.engine.follow_sentinels("m", 0, redlatch::Endpoint::default()));
    groups.hold(request(KEY));
    assert_eq!(groups.holders(KEY), [CLUSTER[0], MASTER, SERVER], "the groups are as they were");
}
