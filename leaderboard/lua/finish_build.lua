-- Opens a rebuilt board under a new epoch and tells every viewer.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 name of the board   2 channel   3 now, Unix seconds   4 traceparent, or ""
--       5 run id of this Redis   6 new epoch   7 builder's token   8 sweep watermark   9 when it was taken, Unix seconds
-- Returns 1, or 0 when another builder took over, or when a part of what was built is gone already.
local meta = redis.pcall('HMGET', META, 'building', 'known', 'shown')
if meta[1] ~= ARGV[7] then return 0 end
if not whole(meta[2], meta[3]) then return 0 end
redis.call('HDEL', META, 'building')
redis.call('HSET', META, 'swept', ARGV[8], 'swept_at', ARGV[9])
renew(ARGV[6], ARGV[5])
return 1
