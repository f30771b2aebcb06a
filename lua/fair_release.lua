-- fair_release: deletes those of the keys that the token holds, gives up the waiter's places, and wakes the next in line.
-- KEYS: n lock keys, then in the same order their n fence counters, n queues, and n leases on places
-- ARGV: nonce, token, waiter ('client:number' of who gives its places up, or ''), claim (as in exclusive_release)
-- RETURNS: {nonce, deleted}, the number of keys that were the token's
local nonce, token, waiter, claim = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local most_dead = 100 -- waiters purged from one queue in one call
local n = #KEYS / 4
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local deleted, wakes = 0, {}
for i = 1, n do
  local queue, places = KEYS[2 * n + i], KEYS[3 * n + i]
  if waiter ~= '' then redis.call('ZREM', queue, waiter) end
  local owner = redis.pcall('GET', KEYS[i]) -- a key of another type is not the token's, and must not save the rest
  local is_mine = owner == token
  if is_mine and claim ~= '' then
    -- Claimed since, as in exclusive_release.
    local counter = redis.pcall('GET', KEYS[n + i])
    local claimed = type(counter) == 'string' and string.match(counter, ' (.+)$')
    is_mine = not claimed or claimed == claim
  end
  if is_mine then
    deleted = deleted + redis.call('DEL', KEYS[i])
    owner = false
  end
  -- Also when the key was free already: who leaves may have been the head that was woken for it.
  if not owner then
    for _ = 1, most_dead do
      local head = redis.call('ZRANGE', queue, 0, 0)[1]
      if not head then break end
      local kept = tonumber(redis.call('ZSCORE', places, string.match(head, '^[^:]+')) or 0)
      if kept > now then
        wakes[#wakes + 1] = head
        break
      end
      redis.call('ZREM', queue, head)
    end
  end
end

-- Last, and whatever becomes of it: a message is a hint.
for _, each in ipairs(wakes) do
  local client, number = string.match(each, '^([^:]+):(.+)$')
  if client then redis.pcall('PUBLISH', 'redlatch:wake:' .. client, number) end
end
return {nonce, deleted}
