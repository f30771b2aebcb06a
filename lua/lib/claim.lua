-- lib/claim: whether a lock may be taken over under the same token.

-- Whether the lock whose key stores `stored` may be taken over with `value`, which is a token, a space, and the claim of
-- a lock ('client:number'): it is held under the same token, and the same client has made no newer claim since. A value
-- without a claim is a token that was drawn for one lock alone.
local function takes_over(value, stored)
  local token, client, number = string.match(value, '^(.*) ([^ :]+):(%d+)$')
  if not token or stored == token then return token ~= nil end
  local other, claimant, latest = string.match(stored, '^(.*) ([^ :]+):(%d+)$')
  return other == token and (claimant ~= client or tonumber(latest) <= tonumber(number))
end
