-- multi_acquire: takes every key of one lock, or none of them.
-- PARTS: clock, expiry, claim, fence
-- KEYS: for each lock key the key and, if the lock waits, its set of registered waiters; then the fence counter, if there
--   is one
-- ARGV: nonce, number of lock keys, lease (ms), registration TTL (ms), negative if the lock cannot have registered before,
--   or '' if it does not wait, value, waiter id
-- RETURNS: {nonce, result}, as in exclusive_acquire; the longest remaining lease of the keys that others hold
local nonce, n, lease, registration_ttl, value, waiter = unpack(ARGV)
registration_ttl = tonumber(registration_ttl)
local width = registration_ttl and 2 or 1

-- Look: nothing is written before everything is read.
local counter, left, held = KEYS[n * width + 1], {}, nil
local micros = (counter or width > 1) and clock()
local last = counter and last_fence(counter)
for at = 1, n * width, width do
  local stored = redis.call('GET', KEYS[at])
  if stored then
    left[at] = redis.call('PTTL', KEYS[at])
    if stored ~= value and not takes_over(value, stored) then
      if left[at] < 0 or held == 0 then held = 0 else held = math.max(held or 1, left[at]) end
    end
  end
  if width > 1 then redis.call('ZSCORE', KEYS[at + 1], waiter) end
end
if held then
  if width > 1 then
    local ttl = math.abs(registration_ttl)
    local expiry = math.floor(micros / 1000) + ttl
    for at = 2, n * 2, 2 do enter(KEYS[at], expiry, waiter, ttl) end
  end
  return {nonce, -held}
end

-- The first write must be one that needs memory: a server that is out of memory looks at no other.
local fence = counter and mint(counter, last, micros, 1) or 1
for at = 1, n * width, width do
  -- Before the grant: a server that denies ZREM must grant nothing.
  if width > 1 and registration_ttl > 0 then redis.call('ZREM', KEYS[at + 1], waiter) end
end
for at = 1, n * width, width do
  -- Never shorten: a stale command must not cut a lease that was extended since.
  redis.call('SET', KEYS[at], value, 'PX', math.max(left[at] or 0, tonumber(lease)))
end
return {nonce, fence}
