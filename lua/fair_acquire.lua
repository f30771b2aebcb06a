-- fair_acquire: takes every key for one token if all are free and the waiter is first in every queue, or joins the
--   queues.
-- PARTS: clock, expiry, fence, acquire, queue
-- KEYS: n lock keys, then in the same order their n fence counters, n queues, and n sets of position leases
-- ARGV: nonce, token, lease (ms), waiter id ('client:number'), position lease (ms), 1 to join the queues or 0 to only
--   try, claim as in exclusive_acquire
-- RETURNS: {nonce, 1, fence} when the token holds all keys now; {nonce, 0, wait, joined, own_head} when it does not:
--   the ms after which another attempt makes sense, at least 1, or -1 if a key never expires; 1 if the waiter joined
--   the queues just now, else 0; and the number of another waiter of the same client that is the head of a queue, or 0
local nonce, token, lease, waiter, position_lease, join, claim = unpack(ARGV)
lease, position_lease, join = tonumber(lease), tonumber(position_lease), join == '1'
local n = #KEYS / 4
local client = string.match(waiter, '^[^:]+')
local now = math.floor(micros / 1000)

-- Look: read the keys, the queues and the position leases.
local mine, held, last = look(n, token, claim)
local is_first, is_second, head_lease, own_head, joined = true, true, 1, 0, 0
local heads, dead, lapsed = {}, {}, {}
for i = 1, n do
  local queue, leases = KEYS[2 * n + i], KEYS[3 * n + i]
  local head, left, before = live_head(queue, leases, now, nil, waiter, join and client)
  heads[i], dead[i] = head or false, before or false
  if mine < n and head and head ~= waiter then
    is_first = false
    head_lease = math.max(head_lease, left)
    local owner, number = string.match(head, '^([^:]*):?(.*)$')
    if owner == client then own_head = tonumber(number) or 0 end
    local rank = redis.call('ZRANK', queue, waiter)
    if not rank or rank - (before and #before or 0) > 1 then is_second = false end
  end
end
local is_granted = held == 0 and is_first
if join and not is_granted then
  for i = 1, n do
    local others = redis.call('ZRANGEBYSCORE', KEYS[3 * n + i], '-inf', now, 'LIMIT', 0, purge_limit)
    for at, other in ipairs(others) do
      if other == client then table.remove(others, at) break end
    end
    lapsed[i] = others[1] and others
    if joined == 0 and not redis.call('ZSCORE', KEYS[2 * n + i], waiter) then joined = 1 end
  end
end

-- Renews the client's position lease in a queue. It covers all waiters of the client.
local function renew_position(i)
  enter(KEYS[3 * n + i], now + position_lease, client, position_lease * 4)
  lengthen(KEYS[2 * n + i], position_lease * 4)
end

-- Take: the keys are free, and it is this waiter's turn.
if is_granted then
  -- For other waiters of the client. Before the grant: a server that denies one of these commands must grant nothing.
  for i = 1, n do
    if heads[i] then renew_position(i) end
  end
  local counter_ttl = lease + fence_margin
  return {nonce, 1, grant(n, mine, last, token, lease, waiter, claim, micros, counter_ttl, dead)}
end

-- Join: all queues at once, so that two waiters stand in the same order in every queue that they share.
if joined == 1 then
  for i = 1, n do
    -- A waiter that is in this queue already moves to its end.
    local tail = redis.call('ZRANGE', KEYS[2 * n + i], -1, -1, 'WITHSCORES')
    enter(KEYS[2 * n + i], (tonumber(tail[2]) or 0) + 1, waiter, position_lease * 4)
  end
end
for i = 1, n do
  if join then renew_position(i) end
  -- After the caller's own entries, so that no set is empty before its last command.
  if dead[i] then redis.call('ZREM', KEYS[2 * n + i], unpack(dead[i])) end
  if lapsed[i] then redis.call('ZREM', KEYS[3 * n + i], unpack(lapsed[i])) end
end
local wait = held
-- Only the second in a queue needs to ask when the head's position lease lapses.
if not is_first and held >= 0 then wait = math.max(held, is_second and head_lease or position_lease) end
return {nonce, 0, wait, joined, own_head}
