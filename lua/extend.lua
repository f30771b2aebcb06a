-- extend: lengthens the lease of keys that hold their value.
-- PARTS: none
-- KEYS: lock keys
-- ARGV: nonce, lease (ms; 0 only verifies that the keys hold the value), and a value for each key, or one for all
-- RETURNS: {nonce, and for each key 1 if it holds its value, else 0}; with one value for all, {nonce, 1} if all keys hold
--   it, or {nonce, 0}, and nothing was changed
local lease = tonumber(ARGV[2])
local is_one = #ARGV == 3
local reply, kept = {ARGV[1]}, {}
for i = 1, #KEYS do
  -- Under pcall: a key of another type holds no value, and concerns no other lock.
  local is_mine = redis.pcall('GET', KEYS[i]) == ARGV[is_one and 3 or i + 2]
  if is_mine then kept[#kept + 1] = KEYS[i] end
  reply[i + 1] = is_mine and 1 or 0
end
if is_one then
  if #kept < #KEYS then return {ARGV[1], 0} end
  reply = {ARGV[1], 1}
end
-- Write: always, although a verification changes nothing. A replica has the key too, and refuses only writes.
for _, key in ipairs(kept) do
  local left, ttl = redis.call('PTTL', key), ARGV[2]
  -- Never shorten: a stale command must not cut a lease that was extended since.
  if left >= lease then ttl = math.max(left, 1) end
  if lease == 0 and left < 0 then ttl = '3600000' end -- the key never expires: no lease is known
  redis.call('PEXPIRE', key, ttl)
end
return reply
