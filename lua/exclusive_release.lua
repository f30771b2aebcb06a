-- exclusive_release: deletes the keys that the token holds, and wakes one registered waiter for each.
-- PARTS: release
-- KEYS: n lock keys, then in the same order their n fence counters and their n sets of registered waiters
-- ARGV: nonce, token, waiter id to unregister, or '', claim: the owner id of the lock to release, or '' to release all
--   that the token holds
-- RETURNS: {nonce, deleted}, the number of keys that the token held
local nonce, token, waiter, claim = unpack(ARGV)
local n = #KEYS / 3

-- Finds the first registration that has not expired and is not that of the leaving waiter. It is removed, together with
-- those before it.
local function first_waiter(waiters, _, _, leaver)
  local gone, now
  for rank = 0, 99 do -- one live registration, behind expired ones
    local first = redis.call('ZRANGE', waiters, rank, rank, 'WITHSCORES')
    if #first == 0 then break end
    if not now then
      local time = redis.call('TIME')
      now = time[1] * 1000 + time[2] / 1000
    end
    gone = gone or {}
    if first[1] ~= leaver then gone[#gone + 1] = first[1] end
    if first[1] ~= leaver and tonumber(first[2]) > now then return first[1], 0, gone end
  end
  return nil, 0, gone
end
return {nonce, release(n, token, waiter, claim, first_waiter)}
