//! What runs inside Redis.
//!
//! | Key, after the prefix | Type | Holds |
//! |---|---|---|
//! | `token:ID` | hash | one token: `expires`, `revision`, `signed_in`, `subject`, `endpoint`, `context`, `sealed` |
//! | `context:DIGEST`, `subject:DIGEST`, `endpoint:NAME` | set | ids of tokens |
//! | `expiry`, `signed-in` | sorted set | ids of tokens, by milliseconds |
//! | `revision` | number | of the last write |
//! | `replay:DIGEST` | text | until when |
//! | `replay-expiry` | sorted set | digests, by milliseconds |
//! | `revocations` | sorted set | revocations, by position |
//! | `revocation-expiry` | sorted set | the same, by milliseconds |
//! | `position` | number | of the last revocation |
//!
//! Times are UTC ticks as decimal digits of one length: numbers in Lua and scores are too coarse for them, and digits of
//! one length compare as text. An id is `DIGEST:GENERATION:ENDPOINT`.

use redis::Script;

/// All scripts.
pub(super) struct Scripts {
    pub(super) write: Script,
    pub(super) find: Script,
    pub(super) remove: Script,
    pub(super) purge: Script,
    pub(super) remember: Script,
    pub(super) purge_replays: Script,
    pub(super) publish: Script,
    pub(super) changes: Script,
    pub(super) purge_revocations: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let with_tokens = |script: &str| Script::new(&format!("{TOKENS}{script}"));
        Self {
            write: with_tokens(WRITE),
            find: with_tokens(FIND),
            remove: with_tokens(REMOVE),
            purge: with_tokens(PURGE),
            remember: Script::new(REMEMBER),
            purge_replays: Script::new(PURGE_REPLAYS),
            publish: Script::new(PUBLISH),
            changes: Script::new(CHANGES),
            purge_revocations: Script::new(PURGE_REVOCATIONS),
        }
    }
}

/// How much one run of a purge removes at most, so that nobody waits long for it.
pub(super) const PURGE_STEP: usize = 1000;

/// What the scripts about tokens have in common.
const TOKENS: &str = r"
local prefix = ARGV[1]

local function drop(id)
    local key = prefix .. 'token:' .. id
    local at = redis.call('HMGET', key, 'context', 'subject', 'endpoint')
    if not at[1] then return end
    redis.call('DEL', key)
    redis.call('SREM', prefix .. 'context:' .. at[1], id)
    if at[2] ~= '' then redis.call('SREM', prefix .. 'subject:' .. at[2], id) end
    redis.call('SREM', prefix .. 'endpoint:' .. at[3], id)
    redis.call('ZREM', prefix .. 'expiry', id)
    redis.call('ZREM', prefix .. 'signed-in', id)
end

-- The ids that a kind and a value choose. An id has its own, also when nothing is there.
local function chosen(kind, value)
    if kind == 'id' then return { value } end
    if kind == 'all' then return redis.call('ZREVRANGE', prefix .. 'signed-in', 0, -1) end
    return redis.call('SMEMBERS', prefix .. kind .. ':' .. value)
end
";

/// Arguments: id, condition, expected revision, now, expires, the same in ms, signed in, the same in ms, context, subject,
/// endpoint, sealed. Gives the new revision, or nothing where the condition does not hold.
const WRITE: &str = r"
local id, condition, expected, now = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = prefix .. 'token:' .. id
local found = redis.call('HMGET', key, 'expires', 'revision')
local living = found[1] and found[1] >= now
if condition == 'absent' and living then return false end
if condition == 'present' and not living then return false end
if condition == 'revision' and not (living and found[2] == expected) then return false end
drop(id)
local revision = redis.call('INCR', prefix .. 'revision')
redis.call('HSET', key, 'expires', ARGV[6], 'revision', revision, 'signed_in', ARGV[8], 'context', ARGV[10],
    'subject', ARGV[11], 'endpoint', ARGV[12], 'sealed', ARGV[13])
