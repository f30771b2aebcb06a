-- adopt: claims every key of a lock that a token holds, and lengthens its lease, for either kind of lock.
-- PARTS: claim
-- KEYS: lock keys
-- ARGV: nonce, lease (ms), token, claim: the owner id ('client:number') of the lock that adopts the keys
-- RETURNS: {nonce, 1} when all keys hold the token with this claim now; {nonce, 0} when another token holds one, or a newer
--   claim of the same client, and nothing was changed
local nonce, lease, token, claim = unpack(ARGV)
local value, left = token .. ' ' .. claim, {}
for i = 1, #KEYS do
  local stored = redis.call('GET', KEYS[i])
  if not stored or not takes_over(value, stored) then return {nonce, 0} end
  left[i] = redis.call('PTTL', KEYS[i])
end
-- Never shorten: a stale command must not cut a lease that was extended since.
for i = 1, #KEYS do redis.call('SET', KEYS[i], value, 'PX', math.max(left[i], tonumber(lease))) end
return {nonce, 1}
