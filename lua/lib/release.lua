-- lib/release: how a release of either kind frees the lock keys, and wakes waiters.

-- Deletes the keys that the token holds, and wakes one waiter for each key that is free then. Returns the number of
-- deleted keys. `next_waiter` reads the waiter to wake for a key; its arguments are the key's sets that follow the
-- counters in KEYS, `now`, and the waiter that leaves. Its first result is the waiter, the third a list of the waiters
-- to remove from the set, or nil.
local function release(n, token, waiter, claim, next_waiter, now)
  -- Look: everything is read before anything is written. While a slot moves to another server, a command fails on a
  -- key that the script has emptied.
  local mine, leaving, woken = {}, {}, {}
  for i = 1, n do
    local waiters = KEYS[2 * n + i]
    -- Under pcall: a key of another type belongs to somebody else, and must not stop the release of the other keys.
    local owner = redis.pcall('GET', KEYS[i])
    mine[i] = owner == token
    if mine[i] and claim ~= '' then
      -- A stale command must not touch a newer claim.
      local counter = redis.pcall('GET', KEYS[n + i])
      local claimed = type(counter) == 'string' and string.match(counter, ' (.+)$')
      mine[i] = not claimed or claimed == claim
    end
    local next_one, _, gone
    -- Also if the key was free before: the waiter that leaves may be the one that was woken for it.
    if mine[i] or not owner then
      next_one, _, gone = next_waiter(waiters, KEYS[3 * n + i], now, waiter)
      woken[#woken + 1] = next_one
    end
    if waiter ~= '' and redis.call('ZSCORE', waiters, waiter) then
      gone = gone or {}
      gone[#gone + 1] = waiter
    end
    leaving[i] = gone or false
  end
  -- Write. The keys go last: a server that denies one of the commands must free nothing.
  for i = 1, n do
    if leaving[i] then redis.call('ZREM', KEYS[2 * n + i], unpack(leaving[i])) end
  end
  local deleted = 0
  for i = 1, n do
    if mine[i] then deleted = deleted + redis.call('DEL', KEYS[i]) end
  end
  -- Last, and under pcall: a message is a hint.
  for i = 1, #woken do
    local client, number = string.match(woken[i], '^([^:]+):(.+)$')
    if client then redis.pcall('PUBLISH', 'redlatch:wake:' .. client, number) end
  end
  return deleted
end
