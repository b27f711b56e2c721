-- Which of these members of the ranking no player entry points to; removes them in the same moment if so wanted.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 board slug   2 channel   3 now, Unix seconds   4 visible top   5 "remove", or "" to look only
--       then the members
-- Returns those that were orphans.
local top = tonumber(ARGV[4])
local remove = ARGV[5] == 'remove'
local visible = false
local found = {}

for i = 6, #ARGV do
    local member = ARGV[i]
    local _, known = parse(redis.call('HGET', PLAYER, string.sub(member, 17)))
    local rank = known ~= member and redis.call('ZREVRANK', RANK, member)
    if rank then
        found[#found + 1] = member
        visible = visible or rank < top
        if remove then redis.call('ZREM', RANK, member) end
    end
end

local epoch = counters()
if epoch and remove and visible then advance(epoch) end
return found
