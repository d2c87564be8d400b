-- Apache asks whether a request may pass; 401 and 403 are answered by Apache itself.
local http = require("socket.http")
local ltn12 = require("ltn12")

local AUTH = "http://127.0.0.1:8000/auth/forward"
local IDENTITY = { "Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Remote-Id" }
-- What says who somebody is, and what kind of client waits.
local PASSED_ON = {
    "Cookie", "Authorization", "X-API-Key", "Accept", "Accept-Language", "User-Agent", "X-Requested-With", "Sec-Fetch-Mode",
    "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
}

function check(r)
    local asked = {
        ["X-Forwarded-Method"] = r.method,
        ["X-Forwarded-Proto"] = r.is_https and "https" or "http",
        -- The host that Apache has chosen this virtual host by.
        ["X-Forwarded-Host"] = r.hostname .. ":" .. r.port,
        ["X-Forwarded-Uri"] = r.unparsed_uri,
        ["X-Forwarded-For"] = r.useragent_ip,
    }
    for _, name in ipairs(PASSED_ON) do
        asked[name] = r.headers_in[name]
    end
    http.TIMEOUT = 10
    local done, status, headers = http.request({
        url = AUTH, headers = asked, redirect = false, sink = ltn12.sink.null(),
    })
    if not done then
        r:err("the authentication service does not answer: " .. tostring(status))
        return 503
    end
    if status == 200 then
        for _, name in ipairs(IDENTITY) do
            local value = headers[name:lower()]
            r.headers_in[name] = value ~= "" and value or nil
        end
        return apache2.OK
    end
    if headers["location"] then
        r.err_headers_out["Location"] = headers["location"]
    end
    if headers["www-authenticate"] then
        r.err_headers_out["WWW-Authenticate"] = headers["www-authenticate"]
    end
    return status
end
