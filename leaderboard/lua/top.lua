-- A page of one board, consistent in itself.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 offset   2 limit
-- Returns {} when the board was lost, else {epoch, seq, updated, players, member, total, profile, member, ...}
local meta = redis.call('HMGET', KEYS[4], 'epoch', 'seq', 'updated')
-- An epoch without its counters is as good as none: ranking.COUNTERS.
if not meta[1] or not string.match(meta[2] or '', '^%d+$') or not string.match(meta[3] or '', '^%d+%.%d+$') then
    return {}
end

local reply = {meta[1], tonumber(meta[2]), meta[3], redis.call('ZCARD', KEYS[1])}
local first = tonumber(ARGV[1])
local range = redis.call('ZREVRANGE', KEYS[1], first, first + tonumber(ARGV[2]) - 1, 'WITHSCORES')
for i = 1, #range, 2 do
    reply[#reply + 1] = range[i]
    reply[#reply + 1] = range[i + 1]
    reply[#reply + 1] = redis.call('HGET', KEYS[3], string.sub(range[i], 17)) or '{}'
end
return reply
