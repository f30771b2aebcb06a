-- exclusive_release: deletes those of the keys that the token holds.
-- KEYS: n lock keys
-- ARGV: nonce, token
-- RETURNS: {nonce, deleted}, the number of keys that were the token's
local nonce, token = ARGV[1], ARGV[2]

local deleted = 0
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == token then
    deleted = deleted + redis.call('DEL', KEYS[i])
  end
end
return {nonce, deleted}
