-- KEYS  rank, player, profile, meta
-- Returns the board's epoch, nil when it was lost.
return (counters())
