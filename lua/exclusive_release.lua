-- exclusive_release: deletes the keys that the token holds, and wakes one registered waiter for each.
-- PARTS: release
-- KEYS: n lock keys, then in the same order their n fence counters and their n sets of registered waiters
-- ARGV: nonce, token, waiter id to unregister, or '', claim: the owner id of the lock to release, or '' to release all
--   that the token holds
-- RETURNS: {nonce, deleted}, the number of keys that the token held
local nonce, token, waiter, claim = unpack(ARGV)
local n = #KEYS / 3

-- Takes the first registration that has not expired out of a set.
local function pop_waiter(waiters)
  local now
  for _ = 1, 100 do -- one live registration, behind expired ones
    local first = redis.call('ZPOPMIN', waiters)
    if #first == 0 then return nil end
    if not now then
      local time = redis.call('TIME')
      now = time[1] * 1000 + time[2] / 1000
    end
    if tonumber(first[2]) > now then return first[1] end
  end
end
return {nonce, release(n, token, waiter, claim, pop_waiter)}
