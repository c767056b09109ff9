//! From what was found to what is written: the configuration, the secrets, the routes, and what cannot be carried over.

mod database;
mod deployment;
mod framework;
mod jwt;
mod knox;
mod passwords;
mod routes;
mod sessions;
mod throttles;
mod users;

use serde::Serialize;

use super::document::{Document, one_line};
use super::found::{Found, Secret};
pub(super) use routes::{Destination, Route};

/// A view that Countersign can stand in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum View {
    ObtainAuthToken,
    TokenObtainPair,
    TokenRefresh,
    TokenVerify,
    TokenBlacklist,
    TokenObtainSliding,
    TokenRefreshSliding,
    KnoxLogin,
    KnoxLogout,
    KnoxLogoutall,
}

impl View {
    pub(super) const ALL: &[Self] = &[
        Self::ObtainAuthToken,
        Self::TokenObtainPair,
        Self::TokenRefresh,
        Self::TokenVerify,
        Self::TokenBlacklist,
        Self::TokenObtainSliding,
        Self::TokenRefreshSliding,
        Self::KnoxLogin,
        Self::KnoxLogout,
        Self::KnoxLogoutall,
    ];
    /// Those that take a password, Knox's by way of Basic.
    const LOGINS: &[Self] = &[Self::ObtainAuthToken, Self::TokenObtainPair, Self::TokenObtainSliding, Self::KnoxLogin];
    const KNOX: &[Self] = &[Self::KnoxLogin, Self::KnoxLogout, Self::KnoxLogoutall];
    const SIMPLE_JWT: &[Self] = &[
        Self::TokenObtainPair,
        Self::TokenRefresh,
        Self::TokenVerify,
        Self::TokenBlacklist,
        Self::TokenObtainSliding,
        Self::TokenRefreshSliding,
    ];
    /// Those that make a JWT.
    const ISSUING: &[Self] =
        &[Self::TokenObtainPair, Self::TokenRefresh, Self::TokenObtainSliding, Self::TokenRefreshSliding];
    /// Those that sign one, be it for a row.
    const SIGNING: &[Self] = &[
        Self::TokenObtainPair,
        Self::TokenRefresh,
        Self::TokenBlacklist,
        Self::TokenObtainSliding,
        Self::TokenRefreshSliding,
    ];

    /// Its key under `[paths]`, which is also the probe's word for it.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::ObtainAuthToken => "obtain_auth_token",
            Self::TokenObtainPair => "token_obtain_pair",
            Self::TokenRefresh => "token_refresh",
            Self::TokenVerify => "token_verify",
            Self::TokenBlacklist => "token_blacklist",
            Self::TokenObtainSliding => "token_obtain_sliding",
            Self::TokenRefreshSliding => "token_refresh_sliding",
            Self::KnoxLogin => "knox_login",
            Self::KnoxLogout => "knox_logout",
            Self::KnoxLogoutall => "knox_logoutall",
        }
    }

    fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|view| view.key() == key)
    }
}

/// What a finding does to the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    /// Views stay with Django because of it.
    Stays,
    /// Something is different on the paths that are carried over.
    Differs,
    /// Good to know.
    Note,
}

/// Something about the project that is not simply carried over. The id is stable.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    pub id: &'static str,
    pub effect: Effect,
    pub found: String,
    pub remedy: String,
    /// The views that stay with Django because of it.
    pub views: Vec<View>,
}

impl Finding {
    fn new(
        id: &'static str,
        effect: Effect,
        views: &[View],
        found: impl AsRef<str>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { id, effect, found: one_line(found.as_ref()), remedy: remedy.into(), views: views.to_vec() }
    }

    /// Keeps views with Django.
    pub(super) fn stays(id: &'static str, views: &[View], found: impl AsRef<str>, remedy: impl Into<String>) -> Self {
        Self::new(id, Effect::Stays, views, found, remedy)
    }

    pub(super) fn differs(id: &'static str, found: impl AsRef<str>, remedy: impl Into<String>) -> Self {
        Self::new(id, Effect::Differs, &[], found, remedy)
    }

    pub(super) fn note(id: &'static str, found: impl AsRef<str>, remedy: impl Into<String>) -> Self {
        Self::new(id, Effect::Note, &[], found, remedy)
    }
}

/// Findings that `--accept` takes: the path can be carried over, if the difference is wanted.
pub(super) const ACCEPTABLE: &[&str] = &[
    "authentication-backend",
    "content-negotiation",
    "custom-serializer",
    "exception-handler",
    "json-encoder",
    "parsers",
    "password-hasher",
    "renderers",
    "throttle-class",
    "user-authentication-rule",
    "view-decorator",
    "view-override",
    "view-policy",
];

