-- Opens a rebuilt board under a new epoch and tells every viewer.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 builder's token   2 new epoch   3 sweep watermark   4 now, Unix seconds   5 channel   6 board slug
--       7 run id of this Redis, see adopt.lua
-- Returns 1, or 0 when another builder took over.
if redis.call('HGET', KEYS[4], 'building') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[4], 'building')
redis.call('HSET', KEYS[4], 'epoch', ARGV[2], 'seq', 1, 'swept', ARGV[3], 'updated', ARGV[4], 'run', ARGV[7])
redis.call('PUBLISH', ARGV[5], cjson.encode({board = ARGV[6], epoch = ARGV[2], seq = 1}))
return 1
