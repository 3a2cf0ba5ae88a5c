//! The scripts. Each uses one key, and the server's clock.

use redis::{ErrorKind, RedisResult, ServerErrorKind, Value};

use super::{deployment_key::Name, dial::Wire};

/// All scripts.
pub(super) struct Scripts {
    pub(super) claim: Script,
    pub(super) release: Script,
    pub(super) take: Script,
    pub(super) add: Script,
}

/// A script with its hash.
pub(super) struct Script {
    source: &'static str,
    hash: Box<str>,
}

/// Claims the key, unless it is claimed. Returns the value that the key then has, or an empty text if that is not a string.
const CLAIM: &str = "\
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return ARGV[1] end
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'string' then return held end
return ''";

/// Ends the claim whose value begins with the nonce.
const RELEASE: &str = "\
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// GCRA in microseconds: the step of this cost, and the window of a whole burst. Returns the time to wait, or 0 if it is taken.
///
/// The value is the time at which the whole burst has recovered. It is at most a window away, even if the clock was changed.
const TAKE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local step, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local back = tonumber(redis.call('GET', KEYS[1]) or now)
back = math.min(math.max(back, now), now + window)
local next = back + step
local wait = next - now - window
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', math.ceil((next - now) / 1000)))
return 0";

/// Adds to a sum, which ends after the given milliseconds from its first addition.
const ADD: &str = "\
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return sum";

// === impl Scripts ===

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            claim: Script::new(CLAIM),
            release: Script::new(RELEASE),
            take: Script::new(TAKE),
            add: Script::new(ADD),
        }
    }
}

// === impl Script ===

impl Script {
    fn new(source: &'static str) -> Self {
        Self { source, hash: redis::Script::new(source).get_hash().into() }
    }

    /// Runs the script by its hash, and sends its text only if Redis does not know it.
    pub(super) async fn invoke(&self, wire: &Wire, name: &Name, arguments: &[String]) -> RedisResult<Value> {
        let ask = async |how: &str, script: &str| {
            let mut command = redis::cmd(how);
            command.arg(script).arg(1).arg(name.as_str()).arg(arguments);
            wire.ask(&command).await
        };
        match ask("EVALSHA", &self.hash).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                ask("EVAL", self.source).await
            }
            answer => answer,
        }
    }
}