/// Where secrets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SecretsIn {
    /// Files beside the configuration that only their owner can read.
    File,
    /// Environment variables, to be set where Countersign is started.
    Env,
}

/// What the user asked for.
pub(super) struct Choices<'c> {
    /// Where Countersign will listen.
    pub bind: &'c str,
    pub secrets: SecretsIn,
    pub accept: &'c [String],
    /// The output folder, absolute: the configuration names its files with it.
    pub folder: &'c std::path::Path,
}

/// One secret: its file or its environment variable.
pub(super) struct SecretItem {
    pub file: &'static str,
    pub variable: &'static str,
    pub value: Secret,
    /// What to put there, without giving it away.
    pub meaning: String,
}

/// All that is to be written and said.
pub(super) struct Plan {
    pub document: Document,
    pub secrets: Vec<SecretItem>,
    pub routes: Vec<Route>,
    pub findings: Vec<Finding>,
    /// Whether there is a database to serve from, and a column (or nothing) that says who is active; else nothing is written.
    pub usable: bool,
}

impl Plan {
    pub(super) fn make(found: &Found, choices: &Choices<'_>) -> Self {
        let mut draft = Draft { choices, document: Document::default(), secrets: Vec::new(), findings: Vec::new() };
        deployment::preamble(&mut draft, found);
        deployment::secret_key(&mut draft, found);
        let usable = database::url(&mut draft, found);
        deployment::top_level(&mut draft, found);
        sessions::sessions(&mut draft, found);
        let tells_active = users::users(&mut draft, found);
        database::postgresql(&mut draft, found);
        jwt::simple_jwt(&mut draft, found);
        // Before the schemes: Basic is a login as well.
        passwords::auth(&mut draft, found);
        knox::knox(&mut draft, found);
        framework::rest_framework(&mut draft, found);
        deployment::surroundings(&mut draft, found);
        let routes = routes::routes(&mut draft, found);
        let Draft { document, secrets, findings, .. } = draft;
        Self { document, secrets, routes, findings, usable: usable && tells_active }
    }

    /// The routes that Countersign takes over, with their path.
    pub(super) fn carried(&self) -> impl Iterator<Item = (View, &str, &Route)> {
        self.routes.iter().filter_map(|route| match (route.to, route.view, &route.path) {
            (Destination::Countersign, Some(view), Some(path)) => Some((view, path.as_str(), route)),
            _ => None,
        })
    }
}

/// A plan in the making.
struct Draft<'c> {
    choices: &'c Choices<'c>,
    document: Document,
    secrets: Vec<SecretItem>,
    findings: Vec<Finding>,
}

impl Draft<'_> {
    /// Whether only a proxy on this machine can reach Countersign.
    fn is_behind_a_local_proxy(&self) -> bool {
        self.choices.bind.parse::<std::net::SocketAddr>().is_ok_and(|bind| bind.ip().is_loopback())
    }

    fn add(&mut self, finding: Finding) {
        self.findings.push(self.judged(finding));
    }

    /// A finding that the user accepts keeps no view back.
    fn judged(&self, mut finding: Finding) -> Finding {
        if finding.effect == Effect::Stays && self.choices.accept.iter().any(|id| id == finding.id) {
            finding.effect = Effect::Differs;
            finding.views.clear();
        }
        finding
    }

    /// Whether something about the whole project keeps this view with Django.
    fn kept_by(&self, view: View) -> Vec<&'static str> {
        self.findings.iter().filter(|finding| finding.views.contains(&view)).map(|finding| finding.id).collect()
    }

    /// Puts a secret where the user wants it, and its key into the configuration.
    fn secret(&mut self, table: &'static str, key: &'static str, item: SecretItem, comment: &str) {
        match self.choices.secrets {
            SecretsIn::File => {
                // Countersign cuts line ends off the end of such files.
                if item.value.expose().ends_with(['\r', '\n']) {
                    self.add(Finding::stays(
                        "secret-ends-in-newline",
                        View::ALL,
                        format!("{} ends in a line end, which a file cannot keep", item.meaning),
                        "Adopt with --secrets env.",
                    ));
                }
                let path = self.choices.folder.join(item.file);
                self.document.set(table, key, path.display().to_string(), comment);
            }
            SecretsIn::Env => {}
        }
        self.secrets.push(item);
    }
}

#[cfg(test)]
pub(super) mod tests;
