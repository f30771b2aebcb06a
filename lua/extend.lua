-- extend: lengthens the lease of every key, for either kind of lock, if the token holds them all.
-- PARTS: expiry, fence
-- KEYS: n lock keys, then their n fence counters in the same order
-- ARGV: nonce, token, lease (ms; 0 only checks that the token holds the keys), claim: the owner id of the lock that
--   adopts the keys, or ''
-- RETURNS: {nonce, 1} when the token holds all keys; {nonce, 0} when it does not, and nothing was changed
local nonce, token, lease, claim = unpack(ARGV)
lease = tonumber(lease)
local n = #KEYS / 2

for i = 1, n do
  if redis.call('GET', KEYS[i]) ~= token then return {nonce, 0} end
end
if claim ~= '' then
  for i = 1, n do
    local fence = string.match(redis.call('GET', KEYS[n + i]) or '', '^%d+') or '0'
    local ttl = math.max(lease + fence_margin, redis.call('PTTL', KEYS[n + i]))
    redis.call('SET', KEYS[n + i], fence .. ' ' .. claim, 'PX', ttl)
  end
end
if lease > 0 then
  for i = 1, n do
    lengthen(KEYS[i], lease)
    lengthen(KEYS[n + i], lease + fence_margin)
  end
end
return {nonce, 1}
