-- raise_fence: raises the fence counter to the fence of a lock that has keys in other slots too, if the lock holds its keys.
-- PARTS: fence
-- KEYS: lock keys; then the fence counter
-- ARGV: nonce, value, fence
-- RETURNS: {nonce, 1} when all keys hold the value and the counter is at least the fence; {nonce, 0} when one of them does
--   not hold it, and nothing was changed
local nonce, value, fence = unpack(ARGV)
for i = 1, #KEYS - 1 do
  if redis.call('GET', KEYS[i]) ~= value then return {nonce, 0} end
end
local last = last_fence(KEYS[#KEYS])
-- One less: what is taken next is the counter itself, or the fence if that is larger.
mint(KEYS[#KEYS], last - 1, tonumber(fence), 1)
return {nonce, 1}
