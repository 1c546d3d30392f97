-- Requests and connections of a backend wait here while its only container is replaced.
-- Told through the runtime API: "build-hook hold BACKEND SECONDS", "build-hook go BACKEND".
-- What is held stands in a file too: a worker that comes with a reload holds from its first moment.

local held = {} -- backend -> second at which the wait ends by itself

local function hold(backend, seconds)
    held[backend] = core.now().sec + seconds
end

local function is_held(backend)
    local ends = held[backend]
    if ends ~= nil and core.now().sec >= ends then
        held[backend] = nil
    end
    return held[backend] ~= nil
end

local file = io.open(os.getenv("BUILD_HOOK_HOLDS") or "")
if file ~= nil then
    for line in file:lines() do
        local backend, ends, most = line:match("^(%S+) (%d+) (%d+)$")
        if backend ~= nil then
            hold(backend, math.min(tonumber(ends) - os.time(), tonumber(most)))
        end
    end
    file:close()
end

core.register_action("hold", { "http-req", "tcp-req" }, function(txn)
    local backend = txn.f:be_name()
    while is_held(backend) do
        core.msleep(10)
    end
end)

core.register_cli({ "build-hook", "hold" }, "", function(applet, _, _, backend, seconds)
    hold(backend, tonumber(seconds))
end)

core.register_cli({ "build-hook", "go" }, "", function(applet, _, _, backend)
    if backend == nil then
        held = {} -- everywhere
    else
        held[backend] = nil
    end
end)
