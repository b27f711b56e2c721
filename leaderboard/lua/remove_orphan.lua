-- Removes a member of the ranking that no player entry points to.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 member   2 visible top   3 channel   4 board slug   5 now, Unix seconds
-- Returns 1 if it was one, else 0.
local known = redis.call('HGET', KEYS[2], string.sub(ARGV[1], 17))
if known and string.match(known, ':(.*)$') == ARGV[1] then return 0 end
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
if not rank then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
local epoch = redis.call('HGET', KEYS[4], 'epoch')
if epoch and rank < tonumber(ARGV[2]) then
    local seq = redis.call('HINCRBY', KEYS[4], 'seq', 1)
    redis.call('HSET', KEYS[4], 'updated', ARGV[5])
    redis.call('PUBLISH', ARGV[3], cjson.encode({board = ARGV[4], epoch = epoch, seq = seq}))
end
return 1
