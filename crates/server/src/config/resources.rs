//! The mounted views and the declared resources, each with its policy.

use countersign::settings::Settings;
use countersign::{AUTHTOKEN_TABLE, ModelName, Permission, Throttle};
use countersign_formats::jwt::Expected;
use countersign_formats::negotiation::Renderer;
use countersign_formats::request_body::Parser;
use http::{HeaderValue, Method};

use super::raw::{PathName, RawPermission, RawPermissions, RawProtected, RawScheme};
use super::source::Source;
use super::throttling::Throttles;
use super::{Challenge, ConfigError, Resource, SchemeChoice};
use crate::endpoints::Endpoint;
use crate::probes::Probe;
use crate::published::{ForClients, Published};

/// All paths of the server.
pub(super) fn resources(source: &Source, settings: &Settings) -> Result<Vec<Resource>, ConfigError> {
    let defaults = Defaults::read(source)?;
    let issues = settings.simple_jwt.issues;
    let mut throttles = Throttles::read(source)?;
    let mut resources = Vec::new();
    for mount in &MOUNTS {
        let configured = source.raw.paths.get(&mount.name);
        let path = configured.map_or(mount.path, String::as_str);
        let available = match mount.name {
            PathName::ObtainAuthToken => settings.apps.authtoken,
            // Without its app SimpleJWT's view answers 200 and does nothing; the path is better not there.
            PathName::TokenBlacklist => settings.apps.token_blacklist && issues,
            // Their answers, and the rows they leave, are tokens.
            PathName::TokenObtainPair
            | PathName::TokenRefresh
            | PathName::TokenObtainSliding
            | PathName::TokenRefreshSliding => issues,
            PathName::KnoxLogin | PathName::KnoxLogout | PathName::KnoxLogoutall => settings.apps.knox,
            PathName::NativeLogin | PathName::NativeLogout => settings.native_tokens.is_some(),
            PathName::Sessions | PathName::SessionsLogoutAll | PathName::SessionsLogoutOthers => {
                settings.sessions.is_some()
            }
            PathName::Introspect => settings.clients.iter().any(|client| client.may_introspect),
            PathName::Revoke => settings.clients.iter().any(|client| client.may_revoke),
            _ => true,
        };
        if path.is_empty() || (!available && configured.is_none()) {
            continue;
        }
        let key = format!("paths.{}", mount.key);
        if !available && !issues && mount.key.starts_with("token_") {
            let problem = "gives out tokens, for which there is no private key; give simple_jwt.signing_key, or set the path to \"\"";
            return Err(source.error(&key, problem));
        }
        if !available {
            let problem = match mount.name {
                PathName::NativeLogin | PathName::NativeLogout => "native_tokens.enabled is not true",
                PathName::Sessions | PathName::SessionsLogoutAll | PathName::SessionsLogoutOthers => "sessions are off",
                PathName::Introspect => "no client may introspect",
                PathName::Revoke => "no client may revoke",
                _ => "its app is not in installed_apps",
            };
            return Err(source.error(&key, format!("{problem}; change that, or set the path to \"\"")));
        }
        check_path(source, &key, path, &resources)?;
        let throttles_here = throttles.of_path(mount.name, mount.key)?;
        resources.push(mounted(mount, path, &defaults, throttles_here.clone()));
        if mount.name == PathName::Sessions {
            if !path.ends_with('/') {
                return Err(source.error(&key, format!("\"{path}\" must end in a slash, which ids follow")));
            }
            resources.push(one_session(path, &defaults, throttles_here));
        }
    }
    for (index, raw) in source.raw.protected.iter().enumerate() {
        let resource = declared(source, index, raw, &defaults, &mut throttles)?;
        check_path(source, &format!("protected.{index}.path"), &resource.path, &resources)?;
        resources.push(resource);
    }
    Ok(resources)
}

