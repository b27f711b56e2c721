-- Starts the rebuild of a lost board: empties it and lets live writes in beside the builder from now on.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 builder's token
-- Returns 1, or 0 when the board is not lost.
if counters() then return 0 end
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', META, 'building', ARGV[1], 'known', 0, 'shown', 0)
return 1
