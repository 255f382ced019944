-- Signed deliveries for wrk: one body, signed once (GitHub signs the body alone), and a delivery id of its
-- own for every request.   wrk ... -- HEAD_FILE BODY_FILE PREFIX [MS_BETWEEN]
-- The results are printed as one line of JSON, after the word RESULT.

local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
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
        delay = function() return pause end
    end
end

function request()
    count = count + 1
    return before .. count .. after
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        'RESULT {"requests":%d,"us":%d,"p50":%d,"p99":%d,"max":%d,"status":%d,"broken":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        latency.max, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
