-- The page of the IIS stand-in: says who is served, by which mechanism, on which connection.
-- ?size=N pads the answer to N bytes more, ?slow=S waits S seconds, a POST is echoed.
function handle(r)
    local args = r:parseargs()
    local env = r.subprocess_env
    local user = r.user or ""
    local head = string.format('{"user":"%s","mech":"%s","server":"%s","connection":"%s"}\n',
        (user:gsub("\\", "\\\\")), env["GSS_MECH"] or "", env["LAB_SERVER"] or "",
        env["LAB_CONNECTION"] or "")
    if args.slow then
        r.usleep(math.floor(tonumber(args.slow) * 1000000))
    end
    r.content_type = "application/json"
    local body = head
    if r.method == "POST" then
        body = head .. (r:requestbody() or "")
    elseif args.size then
        body = head .. string.rep("x", tonumber(args.size))
    end
    r.headers_out["Content-Length"] = tostring(#body)
    r:write(body)
    return apache2.OK
end
