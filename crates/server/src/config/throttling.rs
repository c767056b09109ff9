//! Throttles: `DEFAULT_THROTTLE_CLASSES`, `DEFAULT_THROTTLE_RATES`, `NUM_PROXIES`, those of each path, and `[throttling]`.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::settings::{LoginLimits, ThrottlingSettings};
use countersign::{Counted, Rate, RateError, SharedCounters, Throttle};

use super::ConfigError;
use super::raw::{Nullable, NullableCount, PathName, RawProtected, RawThrottle};
use super::resolve::{one_of, timeout};
use super::source::Source;
use crate::client::NumProxies;

const RATES: &str = "rest_framework.default_throttle_rates";
const CLASSES: &str = "rest_framework.default_throttle_classes";
/// Less would be shared by everybody.
const LEAST_MEMORY: u64 = 1024 * 1024;
/// How long a request waits for the shared counters.
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The throttles of the paths, as they are read.
pub(super) struct Throttles<'s> {
    source: &'s Source,
    /// Those scopes of `DEFAULT_THROTTLE_RATES` that are there, with their rates.
    rates: BTreeMap<&'s str, Option<Rate>>,
    /// Each scope's one rate, and the key that gave it.
    seen: BTreeMap<String, (Rate, String)>,
}

impl<'s> Throttles<'s> {
    pub(super) fn read(source: &'s Source) -> Result<Self, ConfigError> {
        let mut rates = BTreeMap::new();
        match &source.raw.rest_framework.default_throttle_rates {
            // DRF's own default, which a setting takes the place of.
            None => rates.extend([("anon", None), ("user", None)]),
            Some(given) => {
                for (scope, given) in given {
                    rates.insert(scope, rate(source, &format!("{RATES}.{scope}"), given)?);
                }
            }
        }
        Ok(Self { source, rates, seen: BTreeMap::new() })
    }

    /// Those of a built-in path: what is said for it, else what its class says.
    pub(super) fn of_path(&mut self, name: PathName, key: &str) -> Result<Vec<Throttle>, ConfigError> {
        match self.source.raw.throttling.paths.get(&name) {
            Some(list) => self.throttles(&format!("throttling.paths.{key}"), list, None),
            // DRF's view says `throttle_classes = ()`.
            None if name == PathName::ObtainAuthToken => Ok(Vec::new()),
            // Asked for each request that a service gets, by clients that prove who they are: nobody's own rate fits.
            None if matches!(name, PathName::Introspect | PathName::Revoke) => Ok(Vec::new()),
            None => self.defaults(None),
        }
    }

    /// Those of a declared resource.
    pub(super) fn of_resource(&mut self, index: usize, raw: &RawProtected) -> Result<Vec<Throttle>, ConfigError> {
        let scope = raw.throttle_scope.as_deref();
        let list = raw.throttles.as_ref().or(self.source.raw.rest_framework.default_throttle_classes.as_ref());
        let is_scoped = |throttle: &RawThrottle| match throttle {
            RawThrottle::Name(name) => kind(name) == Some(Kind::Scoped),
            RawThrottle::Table(table) => kind(&table.kind) == Some(Kind::Scoped) && table.scope.is_none(),
        };
        if scope.is_some() && !list.is_some_and(|list| list.iter().any(is_scoped)) {
            let problem = "counts nothing without a throttle of kind scoped; add \"scoped\" to throttles";
            return Err(self.source.error(&format!("protected.{index}.throttle_scope"), problem));
        }
        match &raw.throttles {
            Some(list) => self.throttles(&format!("protected.{index}.throttles"), list, scope),
            None => self.defaults(scope),
        }
    }

    fn defaults(&mut self, scope: Option<&str>) -> Result<Vec<Throttle>, ConfigError> {
        let list = self.source.raw.rest_framework.default_throttle_classes.as_deref();
        self.throttles(CLASSES, list.unwrap_or_default(), scope)
    }

