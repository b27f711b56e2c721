-- One player and the neighbours, consistent in itself. Radius 0 is the player alone.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 user id   2 radius   3 the least version of the player that will do
-- Returns {} when the board was lost, {"behind"} when it knows an older version of the player only,
-- {epoch, seq, updated, players} when the player is not on it,
-- else {epoch, seq, updated, players, place of the first from 0, member, total, profile, member, ...}
local epoch, seq, updated, players = counters()
if not epoch then return {} end

local version, member = parse(redis.call('HGET', PLAYER, ARGV[1]))
if math.max(0, tonumber(version)) < tonumber(ARGV[3]) then return {'behind'} end

local reply = {epoch, seq, updated, players}
local place = member ~= '' and redis.call('ZREVRANK', RANK, member)
if not place then return reply end

local radius = tonumber(ARGV[2])
local first = math.max(0, place - radius)
reply[5] = first
append_rows(reply, first, place + radius)
return reply
