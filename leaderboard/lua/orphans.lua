-- Which of these members of the ranking no player entry points to; removes them in the same moment if so wanted.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 visible top   2 channel   3 board slug   4 now, Unix seconds   5 "remove", or "" to look only
--       then the members
-- Returns those that were orphans.
local top = tonumber(ARGV[1])
local announce = false
local found = {}

for i = 6, #ARGV do
    local member = ARGV[i]
    local known = redis.call('HGET', KEYS[2], string.sub(member, 17))
    local rank = redis.call('ZREVRANK', KEYS[1], member)
    if rank and not (known and string.match(known, ':(.*)$') == member) then
        found[#found + 1] = member
        if rank < top then announce = true end
        if ARGV[5] == 'remove' then redis.call('ZREM', KEYS[1], member) end
    end
end

local epoch = redis.call('HGET', KEYS[4], 'epoch')
if epoch and announce and ARGV[5] == 'remove' then
    local seq = redis.call('HINCRBY', KEYS[4], 'seq', 1)
    redis.call('HSET', KEYS[4], 'updated', ARGV[4])
    redis.call('PUBLISH', ARGV[2], cjson.encode({board = ARGV[3], epoch = epoch, seq = seq}))
end
return found
