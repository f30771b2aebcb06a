//! Time: the clock that merges two readings, and a lease under it.

use arbitrary::{Result, Unstructured};
use redlatch::{Clock, Duration, Event, Instant, Request};

use super::world::{Client, Output, next_io, one_attempt};

/// By how much the merged clock may be behind the wall clock.
const JITTER: u64 = 20_000;
const LEASE_MS: u64 = 10_000;
/// The lease less 1 % and 2 ms.
const VALID: u64 = LEASE_MS * 1000 - 100_000 - 2000;

/// Whatever two clocks say: merged time never goes back, never misses time that either of them saw, nothing
/// overflows, and a lease is valid no longer than its validity by either clock. Input: readings, as steps
/// from the last one or as numbers.
pub fn clock(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = attempt(&mut u);
}

fn attempt(u: &mut Unstructured<'_>) -> Result<()> {
    arithmetic(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
    let mut clock = Clock::default();
    let (mut mono, mut wall) = (u64::from(u.arbitrary::<u32>()?), 1_700_000_000_000_000u64);
    let first = clock.advance(mono, wall);
    let mut held = held_since(first);
    // Readings since which the monotonic clock has not gone back, each with its merged time.
    let mut seen = vec![(mono, wall, first)];
    let (mut last, mut high) = (first, mono);
    while !u.is_empty() && seen.len() < 60 {
        match u.int_in_range(0..=7)? {
            0 => (mono, wall) = (u.arbitrary()?, u.arbitrary()?),
            1 => mono = u.arbitrary()?,
            2 => wall = u.arbitrary()?,
            3 => mono = mono.saturating_sub(u.arbitrary::<u32>()?.into()),
            4 => wall = wall.saturating_add_signed(u.arbitrary::<i32>()?.into()),
            5 => {
                // A suspend, or an hour's change.
                let span = u64::from(u.arbitrary::<u32>()?);
                wall = wall.saturating_add(span);
            }
            _ => {
                let span = u64::from(u.arbitrary::<u16>()?) * 10;
                (mono, wall) = (mono.saturating_add(span), wall.saturating_add(span));
            }
        }
        let peeked = clock.peek(mono, wall);
        let now = clock.advance(mono, wall);
        assert_eq!(peeked, now);
        assert!(now >= last, "time goes back");
        assert!(now.after(Duration::from_micros(1)) > now, "there is no later point");
        high = high.max(mono);
        for &(mono_then, wall_then, then) in &seen {
            let merged = now.since(then).as_micros();
            let at_its_end = now == Instant::from_micros(u64::MAX);
            assert!(
                at_its_end || merged >= high.saturating_sub(mono_then),
                "misses what the monotonic clock saw"
            );
            // Beyond 2^63 µs, 292 000 years, the wall clock counts as standing still.
            let exact = [high, wall, wall_then, mono_then].iter().all(|&micros| micros < 1 << 61);
            assert!(
                at_its_end || !exact || merged >= wall.saturating_sub(wall_then).saturating_sub(JITTER),
                "misses what the wall clock saw"
            );
        }
        seen.push((high, wall, now));
        last = now;
        check_lease(&mut held, first, now);
    }
    Ok(())
}

/// A lock that is held from `first` on, and its validity when it was last checked.
struct Held {
    client: Client,
    lock: redlatch::HandleId,
    believed: bool,
    until: Instant,
}

fn held_since(first: Instant) -> Held {
    let mut client = Client::new();
    client.now = first;
    let request = Request { renew: true, ttl: Duration::from_millis(LEASE_MS), ..one_attempt("k") };
    let lock = client.engine.acquire(request, first).unwrap();
    client.greet();
    let acquire = client.command();
    client.reply(acquire.granted(7));
    assert!(matches!(client.events().as_slice(), [Event::Granted { fence: 7, .. }]));
    Held { client, lock, believed: true, until: first.after(Duration::from_micros(VALID)) }
}

/// No server replies any more: validity only shrinks, and its end is reported in time.
fn check_lease(held: &mut Held, first: Instant, now: Instant) {
    let Held { client, lock, believed, until } = held;
    client.now = now;
    // After a stall of the event loop: the first call comes before any timer.
    let remaining = client.engine.remaining(*lock, now);
    assert!(now.after(remaining) <= *until || remaining == Duration::ZERO, "validity has grown");
    assert!(remaining.as_micros() <= VALID.saturating_sub(now.since(first).as_micros()));
    *until = (*until).min(now.after(remaining)).max(now);
    client.engine.handle_timeout(now);
    let lost = client.events().iter().any(|event| matches!(event, Event::Lost { .. }));
    assert!(!lost || *believed, "lost twice");
    *believed &= !lost;
    let remaining = client.engine.remaining(*lock, now);
    assert_eq!(*believed, remaining > Duration::ZERO, "believed in without validity, or lost with it");
    assert!(!*believed || now.since(first).as_micros() < VALID, "lost too late");
    let next = client.engine.poll_timeout();
    assert!(next.is_none_or(|next| next > now), "time is up and nothing is done");
    assert!(!*believed || next.is_some_and(|next| next <= *until), "no timer will report the loss");
    while let Some(output) = next_io(&mut client.engine) {
        if let Output::Connect(_, id) = output {
            client.engine.handle_closed(id, "refused", now);
        }
    }
}

/// Spans and instants agree with the same sums in 128 bits, cut off where 64 bits end.
fn arithmetic(a: u64, b: u64, ppm: u32) {
    let cut = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
    let (wide_a, wide_b) = (u128::from(a), u128::from(b));
    let (span_a, span_b) = (Duration::from_micros(a), Duration::from_micros(b));
    assert_eq!(span_a.plus(span_b).as_micros(), cut(wide_a + wide_b));
    assert_eq!(span_a.minus(span_b).as_micros(), a.saturating_sub(b));
    assert_eq!(span_a.times(b).as_micros(), cut(wide_a * wide_b));
    assert_eq!(span_a.part(b).as_micros(), a.checked_div(b).unwrap_or(a));
    assert_eq!(Duration::from_millis(a).as_micros(), cut(wide_a * 1000));
    let millionths = (wide_a * u128::from(ppm)).div_ceil(1_000_000);
    assert_eq!(span_a.millionths(ppm).as_micros(), cut(millionths));
    let point = Instant::from_micros(a);
    assert_eq!(point.as_micros(), a.min(1 << 62));
    assert_eq!(point.after(span_b).as_micros(), cut(u128::from(point.as_micros()) + wide_b));
    assert_eq!(point.before(span_b).as_micros(), point.as_micros().saturating_sub(b));
    assert_eq!(
        point.after(span_b).since(point),
        Duration::from_micros(point.after(span_b).as_micros() - point.as_micros())
    );
}
