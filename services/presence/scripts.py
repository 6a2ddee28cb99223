"""The Lua scripts that change Redis atomically; bus.py describes the keys.

Every script takes the time from Redis, so that replicas' clocks don't matter, and uses keys of one hash tag only.
"""

from __future__ import annotations

from typing import Final

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
"""

CLOCK: Final = "return redis.call('TIME')"
"""Returns the time of the server that has a key: in a cluster, each node has its own clock."""

ATTACH: Final = (
    _NOW
    + """
-- KEYS leases, gateway; ARGV attachment, gateway id, lease in ms, '1' to attach only if the lease has expired.
-- Returns when the earlier lease expires or expired, 0 if there was none, or -1 if it has not expired.
local lease = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or 0)
if ARGV[4] == '1' and (lease == 0 or lease > now) then return -1 end
redis.call('HSET', KEYS[2], '', ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
return lease
"""
)
"""Makes an attachment the gateway's current one; the reports of others are refused from then on."""

EXPIRED: Final = (
    _NOW
    + """
-- KEYS leases; ARGV the maximum number.
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
"""
)
"""Returns the gateways whose lease has expired."""

RELEASE: Final = """
-- KEYS leases, gateway; ARGV attachment, gateway id.
if redis.call('HGET', KEYS[2], '') == ARGV[1] and redis.call('HLEN', KEYS[2]) == 1 then
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[1], ARGV[2])
end
"""
"""Removes a gateway that has no sessions."""

APPLY: Final = (
    _NOW
    + """
-- KEYS leases, gateway, work queue, then a user for each change.
-- ARGV attachment, gateway id, lease in ms, grace in ms, when it happened in ms ('' for now); then for each change:
--   'a' active, 'i' idle, 'c' closed or 's' closed unless this attachment reported it; session; member; role.
-- Returns 1, or 0 without any change if the attachment is not the gateway's current one.
if redis.call('HGET', KEYS[2], '') ~= ARGV[1] then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
local happened = ARGV[5] == '' and now or tonumber(ARGV[5])
for i = 4, #KEYS do
  local at = 6 + (i - 4) * 4
  local kind, session, member, role = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local held = redis.call('HGET', KEYS[2], session)
  local was = held and string.sub(held, -1) or ''
  local is = (kind == 'a' or kind == 'i') and kind or ''
  if kind == 's' and held == ARGV[1] .. '/' .. was then
    is = was
  elseif is ~= '' then
    redis.call('HSET', KEYS[2], session, ARGV[1] .. '/' .. is)
  elseif held then
    redis.call('HDEL', KEYS[2], session)
  end
  local user = redis.call('HMGET', KEYS[i], 'rev', 'open', 'active', 'seen', 'choice', 'grace', 'role')
  if was ~= is or (is ~= '' and role ~= '' and role ~= user[7]) then
    local open, active = tonumber(user[2] or 0), tonumber(user[3] or 0)
    local seen, grace = user[4] or '', user[6] or ''
    local invisible = string.sub(user[5] or '', 1, 2) == '4/'
    if active > 0 and not invisible then
      seen = text(math.max(tonumber(seen) or 0, happened))
    end
    open = math.max(0, open + (is == '' and 0 or 1) - (was == '' and 0 or 1))
    active = math.max(0, active + (is == 'a' and 1 or 0) - (was == 'a' and 1 or 0))
    if is ~= '' then
      grace = ''
    elseif open == 0 then
      grace = text(now + ARGV[4]) .. '/' .. was
    end
    redis.call('HSET', KEYS[i], 'rev', text(math.max(tonumber(user[1] or 0) + 1, now)), 'open', open,
      'active', active, 'seen', seen, 'grace', grace, 'role', role ~= '' and role or user[7] or '')
    redis.call('PERSIST', KEYS[i])
    redis.call('ZADD', KEYS[3], 'LT', now, member)
  end
end
return 1
"""
)
"""Renews a gateway's lease, and opens, changes and closes sessions. Idempotent."""

TAKE_DUE: Final = (
    _NOW
    + """
-- KEYS a queue; ARGV the maximum number, takeover in ms.
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, member in ipairs(members) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], member)
end
return members
"""
)
"""Takes the users that are due. They become due again after the takeover time unless COMPARE_AND_SET removes them."""

COMPARE_AND_SET: Final = (
    _NOW
    + """
-- KEYS work queue, persist queue, log, roster, then a user for each change; all of one organization.
-- ARGV organization, retention in ms, recent in ms; then for each change:
--   member, user id, revision, next check in ms ('' for none, 'keep'), persist ('due', 'done', 'keep'), '1' if resting,
--   the event to publish ('' for none), '1' if it says that the user is present, the number of fields, and each field
--   and value.
-- Returns for each change the new revision, or '' if the state has another revision: then the change is not made.
local revisions, events, at = {}, {}, 4
for i = 5, #KEYS do
  local member, user, revision, check, persist = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local resting, payload, present, fields = ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], tonumber(ARGV[at + 8])
  local current = redis.call('HGET', KEYS[i], 'rev') or '0'
  if current == revision then
    if fields > 0 then
      revision = text(math.max(tonumber(revision) + 1, now))
      redis.call('HSET', KEYS[i], 'rev', revision)
      for f = at + 9, at + 7 + 2 * fields, 2 do
        redis.call('HSET', KEYS[i], ARGV[f], ARGV[f + 1])
      end
    end
    if payload ~= '' then
      events[#events + 1] = payload
      redis.call('ZADD', KEYS[4], present == '1' and 'inf' or now, user)
    end
    if check == '' then redis.call('ZREM', KEYS[1], member)
    elseif check ~= 'keep' then redis.call('ZADD', KEYS[1], check, member) end
    if persist == 'done' then redis.call('ZREM', KEYS[2], member)
    elseif persist == 'due' then redis.call('ZADD', KEYS[2], 'LT', now, member) end
    if resting == '1' then redis.call('PEXPIRE', KEYS[i], ARGV[3] * 2) end
    revisions[#revisions + 1] = revision
  else
    revisions[#revisions + 1] = ''
  end
  at = at + 9 + 2 * fields
end
if #events > 0 then
  redis.call('XADD', KEYS[3], 'MINID', '~', text(now - ARGV[2]), '*', 'o', ARGV[1], 'p', table.concat(events))
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', text(now - ARGV[3]))
  if redis.call('ZCOUNT', KEYS[4], 'inf', 'inf') == 0 then
    redis.call('PEXPIRE', KEYS[4], ARGV[3])
  else
    redis.call('PERSIST', KEYS[4])
  end
end
return revisions
"""
)
"""Changes users' states and publishes the changes in the log, each only if the state still has its revision.

Events are encoded batches, and concatenated batches are one batch: so one entry holds all of them.
"""
