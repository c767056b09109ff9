-- POSTs the JSON bodies of a file in turn. Answers with 503 are refusals and counted apart.
-- With "rotate" as second argument each body is a refresh token that is used once, and the one in the answer comes next.
local bodies, first, last, rotating = {}, 1, 0, false
served, shed, other = 0, 0, 0
local threads = {}

function setup(thread)
    threads[#threads + 1] = thread
end

function init(arguments)
    for line in io.lines(arguments[1]) do
        last = last + 1
        bodies[last] = line
    end
    rotating = arguments[2] == "rotate"
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
end

function request()
    local body
    if rotating then
        body = bodies[first]
        bodies[first] = nil
        first = first + 1
    else
        body = bodies[first]
        first = first % last + 1
    end
    return wrk.format(nil, nil, nil, body)
end

function response(status, _, body)
    if status == 200 then
        served = served + 1
        if rotating then
            last = last + 1
            bodies[last] = '{"refresh":"' .. body:match('"refresh":"([^"]+)"') .. '"}'
        end
    elseif status == 503 then
        shed = shed + 1
    else
        other = other + 1
    end
end

function done(summary, latency)
    local all = { served = 0, shed = 0, other = 0 }
    for _, thread in ipairs(threads) do
        for name in pairs(all) do
            all[name] = all[name] + thread:get(name)
        end
    end
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"served":%d,"shed":%d,"refused":%d,"failed":%d,"p50":%.3f,"p99":%.3f}\n',
        summary.requests, summary.duration / 1e6, all.served, all.shed, all.other,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