redis.call('SADD', prefix .. 'context:' .. ARGV[10], id)
if ARGV[11] ~= '' then redis.call('SADD', prefix .. 'subject:' .. ARGV[11], id) end
redis.call('SADD', prefix .. 'endpoint:' .. ARGV[12], id)
redis.call('ZADD', prefix .. 'expiry', ARGV[7], id)
redis.call('ZADD', prefix .. 'signed-in', ARGV[9], id)
return revision
";

/// Arguments: kind, value, now, limit. Gives what is stored of each token that has not expired.
const FIND: &str = r"
local now, limit = ARGV[4], tonumber(ARGV[5])
local found = {}
for _, id in ipairs(chosen(ARGV[2], ARGV[3])) do
    if #found >= limit then break end
    local token = redis.call('HMGET', prefix .. 'token:' .. id,
        'expires', 'revision', 'signed_in', 'context', 'subject', 'endpoint', 'sealed')
    if token[1] and token[1] >= now then found[#found + 1] = token end
end
return found
";

/// Arguments: kind, value, from when on a token must live to be counted and removed, an endpoint or `*` for any. Gives how
/// many there were.
const REMOVE: &str = r"
local removed = 0
for _, id in ipairs(chosen(ARGV[2], ARGV[3])) do
    local at = redis.call('HMGET', prefix .. 'token:' .. id, 'expires', 'endpoint')
    if at[1] and at[1] >= ARGV[4] and (ARGV[5] == '*' or '=' .. at[2] == ARGV[5]) then
        drop(id)
        removed = removed + 1
    end
end
return removed
";

/// Arguments: now, the same in ms, how many at most.
const PURGE: &str = r"
local removed = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'expiry', '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])) do
    local expires = redis.call('HGET', prefix .. 'token:' .. id, 'expires')
    if not expires then
        redis.call('ZREM', prefix .. 'expiry', id)
        redis.call('ZREM', prefix .. 'signed-in', id)
    elseif expires < ARGV[2] then
        drop(id)
        removed = removed + 1
    end
end
return removed
";

/// Arguments: key, now, expires, the same in ms.
const REMEMBER: &str = r"
local key = ARGV[1] .. 'replay:' .. ARGV[2]
local until_then = redis.call('GET', key)
if until_then and until_then >= ARGV[3] then return 0 end
redis.call('SET', key, ARGV[4])
redis.call('ZADD', ARGV[1] .. 'replay-expiry', ARGV[5], ARGV[2])
return 1
";

/// Arguments: now, the same in ms, how many at most.
const PURGE_REPLAYS: &str = r"
local removed, index = 0, ARGV[1] .. 'replay-expiry'
for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])) do
    local key = ARGV[1] .. 'replay:' .. id
    local until_then = redis.call('GET', key)
    if not until_then or until_then < ARGV[2] then
        redis.call('DEL', key)
        redis.call('ZREM', index, id)
        removed = removed + 1
    end
end
return removed
";

/// Arguments: the revocation, expires in ms. Positions follow the server's clock: should Redis come back without its data,
/// what is published then still lies after everything that was read before.
const PUBLISH: &str = r"
local time = redis.call('TIME')
local position = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', ARGV[1] .. 'position') or '0')
if position <= last then position = last + 1 end
local text = string.format('%.0f', position)
redis.call('SET', ARGV[1] .. 'position', text)
local entry = text .. ' ' .. ARGV[2]
redis.call('ZADD', ARGV[1] .. 'revocations', text, entry)
redis.call('ZADD', ARGV[1] .. 'revocation-expiry', ARGV[3], entry)
return 1
";

/// Arguments: the position after which.
const CHANGES: &str = r"
return redis.call('ZRANGEBYSCORE', ARGV[1] .. 'revocations', '(' .. ARGV[2], '+inf')
";

/// Arguments: now, the same in ms, how many at most.
const PURGE_REVOCATIONS: &str = r"
local removed, index = 0, ARGV[1] .. 'revocation-expiry'
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])) do
    if string.match(entry, '%S+$') < ARGV[2] then
        redis.call('ZREM', index, entry)
        redis.call('ZREM', ARGV[1] .. 'revocations', entry)
        removed = removed + 1
    end
end
return removed
";
