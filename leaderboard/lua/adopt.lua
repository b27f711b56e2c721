-- Gives the board a new epoch if this Redis is not the one it was last seen on. A Redis that was killed comes back
-- without its last second, a replica takes over without its last writes: seq would count from there again, and
-- viewers would take what they already have for newer than the truth.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 run id of this Redis   2 new epoch   3 now, Unix seconds   4 channel   5 board slug
--       6 an epoch in which seq was seen going back, or ""
-- Returns 1 if the epoch is new, else 0.
local meta = redis.call('HMGET', KEYS[4], 'epoch', 'run')
local epoch, run = meta[1], meta[2]
if not epoch then return 0 end
if run ~= ARGV[1] then redis.call('HSET', KEYS[4], 'run', ARGV[1]) end
if epoch ~= ARGV[6] and (not run or run == ARGV[1]) then return 0 end

redis.call('HSET', KEYS[4], 'epoch', ARGV[2], 'seq', 1, 'updated', ARGV[3])
redis.call('PUBLISH', ARGV[4], cjson.encode({board = ARGV[5], epoch = ARGV[2], seq = 1}))
return 1
