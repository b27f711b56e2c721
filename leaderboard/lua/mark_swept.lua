-- Moves the sweep's watermark, and says when by Redis's clock, unless the board it belongs to was lost meanwhile.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 epoch the sweep started from   2 watermark
if redis.call('HGET', META, 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', META, 'swept', ARGV[2], 'swept_at', redis.call('TIME')[1])
return 1
