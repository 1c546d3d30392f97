-- A worker from before a reload still gets requests, on connections that were kept and those that
-- wait (hold.lua), but refuses "set server": its proxies are stopped.
-- Told through the master: "build-hook move BACKEND SERVER,ADDRESS,PORT ...", all that are live.

core.register_cli({ "build-hook", "move" }, "", function(applet, _, _, backend, ...)
    local known = core.backends[backend]
    if known == nil then
        return
    end
    local live = {}
    for _, place in ipairs({ ... }) do
        local name, address, port = place:match("^(.+),(.+),(%d+)$")
        local server = known.servers[name]
        if server ~= nil then
            server:set_addr(address, port)
            server:set_ready()
            live[name] = true
        end
    end
    for name, server in pairs(known.servers) do
        if not live[name] then
            server:set_drain()
        end
    end
end)
