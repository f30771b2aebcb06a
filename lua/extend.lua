-- extend: lengthens the lease of every key, for either kind of lock, if the token holds them all.
-- PARTS: fence
-- KEYS: n lock keys, then their n fence counters in the same order
-- ARGV: nonce, token, lease (ms; 0 only verifies that the token holds the keys), claim: the owner id of the lock that
--   adopts the keys, or ''
-- RETURNS: {nonce, 1} when the token holds all keys; {nonce, 0} when it does not, and nothing was changed
local nonce, token, lease, claim = unpack(ARGV)
lease = tonumber(lease)
local n = #KEYS / 2

-- Look: nothing is written before everything is read.
local left, fence = {}, {}
for i = 1, n do
  if redis.call('GET', KEYS[i]) ~= token then return {nonce, 0} end
end
for i = 1, n do
  left[i], left[n + i] = redis.call('PTTL', KEYS[i]), redis.call('PTTL', KEYS[n + i])
  if claim ~= '' then fence[i] = string.match(redis.call('GET', KEYS[n + i]) or '', '^%d+') or '0' end
end

-- Write: always, although a verification changes nothing. A replica has the key too, and refuses only writes.
for i = 1, n do
  -- Never shorten: a stale command must not cut a lease that was extended since.
  local ttl, counter_ttl = math.max(lease, left[i], 1), lease + fence_margin
  if lease == 0 and left[i] < 0 then ttl = fence_margin end -- the key never expires: no lease is known
  if claim ~= '' then
    -- SET alone, so that no other command can be denied halfway.
    redis.call('SET', KEYS[n + i], fence[i] .. ' ' .. claim, 'PX', math.max(counter_ttl, left[n + i]))
    redis.call('SET', KEYS[i], token, 'PX', ttl)
  else
    redis.call('PEXPIRE', KEYS[i], ttl)
    if lease > 0 and left[n + i] < counter_ttl then redis.call('PEXPIRE', KEYS[n + i], counter_ttl) end
  end
end
return {nonce, 1}
