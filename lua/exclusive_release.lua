-- exclusive_release: deletes those of the keys that the token holds, and wakes one waiter for each.
-- KEYS: n lock keys, then in the same order their n fence counters and their n sets of waiters
-- ARGV: nonce, token, waiter (whose wish for a wake-up ends, or ''), claim (whose it is to
--   release: 'client:number', or '' for whatever the token holds)
-- RETURNS: {nonce, deleted}, the number of keys that were the token's
local nonce, token, waiter, claim = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local most_dead = 100 -- waiters whose wish has lapsed, passed over in one call
local n = #KEYS / 3

local deleted, wakes, now = 0, {}, nil
for i = 1, n do
  local waiters = KEYS[2 * n + i]
  if waiter ~= '' then redis.call('ZREM', waiters, waiter) end
  local owner = redis.pcall('GET', KEYS[i]) -- a key of another type is not the token's, and must not save the rest
  local is_mine = owner == token
  if is_mine and claim ~= '' then
    -- Another lock may have claimed the key since under this token: then this command runs late, and must not free it.
    local counter = redis.pcall('GET', KEYS[n + i])
    local claimed = type(counter) == 'string' and string.match(counter, ' (.+)$')
    is_mine = not claimed or claimed == claim
  end
  if is_mine then
    deleted = deleted + redis.call('DEL', KEYS[i])
    owner = false
  end
  -- Also when the key was free already: who leaves may have been the one that was woken for it.
  if not owner then
    for _ = 1, most_dead do
      local next = redis.call('ZPOPMIN', waiters)
      if #next == 0 then break end
      if not now then
        local time = redis.call('TIME')
        now = time[1] * 1000 + math.floor(time[2] / 1000)
      end
      if tonumber(next[2]) > now then
        wakes[#wakes + 1] = next[1]
        break
      end
    end
  end
end

-- Last, and whatever becomes of it: a message is a hint.
for _, each in ipairs(wakes) do
  local client, number = string.match(each, '^([^:]+):(.+)$')
  if client then redis.pcall('PUBLISH', 'redlatch:wake:' .. client, number) end
end
return {nonce, deleted}
