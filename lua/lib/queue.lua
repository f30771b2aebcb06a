-- lib/queue: the head of a fair queue.

local purge_limit = 100 -- dead waiters that are removed from one queue in one call

-- Removes dead waiters from the front of a queue. Returns the first live waiter and the ms that are left of its
-- position lease; nil if the queue is empty; '' if the limit is reached. A waiter is alive while its client's position
-- lease lasts; so are the caller itself (`waiter`) and the other waiters of its `client`, if given.
local function live_head(queue, leases, now, waiter, client)
  for _ = 1, purge_limit do
    local head = redis.call('ZRANGE', queue, 0, 0)[1]
    if not head then return nil, 0 end
    local owner = string.match(head, '^[^:]+')
    local lease_end = tonumber(redis.call('ZSCORE', leases, owner) or 0)
    if lease_end > now or head == waiter or owner == client then return head, lease_end - now end
    redis.call('ZREM', queue, head)
  end
  return '', 1
end
