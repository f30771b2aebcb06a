-- lib/expiry: how keys get their time to live.

-- Lengthens the time to live of a key, and never shortens it: a stale command must not cut a lease that was extended
-- since. PEXPIRE, unlike SET, works when the server is out of memory.
local function lengthen(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end

-- Adds a member to a sorted set, or changes its score, and lengthens the set's time to live.
local function enter(key, score, member, ttl)
  if redis.call('PTTL', key) == -2 then
    -- Both do nothing to a missing key. A server that denies one of them denies it before there is a set that never
    -- expires.
    redis.call('ZADD', key, 'XX', score, member)
    redis.call('PEXPIRE', key, ttl)
  end
  redis.call('ZADD', key, score, member)
  lengthen(key, ttl)
end
