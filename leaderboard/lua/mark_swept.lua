-- Moves the sweep's watermark, unless the board it belongs to was lost meanwhile.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 epoch the sweep started from   2 watermark
if redis.call('HGET', KEYS[4], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[4], 'swept', ARGV[2])
return 1
