-- Takes one off each counter, unless it is paid off already. All keys are in one slot.
-- ARGV: now in microseconds, or '' for the clock of this server; then, of each key, its interval and what it
-- was set to when the one was charged.
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
for i, key in ipairs(KEYS) do
    local interval, charged = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local counter = tonumber(redis.call('GET', key) or '')
    if counter then
        if charged > now then
            counter = counter - interval
        end
        if counter > now then
            redis.call('SET', key, string.format('%.0f', counter), 'PX', math.ceil((counter - now) / 1000))
        else
            redis.call('DEL', key)
        end
    end
end
return 1
