-- What the board holds of each player, consistent in itself.
--
-- KEYS  rank, player, profile, meta
-- ARGV  user ids
-- Returns for each: player entry or nil, total in the ranking or nil, profile or nil, as one flat array
local reply = {}
for i = 1, #ARGV do
    local known = redis.call('HGET', KEYS[2], ARGV[i])
    local member = known and string.match(known, ':(.*)$') or ''
    reply[3 * i - 2] = known
    reply[3 * i - 1] = member ~= '' and redis.call('ZSCORE', KEYS[1], member)
    reply[3 * i] = redis.call('HGET', KEYS[3], ARGV[i])
end
return reply
