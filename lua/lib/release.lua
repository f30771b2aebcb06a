-- lib/release: how a release of either kind frees the lock keys, and wakes waiters.

-- Deletes the keys that hold their value, or its token without a claim, and wakes one waiter for each key that is free then. Returns the reply: the
-- nonce, and for each lock 1 if its key was deleted, else 0. KEYS and ARGV are those of the scripts.
-- `next_waiter` reads the waiter to wake for a key; its arguments are the key's sets, `now`, and the waiter that leaves.
-- Its first result is the waiter, the third a list of the waiters to remove from the first set, or nil. `sets` is what
-- the names of these sets have behind the prefix. Without `has_sets`, there are none.
local function release(sets, next_waiter, now, has_sets)
  local leaver, n = ARGV[2], #ARGV - 2
  local width = #KEYS / n
  -- Look: everything is read before anything is written. While a slot moves to another server, a command fails on a
  -- key that the script has emptied.
  local reply, freed, leaving, woken = {ARGV[1]}, {}, {}, {}
  for i = 1, n do
    local at = (i - 1) * width
    -- Under pcall: a key of another type belongs to somebody else, and must not stop the release of the other keys.
    local stored = redis.pcall('GET', KEYS[at + 1])
    -- Of several servers, one may not have heard of the adoption: then its key holds the token without a claim.
    local is_mine = stored == ARGV[i + 2] or stored == string.match(ARGV[i + 2], '^(.*) [^ :]+:%d+$')
    reply[i + 1] = is_mine and 1 or 0
    if is_mine then freed[#freed + 1] = KEYS[at + 1] end
    if has_sets then
      local waiters = KEYS[at + 2]
      local next_one, _, gone
      -- Also if the key was free before: the waiter that leaves may be the one that was woken for it.
      if is_mine or not stored then
        next_one, _, gone = next_waiter(waiters, KEYS[at + 3], now, leaver)
        if next_one then woken[#woken + 1] = {waiters, next_one} end
      end
      if leaver ~= '' and redis.call('ZSCORE', waiters, leaver) then
        gone = gone or {}
        gone[#gone + 1] = leaver
      end
      if gone and #gone > 0 then leaving[#leaving + 1] = {waiters, gone} end
      -- Nobody waits: position leases are of no use any more.
      if width > 2 and redis.call('ZCARD', waiters) == (gone and #gone or 0) then freed[#freed + 1] = KEYS[at + 3] end
    end
  end
  -- Write. The keys go last: a server that denies one of the commands must free nothing.
  for _, each in ipairs(leaving) do redis.call('ZREM', each[1], unpack(each[2])) end
  if #freed > 0 then redis.call('DEL', unpack(freed)) end
  -- Last, and under pcall: a message is a hint. The channel begins with the prefix, like the set.
  for _, each in ipairs(woken) do
    local client, number = string.match(each[2], '^([^:]+):(.+)$')
    if client then
      local prefix = string.sub(each[1], 1, string.find(each[1], sets, 1, true) - 1)
      -- A client that listens to shard channels names one in the slot of the keys.
      local publish = string.find(client, '{') and 'SPUBLISH' or 'PUBLISH'
      redis.pcall(publish, prefix .. 'redlatch:wake:' .. client, number)
    end
  end
  return reply
end
