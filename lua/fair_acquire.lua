-- fair_acquire: takes every key for one lock if all are free and the waiter is first in every queue, or joins the queues.
-- PARTS: clock, expiry, claim, fence, queue
-- KEYS: for each lock key the key, its queue, and its position leases; then the fence counter
-- ARGV: nonce, lease (ms), value, waiter id ('client:number'), position lease (ms), 1 to join the queues or 0 to only try
-- RETURNS: {nonce, fencing token} when all keys hold the value now; {nonce, -wait, joined, own_head} when they do not: the
--   ms after which another attempt makes sense, at least 1, or 0 if a key never expires; 1 if the waiter joined the queues
--   just now, else 0; and the number of another waiter of the same client that is the head of a queue, or 0
local nonce, lease, value, waiter, position_lease, join = unpack(ARGV)
position_lease, join = tonumber(position_lease), join == '1'
local n = (#KEYS - 1) / 3
local client = string.match(waiter, '^[^:]+')
local micros = clock()
local now = math.floor(micros / 1000)

-- Look: read the keys, the queues and the position leases.
local mine, left, held, last = 0, {}, nil, last_fence(KEYS[3 * n + 1])
for i = 1, n do
  local key = KEYS[3 * i - 2]
  local stored = redis.call('GET', key)
  if stored then
    left[i] = redis.call('PTTL', key)
    if stored == value or takes_over(value, stored) then
      mine = mine + 1
    elseif left[i] < 0 or held == 0 then
      held = 0
    else
      held = math.max(held or 1, left[i])
    end
  end
end
local is_first, is_second, head_lease, own_head, joined = true, true, 1, 0, 0
local dead, lapsed, others = {}, {}, {}
for i = 1, n do
  local queue, leases = KEYS[3 * i - 1], KEYS[3 * i]
  local head, head_left, before = live_head(queue, leases, now, nil, waiter, join and client)
  dead[i] = before or {}
  if mine < n and head and head ~= waiter then
    is_first = false
    head_lease = math.max(head_lease, head_left)
    local owner, number = string.match(head, '^([^:]*):?(.*)$')
    if owner == client then own_head = tonumber(number) or 0 end
    local rank = redis.call('ZRANK', queue, waiter)
    if not rank or rank - #dead[i] > 1 then is_second = false end
  end
end
local is_granted = not held and is_first
for i = 1, n do
  local queue, leases = KEYS[3 * i - 1], KEYS[3 * i]
  local ticket = redis.call('ZSCORE', queue, waiter)
  if is_granted then
    if ticket then table.insert(dead[i], waiter) end
    others[i] = redis.call('ZCARD', queue) > #dead[i]
  elseif join then
    lapsed[i] = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, purge_limit)
    for at, other in ipairs(lapsed[i]) do
      if other == client then table.remove(lapsed[i], at) break end
    end
    if not ticket then joined = 1 end
  end
end

-- Renews the client's position lease in a queue. It covers all waiters of the client.
local function renew_position(i)
  enter(KEYS[3 * i], now + position_lease, client, position_lease * 4)
  lengthen(KEYS[3 * i - 1], position_lease * 4)
end

-- Removes these waiters from a queue. After the caller's own entries, so that no set is empty before its last command.
local function drop(key, members)
  if members and #members > 0 then redis.call('ZREM', key, unpack(members)) end
end

-- Take: the keys are free, and it is this waiter's turn.
if is_granted then
  -- The first write must be one that needs memory: a server that is out of memory looks at no other.
  local fence = mint(KEYS[3 * n + 1], last, micros, 1)
  -- Before the grant: a server that denies one of these commands must grant nothing.
  -- For other waiters of the client. In all queues before the caller leaves the first: if it is denied, it keeps its places.
  for i = 1, n do
    if others[i] then renew_position(i) end
  end
  for i = 1, n do
    drop(KEYS[3 * i - 1], dead[i])
    -- If nobody waits, position leases are of no use any more.
    if not others[i] and #dead[i] > 0 then redis.call('DEL', KEYS[3 * i]) end
  end
  for i = 1, n do
    -- Never shorten: a stale command must not cut a lease that was extended since.
    redis.call('SET', KEYS[3 * i - 2], value, 'PX', math.max(left[i] or 0, tonumber(lease)))
  end
  return {nonce, fence}
end

-- Join: all queues at once, so that two waiters stand in the same order in every queue that they share.
if joined == 1 then
  for i = 1, n do
    -- A waiter that is in this queue already moves to its end.
    local tail = redis.call('ZRANGE', KEYS[3 * i - 1], -1, -1, 'WITHSCORES')
    enter(KEYS[3 * i - 1], (tonumber(tail[2]) or 0) + 1, waiter, position_lease * 4)
  end
end
for i = 1, n do
  if join then renew_position(i) end
  drop(KEYS[3 * i - 1], dead[i])
  drop(KEYS[3 * i], lapsed[i])
end
local wait = held or 1
-- Only the second in a queue needs to ask when the head's position lease lapses.
if not is_first and held ~= 0 then wait = math.max(wait, is_second and head_lease or position_lease) end
return {nonce, -wait, joined, own_head}
