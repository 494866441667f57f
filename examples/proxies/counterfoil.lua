-- Asks the door about a request before HAProxy forwards it, and answers refusals.
--
-- On allow it sets the identity fields and the variable txn.counterfoil_allowed, without which the
-- configuration lets nothing pass: a script that fails or times out is a refusal.

local doors = "http://" .. os.getenv("COUNTERFOIL_DOORS") .. "/authorize"
local patience = 5000 -- milliseconds

-- All of them are set on every allow, empty if need be.
local identity = {
	"x-counterfoil-account", "x-counterfoil-sid", "x-counterfoil-api", "x-counterfoil-version",
	"x-counterfoil-scope", "x-counterfoil-brand", "x-counterfoil-request-id",
}

-- Fields of the client's connection or of the body, which the door does not get.
local hop = {
	["connection"] = true, ["proxy-connection"] = true, ["keep-alive"] = true, ["te"] = true, ["trailer"] = true,
	["transfer-encoding"] = true, ["upgrade"] = true, ["proxy-authenticate"] = true, ["proxy-authorization"] = true,
	["content-length"] = true, ["expect"] = true, ["host"] = true,
}

-- Fields of an allow that the client gets. The configuration reads each from a variable.
local passed = {
	["ratelimit-limit"] = "txn.counterfoil_ratelimit_limit", ["ratelimit-remaining"] = "txn.counterfoil_ratelimit_remaining",
	["ratelimit-reset"] = "txn.counterfoil_ratelimit_reset", ["deprecation"] = "txn.counterfoil_deprecation",
	["sunset"] = "txn.counterfoil_sunset",
}

-- Fields of a refusal that the client gets.
local told = {
	"content-type", "www-authenticate", "retry-after", "cache-control", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
}

local function values(field)
	local list = {}
	if field then
		local i = 0
		while field[i] do
			list[#list + 1] = field[i]
			i = i + 1
		end
	end
	return list
end

-- A field that Connection names belongs to the client's connection: neither the door nor the API gets it,
-- so that nothing opens the door and is gone behind it.
local function drop_named(txn, fields)
	for _, line in ipairs(values(fields["connection"])) do
		for name in line:gmatch("[^,%s]+") do
			name = name:lower()
			if not hop[name] then
				txn.http:req_del_header(name)
				fields[name] = nil
			end
		end
	end
end

core.register_action("counterfoil", { "http-req" }, function(txn)
	local fields = txn.http:req_get_headers()
	drop_named(txn, fields)
	local question = {}
	for name, field in pairs(fields) do
		-- What a client says in X-Forwarded-* is not the door's business: it is told what is true.
		if not hop[name] and name:sub(1, 12) ~= "x-forwarded-" then
			question[name] = values(field)
		end
	end
	question["x-forwarded-method"] = { txn.sf:method() }
	question["x-forwarded-uri"] = { txn.sf:pathq() }
	question["x-forwarded-host"] = values(fields["host"])
	question["x-forwarded-for"] = { txn.sf:src() }

	local answer = core.httpclient():get({ url = doors, headers = question, timeout = patience })
	if answer and answer.status == 200 then
		for _, name in ipairs(identity) do
			txn.http:req_set_header(name, values(answer.headers[name])[1] or "")
		end
		for name, variable in pairs(passed) do
			local value = values(answer.headers[name])[1]
			if value then
				txn:set_var(variable, value)
			end
		end
		txn:set_var("txn.counterfoil_allowed", "yes")
		return
	end
	local reply = txn:reply()
	if not answer or answer.status < 400 or answer.status > 599 then
		reply:set_status(503)
		txn:done(reply)
		return
	end
	reply:set_status(answer.status)
	for _, name in ipairs(told) do
		for _, value in ipairs(values(answer.headers[name])) do
			reply:add_header(name, value)
		end
	end
	reply:set_body(answer.body)
	txn:done(reply)
end)
