-- exclusive_release: deletes the keys that hold their value, and wakes one registered waiter for each.
-- PARTS: release
-- KEYS: for each lock key the key and, on a single server, its set of registered waiters
-- ARGV: nonce, waiter id to unregister, or '', and for each lock key its value
-- RETURNS: {nonce, and for each lock key 1 if it was deleted, else 0}

-- Finds the first registration that has not expired and is not that of the leaving waiter. It is removed, together with
-- those before it.
local function first_waiter(waiters, _, _, leaver)
  if redis.call('EXISTS', waiters) == 0 then return end
  local time, gone = redis.call('TIME'), {}
  local now = time[1] * 1000 + time[2] / 1000
  for rank = 0, 99 do -- one live registration, behind expired ones
    -- Under pcall: a key of another type is no set of waiters.
    local first = redis.pcall('ZRANGE', waiters, rank, rank, 'WITHSCORES')
    if first.err or #first == 0 then break end
    if first[1] ~= leaver then
      gone[#gone + 1] = first[1]
      if tonumber(first[2]) > now then return first[1], 0, gone end
    end
  end
  return nil, 0, gone
end

-- Mostly nobody waits for any of the keys, and one command says so.
local function has_waiters()
  local sets = {}
  for at = 2, #KEYS, 2 do sets[#sets + 1] = KEYS[at] end
  return redis.call('EXISTS', unpack(sets)) > 0
end
local width = #KEYS / (#ARGV - 2)
return release('redlatch:waiters:', first_waiter, nil, width > 1 and has_waiters())
