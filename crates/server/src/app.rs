//! A server put together from its configuration, and the loop that accepts connections.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use countersign::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use countersign::settings::ClaimSource;
use countersign::{Accepted, Authority, Scheme};
use countersign_store::{Store, TokenTable};
use http::HeaderValue;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::config::{Challenge, Config, Pruning, Resource, SchemeChoice};
use crate::database::{SESSIONS_OFF, TRIGGERS_MISSING};
use crate::endpoints::Endpoint;
use crate::head_timer::HeadTimer;
use crate::jwk_url::JwkUrl;
use crate::ladder::{Follower, note_seen};
use crate::pruning::prune;
use crate::routes::Routes;
use crate::view::View;

/// Bytes of a request's head; Django's usual server, gunicorn, takes 8 KiB a line. Of header lines hyper's own limit of 100 holds:
/// told one, even the same, it fills two arrays of that length for each request.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long the last events may take on their way to the table.
const LAST_EVENTS: Duration = Duration::from_secs(5);

/// A server that is ready to accept connections.
pub struct App {
    routes: Arc<Routes>,
    authority: Authority,
    store: Store,
    bind: SocketAddr,
    header_timeout: Duration,
    shutdown_timeout: Duration,
    max_connections: usize,
    pruning: Option<Pruning>,
    /// Whether sessions are as the configuration wants them.
    has_own_tables: bool,
    /// Whether sessions see what Django does to users.
    has_triggers: bool,
    /// What is kept up to date beside the requests.
    ladder: Option<Follower>,
    jwk_url: Option<(JwkUrl, Option<Instant>)>,
}

impl App {
    /// Opens the database, checks that it has the tables the configuration needs, and mounts the paths.
    ///
    /// # Errors
    /// A database that is missing, lacks tables, or does not answer.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        Self::build_with(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await
    }

    /// As [`build`](Self::build), with a clock and randomness of the caller's.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn build_with(
        mut config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let store = config.database.open().await?;
        let has_own_tables = config.database.settle_sessions(&store, &config.sessions, &mut config.settings).await?;
        config.database.settle_events(&store, &config.audit, &mut config.settings).await?;
        let store = config.database.checked(&store, &config.settings.apps).await?;
        let user_id_field = &config.settings.simple_jwt.user_id_field;
        let field = store
            .user_field(user_id_field)
            .await
            .with_context(|| format!("simple_jwt.user_id_field = \"{user_id_field}\""))?;
        let has_triggers = config.settings.sessions.is_none() || store.has_triggers(&field).await?;
        for claim in &config.settings.claims {
            if let ClaimSource::Column(column) = &claim.source {
                let name = &claim.name;
                store.user_columns(std::slice::from_ref(column)).await.with_context(|| format!("claims.{name}"))?;
            }
        }
        let token_tables = token_tables(&store, &config.resources).await?;
        let building = Authority::builder(store.clone(), config.settings)
            .token_tables(token_tables)
            .clock(clock)
            .entropy(entropy)
            .build();
        let authority = Box::pin(building).await?; // large: what it starts
        let ladder = Follower::begin(&authority, &store, config.ladder).await?;
        let jwk_url = match config.jwk_url {
            Some(jwk_url) => {
                let fetched = jwk_url.begin(&authority).await;
                Some((jwk_url, fetched))
            }
            None => None,
        };
        let (mut views, mut members) = (HashMap::new(), HashMap::new());
        let refreshes = config.resources.iter().any(|resource| resource.endpoint == Endpoint::TokenRefresh);
        for resource in config.resources {
            let (path, names_one) = (resource.path.clone(), resource.names_one);
            let table = if names_one { &mut members } else { &mut views };
            table.insert(path, view(&authority, resource)?);
        }
        let schemes = [&views, &members].into_iter().flat_map(HashMap::values).flat_map(|view: &View| &view.schemes);
        let accepted = Accepted { schemes: distinct(schemes), refreshes };
        for view in views.values_mut().filter(|view| view.endpoint.right().is_some()) {
            view.accepted = accepted.clone();
        }
        let routes = Routes {
            authority: authority.clone(),
            settings: config.views,
            append_slash: config.append_slash,
            views,
            members,
            probes: config.probes,
            published: config.published,
        };
        Ok(Self {
            routes: Arc::new(routes),
            authority,
            store,
            bind: config.bind,
            header_timeout: config.header_timeout,
            shutdown_timeout: config.shutdown_timeout,
            max_connections: config.max_connections,
            pruning: config.pruning,
            has_own_tables,
            has_triggers,
            ladder,
            jwk_url,
        })
    }

    /// What the server decides with.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Takes the configured address; port 0 picks a free one.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn bind(&self) -> anyhow::Result<TcpListener> {
        TcpListener::bind(self.bind).await.with_context(|| format!("bind: cannot listen on {}", self.bind))
    }

    /// Serves until `stop` is done, then finishes what is under way within the shutdown timeout and closes the database.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        if !self.has_own_tables {
            tracing::warn!("{SESSIONS_OFF}; run `countersign migrate`, or set sessions.enabled = false");
        }
        let (end, ended) = oneshot::channel::<()>();
        let last_seen = tokio::spawn(write_last_seen(self.authority.clone(), ended));
        if !self.has_triggers {
            tracing::warn!("{TRIGGERS_MISSING}; run `countersign migrate`");
        }
        let pruning = self.pruning.map(|pruning| tokio::spawn(prune(self.authority.clone(), pruning)));
        let mut beside = JoinSet::new();
        let authority = self.authority.clone();
        beside.spawn(async move { authority.follow_django().await });
        if let Some(ladder) = self.ladder {
            beside.spawn(ladder.follow(self.authority.clone()));
        }
        if let Some((jwk_url, fetched)) = self.jwk_url {
            beside.spawn(jwk_url.keep(self.authority.clone(), fetched));
        }
        let graceful = GracefulShutdown::new();
        let mut builder = http1::Builder::new();
        builder
            .writev(false) // heads and bodies are short: copied into one buffer they cost less than two for the kernel
            .header_read_timeout(self.header_timeout)
            .max_buf_size(MAX_HEAD_BYTES);
        let places = Arc::new(Semaphore::new(self.max_connections));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&listener, &places) => accepted,
            };
            let (stream, peer, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_the_clients(&error) => continue,
                Err(error) => {
                    // Most likely no file descriptor is left: wait for one rather than spin.
                    tracing::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let (routes, peer) = (Arc::clone(&self.routes), peer.ip());
            let service = hyper::service::service_fn(move |request| Arc::clone(&routes).answer(peer, request));
            let connection = builder.clone().timer(HeadTimer::new()).serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
        drop(listener);
        if let Some(pruning) = pruning {
            pruning.abort();
        }
        if tokio::time::timeout(self.shutdown_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests were still running at the end of limits.shutdown_timeout");
        }
        beside.shutdown().await;
        drop(end);
        let _ = last_seen.await;
        if let Err(error) = note_seen(&self.store, &self.authority).await {
            tracing::warn!(%error, "who was seen with tokens of old keys could not be noted");
        }
        if tokio::time::timeout(LAST_EVENTS, self.authority.flush_events()).await.is_err() {
            tracing::error!("the database took too long to take the last events, which are lost");
        }
        self.store.close().await;
    }
}

