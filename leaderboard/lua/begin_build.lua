-- Starts the rebuild of a lost board: empties it and lets live writes in beside the builder from now on.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 builder's token
-- Returns 1, or 0 when the board is not lost.
local meta = redis.call('HMGET', KEYS[4], 'epoch', 'seq', 'updated')
-- An epoch without its counters is as good as none: ranking.COUNTERS.
if meta[1] and string.match(meta[2] or '', '^%d+$') and string.match(meta[3] or '', '^%d+%.%d+$') then return 0 end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[4], 'building', ARGV[1])
return 1
