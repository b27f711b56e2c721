-- Of a board with SCORES: totals among them that no player has, as another program may have left. Each makes ranks worse.
--
-- KEYS  rank, player, profile, meta, better
-- ARGV  1 after this total, or "-inf"   2 how many to look at   3 "1" to take them away
-- Returns the strays, and before them the last total that was looked at, nil when there is no other
local some = redis.call('ZRANGEBYSCORE', SCORES, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local reply = {#some > 0 and some[#some]}
for i = 2, #some, 2 do
    if redis.call('ZCOUNT', RANK, some[i], some[i]) == 0 then reply[#reply + 1] = some[i] end
end
for i = 2, ARGV[3] == '1' and #reply or 0 do
    redis.call('HINCRBY', META, 'scores', -redis.call('ZREMRANGEBYSCORE', SCORES, reply[i], reply[i]))
end
return reply