/// Writes down from time to time when sessions were seen, and once more at the end.
async fn write_last_seen(authority: Authority, mut end: oneshot::Receiver<()>) {
    let mut is_over = false;
    while !is_over {
        tokio::select! {
            () = authority.last_seen_due() => {}
            _ = &mut end => is_over = true,
        }
        if let Err(error) = authority.flush_last_seen().await {
            tracing::warn!(cause = ?std::error::Error::source(&error), "when sessions were last seen could not be written");
        }
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Whether a connection failed because its client has gone, which is no fault of ours.
fn is_the_clients(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;

    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// Each scheme once, in an order that does not depend on paths.
fn distinct<'s>(schemes: impl Iterator<Item = &'s Scheme>) -> Vec<Scheme> {
    let key = |scheme: &Scheme| match scheme {
        Scheme::Token { keyword, table } => (scheme.name(), keyword.clone(), table.name().to_owned()),
        _ => (scheme.name(), String::new(), String::new()),
    };
    schemes.map(|scheme| (key(scheme), scheme.clone())).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// The token tables that the authentication classes of all paths name, each once.
pub(crate) async fn token_tables(store: &Store, resources: &[Resource]) -> anyhow::Result<Vec<TokenTable>> {
    let mut tables: Vec<TokenTable> = Vec::new();
    for resource in resources {
        for choice in &resource.authentication {
            if let SchemeChoice::Token { table: name, .. } = choice
                && tables.iter().all(|table| table.name() != name)
            {
                let found = store.token_table(name).await;
                tables.push(
                    found.with_context(|| format!("{}: token authentication needs the table {name}", resource.path))?,
                );
            }
        }
    }
    Ok(tables)
}

/// The view of a configured resource.
fn view(authority: &Authority, resource: Resource) -> anyhow::Result<View> {
    let throttles = authority.throttle_policy(&resource.throttles)?;
    let mut view =
        View::new(resource.endpoint, &resource.name, resource.methods, throttles, resource.renderers, resource.parsers);
    for choice in resource.authentication {
        view.schemes.push(match choice {
            SchemeChoice::Token { keyword, table: name } => {
                let table = authority.token_tables().iter().find(|table| table.name() == name).cloned();
                let table = table.with_context(|| format!("{}: there is no table {name}", resource.path))?;
                Scheme::Token { keyword, table }
            }
            SchemeChoice::Jwt => Scheme::Jwt,
            SchemeChoice::JwtStateless => Scheme::JwtStateless,
            SchemeChoice::Basic => Scheme::Basic,
            SchemeChoice::Session => Scheme::Session,
            SchemeChoice::Knox => Scheme::Knox,
            SchemeChoice::Native => Scheme::Native,
        });
    }
    let first = || authority.challenge(&view.schemes);
    let (challenge, refusal) = match resource.challenge {
        Challenge::FirstScheme => (first(), None),
        Challenge::SimpleJwt => (Some(authority.settings().simple_jwt.challenge()), None),
        Challenge::Clients => (Some("Basic realm=\"api\"".to_owned()), None),
        Challenge::Bearer => match authority.bearer_challenge(&view.schemes) {
            Some(bearer) => (Some(bearer.clone()), Some(format!("{bearer}, error=\"invalid_token\""))),
            None => (first(), None),
        },
    };
    let header = |challenge: Option<String>| challenge.map(|challenge| HeaderValue::from_str(&challenge)).transpose();
    (view.challenge, view.refusal) = (header(challenge)?, header(refusal)?);
    view.permissions = resource.permissions;
    Ok(view)
}
