-- extend: lengthens the lease of every key, if the token holds them all.
-- KEYS: n lock keys, then their n fence counters in the same order
-- ARGV: nonce, token, lease (ms; 0 asks only whether the token holds the keys), claim ('client:number' of the lock that
--   takes them over; '' if none does)
-- RETURNS: {nonce, 1} when the token holds all keys; {nonce, 0} when it does not, and nothing was changed
local nonce, token, lease, claim = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local fence_kept = 3600000 -- ms, as in exclusive_acquire
local n = #KEYS / 2

for i = 1, n do
  if redis.call('GET', KEYS[i]) ~= token then return {nonce, 0} end
end
if claim ~= '' then
  for i = 1, n do
    local fence = string.match(redis.call('GET', KEYS[n + i]) or '', '^%d+') or '0'
    redis.call('SET', KEYS[n + i], fence .. ' ' .. claim, 'PX', math.max(lease + fence_kept, redis.call('PTTL', KEYS[n + i])))
  end
end
if lease > 0 then
  for i = 1, n do
    -- Never shorten, as in exclusive_acquire. PEXPIRE, unlike SET, works when the server is out of memory.
    if redis.call('PTTL', KEYS[i]) < lease then redis.call('PEXPIRE', KEYS[i], lease) end
    if redis.call('PTTL', KEYS[n + i]) < lease + fence_kept then
      redis.call('PEXPIRE', KEYS[n + i], lease + fence_kept)
    end
  end
end
return {nonce, 1}
