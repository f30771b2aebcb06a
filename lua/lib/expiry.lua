-- lib/expiry: lengthens the time to live of a key, and never shortens it: a stale command must not cut a lease that was
--   extended since. PEXPIRE, unlike SET, works when the server is out of memory.
local function lengthen(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end
