-- Gives the board a new epoch if this Redis is not the one it was last seen on. A Redis that was killed comes back
-- without its last second, a replica takes over without its last writes: seq would count from there again, and
-- viewers would take what they already have for newer than the truth.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 name of the board   2 channel   3 now, Unix seconds   4 traceparent, or ""
--       5 run id of this Redis   6 new epoch
--       7 an epoch in which seq was seen going back, or ""
-- Returns 1 if the epoch is new, else 0, also when the board is lost.
local epoch = counters()
if not epoch then return 0 end
local run = redis.call('HGET', META, 'run')
if run ~= ARGV[5] then redis.call('HSET', META, 'run', ARGV[5]) end
if epoch ~= ARGV[7] and (not run or run == ARGV[5]) then return 0 end

renew(ARGV[6], ARGV[5])
return 1
