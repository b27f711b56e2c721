-- Adds uses to moving windows of the limiter (api/throttles.py) that were made without asking first.
--
-- KEYS  one window each: a LIST of Unix times, the newest first, as `limits` keeps it
-- ARGV  now; the window in seconds; the limit; then for each key how many uses to add
-- Returns for each key how many uses are left in its window

local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function used(key)
  local low, high = 0, redis.call('LLEN', key)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = tonumber(redis.call('LINDEX', key, middle))
    if at and at >= now - window then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local left = {}
for i, key in ipairs(KEYS) do
  for _ = 1, math.min(tonumber(ARGV[3 + i]), limit) do
    redis.call('LPUSH', key, ARGV[1])
  end
  redis.call('LTRIM', key, 0, limit - 1)
  redis.call('EXPIRE', key, window)
  left[i] = limit - used(key)
end
return left
