-- lib/acquire: how an acquire of either kind reads the lock keys, and how it takes them.

-- Reads the lock keys and their fence counters, and writes nothing: a Lua error does not roll back.
-- Returns the number of keys that the token holds; the longest remaining lease in ms of the keys that other tokens hold
-- (at least 1; 0 if there are none; -1 if one never expires); and the last fencing token of all other keys.
local function look(n, token, claim)
  local mine, held, last = 0, 0, 0
  for i = 1, n do
    local owner = redis.call('GET', KEYS[i])
    local is_mine = owner == token
    if is_mine or not owner then
      local counter = redis.call('GET', KEYS[n + i]) or ''
      local fence = tonumber(string.match(counter, '^%d+')) or 0
      if fence > last then last = fence end
      if is_mine and claim ~= '' then
        -- A stale command must not touch a newer claim of the same client.
        local client, number = string.match(claim, '^(.+):(%d+)$')
        local claimant, latest = string.match(counter, ' (.+):(%d+)$')
        is_mine = not client or client ~= claimant or tonumber(latest) <= tonumber(number)
      end
    end
    if is_mine then
      mine = mine + 1
    elseif owner then
      local pttl = redis.call('PTTL', KEYS[i])
      if pttl < 0 or held < 0 then held = -1 else held = math.max(held, pttl, 1) end
    end
  end
  return mine, held, last
end

-- Takes all keys for the token, and removes the waiter from the sets that follow the counters in KEYS, with the dead
-- waiters that `dead` lists for each set, if given. Returns the fencing token. `mine` and `last` are what `look`
-- returned.
local function grant(n, mine, last, token, lease, waiter, claim, micros, counter_ttl, dead)
  -- Look: everything is read before anything is written.
  local enlisted, left, claimed = {}, {}, {}
  for i = 1, n do
    enlisted[i] = waiter ~= '' and redis.call('ZSCORE', KEYS[2 * n + i], waiter)
    if mine > 0 then
      left[i], left[n + i] = redis.call('PTTL', KEYS[i]), redis.call('PTTL', KEYS[n + i])
      -- An acquire without a claim keeps the claim of the process that adopted the lock.
      if mine == n and claim == '' then claimed[i] = string.match(redis.call('GET', KEYS[n + i]) or '', ' .+$') end
    end
  end
  -- A repeated acquire gets the same fencing token, so that a lost reply blocks nobody.
  local fence = last
  if mine < n or last == 0 then fence = math.max(last + 1, micros) end
  local text = string.format('%.0f', fence) -- Lua's numbers reach RESP as integers only up to 2^53
  for i = 1, n do
    local ttl = mine == n and math.max(counter_ttl, left[n + i]) or counter_ttl
    -- The first write must need memory: a server checks only at the first write whether it is out of memory.
    redis.call('SET', KEYS[n + i], text .. (claim ~= '' and ' ' .. claim or claimed[i] or ''), 'PX', ttl)
    -- Before the grant: a server that denies ZREM must grant nothing.
    if dead and dead[i] then redis.call('ZREM', KEYS[2 * n + i], unpack(dead[i])) end
    if enlisted[i] then redis.call('ZREM', KEYS[2 * n + i], waiter) end
    -- Never shorten: a stale command must not cut a lease that was extended since.
    if mine == 0 or left[i] < lease then redis.call('SET', KEYS[i], token, 'PX', lease) end
  end
  return text
end
