-- The places of some players, consistent in themselves.
--
-- KEYS  rank, player, profile, meta
-- ARGV  user ids
-- Returns {} when the board was lost, else {players, total, rank from 0, total, rank, ...}: one pair for each id.
-- Without a rank the total is "0" for one the board never heard of, "" for one it knows but does not show.
local epoch, _, _, players = counters()
if not epoch then return {} end

local reply = {players}
for i = 1, #ARGV do
    local entry = redis.call('HGET', PLAYER, ARGV[i])
    local _, member = parse(entry)
    local place = member ~= '' and redis.call('ZREVRANK', RANK, member)
    if place then
        reply[2 * i] = redis.call('ZSCORE', RANK, member)
        reply[2 * i + 1] = rank_at(place, reply[2 * i])
    else
        reply[2 * i] = entry and '' or '0'
        reply[2 * i + 1] = false
    end
end
return reply
