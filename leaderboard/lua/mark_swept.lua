-- Moves the sweep's watermark, and says of when it is, unless the board it belongs to was lost meanwhile.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 epoch the sweep started from   2 watermark   3 when it was taken, Unix seconds
if redis.call('HGET', META, 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', META, 'swept', ARGV[2], 'swept_at', ARGV[3])
return 1