    /// `scope` is the view's `throttle_scope`.
    fn throttles(
        &mut self,
        key: &str,
        list: &[RawThrottle],
        scope: Option<&str>,
    ) -> Result<Vec<Throttle>, ConfigError> {
        let throttles = list.iter().map(|raw| self.throttle(key, raw, scope));
        Ok(throttles.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// `None` where DRF lets everybody through: a view without a scope, a rate of `None`.
    fn throttle(
        &mut self,
        key: &str,
        raw: &RawThrottle,
        view_scope: Option<&str>,
    ) -> Result<Option<Throttle>, ConfigError> {
        let (name, scope, given) = match raw {
            RawThrottle::Name(name) => (name, None, None),
            RawThrottle::Table(table) => (&table.kind, table.scope.as_deref(), table.rate.as_ref()),
        };
        let Some(kind) = kind(name) else {
            let problem = format!(
                "\"{name}\" is no throttle class; use anon, user, scoped or a table such as {{ kind = \"scoped\", scope = \"login\", rate = \"3/min\" }}"
            );
            return Err(self.source.error(key, problem));
        };
        let scope = scope.or(match kind {
            Kind::Anon => Some("anon"),
            Kind::User => Some("user"),
            Kind::Scoped => view_scope,
        });
        let Some(scope) = scope.filter(|scope| !scope.is_empty()) else {
            let Some(_) = given else { return Ok(None) };
            return Err(self.source.error(key, "a rate without a scope counts nothing; add scope = \"…\""));
        };
        let rate = match (given, self.rates.get(scope)) {
            (Some(given), _) => rate(self.source, key, given)?,
            (None, Some(rate)) => *rate,
            (None, None) => {
                let problem =
                    format!("no rate is set for the scope \"{scope}\"; add it to {RATES}, or false for no limit");
                return Err(self.source.error(key, problem));
            }
        };
        let Some(rate) = rate else { return Ok(None) };
        let (first, place) = self.seen.entry(scope.to_owned()).or_insert_with(|| (rate, key.to_owned()));
        if *first != rate {
            let problem =
                format!("\"{scope}\" has the rate {first} in {place}, and a scope has one rate; use two scopes");
            return Err(self.source.error(key, problem));
        }
        let counts = if kind == Kind::Anon { Counted::Anonymous } else { Counted::Everyone };
        Ok(Some(Throttle { scope: scope.to_owned(), rate, counts }))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anon,
    User,
    Scoped,
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name.strip_prefix("rest_framework.throttling.").unwrap_or(name) {
        "anon" | "AnonRateThrottle" => Kind::Anon,
        "user" | "UserRateThrottle" => Kind::User,
        "scoped" | "ScopedRateThrottle" => Kind::Scoped,
        _ => return None,
    })
}

fn rate(source: &Source, key: &str, given: &Nullable) -> Result<Option<Rate>, ConfigError> {
    match given {
        Nullable::Off(false) => Ok(None),
        Nullable::Off(true) => Err(source.error(key, "must be a rate, or false for no limit")),
        Nullable::Name(text) => {
            text.parse().map(Some).map_err(|error| source.error(key, format!("\"{text}\" {error}")))
        }
    }
}

/// `NUM_PROXIES`. It says which part of a header to believe, and `trusted_proxies` from whom.
pub(super) fn num_proxies(source: &Source) -> Result<NumProxies, ConfigError> {
    let key = "rest_framework.num_proxies";
    let rule = match source.raw.rest_framework.num_proxies {
        None => NumProxies::Unset,
        Some(NullableCount::Off(false)) => NumProxies::WholeHeader,
        Some(NullableCount::Count(count)) => NumProxies::Count(usize::try_from(count).unwrap_or(usize::MAX)),
        Some(NullableCount::Off(true)) => {
            return Err(source.error(key, "must be a number, or false for the whole header"));
        }
    };
    let reads_header = !matches!(rule, NumProxies::Unset | NumProxies::Count(0));
    if reads_header && source.raw.trusted_proxies.is_empty() {
        let problem = "does nothing while nobody's X-Forwarded-For is believed; name the proxies in trusted_proxies";
        return Err(source.error(key, problem));
    }
    Ok(rule)
}

/// `[throttling]`.
pub(super) fn throttling(source: &Source) -> Result<ThrottlingSettings, ConfigError> {
    let raw = &source.raw.throttling;
    let mut throttling = ThrottlingSettings::default();
    if let Some(memory) = raw.memory {
        let bytes = usize::try_from(memory.0).ok().filter(|_| memory.0 >= LEAST_MEMORY);
        throttling.memory = bytes.ok_or_else(|| source.error("throttling.memory", "must be 1 MiB at least"))?;
    }
    throttling.logins = logins(source)?;
    throttling.shared = shared(source)?;
    if let Some(nodes) = raw.nodes {
        if nodes == 0 {
            return Err(source.error("throttling.nodes", "must be 1 at least: how many servers serve these paths"));
        }
        throttling.nodes = nodes;
    }
    Ok(throttling)
}

/// `[throttling.logins]`.
fn logins(source: &Source) -> Result<Option<LoginLimits>, ConfigError> {
    let raw = &source.raw.throttling.logins;
    let mut limits = LoginLimits::default();
    for (name, given, field) in [
        ("account_and_address", &raw.account_and_address, &mut limits.account_and_address),
        ("account", &raw.account, &mut limits.account),
        ("address", &raw.address, &mut limits.address),
    ] {
        if let Some(text) = given {
            let key = format!("throttling.logins.{name}");
            *field = text.parse().map_err(|error: RateError| source.error(&key, format!("\"{text}\" {error}")))?;
            if !field.lets_through() {
                return Err(source.error(&key, "lets nobody log in; give 1 at least"));
            }
        }
    }
    Ok((raw.enabled != Some(false)).then_some(limits))
}

fn shared(source: &Source) -> Result<Option<SharedCounters>, ConfigError> {
    let raw = &source.raw.throttling;
    let timeout = timeout(source, "throttling.redis_timeout", raw.redis_timeout, 1)?;
    let timeout = if raw.redis_timeout.is_some() { timeout } else { DEFAULT_TIMEOUT };
    if timeout > LONGEST_TIMEOUT {
        return Err(source.error("throttling.redis_timeout", "must be at most 10 seconds: requests wait that long"));
    }
    let given = one_of(source, "throttling.redis", raw.redis.as_ref(), raw.redis_file.as_deref())?;
    given
        .map(|(key, url)| SharedCounters::new(&url, timeout).map_err(|error| source.error(&key, error.to_string())))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::tests::read;
    use crate::endpoints::Endpoint;

    /// The throttles of a path, as `scope rate` and `!` where users are not counted.
    fn throttles(config: &Config, path: &str) -> Vec<String> {
        let resource = config.resources.iter().find(|resource| resource.path == path).expect("the path");
        let shown = |throttle: &Throttle| {
            let mark = if throttle.counts == Counted::Anonymous { "!" } else { "" };
            format!("{} {}{mark}", throttle.scope, throttle.rate)
        };
        resource.throttles.iter().map(shown).collect()
    }

    /// Whether the default throttles do not count there: DRF's view has none of its own accord, or registered clients ask it, each with a
    /// secret. Who adds an endpoint decides it here, or this does not compile; whatever an endpoint does with a password is limited besides (`countersign::throttle::logins`).
    fn has_no_defaults(endpoint: &Endpoint) -> bool {
        match endpoint {
            Endpoint::ObtainAuthToken | Endpoint::Introspect | Endpoint::Revoke => true,
            Endpoint::TokenObtainPair
            | Endpoint::TokenRefresh
            | Endpoint::TokenVerify
            | Endpoint::TokenBlacklist
            | Endpoint::TokenObtainSliding
            | Endpoint::TokenRefreshSliding
            | Endpoint::KnoxLogin
            | Endpoint::KnoxLogout
            | Endpoint::KnoxLogoutAll
            | Endpoint::NativeLogin
            | Endpoint::NativeLogout
            | Endpoint::Sessions
            | Endpoint::EndSession
            | Endpoint::LogoutEverywhere { .. }
            | Endpoint::Whoami
            | Endpoint::Fixed { .. } => false,
        }
    }

    /// One setting limits every path, built in or declared, and the tables of single paths know each of them by its key.
    #[test]
    fn a6_no_path_is_without_a_limit() {
        let top = "installed_apps = [\"rest_framework.authtoken\", \"rest_framework_simplejwt.token_blacklist\", \"knox\"]\n\
                   [native_tokens]\nenabled = true\n[sessions]\nenabled = true\n\
                   [simple_jwt]\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n\
                   [[clients]]\nid = \"a\"\nsecret_sha256 = \"{}\"\nmay = [\"introspect\", \"revoke\"]\n";
        let top = top.replace("{}", &"ab".repeat(32));
        let declared = "[[protected]]\npath = \"/a/\"\n[[protected]]\npath = \"/b/\"\nresponse = { content_type = \"text/plain\", body = \"b\" }\n";
        let everywhere =
            "[rest_framework]\ndefault_throttle_classes = [\"anon\"]\ndefault_throttle_rates = { anon = \"2/min\" }\n";
        let config = read(&format!("{top}{everywhere}{declared}")).expect("accepted");
        for resource in &config.resources {
            assert_eq!(resource.throttles.is_empty(), has_no_defaults(&resource.endpoint), "{}", resource.path);
        }
        let keys: Vec<&str> = crate::config::resources::mounted_keys().collect();
        let each =
            keys.iter().map(|key| format!("{key} = [{{ kind = \"user\", scope = \"{key}\", rate = \"1/day\" }}]\n"));
        let paths = format!("{top}[throttling.paths]\n{}", each.collect::<String>());
        let config = read(&paths).expect("each path can have its own");
        let scopes: std::collections::BTreeSet<String> = config
            .resources
            .iter()
            .flat_map(|resource| resource.throttles.iter().map(|throttle| throttle.scope.clone()))
            .collect();
        assert_eq!(scopes, keys.iter().map(|key| (*key).to_owned()).collect(), "every path was mounted, and limited");
    }

    #[test]
    fn each_path_has_its_throttles() {
        let config = read(
            "trusted_proxies = [\"127.0.0.1\"]\n\
             [rest_framework]\ndefault_throttle_classes = [\"anon\", \"rest_framework.throttling.UserRateThrottle\", \"scoped\"]\n\
             default_throttle_rates = { anon = \"2/min\", user = false, x = \"5/s\" }\nnum_proxies = 2\n\
             [throttling]\nmemory = \"2 MiB\"\n[throttling.paths]\nobtain_auth_token = [\"anon\"]\ntoken_verify = []\n\
             [[protected]]\npath = \"/a/\"\nthrottle_scope = \"x\"\n\
             [[protected]]\npath = \"/b/\"\nthrottles = [{ kind = \"user\", scope = \"burst\", rate = \"60/h\" }, { kind = \"scoped\", scope = \"x\", rate = \"5/sec\" }]\n",
        )
        .expect("accepted");
        for (path, expected) in [
            ("/api-token-auth/", vec!["anon 2/min!"]),
            ("/api/token/", vec!["anon 2/min!"]),
            ("/api/token/verify/", vec![]),
            ("/a/", vec!["anon 2/min!", "x 5/s"]),
            ("/b/", vec!["burst 60/hour", "x 5/s"]),
        ] {
            assert_eq!(throttles(&config, path), expected, "{path}");
        }
        assert_eq!(config.views.num_proxies, NumProxies::Count(2));
        assert_eq!(config.settings.throttling.memory, 2 << 20);
    }

    #[test]
    fn logins_are_limited_unless_the_file_says_no() {
        let logins =
            |text: &str| {
                read(text).expect("accepted").settings.throttling.logins.map(|limits| {
                    [limits.account_and_address, limits.account, limits.address].map(|rate| rate.to_string())
                })
            };
        let default = ["20/hour", "100/day", "200/hour"].map(str::to_owned);
        assert_eq!(logins(""), Some(default));
        let given = ["5/min", "100/day", "9/s"].map(str::to_owned);
        assert_eq!(logins("[throttling.logins]\naccount_and_address = \"5/m\"\naddress = \"9/sec\""), Some(given));
        assert_eq!(logins("[throttling.logins]\nenabled = false"), None);
    }

    #[test]
    fn s2_the_address_of_shared_counters_shows_no_password() {
        let config =
            read("[throttling]\nredis = \"redis://countersign:sesame@127.0.0.1:7000/1\"\nnodes = 3").expect("accepted");
        let throttling = config.settings.throttling;
        assert_eq!(throttling.nodes, 3);
        let shown = format!("{:?}", throttling.shared);
        assert!(shown.contains("127.0.0.1:7000") && !shown.contains("sesame"), "{shown}");
    }

    #[test]
    fn by_default_no_request_is_counted() {
        let config = read("[rest_framework]\ndefault_throttle_classes = [\"anon\", \"user\"]\n").expect("accepted");
        assert!(config.resources.iter().all(|resource| resource.throttles.is_empty()), "DRF's rates are None");
        let config = read("").expect("accepted");
        assert_eq!(config.views.num_proxies, NumProxies::Unset);
        let config = read(
            "[rest_framework]\ndefault_throttle_classes = [\"anon\"]\ndefault_throttle_rates = { anon = \"1/d\" }",
        )
        .expect("accepted");
        assert_eq!(throttles(&config, "/api-token-auth/"), [""; 0], "DRF's view says so");
        assert_eq!(throttles(&config, "/api/whoami/"), ["anon 1/day!"]);
    }

    #[test]
    fn what_drf_would_crash_on_or_pass_over_is_refused() {
        let rates = "[rest_framework]\ndefault_throttle_rates = { anon = \"1/min\" }\n";
        for (text, expected) in [
            (
                "[rest_framework]\ndefault_throttle_rates = { anon = \"1/year\" }".to_owned(),
                "countersign.toml:4: rest_framework.default_throttle_rates.anon: \"1/year\" is no rate; write",
            ),
            (
                format!("{rates}default_throttle_classes = [\"user\"]"),
                "countersign.toml:5: rest_framework.default_throttle_classes: no rate is set for the scope \"user\"; add",
            ),
            (
                format!("{rates}default_throttle_classes = [\"app.BurstThrottle\"]"),
                "countersign.toml:5: rest_framework.default_throttle_classes: \"app.BurstThrottle\" is no throttle class; use",
            ),
            (
                format!("{rates}[[protected]]\npath = \"/a/\"\nthrottle_scope = \"x\""),
                "countersign.toml:7: protected.0.throttle_scope: counts nothing without",
            ),
            (
                format!("{rates}[[protected]]\npath = \"/a/\"\nthrottles = [{{ kind = \"scoped\", rate = \"1/s\" }}]"),
                "countersign.toml:7: protected.0.throttles: a rate without a scope",
            ),
            (
                "[throttling.paths]\nwhoami = [{ kind = \"anon\", rate = \"1/s\" }]\ntoken_verify = [{ kind = \"anon\", rate = \"2/s\" }]"
                    .to_owned(),
                "countersign.toml:4: throttling.paths.whoami: \"anon\" has the rate 2/s in throttling.paths.token_verify",
            ),
            ("[rest_framework]\nnum_proxies = 1".to_owned(), "countersign.toml:4: rest_framework.num_proxies: does nothing"),
            (
                "[rest_framework]\nnum_proxies = true".to_owned(),
                "countersign.toml:4: rest_framework.num_proxies: must be a number, or false",
            ),
            ("[throttling]\nmemory = 1000".to_owned(), "countersign.toml:4: throttling.memory: must be 1 MiB"),
            ("[throttling]\nnodes = 0".to_owned(), "countersign.toml:4: throttling.nodes: must be 1 at least"),
            (
                "[throttling]\nredis = \"http://:sesame@x\"".to_owned(),
                "countersign.toml:4: throttling.redis: is no address of a Redis or Valkey server; write",
            ),
            (
                "[throttling]\nredis_timeout = \"11s\"".to_owned(),
                "countersign.toml:4: throttling.redis_timeout: must be at most 10 seconds",
            ),
            (
                "[throttling.logins]\naccount = \"0/day\"".to_owned(),
                "countersign.toml:4: throttling.logins.account: lets nobody log in",
            ),
            (
                "[throttling.logins]\naddress = \"5\"".to_owned(),
                "countersign.toml:4: throttling.logins.address: \"5\" is no rate; write",
            ),
        ] {
            let refusal = read(&text).expect_err(&text);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
