-- exclusive_acquire: takes the keys of one or more independent locks, each for its own value, and registers those that
--   wait.
-- PARTS: clock, expiry, claim, fence
-- KEYS: for each lock its key and, if locks wait, its set of registered waiters; then the fence counter, if there is one
-- ARGV: nonce, lease (ms), registration TTL (ms), negative if no lock can have registered before, or '' if no lock waits;
--   then for each lock its value and, if locks wait, its waiter id ('client:number')
-- RETURNS: {nonce, and for each lock one result}: the fencing token (1 without a counter) when the key holds the value
--   now; when another value holds it, the remaining lease in ms, at least 1, as a negative number, or 0 if the key never
--   expires; or the text of an error that concerns this lock alone
local lease, registration_ttl = ARGV[2], tonumber(ARGV[3])
local width = registration_ttl and 2 or 1
local n = (#ARGV - 3) / width
local counter = KEYS[n * width + 1]
local micros = (counter or width > 1) and clock()
local last = counter and last_fence(counter)
local reply, granted = {ARGV[1]}, {}

-- The value holds the key already, so that a lost reply blocks nobody. Never shorten: a stale command must not cut a
-- lease that was extended since.
local function keep(key, value, stored)
  local left = redis.call('PTTL', key)
  if stored ~= value then
    redis.call('SET', key, value, 'PX', math.max(left, tonumber(lease)))
  elseif left < tonumber(lease) then
    redis.call('PEXPIRE', key, lease)
  end
end

-- Another value holds the key. Returns the result.
local function deny(key, waiters, waiter)
  local left = redis.call('PTTL', key)
  if waiters then
    local ttl = math.abs(registration_ttl)
    local expiry = math.floor(micros / 1000) + ttl
    local is_done, failure = pcall(enter, waiters, expiry, waiter, ttl)
    if not is_done then return type(failure) == 'table' and failure.err or failure end
  end
  return left < 0 and 0 or -math.max(left, 1)
end

for i = 1, n do
  local at = (i - 1) * width
  local key, value = KEYS[at + 1], ARGV[at + 4]
  if redis.call('SET', key, value, 'NX', 'PX', lease) then
    granted[#granted + 1] = i
  else
    local stored = redis.pcall('GET', key)
    if type(stored) == 'table' then
      reply[i + 1] = stored.err
    elseif stored == value or takes_over(value, stored) then
      keep(key, value, stored)
      granted[#granted + 1] = i
    else
      reply[i + 1] = deny(key, width > 1 and KEYS[at + 2], ARGV[at + 5])
    end
  end
end
if #granted == 0 then return reply end

local first = counter and mint(counter, last, micros, #granted)
for order, i in ipairs(granted) do
  reply[i + 1] = first and first + order - 1 or 1
  -- Under pcall: what is registered for nothing is woken for nothing.
  if width > 1 and registration_ttl > 0 then redis.pcall('ZREM', KEYS[i * 2], ARGV[i * 2 + 3]) end
end
return reply
