-- HAProxy asks whether a request may pass; what is not 200 is given to the client as it is.
local AUTH = "http://127.0.0.1:8000/auth/forward"
local IDENTITY = { "remote-user", "remote-email", "remote-name", "remote-groups", "remote-id" }
-- What says who somebody is, and what kind of client waits.
local PASSED_ON = {
    "cookie", "authorization", "x-api-key", "accept", "accept-language", "user-agent", "x-requested-with", "sec-fetch-mode",
    "x-http-method-override", "x-http-method", "x-method-override",
}

-- Values as they are counted here begin with 0.
local function values(headers, name)
    local all = {}
    local at = 0
    while headers[name] and headers[name][at] do
        table.insert(all, headers[name][at])
        at = at + 1
    end
    return all
end

core.register_action("forward", { "http-req" }, function(txn)
    local given = txn.http:req_get_headers()
    local asked = {
        ["x-forwarded-method"] = { txn.f:method() },
        ["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
        ["x-forwarded-host"] = values(given, "host"),
        ["x-forwarded-uri"] = { txn.f:pathq() },
        ["x-forwarded-for"] = { txn.f:src() },
    }
    for _, name in ipairs(PASSED_ON) do
        if given[name] then
            asked[name] = values(given, name)
        end
    end
    local answer = core.httpclient():get({ url = AUTH, headers = asked, timeout = 10000 })
    if answer.status == 200 then
        for _, name in ipairs(IDENTITY) do
            local value = values(answer.headers, name)[1]
            if value and value ~= "" then
                txn.http:req_set_header(name, value)
            end
        end
        return
    end
    local reply = txn:reply({ status = answer.status or 503, reason = answer.reason, body = answer.body })
    for _, name in ipairs({ "location", "content-type", "content-security-policy", "www-authenticate", "cache-control" }) do
        for _, value in ipairs(values(answer.headers or {}, name)) do
            reply:add_header(name, value)
        end
    end
    txn:done(reply)
end)
