-- fair_acquire: takes every key for one token if all are free and it is its turn in every queue, or waits in line.
-- KEYS: n lock keys, then in the same order their n fence counters, n queues, and n leases on places
-- ARGV: nonce, token, lease (ms), waiter ('client:number'), lease on its place (ms), 1 to wait in line or 0 to only try,
--   claim (as in exclusive_acquire)
-- RETURNS: {nonce, 1, fence} when all keys are the token's now; {nonce, 0, wait, joined, ahead} when they are not: the ms
--   after which asking again makes sense, at least 1, or -1 if a key never expires; 1 if it got new places in line,
--   else 0; and the number of another waiter of its own client that is the head of a queue, or 0
-- A queue orders waiters by a ticket that only counts up. A place is kept as long as its client asks for any of its
-- waiters in that queue within the lease, by the server's clock. The holder is not in the queue.
local nonce, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local waiter, place_lease, join, claim = ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7]
local fence_kept = 3600000 -- ms, as in exclusive_acquire
local most_dead = 100 -- waiters purged from one queue in one call
local n = #KEYS / 4
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local client = string.match(waiter, '^[^:]+')
local claimant, number = string.match(claim, '^(.+):(%d+)$')

-- Look at everything before anything but dead waiters is touched: an error does not roll back.
local mine, held, forever, absent, last, claims = 0, 0, false, {}, 0, {}
for i = 1, n do
  local owner = redis.call('GET', KEYS[i])
  local counter = redis.call('GET', KEYS[n + i]) or ''
  last = math.max(last, tonumber(string.match(counter, '^%d+')) or 0)
  claims[i] = string.match(counter, ' .+$')
  local is_mine = owner == token
  if is_mine and claimant then
    -- Claimed since, as in exclusive_acquire.
    local whose, which = string.match(counter, ' (.+):(%d+)$')
    is_mine = whose ~= claimant or tonumber(which) <= tonumber(number)
  end
  if is_mine then
    mine = mine + 1
  elseif owner then
    local pttl = redis.call('PTTL', KEYS[i])
    forever = forever or pttl < 0
    held = math.max(held, pttl, 1)
  else
    absent[i] = true
  end
end

-- The head of a queue is dead if its client has not been heard of within the lease, and does not ask just now.
local function live_head(queue, places)
  for _ = 1, most_dead do
    local head = redis.call('ZRANGE', queue, 0, 0)[1]
    if not head then return nil, 0 end
    local whose = string.match(head, '^[^:]+')
    local kept = tonumber(redis.call('ZSCORE', places, whose) or 0)
    if kept > now or head == waiter or join and whose == client then return head, kept - now end
    redis.call('ZREM', queue, head)
  end
  return '', 1
end

local first, ahead, behind_next, own = true, 1, false, 0
if mine < n then
  for i = 1, n do
    local queue, places = KEYS[2 * n + i], KEYS[3 * n + i]
    local head, left = live_head(queue, places)
    if head and head ~= waiter then
      first = false
      ahead = math.max(ahead, left)
      local whose, number = string.match(head, '^([^:]*):?(.*)$')
      if whose == client then own = tonumber(number) or 0 end
      -- Only the next in line needs to look when the head's place lapses.
      local rank = redis.call('ZRANK', queue, waiter)
      if not rank or rank > 1 then behind_next = true end
    end
  end
end

-- This client is heard of: the places of all its waiters in a queue are kept.
local function keep_places(queue, places)
  redis.call('ZADD', places, now + place_lease, client)
  -- Never shorten: other clients may be more patient.
  for _, key in ipairs({queue, places}) do
    if redis.call('PTTL', key) < place_lease * 4 then redis.call('PEXPIRE', key, place_lease * 4) end
  end
end

if held == 0 and not forever and first then
  -- Others of its client may stand behind it. Before anything is taken, for this may be denied.
  for i = 1, n do
    local queue, places = KEYS[2 * n + i], KEYS[3 * n + i]
    if redis.call('ZRANGE', queue, 0, 0)[1] then keep_places(queue, places) end
  end
  local fence = last
  if mine < n or last == 0 then fence = math.max(last + 1, time[1] * 1000000 + time[2]) end
  local text = string.format('%.0f', fence)
  for i = 1, n do
    local claimed = claim ~= '' and ' ' .. claim or mine == n and claims[i] or ''
    redis.call('SET', KEYS[n + i], text .. claimed, 'PX', math.max(lease + fence_kept, mine == n and redis.call('PTTL', KEYS[n + i]) or 0))
    -- Never shorten, as in exclusive_acquire.
    if absent[i] or redis.call('PTTL', KEYS[i]) < lease then
      redis.call('SET', KEYS[i], token, 'PX', lease)
    end
    redis.call('ZREM', KEYS[2 * n + i], waiter)
  end
  return {nonce, 1, text}
end

local placed = true
if join then
  -- All queues are joined at once, so that two waiters stand in the same order in all queues that they share.
  for i = 1, n do placed = placed and redis.call('ZSCORE', KEYS[2 * n + i], waiter) end
  for i = 1, n do
    local queue, places = KEYS[2 * n + i], KEYS[3 * n + i]
    if not placed then
      -- Who stands there already goes to the end.
      local tail = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')
      redis.call('ZADD', queue, (tonumber(tail[2]) or 0) + 1, waiter)
    end
    local gone = redis.call('ZRANGEBYSCORE', places, '-inf', now, 'LIMIT', 0, most_dead)
    if #gone > 0 then redis.call('ZREM', places, unpack(gone)) end
    keep_places(queue, places)
  end
end
local wait = held
if not first then wait = math.max(held, behind_next and place_lease or ahead) end
if forever then wait = -1 end
return {nonce, 0, wait, placed and 0 or 1, own}
