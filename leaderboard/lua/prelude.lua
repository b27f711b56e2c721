-- Put before every script of a board: its keys, whether it is there, and how live viewers hear that it changed.
--
-- KEYS  rank, player, profile, meta, and for some boards better; leaderboard/boards/board.py says what each holds
-- ARGV  of the scripts that announce: 1 name of the board, such as "period-17"   2 channel of the board's group   3 now, Unix seconds   4 traceparent, or ""
local RANK, PLAYER, PROFILE, META = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- Only where equals share a rank: the key whose members count for it, each that is better. RANK itself (1 2 2 4), or the
-- distinct totals (1 2 2 3), which are SCORES.
local BETTER = KEYS[5]
local SCORES = BETTER ~= RANK and BETTER

-- Whether the keys hold as many players as were written: eviction takes a whole key, another program any part of one.
-- `known`: entries of PLAYER, `shown`: members of RANK and of PROFILE, as META counts them; `scores`: those of SCORES. A key
-- of another type is an error value here, which no number equals.
local function whole(known, shown)
    known, shown = tonumber(known), tonumber(shown)
    return redis.pcall('HLEN', PLAYER) == known
        and redis.pcall('ZCARD', RANK) == shown
        and redis.pcall('HLEN', PROFILE) == shown
        and (not SCORES or redis.pcall('ZCARD', SCORES) == tonumber(redis.call('HGET', META, 'scores') or 0))
end

-- epoch, seq, updated, number of players shown; nothing when the board is lost. An epoch without its counters is as
-- good as none: counting on from nothing would take seq back inside the epoch. So are counters beyond 2^53 and the year 5138.
local function counters()
    local meta = redis.pcall('HMGET', META, 'epoch', 'seq', 'updated', 'known', 'shown')
    if meta[1] and string.match(meta[2] or '', '^%d+$') and tonumber(meta[2]) < 2 ^ 53
        and string.match(meta[3] or '', '^%d+%.%d+$') and tonumber(meta[3]) < 1e11
        and whole(meta[4], meta[5]) then
        return meta[1], tonumber(meta[2]), meta[3], tonumber(meta[5])
    end
end

-- version, member of a player entry; '-1', '' for none, and for one that no script of ours wrote.
local function parse(entry)
    local version, member = string.match(entry or '', '^(%d+):(.*)$')
    return version or '-1', member or ''
end

-- The rank, from 0, of who has this place in RANK and this total.
local function rank_at(place, total)
    return BETTER and redis.call('ZCOUNT', BETTER, '(' .. total, '+inf') or place
end

-- Appends member, total, profile of each place from first to last (from 0). Where equals share a rank, before them the first
-- one's rank, from 0, and how many players are better.
local function append_rows(reply, first, last)
    local range = redis.call('ZREVRANGE', RANK, first, last, 'WITHSCORES')
    if BETTER and #range > 0 then
        reply[#reply + 1] = rank_at(first, range[2])
        reply[#reply + 1] = redis.call('ZCOUNT', RANK, '(' .. range[2], '+inf')
    end
    local ids = {}
    for i = 1, #range, 2 do ids[#ids + 1] = string.sub(range[i], 17) end
    local profiles = #ids > 1 and redis.call('HMGET', PROFILE, unpack(ids))
    for i = 1, #ids do
        reply[#reply + 1] = range[2 * i - 1]
        reply[#reply + 1] = range[2 * i]
        reply[#reply + 1] = (profiles and profiles[i] or redis.call('HGET', PROFILE, ids[i])) or '{}'
    end
end

-- The message of the channel layer's `group_send`, in the layer's own format: announcing costs the caller nothing.
local function announce(epoch, seq)
    local message = {type = 'board.changed', board = ARGV[1], epoch = epoch, seq = seq, at = tonumber(ARGV[3])}
    if ARGV[4] ~= '' then message.trace = ARGV[4] end
    redis.call('PUBLISH', ARGV[2], cmsgpack.pack(message))
end

-- The visible top changed within its epoch; `seq` is the new one.
local function advance(epoch, seq)
    redis.call('HSET', META, 'seq', seq, 'updated', ARGV[3])
    announce(epoch, seq)
end

-- A new epoch, whose seq counts from 1. `run` is the run id of this Redis, see adopt.lua.
local function renew(epoch, run)
    redis.call('HSET', META, 'epoch', epoch, 'seq', 1, 'updated', ARGV[3], 'run', run)
    announce(epoch, 1)
end
