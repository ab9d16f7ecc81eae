-- Asks what `benchmarks/load_wrk.py` has written, each request at its time, and writes when and how it was answered.
--
-- Each thread of wrk has a plan of its own, FOLDER/plan-0 and so on, with a line for each request: when it is due
-- (microseconds from the first), its path and its body. A connection takes the next request that is due, so requests are
-- sent on time as long as there is a connection left. FOLDER/answers-0 and so on get a line for each answer: status,
-- microseconds since its request was due, and microseconds since the first one was. FOLDER/broken gets how many requests
-- were not answered because a connection failed.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds, nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]
local MONOTONIC = 1
local FOLDER = os.getenv("FOLDER")
local CONNECTING = tonumber(os.getenv("CONNECTING")) * 1e6 -- microseconds before the first request is due
local NEVER = 3.6e9
local moment = ffi.new("moment")
local due, requests, asked, paced, began = {}, {}, 0, 0, nil
local threads = 0

function setup(thread) -- before `init`, which runs in the thread
  thread:set("thread", threads)
  threads = threads + 1
end

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) * 1e6 + tonumber(moment.nanoseconds) / 1e3
end

function init()
  if thread == 0 then asked = -1 end -- its first request is only looked at, before there are connections
  for line in io.lines(FOLDER .. "/plan-" .. thread) do
    local time, path, body = line:match("^(%d+)\t(%S+)\t(.*)$")
    local headers = { ["Content-Type"] = "application/json", ["X-Request-ID"] = thread .. "-" .. #due + 1 }
    due[#due + 1] = tonumber(time)
    requests[#requests + 1] = wrk.format("POST", path, headers, body)
  end
  answers = io.open(FOLDER .. "/answers-" .. thread, "w")
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
  if asked == 0 then return requests[1] end
  if due[asked] == 0 then due[asked] = since_start() end
  return requests[asked]
end

function response(status, headers)
  local number = tonumber((headers["X-Request-ID"] or headers["x-request-id"]):match("%d+$"))
  local arrived = since_start()
  answers:write(status, " ", math.floor(arrived - due[number]), " ", math.floor(arrived), "\n")
end

function done(summary)
  local errors = summary.errors
  local broken = io.open(FOLDER .. "/broken", "w")
  broken:write(errors.connect + errors.read + errors.write + errors.timeout)
  broken:close()
end
