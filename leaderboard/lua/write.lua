-- Applies standings to one board: newer versions only, rank, announce. Atomic, idempotent, safe to repeat in any order.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 name of the board   2 channel   3 now, Unix seconds   4 traceparent, or ""
--       5 visible top   6 builder's token, or "" for everyone who is not rebuilding the board
--       then six for each player: id, version, total, member, profile, guard
--         member ""     the player is not shown: a tombstone keeps the version so that older news still loses
--         version "0"   the player does not exist: nothing is kept
--         guard ""      apply if version is newer than the one known
--         guard "=raw"  apply if the player entry is still exactly `raw` ("" for none); reconcile's compare-and-set
-- Returns {"lost"} | {"superseded"} | {"ok", epoch or "", seq, players shown, {applied, rank from 0 or nil}, ...}
--         applied is 0, too, for the line that the board has already
local epoch, seq, _, players = counters()
local building = (ARGV[6] ~= '' or not epoch) and redis.pcall('HGET', META, 'building')
if type(building) ~= 'string' then building = false end
if ARGV[6] ~= '' then
    if building ~= ARGV[6] then return {'superseded'} end
elseif not epoch and not building then
    return {'lost'}
end

local top = tonumber(ARGV[5])
local visible = false
local known, shown, scores = 0, 0, 0 -- how many more than before
local results = {}

-- Puts a total among SCORES, and takes one away that no player has any more. Returns how many more they are.
local function rescored(gone, come)
    local more = come and redis.call('ZADD', SCORES, come, come) or 0
    if gone and redis.call('ZCOUNT', RANK, gone, gone) == 0 then
        more = more - redis.call('ZREMRANGEBYSCORE', SCORES, gone, gone)
    end
    return more
end

-- While a board is being built its ranks mean nothing yet, and looking them up is half the work.
local function place_of(member)
    return epoch ~= nil and member ~= '' and redis.call('ZREVRANK', RANK, member)
end

for i = 7, #ARGV, 6 do
    local id, version, total, member, profile, guard =
        ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
    local entry = redis.call('HGET', PLAYER, id)
    local known_version, known_member = parse(entry)

    local apply
    if guard == '' then
        apply = tonumber(version) > tonumber(known_version)
    else
        apply = string.sub(guard, 2) == (entry or '')
    end

    if apply then
        local before = place_of(known_member)
        local gone = SCORES and known_member ~= '' and redis.call('ZSCORE', RANK, known_member)
        -- The same line under a newer version: what raised it was on another board.
        local same = guard == '' and member == known_member and (member == ''
            or (redis.call('HGET', PROFILE, id) == profile and tonumber(redis.call('ZSCORE', RANK, member)) == tonumber(total)))
        if known_member ~= '' and known_member ~= member then
            shown = shown - redis.call('ZREM', RANK, known_member)
        end
        if member ~= '' then
            shown = shown + redis.call('ZADD', RANK, total, member)
            redis.call('HSET', PROFILE, id, profile)
        else
            redis.call('HDEL', PROFILE, id)
        end
        if version == '0' then
            known = known - redis.call('HDEL', PLAYER, id)
        else
            known = known + redis.call('HSET', PLAYER, id, version .. ':' .. member)
        end
        if SCORES then scores = scores + rescored(gone, member ~= '' and total) end
        local after = place_of(member)
        visible = visible or not same and ((before and before < top) or (after and after < top))
        results[#results + 1] = {same and entry and 0 or 1, after, member}
    else
        results[#results + 1] = {0, place_of(known_member), known_member}
    end
end

if known ~= 0 then redis.call('HINCRBY', META, 'known', known) end
if shown ~= 0 then redis.call('HINCRBY', META, 'shown', shown) end
if scores ~= 0 then redis.call('HINCRBY', META, 'scores', scores) end
if epoch and visible then
    seq = seq + 1
    advance(epoch, seq)
end

local reply = {'ok', epoch or '', seq or 0, (players or 0) + shown}
for i = 1, #results do
    local applied, place, member = results[i][1], results[i][2], results[i][3]
    -- Those written later in this call may have moved those written earlier: ranks are as of its end.
    if #results > 1 then place = place_of(member) end
    reply[#reply + 1] = {applied, place and rank_at(place, BETTER and redis.call('ZSCORE', RANK, member))}
end
return reply
