-- Signed deliveries for wrk: one body, signed once (GitHub signs the body alone), and a delivery id of its
-- own for every request.   wrk ... -- HEAD_FILE BODY_FILE PREFIX [MS_BETWEEN] ["gaps"]
-- With "gaps" the longest time without any answer is told, too: that looks at every answer, and costs wrk some time.
-- The results are printed as one line of JSON, after the word RESULT.

local ffi = require("ffi")
ffi.cdef("typedef struct { long s, ns; } bench_time; int clock_gettime(int clock, bench_time *now);")

local threads = {}

function setup(thread)
    table.insert(threads, thread)
    thread:set("number", #threads)
end

local function read(name)
    local file = assert(io.open(name, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

function init(args)
    local body = read(args[2])
    before = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: localhost\r\n" .. read(args[1]) ..
        "Content-Length: " .. #body .. "\r\nX-GitHub-Delivery: " .. args[3] .. "-" .. number .. "-"
    after = "\r\n\r\n" .. body
    pause = tonumber(args[4] or "0")
    count = 0
    if pause > 0 then
        delay = wait
    end
    gap_us = 0
    if args[5] == "gaps" then
        response = note_gap
    end
end

-- `pause` on average, at random: with equal pauses the connections would soon send all at once.
function wait()
    return math.floor(-pause * math.log(1 - math.random()) + 0.5)
end

local now = ffi.new("bench_time")
local last_us

function note_gap()
    ffi.C.clock_gettime(1, now)
    local now_us = tonumber(now.s) * 1000000 + tonumber(now.ns) / 1000
    if last_us and now_us - last_us > gap_us then
        gap_us = math.floor(now_us - last_us)
    end
    last_us = now_us
end

function request()
    count = count + 1
    return before .. count .. after
end

function done(summary, latency, requests)
    local errors = summary.errors
    local longest_us = 0
    for _, thread in ipairs(threads) do
        longest_us = math.max(longest_us, thread:get("gap_us"))
    end
    io.write(string.format(
        'RESULT {"requests":%d,"us":%d,"p50":%d,"p99":%d,"max":%d,"status":%d,"broken":%d,"gap":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        latency.max, errors.status, errors.connect + errors.read + errors.write + errors.timeout, longest_us))
end