/// The paths of the server's own probes.
pub(super) fn probes(source: &Source, taken: &[Resource]) -> Result<Vec<(String, Probe)>, ConfigError> {
    let mut probes: Vec<(String, Probe)> = Vec::new();
    for (name, key, default, probe) in [
        (PathName::Healthz, "paths.healthz", "/healthz", Probe::Health),
        (PathName::Readyz, "paths.readyz", "/readyz", Probe::Readiness),
    ] {
        let path = source.raw.paths.get(&name).map_or(default, String::as_str);
        if path.is_empty() {
            continue;
        }
        check_path(source, key, path, taken)?;
        if probes.iter().any(|(other, _)| other == path) {
            return Err(
                source.error(key, format!("\"{path}\" is mounted twice; give one of them another path, or \"\""))
            );
        }
        probes.push((path.to_owned(), probe));
    }
    Ok(probes)
}

/// The paths of what is published. Metadata need a name of the server that is an address: `simple_jwt.issuer`.
pub(super) fn published(
    source: &Source,
    settings: &Settings,
    resources: &[Resource],
    probes: &[(String, Probe)],
) -> Result<Vec<(String, Published)>, ConfigError> {
    let mut taken: Vec<String> = resources.iter().map(|resource| resource.path.clone()).collect();
    taken.extend(probes.iter().map(|(path, _)| path.clone()));
    let mut path_of = |name: PathName, key: &str, default: &'static str| {
        let path = source.raw.paths.get(&name).map_or(default, String::as_str);
        if path.is_empty() {
            return Ok(None);
        }
        check_path(source, key, path, &[])?;
        if taken.iter().any(|other| other == path) {
            return Err(
                source.error(key, format!("\"{path}\" is mounted twice; give one of them another path, or \"\""))
            );
        }
        taken.push(path.to_owned());
        Ok(Some(path.to_owned()))
    };
    let key_set = path_of(PathName::Jwks, "paths.jwks", "/.well-known/jwks.json")?;
    let metadata = path_of(
        PathName::OauthAuthorizationServer,
        "paths.oauth_authorization_server",
        "/.well-known/oauth-authorization-server",
    )?;
    let mut published = Vec::new();
    let issuer = match &settings.simple_jwt.rules.issuer {
        Expected::One(issuer) if issuer.starts_with("https://") || issuer.starts_with("http://") => Some(issuer),
        _ => None,
    };
    if let (Some(path), Some(issuer)) = (metadata, issuer) {
        let path_of = |endpoint: &Endpoint| {
            resources.iter().find(|resource| resource.endpoint == *endpoint).map(|resource| resource.path.as_str())
        };
        let for_clients =
            ForClients { introspection: path_of(&Endpoint::Introspect), revocation: path_of(&Endpoint::Revoke) };
        published.push((path, Published::metadata(issuer, key_set.as_deref(), &for_clients)));
    }
    published.extend(key_set.map(|path| (path, Published::KeySet)));
    Ok(published)
}

/// The keys of the built-in paths.
#[cfg(test)]
pub(super) fn mounted_keys() -> impl Iterator<Item = &'static str> {
    MOUNTS.iter().map(|mount| mount.key)
}

struct Mount {
    name: PathName,
    key: &'static str,
    path: &'static str,
    title: &'static str,
    endpoint: Endpoint,
}

const fn mount(
    name: PathName,
    key: &'static str,
    path: &'static str,
    title: &'static str,
    endpoint: Endpoint,
) -> Mount {
    Mount { name, key, path, title, endpoint }
}

