-- Opens a rebuilt board under a new epoch and tells every viewer.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 board slug   2 channel   3 now, Unix seconds   4 run id of this Redis   5 new epoch
--       6 builder's token   7 sweep watermark
-- Returns 1, or 0 when another builder took over, or when a part of what was built is gone already.
local meta = redis.pcall('HMGET', META, 'building', 'known', 'shown')
if meta[1] ~= ARGV[6] then return 0 end
if not whole(meta[2], meta[3]) then return 0 end
redis.call('HDEL', META, 'building')
redis.call('HSET', META, 'swept', ARGV[7])
renew(ARGV[5], ARGV[4])
return 1
