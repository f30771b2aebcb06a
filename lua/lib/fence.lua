-- lib/fence: how many ms a fence counter outlives the lease, in case the server's clock is set back.
local fence_margin = 3600000