#[rustfmt::skip]
static MOUNTS: [Mount; 18] = [
    mount(PathName::ObtainAuthToken, "obtain_auth_token", "/api-token-auth/", "Obtain Auth Token", Endpoint::ObtainAuthToken),
    mount(PathName::TokenObtainPair, "token_obtain_pair", "/api/token/", "Token Obtain Pair", Endpoint::TokenObtainPair),
    mount(PathName::TokenRefresh, "token_refresh", "/api/token/refresh/", "Token Refresh", Endpoint::TokenRefresh),
    mount(PathName::TokenVerify, "token_verify", "/api/token/verify/", "Token Verify", Endpoint::TokenVerify),
    mount(PathName::TokenBlacklist, "token_blacklist", "/api/token/blacklist/", "Token Blacklist", Endpoint::TokenBlacklist),
    mount(PathName::TokenObtainSliding, "token_obtain_sliding", "/api/token/sliding/", "Token Obtain Sliding", Endpoint::TokenObtainSliding),
    mount(PathName::TokenRefreshSliding, "token_refresh_sliding", "/api/token/sliding/refresh/", "Token Refresh Sliding", Endpoint::TokenRefreshSliding),
    mount(PathName::KnoxLogin, "knox_login", "/knox/login/", "Login", Endpoint::KnoxLogin),
    mount(PathName::KnoxLogout, "knox_logout", "/knox/logout/", "Logout", Endpoint::KnoxLogout),
    mount(PathName::KnoxLogoutall, "knox_logoutall", "/knox/logoutall/", "Logout All", Endpoint::KnoxLogoutAll),
    mount(PathName::NativeLogin, "native_login", "/api/native/login/", "Login", Endpoint::NativeLogin),
    mount(PathName::NativeLogout, "native_logout", "/api/native/logout/", "Logout", Endpoint::NativeLogout),
    mount(PathName::Sessions, "sessions", "/api/sessions/", "Sessions", Endpoint::Sessions),
    mount(PathName::SessionsLogoutAll, "sessions_logout_all", "/api/sessions/logout-all/", "Sessions Logout All", Endpoint::LogoutEverywhere { but_here: false }),
    mount(PathName::SessionsLogoutOthers, "sessions_logout_others", "/api/sessions/logout-others/", "Sessions Logout Others", Endpoint::LogoutEverywhere { but_here: true }),
    mount(PathName::Introspect, "introspect", "/api/introspect/", "Introspect", Endpoint::Introspect),
    mount(PathName::Revoke, "revoke", "/api/revoke/", "Revoke", Endpoint::Revoke),
    mount(PathName::Whoami, "whoami", "/api/whoami/", "Whoami", Endpoint::Whoami),
];

/// What `REST_FRAMEWORK` says for views that do not say it themselves.
struct Defaults {
    authentication: Vec<SchemeChoice>,
    permissions: Vec<Permission>,
    renderers: Vec<Renderer>,
    parsers: Vec<Parser>,
}

impl Defaults {
    fn read(source: &Source) -> Result<Self, ConfigError> {
        let raw = &source.raw.rest_framework;
        let authentication = match &raw.default_authentication_classes {
            None => vec![
                SchemeChoice::Token { keyword: "Token".to_owned(), table: AUTHTOKEN_TABLE.to_owned() },
                SchemeChoice::Jwt,
                SchemeChoice::Basic,
            ]
            .into_iter()
            .flat_map(|choice| {
                let native = choice == SchemeChoice::Jwt && has_native(source);
                native.then_some(SchemeChoice::Native).into_iter().chain([choice])
            })
            .collect(),
            Some(list) => schemes(source, "rest_framework.default_authentication_classes", list)?,
        };
        let permissions = match &raw.default_permission_classes {
            None => vec![Permission::IsAuthenticated],
            Some(list) => permissions(source, "rest_framework.default_permission_classes", list)?,
        };
        let renderers = match &raw.default_renderer_classes {
            None => vec![Renderer::Json, Renderer::BrowsableApi],
            Some(names) => named(source, "rest_framework.default_renderer_classes", names, |name| {
                Some(match name.strip_prefix("rest_framework.renderers.").unwrap_or(name) {
                    "JSONRenderer" | "json" => Renderer::Json,
                    "BrowsableAPIRenderer" | "browsable_api" | "browsable" | "api" => Renderer::BrowsableApi,
                    _ => return None,
                })
            })?,
        };
        let parsers = match &raw.default_parser_classes {
            None => vec![Parser::Json, Parser::Form, Parser::Multipart],
            Some(names) => named(source, "rest_framework.default_parser_classes", names, |name| {
                Some(match name.strip_prefix("rest_framework.parsers.").unwrap_or(name) {
                    "JSONParser" | "json" => Parser::Json,
                    "FormParser" | "form" => Parser::Form,
                    "MultiPartParser" | "multipart" => Parser::Multipart,
                    _ => return None,
                })
            })?,
        };
        Ok(Self { authentication, permissions, renderers, parsers })
    }
}

