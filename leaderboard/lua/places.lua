-- The places of some players, consistent in themselves.
--
-- KEYS  rank, player, profile, meta
-- ARGV  user ids
-- Returns {} when the board was lost, else {players, total, rank from 0, total, rank, ...}: one pair for each id.
-- Without a rank the total is "0" for one the board never heard of, "" for one it knows but does not show.
if redis.call('HEXISTS', KEYS[4], 'epoch') == 0 then return {} end

local reply = {redis.call('ZCARD', KEYS[1])}
for i = 1, #ARGV do
    local known = redis.call('HGET', KEYS[2], ARGV[i])
    local member = known and string.match(known, ':(.*)$') or ''
    local rank = member ~= '' and redis.call('ZREVRANK', KEYS[1], member)
    if rank then
        reply[2 * i] = redis.call('ZSCORE', KEYS[1], member)
    else
        reply[2 * i] = known and '' or '0'
    end
    reply[2 * i + 1] = rank
end
return reply
