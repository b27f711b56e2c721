-- A page of one board, consistent in itself.
--
-- KEYS  rank, player, profile, meta
-- ARGV  1 offset   2 limit
-- Returns {} when the board was lost, else {epoch, seq, updated, players, member, total, profile, member, ...}
local epoch, seq, updated, players = counters()
if not epoch then return {} end

local reply = {epoch, seq, updated, players}
local first = tonumber(ARGV[1])
append_rows(reply, first, first + tonumber(ARGV[2]) - 1)
return reply