/// A view of DRF's or SimpleJWT's, with the policy its class has.
fn mounted(mount: &Mount, path: &str, defaults: &Defaults, throttles: Vec<Throttle>) -> Resource {
    let mut resource = Resource {
        path: path.to_owned(),
        name: mount.title.to_owned(),
        endpoint: mount.endpoint.clone(),
        methods: vec![Method::POST],
        authentication: Vec::new(),
        permissions: Vec::new(),
        throttles,
        renderers: defaults.renderers.clone(),
        parsers: defaults.parsers.clone(),
        challenge: Challenge::FirstScheme,
        names_one: false,
    };
    match mount.name {
        PathName::ObtainAuthToken => {
            resource.authentication.clone_from(&defaults.authentication);
            resource.renderers = vec![Renderer::Json];
            resource.parsers = vec![Parser::Form, Parser::Multipart, Parser::Json];
        }
        PathName::KnoxLogin => {
            resource.authentication.clone_from(&defaults.authentication);
            resource.permissions = vec![Permission::IsAuthenticated];
        }
        PathName::SessionsLogoutAll | PathName::SessionsLogoutOthers => {
            resource.authentication.clone_from(&defaults.authentication);
            resource.permissions = vec![Permission::IsAuthenticated];
            resource.challenge = Challenge::Bearer;
        }
        PathName::Introspect | PathName::Revoke => {
            resource.renderers = vec![Renderer::Json];
            resource.parsers = vec![Parser::Form];
            resource.challenge = Challenge::Clients;
        }
        PathName::KnoxLogout | PathName::KnoxLogoutall => {
            resource.authentication = vec![SchemeChoice::Knox];
            resource.permissions = vec![Permission::IsAuthenticated];
        }
        PathName::NativeLogout => {
            resource.authentication = vec![SchemeChoice::Native];
            resource.permissions = vec![Permission::IsAuthenticated];
            resource.challenge = Challenge::Bearer;
        }
        PathName::Whoami | PathName::Sessions => {
            resource.methods = vec![Method::GET];
            if mount.name == PathName::Sessions {
                resource.methods.push(Method::DELETE);
                resource.challenge = Challenge::Bearer;
            }
            resource.authentication.clone_from(&defaults.authentication);
            resource.permissions = vec![Permission::IsAuthenticated];
        }
        _ => resource.challenge = Challenge::SimpleJwt,
    }
    resource
}

/// The view of each session below the path of all.
fn one_session(path: &str, defaults: &Defaults, throttles: Vec<Throttle>) -> Resource {
    Resource {
        path: path.to_owned(),
        name: "Session".to_owned(),
        endpoint: Endpoint::EndSession,
        methods: vec![Method::DELETE],
        authentication: defaults.authentication.clone(),
        permissions: vec![Permission::IsAuthenticated],
        renderers: defaults.renderers.clone(),
        parsers: defaults.parsers.clone(),
        challenge: Challenge::Bearer,
        throttles,
        names_one: true,
    }
}

