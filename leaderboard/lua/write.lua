-- Applies standings to one board: newer versions only, rank, announce. Atomic, idempotent, safe to repeat in any order.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 visible top   2 channel   3 board slug   4 now, Unix seconds
--       5 builder's token, or "" for everyone who is not rebuilding the board
--       then six for each player: id, version, total, member, profile, guard
--         member ""     the player is not shown: a tombstone keeps the version so that older news still loses
--         version "0"   the player does not exist: nothing is kept
--         guard ""      apply if version is newer than the one known
--         guard "=raw"  apply if the player entry is still exactly `raw` ("" for none); reconcile's compare-and-set
-- Returns {"lost"} | {"superseded"} | {"ok", epoch or "", seq, players, {applied, rank from 0 or nil}, ...}
local meta = redis.call('HMGET', KEYS[4], 'epoch', 'seq', 'building')
local epoch, seq, building = meta[1], tonumber(meta[2] or '0'), meta[3]
-- Counting on from nothing would take seq back inside the epoch: without its counter the board is lost.
if epoch and not string.match(meta[2] or '', '^%d+$') then epoch = false end

if ARGV[5] ~= '' then
    if building ~= ARGV[5] then return {'superseded'} end
elseif not epoch and not building then
    return {'lost'}
end

local top = tonumber(ARGV[1])
local announce = false
local results = {}

for i = 6, #ARGV, 6 do
    local id, version, total, member, profile, guard =
        ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
    local known = redis.call('HGET', KEYS[2], id)
    local known_version, known_member = string.match(known or '', '^(%d+):(.*)$')
    if not known_version then known_version, known_member = '-1', '' end

    local apply
    if guard == '' then
        apply = tonumber(version) > tonumber(known_version)
    else
        apply = string.sub(guard, 2) == (known or '')
    end

    if apply then
        -- While a board is being built its ranks mean nothing yet, and looking them up is half the work.
        local before = epoch and known_member ~= '' and redis.call('ZREVRANK', KEYS[1], known_member)
        if known_member ~= '' and known_member ~= member then redis.call('ZREM', KEYS[1], known_member) end
        if member ~= '' then
            redis.call('ZADD', KEYS[1], total, member)
            redis.call('HSET', KEYS[3], id, profile)
        else
            redis.call('HDEL', KEYS[3], id)
        end
        if version == '0' then
            redis.call('HDEL', KEYS[2], id)
        else
            redis.call('HSET', KEYS[2], id, version .. ':' .. member)
        end
        local after = epoch and member ~= '' and redis.call('ZREVRANK', KEYS[1], member)
        if (before and before < top) or (after and after < top) then announce = true end
        results[#results + 1] = {1, after, member}
    else
        local rank = epoch and known_member ~= '' and redis.call('ZREVRANK', KEYS[1], known_member)
        results[#results + 1] = {0, rank, known_member}
    end
end

if epoch and announce then
    seq = redis.call('HINCRBY', KEYS[4], 'seq', 1)
    redis.call('HSET', KEYS[4], 'updated', ARGV[4])
    redis.call('PUBLISH', ARGV[2], cjson.encode({board = ARGV[3], epoch = epoch, seq = seq}))
end

local reply = {'ok', epoch or '', seq, redis.call('ZCARD', KEYS[1])}
for i = 1, #results do
    local applied, rank, member = results[i][1], results[i][2], results[i][3]
    -- Those written later in this call may have moved those written earlier: ranks are as of its end.
    if epoch and #results > 1 and member ~= '' then rank = redis.call('ZREVRANK', KEYS[1], member) end
    reply[#reply + 1] = {applied, rank}
end
return reply
