-- exclusive_acquire: takes every key for one token, or none of them.
-- PARTS: clock, expiry, fence, acquire
-- KEYS: n lock keys, then in the same order their n fence counters and their n sets of registered waiters
-- ARGV: nonce, token, lease (ms), waiter id to register ('client:number'), or '', registration TTL (ms),
--   claim: the owner id ('client:number') of the lock that acquires, or '' if no other lock ever uses this token
-- RETURNS: {nonce, 1, fence} when the token holds all keys now; {nonce, 0, pttl} when another token holds one of
--   them: the longest remaining lease in ms, at least 1, or -1 if a key never expires
local nonce, token, lease, waiter, registration_ttl, claim = unpack(ARGV)
lease, registration_ttl = tonumber(lease), tonumber(registration_ttl)
local n = #KEYS / 3

local mine, held, last = look(n, token, claim)
if held == 0 then return {nonce, 1, grant(n, mine, last, token, lease, waiter, claim, micros, lease + fence_margin)} end
if waiter ~= '' then
  local expiry = math.floor(micros / 1000) + registration_ttl
  -- Fails if a key has another type. The first one is checked by the first write.
  for i = 2 * n + 2, 3 * n do redis.call('ZSCORE', KEYS[i], waiter) end
  for i = 2 * n + 1, 3 * n do enter(KEYS[i], expiry, waiter, registration_ttl) end
end
return {nonce, 0, held}
