-- One player and the neighbours, consistent in itself. Radius 0 is the player alone.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 user id   2 radius   3 the least version of the player that will do
-- Returns {} when the board was lost, {"behind"} when it knows an older version of the player only,
-- {epoch, seq, updated, players} when the player is not on it,
-- else {epoch, seq, updated, players, rank of the first from 0, member, total, profile, member, ...}
local meta = redis.call('HMGET', KEYS[4], 'epoch', 'seq', 'updated')
-- An epoch without its counters is as good as none: ranking.COUNTERS.
if not meta[1] or not string.match(meta[2] or '', '^%d+$') or not string.match(meta[3] or '', '^%d+%.%d+$') then
    return {}
end

local known = redis.call('HGET', KEYS[2], ARGV[1])
local version, member = string.match(known or '', '^(%d+):(.*)$')
if tonumber(version or '0') < tonumber(ARGV[3]) then return {'behind'} end

local reply = {meta[1], tonumber(meta[2]), meta[3], redis.call('ZCARD', KEYS[1])}
member = member or ''
local rank = member ~= '' and redis.call('ZREVRANK', KEYS[1], member)
if not rank then return reply end

local radius = tonumber(ARGV[2])
local first = math.max(0, rank - radius)
reply[5] = first
local range = redis.call('ZREVRANGE', KEYS[1], first, rank + radius, 'WITHSCORES')
for i = 1, #range, 2 do
    reply[#reply + 1] = range[i]
    reply[#reply + 1] = range[i + 1]
    reply[#reply + 1] = redis.call('HGET', KEYS[3], string.sub(range[i], 17)) or '{}'
end
return reply
