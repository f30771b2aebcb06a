-- exclusive_acquire: takes every key for one token, or none of them.
-- KEYS: n lock keys, then in the same order their n fence counters and their n sets of waiters
-- ARGV: nonce, token, lease (ms), waiter ('client:number' of who wants a wake-up, or ''), ms that its wish is kept,
--   claim ('client:number' of the lock that asks, or '' if no other will ever ask under this token)
-- RETURNS: {nonce, 1, fence} when all keys are the token's now; {nonce, 0, pttl} when another token
--   holds one of them: the longest remaining lease in ms, at least 1, or -1 if a key never expires
local nonce, token, lease, waiter, kept = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local claim = ARGV[6]
local client, number = string.match(claim, '^(.+):(%d+)$')
local fence_kept = 3600000 -- ms that a counter outlives the lease: covers a server clock stepped back
local n = #KEYS / 3

-- Look at everything before anything is written: an error does not roll back.
local mine, taken, wait, absent, last, claims = 0, false, 1, {}, 0, {}
for i = 1, n do
  local owner = redis.call('GET', KEYS[i])
  local is_mine = owner == token
  if is_mine or not owner then
    local counter = redis.call('GET', KEYS[n + i]) or ''
    last = math.max(last, tonumber(string.match(counter, '^%d+')) or 0)
    claims[i] = string.match(counter, ' .+$')
    if is_mine and client then
      -- A command that was given up may run late: what its client has claimed since under this token is not its to touch.
      local whose, which = string.match(counter, ' (.+):(%d+)$')
      is_mine = whose ~= client or tonumber(which) <= tonumber(number)
    end
  end
  if is_mine then
    mine = mine + 1
  elseif owner then
    taken = true
    local pttl = redis.call('PTTL', KEYS[i])
    if pttl < 0 or wait < 0 then wait = -1 else wait = math.max(wait, pttl) end
  else
    absent[i] = true
  end
end

local time = redis.call('TIME')
if taken then
  if waiter ~= '' then
    local until_ms = time[1] * 1000 + math.floor(time[2] / 1000) + kept
    for i = 2 * n + 1, 3 * n do
      redis.call('ZADD', KEYS[i], until_ms, waiter)
      if redis.call('PTTL', KEYS[i]) < kept then redis.call('PEXPIRE', KEYS[i], kept) end
    end
  end
  return {nonce, 0, wait}
end

-- "Already mine" is a yes with the same fence, so that a lost reply blocks nobody.
local fence = last
if mine < n or last == 0 then fence = math.max(last + 1, time[1] * 1000000 + time[2]) end
local text = string.format('%.0f', fence) -- Lua's numbers reach RESP as integers only up to 2^53
for i = 1, n do
  -- Without a claim of its own it leaves that of who adopted the lock.
  local claimed = claim ~= '' and ' ' .. claim or mine == n and claims[i] or ''
  redis.call('SET', KEYS[n + i], text .. claimed, 'PX', math.max(lease + fence_kept, mine == n and redis.call('PTTL', KEYS[n + i]) or 0))
  -- Never shorten: a copy of this command that arrives late must not cut a lease extended since.
  if absent[i] or redis.call('PTTL', KEYS[i]) < lease then
    redis.call('SET', KEYS[i], token, 'PX', lease)
  end
  if waiter ~= '' then redis.call('ZREM', KEYS[2 * n + i], waiter) end
end
return {nonce, 1, text}
