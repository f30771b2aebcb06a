-- fair_release: deletes the keys that hold their value, removes a waiter from the queues, and wakes the head of each.
-- PARTS: clock, queue, release
-- KEYS: for each lock key the key, its queue, and its position leases
-- ARGV: nonce, waiter id that leaves the queues, or '', and for each lock key its value
-- RETURNS: {nonce, and for each lock key 1 if it was deleted, else 0}
return release('redlatch:queue:', live_head, math.floor(clock() / 1000), true)
