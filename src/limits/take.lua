-- Charges one to each counter, or nothing to any. All keys are in one slot.
-- ARGV: now in microseconds, or '' for the clock of this server; then interval and tolerance of each key.
-- Returns whether it was let through, now, and what each counter held before.
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local through, found = 1, {}
for i, key in ipairs(KEYS) do
    local interval, tolerance = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local counter = tonumber(redis.call('GET', key) or '')
    if not counter or counter < now or counter > now + tolerance then
        counter = now
    end
    found[i] = counter
    if counter + interval > now + tolerance then
        through = 0
    end
end
if through == 1 then
    for i, key in ipairs(KEYS) do
        local counter = found[i] + tonumber(ARGV[2 * i])
        -- Not tostring, which would round to 14 digits.
        redis.call('SET', key, string.format('%.0f', counter), 'PX', math.ceil((counter - now) / 1000))
    end
end
return { through, now, unpack(found) }
