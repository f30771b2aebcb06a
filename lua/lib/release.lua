-- lib/release: how a release of either kind frees the lock keys, and wakes waiters.

-- Deletes the keys that the token holds, and wakes one waiter for each key that is free then. Returns the number of
-- deleted keys. `next_waiter` returns the waiter to wake for a key; its arguments are the key's sets that follow the
-- counters in KEYS, and `now`.
local function release(n, token, waiter, claim, next_waiter, now)
  local deleted, woken = 0, {}
  for i = 1, n do
    local waiters = KEYS[2 * n + i]
    if waiter ~= '' then redis.call('ZREM', waiters, waiter) end
    -- Under pcall: a key of another type belongs to somebody else, and must not stop the release of the other keys.
    local owner = redis.pcall('GET', KEYS[i])
    local is_mine = owner == token
    if is_mine and claim ~= '' then
      -- A stale command must not touch a newer claim.
      local counter = redis.pcall('GET', KEYS[n + i])
      local claimed = type(counter) == 'string' and string.match(counter, ' (.+)$')
      is_mine = not claimed or claimed == claim
    end
    if is_mine then
      deleted = deleted + redis.call('DEL', KEYS[i])
      owner = false
    end
    -- Also if the key was free before: the waiter that leaves may be the one that was woken for it.
    if not owner then woken[#woken + 1] = next_waiter(waiters, KEYS[3 * n + i], now) end
  end
  -- Last, and under pcall: a message is a hint.
  for i = 1, #woken do
    local client, number = string.match(woken[i], '^([^:]+):(.+)$')
    if client then redis.pcall('PUBLISH', 'redlatch:wake:' .. client, number) end
  end
  return deleted
end
