//! Counters that all nodes share, in Redis or Valkey. Each decision is one script there, which the server runs as one step, over a
//! list of instants a client: the windows are those of [`window`](super::window).

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, Script, ScriptInvocation};

use super::rate::Rate;
use super::table::Fingerprint;
use super::window::Refusal;

/// Where the shared counters are.
#[derive(Clone)]
pub struct SharedCounters {
    client: Client,
    timeout: Duration,
}

impl SharedCounters {
    /// `redis://user:password@host:6379/0`; `rediss` for TLS, `valkey` and `valkeys` the same. `timeout` is how long a request
    /// waits for the server before it is counted on its node alone.
    ///
    /// # Errors
    /// A text that is no such address.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, NoAddress> {
        Client::open(url).map(|client| Self { client, timeout }).map_err(|_| NoAddress)
    }
}

impl fmt::Debug for SharedCounters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.client.get_connection_info().addr().to_string();
        formatter.debug_struct("SharedCounters").field("address", &address).finish_non_exhaustive()
    }
}

/// No address of a Redis server. Says nothing of the text, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("is no address of a Redis or Valkey server; write for example \"redis://127.0.0.1:6379/0\"")]
pub struct NoAddress;

/// The server did not answer in time, or not sensibly: count on this node.
pub(super) struct Down;

/// How long a server that did not answer is left alone. Then one request tries it again.
const RETRY: Duration = Duration::from_secs(1);

/// `window`: how many instants count; those that do not are the last. `write`: puts the request first.
const WINDOW: &str = r"
local now = tonumber(ARGV[1])
local function window(key, period)
  local count = redis.call('LLEN', key)
  while count > 0 and tonumber(redis.call('LINDEX', key, count - 1)) <= now - period do count = count - 1 end
  return count
end
local function oldest(key, count)
  return count > 0 and redis.call('LINDEX', key, count - 1) or ''
end
local function write(key, period, count)
  if count == 0 then redis.call('DEL', key) else redis.call('LTRIM', key, 0, count - 1) end
  redis.call('LPUSH', key, ARGV[1])
  redis.call('PEXPIRE', key, math.ceil(period / 1000))
end
";

/// Each key for itself: `{-1, ''}` where the request was let through, else the count and the oldest instant.
const EACH: &str = r"
local answers = {}
for i, key in ipairs(KEYS) do
  local period, limit = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local count = window(key, period)
  if count >= limit then
    answers[i] = { count, oldest(key, count) }
  else
    write(key, period, count)
    answers[i] = { -1, '' }
  end
end
return answers
";

