-- Requests and connections of a backend wait here while its only container is replaced.
-- Told through the runtime API: "build-hook hold BACKEND SECONDS", "build-hook go BACKEND".

local held = {} -- backend -> second at which the wait ends by itself

local function is_held(backend)
    local ends = held[backend]
    if ends ~= nil and core.now().sec >= ends then
        held[backend] = nil
    end
    return held[backend] ~= nil
end

local function hold(txn)
    local backend = txn.f:be_name()
    while is_held(backend) do
        core.msleep(10)
    end
end

core.register_action("hold", { "http-req", "tcp-req" }, hold)

core.register_cli({ "build-hook", "hold" }, "", function(applet, _, _, backend, seconds)
    held[backend] = core.now().sec + tonumber(seconds)
end)

core.register_cli({ "build-hook", "go" }, "", function(applet, _, _, backend)
    held[backend] = nil
end)