/// A `[[protected]]` table.
fn declared(
    source: &Source,
    index: usize,
    raw: &RawProtected,
    defaults: &Defaults,
    throttles: &mut Throttles<'_>,
) -> Result<Resource, ConfigError> {
    let key = |name: &str| format!("protected.{index}.{name}");
    let endpoint = match &raw.response {
        None => Endpoint::Whoami,
        Some(response) => Endpoint::Fixed {
            content_type: HeaderValue::from_str(&response.content_type)
                .map_err(|_| source.error(&key("response"), "content_type is no header value"))?,
            body: response.body.clone(),
        },
    };
    let methods = match &raw.methods {
        None => vec![Method::GET],
        Some(names) => methods(names).map_err(|name| {
            source.error(&key("methods"), format!("\"{name}\" is none of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"))
        })?,
    };
    if methods.is_empty() {
        return Err(source.error(&key("methods"), "must name at least one method"));
    }
    Ok(Resource {
        path: raw.path.clone(),
        name: title(&raw.path),
        endpoint,
        methods,
        authentication: match &raw.authentication {
            None => defaults.authentication.clone(),
            Some(list) => schemes(source, &key("authentication"), list)?,
        },
        permissions: match &raw.permission {
            None => defaults.permissions.clone(),
            Some(RawPermissions::One(one)) => permissions(source, &key("permission"), std::slice::from_ref(one))?,
            Some(RawPermissions::Many(list)) => permissions(source, &key("permission"), list)?,
        },
        throttles: throttles.of_resource(index, raw)?,
        renderers: defaults.renderers.clone(),
        parsers: defaults.parsers.clone(),
        challenge: Challenge::FirstScheme,
        names_one: false,
    })
}

/// The methods in DRF's order; HEAD and OPTIONS come by themselves.
fn methods(names: &[String]) -> Result<Vec<Method>, String> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let implied = ["HEAD", "OPTIONS"];
    if let Some(unknown) = names
        .iter()
        .find(|name| !known.iter().any(|method| method == name.as_str()) && !implied.contains(&name.as_str()))
    {
        return Err(unknown.clone());
    }
    Ok(known.into_iter().filter(|method| names.iter().any(|name| method == name.as_str())).collect())
}

/// `/reports/daily/` is called "Reports Daily".
fn title(path: &str) -> String {
    let words = path.split(['/', '-', '_', '.']).filter(|word| !word.is_empty());
    let capitalised = words.map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    capitalised.collect::<Vec<String>>().join(" ")
}

fn check_path(source: &Source, key: &str, path: &str, taken: &[Resource]) -> Result<(), ConfigError> {
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(source.error(key, format!("\"{path}\" must begin with a slash and have no query")));
    }
    if taken.iter().any(|resource| resource.path == path) {
        return Err(source.error(key, format!("\"{path}\" is mounted twice; give one of them another path, or \"\"")));
    }
    Ok(())
}

fn schemes(source: &Source, key: &str, list: &[RawScheme]) -> Result<Vec<SchemeChoice>, ConfigError> {
    let choices = each_scheme(source, key, list)?;
    // It leaves to others what is not its own, and they do not.
    let native = choices.iter().position(|choice| *choice == SchemeChoice::Native).unwrap_or_default();
    let keyword = source.raw.native_tokens.keyword.as_deref().unwrap_or("Bearer");
    for before in &choices[..native] {
        let other = match before {
            SchemeChoice::Jwt => "jwt",
            SchemeChoice::JwtStateless => "jwt_stateless",
            SchemeChoice::Token { keyword: other, .. } if other.eq_ignore_ascii_case(keyword) => "token",
            SchemeChoice::Knox if knox_keyword(source).eq_ignore_ascii_case(keyword) => "knox",
            _ => continue,
        };
        return Err(source.error(key, format!("native must stand before {other}, which reads the same header")));
    }
    Ok(choices)
}