/// A login: all of its keys or none. The last key says that the client is known, to which the first key alone applies. Answers
/// with the key that refuses, or 0, and whether the client is known.
const BEGIN: &str = r"
local known = ARGV[2] == '1' or redis.call('EXISTS', KEYS[#KEYS]) == 1
local last = known and 1 or #KEYS - 1
local counts = {}
for i = 1, last do
  local period, limit = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  counts[i] = window(KEYS[i], period)
  if counts[i] >= limit then
    return { i, known and 1 or 0, counts[i], oldest(KEYS[i], counts[i]) }
  end
end
for i = 1, last do write(KEYS[i], tonumber(ARGV[2 * i + 1]), counts[i]) end
return { 0, known and 1 or 0, 0, '' }
";

/// A login that counts no more. Where it was good, nothing that came before it counts against the first key, and the client is
/// known.
const END: &str = r"
if ARGV[2] == '1' then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[#KEYS], '1', 'PX', ARGV[3])
else
  redis.call('LREM', KEYS[1], 1, ARGV[1])
end
for i = 2, #KEYS - 1 do redis.call('LREM', KEYS[i], 1, ARGV[1]) end
return 0
";

/// A client's name in the server.
pub(super) struct Key(String);

impl Key {
    pub(super) fn of(client: Fingerprint) -> Self {
        Self(format!("countersign:throttle:{}", hex::encode(client.0)))
    }

    /// The key that says that a client is known.
    pub(super) fn known(client: Fingerprint) -> Self {
        Self(format!("countersign:known:{}", hex::encode(client.0)))
    }
}

/// The connection to the server, and what it is asked.
pub(super) struct Shared {
    settings: SharedCounters,
    state: Mutex<State>,
    each: Script,
    begin: Script,
    end: Script,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// When the server may be tried again, where there is no connection.
    retry_at: Option<Instant>,
    is_down: bool,
}

/// What became of a login's request.
pub(super) struct Begun {
    /// Which of its keys refuses it, and why.
    pub refused: Option<(usize, Refusal)>,
    /// Whether the server knows the client.
    pub is_known: bool,
}

impl Shared {
    pub(super) fn new(settings: &SharedCounters) -> Self {
        let script = |text: &str| Script::new(&format!("{WINDOW}{text}"));
        Self {
            settings: settings.clone(),
            state: Mutex::default(),
            each: script(EACH),
            begin: script(BEGIN),
            end: Script::new(END),
        }
    }

    /// Whether the server answered when it was last asked.
    pub(super) fn is_up(&self) -> bool {
        self.state().connection.is_some()
    }

    /// Lets the request through for each key or refuses it, all in one step.
    pub(super) async fn take(&self, keys: &[(Key, Rate)], now: i64) -> Result<Vec<Option<Refusal>>, Down> {
        let mut call = self.each.prepare_invoke();
        call.arg(now);
        for (key, rate) in keys {
            call.key(&key.0).arg(rate.period).arg(rate.requests);
        }
        let answers: Vec<(i64, String)> = self.ask(&call).await?;
        let refusals =
            answers.into_iter().zip(keys).map(|((count, oldest), (_, rate))| refusal(*rate, now, count, &oldest));
        Ok(refusals.collect())
    }

    /// Begins a login. `known` is the key of that name.
    pub(super) async fn begin(
        &self,
        keys: &[(Key, Rate)],
        known: &Key,
        is_known: bool,
        now: i64,
    ) -> Result<Begun, Down> {
        let mut call = self.begin.prepare_invoke();
        call.arg(now).arg(u8::from(is_known));
        for (key, rate) in keys {
            call.key(&key.0).arg(rate.period).arg(rate.requests);
        }
        call.key(&known.0);
        let (refusing, is_known, count, oldest): (usize, u8, i64, String) = self.ask(&call).await?;
        let refused = refusing.checked_sub(1).and_then(|index| {
            let (_, rate) = keys.get(index)?;
            Some((index, refusal(*rate, now, count, &oldest)?))
        });
        Ok(Begun { refused, is_known: is_known == 1 })
    }

    /// Takes a login of that instant back; a good one makes the client known for so long.
    pub(super) async fn end(
        &self,
        keys: &[(Key, Rate)],
        known: &Key,
        instant: i64,
        good_for: Option<i64>,
    ) -> Result<(), Down> {
        let mut call = self.end.prepare_invoke();
        call.arg(instant).arg(u8::from(good_for.is_some())).arg(good_for.unwrap_or_default() / 1_000);
        for (key, _) in keys {
            call.key(&key.0);
        }
        call.key(&known.0);
        self.ask::<i64>(&call).await.map(drop)
    }

    /// The client is known no more.
    pub(super) async fn forget(&self, known: &Key) -> Result<(), Down> {
        let script = Script::new("return redis.call('DEL', KEYS[1])");
        self.ask::<i64>(&script.key(&known.0)).await.map(drop)
    }

    /// Connects, so that the first request finds a connection.
    pub(super) async fn connect(&self) {
        let script = Script::new("return 0");
        let _ = self.ask::<i64>(&script.prepare_invoke()).await;
    }

    /// Runs a script within the time that a request has for it.
    async fn ask<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, Down> {
        let connection = {
            let mut state = self.state();
            if state.connection.is_none() {
                // tokio's and the system's instants are one; nothing here is the wall clock's.
                let now = Instant::now();
                if state.retry_at.is_some_and(|at| now < at) {
                    return Err(Down);
                }
                // Whoever comes meanwhile does not try as well.
                state.retry_at = Some(now + RETRY);
            }
            state.connection.clone()
        };
        let asked = async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => self.settings.client.get_multiplexed_async_connection_with_config(&self.config()).await?,
            };
            let answer = call.invoke_async(&mut connection).await?;
            Ok::<_, RedisError>((connection, answer))
        };
        match tokio::time::timeout(self.settings.timeout, asked).await {
            Ok(Ok((connection, answer))) => {
                let mut state = self.state();
                state.connection = Some(connection);
                if std::mem::take(&mut state.is_down) {
                    tracing::info!("shared counters are back");
                }
                Ok(answer)
            }
            Ok(Err(error)) => Err(self.fell(&error.to_string())),
            Err(_) => Err(self.fell("no answer in time")),
        }
    }

    fn fell(&self, reason: &str) -> Down {
        let mut state = self.state();
        state.connection = None;
        state.retry_at = Some(Instant::now() + RETRY);
        if !std::mem::replace(&mut state.is_down, true) {
            tracing::warn!(reason, "shared counters do not answer; requests are counted on each node for itself");
        }
        Down
    }

    fn config(&self) -> AsyncConnectionConfig {
        let timeout = Some(self.settings.timeout);
        AsyncConnectionConfig::new().set_connection_timeout(timeout).set_response_timeout(timeout)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(rate: Rate, now: i64, count: i64, oldest: &str) -> Option<Refusal> {
    let count = usize::try_from(count).ok()?;
    Some(Refusal::of(rate, now, count, oldest.parse().ok()))
}
