-- KEYS  rank, player, profile, meta
-- Returns {} when the board was lost, else {epoch, run id of the Redis it was last seen on, the sweep's watermark}
local epoch = counters()
if not epoch then return {} end
local meta = redis.call('HMGET', META, 'run', 'swept')
return {epoch, meta[1] or '', meta[2] or ''}