fn each_scheme(source: &Source, key: &str, list: &[RawScheme]) -> Result<Vec<SchemeChoice>, ConfigError> {
    list.iter()
        .map(|entry| {
            let (kind, keyword, table) = match entry {
                RawScheme::Name(name) => (name, None, None),
                RawScheme::Table(table) => (&table.kind, table.keyword.clone(), table.table.clone()),
            };
            // Knox's class has the name of DRF's.
            let kind = if kind == "knox.auth.TokenAuthentication" { "knox" } else { kind };
            let name = kind
                .strip_prefix("rest_framework.authentication.")
                .or_else(|| kind.strip_prefix("rest_framework_simplejwt.authentication."))
                .unwrap_or(kind);
            let choice = match name {
                "token" | "TokenAuthentication" => {
                    let keyword = keyword.unwrap_or_else(|| "Token".to_owned());
                    if keyword.is_empty() || !keyword.bytes().all(|byte| byte.is_ascii_graphic()) {
                        return Err(source.error(key, "keyword must be a word without spaces"));
                    }
                    return Ok(SchemeChoice::Token {
                        keyword,
                        table: table.unwrap_or_else(|| AUTHTOKEN_TABLE.to_owned()),
                    });
                }
                "jwt" | "JWTAuthentication" => SchemeChoice::Jwt,
                "jwt_stateless" | "JWTStatelessUserAuthentication" | "JWTTokenUserAuthentication" => {
                    SchemeChoice::JwtStateless
                }
                "basic" | "BasicAuthentication" => SchemeChoice::Basic,
                "session" | "SessionAuthentication" => SchemeChoice::Session,
                "knox" if has_knox(source) => SchemeChoice::Knox,
                "native" if has_native(source) => SchemeChoice::Native,
                "native" => return Err(source.error(key, "native needs native_tokens.enabled = true")),
                "knox" => {
                    return Err(source.error(key, "knox needs its table; add \"knox\" to installed_apps"));
                }
                other => {
                    return Err(source.error(
                        key,
                        format!(
                            "\"{other}\" is no authentication class; use token, jwt, jwt_stateless, basic, session, knox or native"
                        ),
                    ));
                }
            };
            if keyword.is_some() || table.is_some() {
                return Err(
                    source.error(key, format!("keyword and table belong to kind = \"token\", not to \"{name}\""))
                );
            }
            Ok(choice)
        })
        .collect()
}

fn has_native(source: &Source) -> bool {
    source.raw.native_tokens.enabled == Some(true)
}

fn knox_keyword(source: &Source) -> &str {
    source.raw.knox.auth_header_prefix.as_deref().unwrap_or("Token")
}

fn has_knox(source: &Source) -> bool {
    source.raw.installed_apps.iter().flatten().any(|app| app == "knox")
}

fn permissions(source: &Source, key: &str, list: &[RawPermission]) -> Result<Vec<Permission>, ConfigError> {
    list.iter()
        .map(|entry| {
            let (kind, model) = match entry {
                RawPermission::Name(name) => (name, None),
                RawPermission::Table(table) => (&table.kind, table.model.as_deref()),
            };
            let name = kind.strip_prefix("rest_framework.permissions.").unwrap_or(kind);
            let of_model = |anonymous_may_read| {
                let model = model
                    .and_then(ModelName::parse)
                    .ok_or_else(|| source.error(key, format!("{name} needs a model, as in {{ kind = \"{name}\", model = \"auth.group\" }}")))?;
                Ok(Permission::DjangoModelPermissions { model, anonymous_may_read })
            };
            let permission = match name {
                "allow_any" | "AllowAny" => Permission::AllowAny,
                "is_authenticated" | "IsAuthenticated" => Permission::IsAuthenticated,
                "is_admin" | "is_admin_user" | "IsAdminUser" => Permission::IsAdminUser,
                "is_authenticated_or_read_only" | "IsAuthenticatedOrReadOnly" => Permission::IsAuthenticatedOrReadOnly,
                "django_model_permissions" | "DjangoModelPermissions" => return of_model(false),
                "django_model_permissions_or_anon_read_only" | "DjangoModelPermissionsOrAnonReadOnly" => return of_model(true),
                other => {
                    return Err(source.error(
                        key,
                        format!(
                            "\"{other}\" is no permission class; use allow_any, is_authenticated, is_admin, \
                             is_authenticated_or_read_only or {{ kind = \"django_model_permissions\", model = \"auth.group\" }}"
                        ),
                    ));
                }
            };
            if model.is_some() {
                return Err(source.error(key, format!("{name} takes no model")));
            }
            Ok(permission)
        })
        .collect()
}

/// A list of class names, at least one.
fn named<T>(
    source: &Source,
    key: &str,
    names: &[String],
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ConfigError> {
    if names.is_empty() {
        return Err(source.error(key, "must name at least one class"));
    }
    names.iter().map(|name| read(name).ok_or_else(|| source.error(key, format!("\"{name}\" is unknown")))).collect()
}
