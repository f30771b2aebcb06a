//! Locks with keys in several slots of a cluster, once they are held (rule 12): what concerns one slot concerns the lock.

use crate::{
    cluster::{Cluster, name},
    several_slots::{administered, all, fence, visited},
    world::{ms, renewed, request},
};
use redlatch::{Event, Loss, Request};

#[test]
fn a_renewal_extends_all_slots_at_once() {
    let (mut cluster, keys) = visited(2, 0);
    let lock = cluster.hold(Request { renew: true, ..all(&[&keys[0], &keys[1]]) });
    (0..2).for_each(|node| drop(cluster.heard(node)));
    cluster.stop(0);
    cluster.run_for(ms(3400));
    assert_eq!(cluster.heard(1).len(), 1, "though the first has not answered");
    cluster.resume(0);
    cluster.run_for(ms(120_000));
    assert!(cluster.events().is_empty());
    assert!(cluster.engine.remaining(lock, cluster.now) > ms(6000));
}

#[test]
fn not_yours_of_one_slot_is_a_loss_of_the_lock() {
    for lost in 0..2 {
        let (mut cluster, keys) = visited(2, 0);
        let lock = cluster.hold(all(&[&keys[0], &keys[1]]));
        administered(&mut cluster, lost, &["DEL", &keys[lost]]);
        cluster.verify(lock);
        let events = cluster.events();
        assert!(
            events.iter().any(|event| matches!(event, Event::Verified { ours: false, .. })),
            "{events:?}"
        );
        let is_lost = |event: &Event| matches!(event, Event::Lost { loss: Loss::NotOurs, .. });
        assert!(events.iter().any(is_lost), "{events:?}");
        assert!((0..2).all(|node| cluster.holder(node, &keys[node]).is_none()));
    }
}

#[test]
fn a_release_that_finds_one_slot_gone_is_a_loss() {
    let (mut cluster, keys) = visited(2, 0);
    let lock = cluster.hold(all(&[&keys[0], &keys[1]]));
    administered(&mut cluster, 1, &["DEL", &keys[1]]);
    cluster.release(lock);
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Lost { loss: Loss::Gone, .. }]), "{events:?}");
    assert_eq!(cluster.holder(0, &keys[0]), None);
}

#[test]
fn a_slot_that_moves_takes_its_keys_along() {
    let (mut cluster, keys) = visited(2, 0);
    let lock = cluster.hold(Request { renew: true, ..all(&[&keys[0], &keys[1]]) });
    cluster.move_slot(&keys[1], 0);
    cluster.verify(lock);
    cluster.run_for(ms(60_000));
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Verified { ours: true, .. }]), "{events:?}");
    cluster.release(lock);
    assert!([&keys[0], &keys[1]].iter().all(|key| cluster.holder(0, key).is_none()));
    let again = cluster.acquire(all(&[&keys[0], &keys[1]]));
    assert!(
        cluster.events().iter().any(|event| matches!(event, Event::Granted { lock, .. } if *lock == again))
    );
}

#[test]
fn all_slots_of_a_node_that_dies_are_asked_for_at_its_replica() {
    let (mut cluster, keys) = visited(2, 1);
    let others: Vec<_> =
        (0..).map(|number| format!("other:{number}")).filter(|key| cluster.owner(key) == 0).take(2).collect();
    let lock = cluster.hold(all(&[&others[0], &others[1], &keys[1]]));
    cluster.stop(0);
    cluster.verify(lock);
    cluster.promote(2, 0, &[1, 2, 3]);
    cluster.run_for(ms(5000));
    let events = cluster.events();
    assert!(events.iter().any(|event| matches!(event, Event::Verified { ours: true, .. })), "{events:?}");
    cluster.release(lock);
    cluster.run_for(ms(1000));
    assert!(others.iter().all(|key| cluster.holder(2, key).is_none()));
}

#[test]
fn a_new_master_without_the_keys_of_one_slot_is_a_loss() {
    let (mut cluster, keys) = visited(2, 1);
    cluster.promote(3, 1, &[]);
    let lock = cluster.hold(Request { renew: true, ..all(&[&keys[0], &keys[1]]) });
    for view in 0..4 {
        cluster.nodes[view].memory.cluster_mut().unwrap().promote(name(3));
    }
    cluster.kill(1);
    cluster.run_for(ms(1500));
    let events = cluster.events();
    let is_lost =
        |event: &Event| matches!(event, Event::Lost { lock: lost, loss: Loss::NotOurs, .. } if *lost == lock);
    assert!(events.iter().any(is_lost), "{events:?}");
    cluster.run_for(ms(1000));
    assert_eq!(cluster.holder(0, &keys[0]), None);
}

#[test]
fn an_adoption_claims_all_slots() {
    let (mut cluster, keys) = visited(2, 0);
    let (token, keys) = (Some(b"mine".to_vec()), [keys[0].as_str(), keys[1].as_str()]);
    let lock = cluster.acquire(Request { token: token.clone(), ..all(&keys) });
    let fence = fence(&cluster.events());
    cluster.release(lock);
    for (node, key) in keys.iter().enumerate() {
        administered(&mut cluster, node, &["SET", key, "mine", "PX", "5000"]);
    }
    cluster.events();
    cluster.acquire(Request { token, adopt: Some(fence), ..all(&keys) });
    let events = cluster.events();
    assert!(matches!(events[..], [Event::Granted { fence: kept, .. }] if kept == fence), "{events:?}");
}

#[test]
fn a_slot_that_gets_another_server_after_its_answer_is_asked_again_soon() {
    let mut cluster = Cluster::new(3, 0);
    let (here, there) = (cluster.key_on(0), cluster.key_on(1));
    let keys = [&here, &there].map(|key| key.as_bytes().to_vec()).to_vec();
    // So many that this one is confirmed a little later.
    for number in 0..40 {
        cluster.hold(Request { ttl: ms(60_000), ..request(format!("{{{here}}}{number}")) });
    }
    let lock = cluster.hold(Request { keys, ttl: ms(9_000), ..renewed(&here) });
    // Of the renewal, one slot is answered and the other is not.
    cluster.stop(1);
    cluster.run_for(ms(3_050));
    cluster.set_owner(&here, 2, &[0, 1, 2]);
    cluster.acquire(request(format!("{{{here}}}other")));
    cluster.resume(1);
    cluster.run_for(ms(300));
    let is_lost =
        |event: &Event| matches!(event, Event::Lost { lock: lost, loss: Loss::NotOurs, .. } if *lost == lock);
    let events = cluster.events();
    assert!(events.iter().any(is_lost), "{events:?}");
}
