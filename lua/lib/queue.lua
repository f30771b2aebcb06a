-- lib/queue: the head of a fair queue.

local purge_limit = 100 -- dead waiters that are removed from one queue in one call

-- Reads a queue up to its first live waiter, and writes nothing. Returns that waiter and the ms that are left of its
-- position lease; nil if there is none; '' if the limit is reached. Then a list of the dead waiters before it, or nil.
-- A waiter is alive while its client's position lease lasts; so are the caller itself (`waiter`) and the other waiters
-- of its `client`, if given. The waiter `leaver` is passed over: it is neither alive nor in the list.
local function live_head(queue, leases, now, leaver, waiter, client)
  local dead
  for rank = 0, purge_limit - 1 do
    local head = redis.call('ZRANGE', queue, rank, rank)[1]
    if not head then return nil, 0, dead end
    local owner = string.match(head, '^[^:]+')
    local lease_end = tonumber(redis.call('ZSCORE', leases, owner) or 0)
    local is_alive = lease_end > now or head == waiter or owner == client
    if is_alive and head ~= leaver then return head, lease_end - now, dead end
    if head ~= leaver then
      dead = dead or {}
      dead[#dead + 1] = head
    end
  end
  return '', 1, dead
end
