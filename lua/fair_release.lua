-- fair_release: deletes the keys that the token holds, removes a waiter from the queues, and wakes the head of each.
-- PARTS: clock, queue, release
-- KEYS: n lock keys, then in the same order their n fence counters, n queues, and n sets of position leases
-- ARGV: nonce, token, waiter id that leaves the queues, or '', claim as in exclusive_release
-- RETURNS: {nonce, deleted}, the number of keys that the token held
local nonce, token, waiter, claim = unpack(ARGV)
return {nonce, release(#KEYS / 4, token, waiter, claim, live_head, math.floor(micros / 1000))}
