-- Tells an eas-gateway what has changed in whose mailbox: docs/backends/dovecot-push.md.
-- For the Lua driver of push_notification in Dovecot 2.3 (tried with 2.3.19.1); settings in 90-eas-push.conf.
--
-- All that happens in one transaction is one small request: the user's name and the names of folders, nothing of what is
-- in them. The gateway then looks by itself.

local CONNECT_MSECS = 300 -- the gateway is near, or away
local REQUEST_MSECS = 700 -- it answers before it does anything
-- A gateway that does not answer is left alone for so long, at first and at most: the user waits for us.
local PAUSE_SECONDS, LONGEST_SECONDS = 1, 15

-- All of this lasts as long as Dovecot keeps the script: for a session of IMAP, or one delivery.
local client = nil
local away_until, pause = 0, PAUSE_SECONDS
local missed = {} -- users who were not told of

local ESCAPED = { ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return ESCAPED[c] or string.format("\\u%04x", c:byte()) end) .. '"'
end

local function body_of(ctx)
  local folders = {}
  for name in pairs(ctx.folders) do
    folders[#folders + 1] = quoted(name)
  end
  local told = '{"user":' .. quoted(ctx.user)
  if not missed[ctx.user] then -- else all of the user's folders
    told = told .. ',"folders":[' .. table.concat(folders, ",") .. "]"
  end
  return told .. ',"hierarchy":' .. tostring(ctx.hierarchy) .. "}"
end

local function send(ctx)
  client = client or dovecot.http.client {
    max_attempts = 1, max_connect_attempts = 1, no_auto_redirect = true, no_auto_retry = true,
    connect_timeout_msecs = CONNECT_MSECS, connect_backoff_max_time_msecs = 1, request_timeout_msecs = REQUEST_MSECS,
    request_absolute_timeout_msecs = CONNECT_MSECS + REQUEST_MSECS,
  }
  local request = client:request { url = ctx.url, method = "POST" }
  request:add_header("Content-Type", "application/json")
  request:add_header("Authorization", "Bearer " .. ctx.token)
  request:set_payload(body_of(ctx))
  local response = request:submit()
  return response:status(), response:reason()
end

function dovecot_lua_notify_begin_txn(user)
  return {
    user = user.username, folders = {}, hierarchy = false, any = false,
    url = user:plugin_getenv("eas_push_url") or "", token = user:plugin_getenv("eas_push_token") or "",
  }
end

function dovecot_lua_notify_end_txn(ctx)
  if not ctx.any or ctx.url == "" then
    return
  end
  if os.time() < away_until then
    missed[ctx.user] = true
    return
  end
  local fine, status, reason = pcall(send, ctx)
  if fine and status // 100 == 2 then
    missed[ctx.user], pause = nil, PAUSE_SECONDS
    return
  end
  missed[ctx.user] = true
  if not fine or status >= 500 then -- Dovecot's own statuses, such as "cannot connect", are above 9000
    away_until, pause = os.time() + pause, math.min(2 * pause, LONGEST_SECONDS)
  end
  dovecot.i_warning("eas-push: " .. ctx.url .. ": " .. (fine and status .. " " .. reason or tostring(status)))
end

local function message(ctx, event)
  ctx.any = true
  ctx.folders[event.mailbox] = true
end

local function mailbox(ctx)
  ctx.any = true
  ctx.hierarchy = true
end

dovecot_lua_notify_event_message_new = message
dovecot_lua_notify_event_message_append = message
dovecot_lua_notify_event_message_expunge = message
dovecot_lua_notify_event_flags_set = message
dovecot_lua_notify_event_flags_clear = message
dovecot_lua_notify_event_mailbox_create = mailbox
dovecot_lua_notify_event_mailbox_delete = mailbox
dovecot_lua_notify_event_mailbox_rename = mailbox
dovecot_lua_notify_event_mailbox_subscribe = mailbox
dovecot_lua_notify_event_mailbox_unsubscribe = mailbox
