"""What is done to jobs in one step, as Redis runs it. All keys have the hash tag `{jobs}`, so they lie in one slot."""

from typing import Final

from whisper_inference.sessions.redis_link import NOW

_BOOKS: Final = """
local function forget(id)
  redis.call('DECRBY', KEYS[8], redis.call('HGET', KEYS[6], id) or 0)
  redis.call('HDEL', KEYS[6], id)
  for _, index in ipairs({2, 3, 4, 5, 7, 9}) do redis.call('ZREM', KEYS[index], id) end
end
local function last(first, final, lasting)
  local longest = tonumber(lasting)
  for index = first, final do longest = math.max(longest, redis.call('PTTL', KEYS[index])) end
  for index = first, final do redis.call('PEXPIRE', KEYS[index], longest) end
end
"""
"""KEYS: record, due, listed of the owner, listed, open of the owner, sizes, ends, total, webhooks."""

SAVE: Final = (
    NOW
    + _BOOKS
    + """
local before, document, id, wake, lasting, size, open = unpack(ARGV)
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', now, 'LIMIT', 0, 100)) do forget(ended) end
local kept = redis.call('GET', KEYS[1])
if (kept and string.match(kept, '^%d+') or '0') ~= before then return 'changed' end
if before == '0' then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now)
  if tonumber(redis.call('GET', KEYS[8]) or 0) + size > tonumber(ARGV[8]) then return 'full' end
  if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[9]) then return 'many' end
end
local ending = now + lasting
redis.call('SET', KEYS[1], document, 'PX', lasting)
redis.call('ZREM', KEYS[2], id)
redis.call('ZREM', KEYS[9], id)
if wake ~= '' then redis.call('ZADD', open == '1' and KEYS[2] or KEYS[9], wake, id) end
redis.call('ZADD', KEYS[3], 0, id)
redis.call('ZADD', KEYS[4], 0, id)
if open == '1' then redis.call('ZADD', KEYS[5], ending, id) else redis.call('ZREM', KEYS[5], id) end
redis.call('INCRBY', KEYS[8], size - (redis.call('HGET', KEYS[6], id) or 0))
redis.call('HSET', KEYS[6], id, size)
redis.call('ZADD', KEYS[7], ending, id)
for _, index in ipairs({2, 3, 4, 5, 9}) do last(index, index, lasting) end
last(6, 8, lasting) -- one that ended before the others would make the books wrong
return 'saved'
"""
)
"""ARGV: version before, document, id, wake in ms or nothing, lasting in ms, size, whether it is not over, and for a new
one how many bytes and how many of its owner there may be."""

DELETE: Final = _BOOKS + "redis.call('DEL', KEYS[1]); forget(ARGV[1])"
"""ARGV: id."""

TELL_NOW: Final = NOW + "return now"

DUE: Final = NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])"
"""KEYS: due. ARGV: how many."""

PUT: Final = "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]); return redis.call('PEXPIRE', KEYS[1], ARGV[3])"
"""KEYS: place. ARGV: index, bytes, lasting in ms."""
