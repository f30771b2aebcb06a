-- lib/fence: fencing tokens.

-- The last fencing token that the counter gave; 0 if it was lost, or is no number well below 2^53, up to which Lua's numbers
-- are exact. Fails if the key has another type.
local function last_fence(counter)
  local last = tonumber(redis.call('GET', counter) or 0) or 0
  return last < 9007199254740900 and last or 0
end

-- Takes `count` fencing tokens, and returns the first. Each is larger than `last`, and not less than the server's time: a
-- replica that takes over may have an old counter. The counter is kept for an hour, in case the clock is set back.
local function mint(counter, last, micros, count)
  local first = math.max(last + 1, micros)
  redis.call('SET', counter, first + count - 1, 'PX', '3600000')
  return first
end
