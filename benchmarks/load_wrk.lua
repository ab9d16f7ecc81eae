-- Asks what `benchmarks/load_wrk.py` has written, each request at its time, and writes when and how it was answered.
--
-- PLAN has a line for each request: when it is due (microseconds from the first), its path and its body. A connection
-- takes the next request that is due, so requests are sent on time as long as there is a connection left. ANSWERS gets a
-- line for each answer: status, microseconds since its request was due, and microseconds since the first one was. BROKEN
-- gets how many requests were not answered because a connection failed.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds, nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]
local MONOTONIC = 1
local CONNECTING = tonumber(os.getenv("CONNECTING")) * 1e6 -- microseconds before the first request is due
local NEVER = 3.6e9
local moment = ffi.new("moment")
local due, requests, asked, paced, began = {}, {}, -1, 0, nil

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) * 1e6 + tonumber(moment.nanoseconds) / 1e3
end

function init()
  for line in io.lines(os.getenv("PLAN")) do
    local time, path, body = line:match("^(%d+)\t(%S+)\t(.*)$")
    local headers = { ["Content-Type"] = "application/json", ["X-Request-ID"] = tostring(#due + 1) }
    due[#due + 1] = tonumber(time)
    requests[#requests + 1] = wrk.format("POST", path, headers, body)
  end
  answers = io.open(os.getenv("ANSWERS"), "w")
end

local function since_start()
  began = began or now() + CONNECTING
  return now() - began
end

function delay()
  paced = paced + 1
  return math.max(0, ((due[paced] or NEVER) - since_start()) / 1000)
end

function request()
  asked = asked + 1
  if asked == 0 then return requests[1] end -- only looked at, before the first connection
  if due[asked] == 0 then due[asked] = since_start() end
  return requests[asked]
end

function response(status, headers)
  local number = tonumber(headers["X-Request-ID"] or headers["x-request-id"])
  local arrived = since_start()
  answers:write(status, " ", math.floor(arrived - due[number]), " ", math.floor(arrived), "\n")
end

function done(summary)
  local errors = summary.errors
  local broken = io.open(os.getenv("BROKEN"), "w")
  broken:write(errors.connect + errors.read + errors.write + errors.timeout)
  broken:close()
end
