-- What the board holds of each player, consistent in itself.
--
-- KEYS  rank, player, profile, meta
-- ARGV  user ids
-- Returns for each: player entry or nil, total in the ranking or nil, profile or nil, as one flat array. A total that is not
-- among SCORES is nil, too: written again, it is.
local reply = {}
for i = 1, #ARGV do
    local entry = redis.call('HGET', PLAYER, ARGV[i])
    local _, member = parse(entry)
    reply[3 * i - 2] = entry
    local total = member ~= '' and redis.call('ZSCORE', RANK, member)
    reply[3 * i - 1] = total and (not SCORES or redis.call('ZCOUNT', SCORES, total, total) == 1) and total
    reply[3 * i] = redis.call('HGET', PROFILE, ARGV[i])
end
return reply
