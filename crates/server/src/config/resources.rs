//! The mounted views and the declared resources, each with its policy.

use countersign::settings::Settings;
use countersign::{AUTHTOKEN_TABLE, ModelName, Permission, Throttle};
use countersign_formats::negotiation::Renderer;
use countersign_formats::request_body::Parser;
use http::{HeaderValue, Method};

use super::raw::{PathName, RawPermission, RawPermissions, RawProtected, RawScheme};
use super::source::Source;
use super::throttling::Throttles;
use super::{ConfigError, Resource, SchemeChoice};
use crate::endpoints::Endpoint;
use crate::probes::Probe;

/// All paths of the server.
pub(super) fn resources(source: &Source, settings: &Settings) -> Result<Vec<Resource>, ConfigError> {
    let defaults = Defaults::read(source)?;
    let mut throttles = Throttles::read(source)?;
    let mut resources = Vec::new();
    for mount in &MOUNTS {
        let configured = source.raw.paths.get(&mount.name);
        let path = configured.map_or(mount.path, String::as_str);
        let available = match mount.name {
            PathName::ObtainAuthToken => settings.apps.authtoken,
            // Without its app SimpleJWT's view answers 200 and does nothing; the path is better not there.
            PathName::TokenBlacklist => settings.apps.token_blacklist,
            PathName::KnoxLogin | PathName::KnoxLogout | PathName::KnoxLogoutall => settings.apps.knox,
            _ => true,
        };
        if path.is_empty() || (!available && configured.is_none()) {
            continue;
        }
        let key = format!("paths.{}", mount.key);
        if !available {
            return Err(source.error(&key, "its app is not in installed_apps; add it, or set the path to \"\""));
        }
        check_path(source, &key, path, &resources)?;
        resources.push(mounted(mount, path, &defaults, throttles.of_path(mount.name, mount.key)?));
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
static MOUNTS: [Mount; 11] = [
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
            ],
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
        challenges_as_jwt: false,
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
        PathName::KnoxLogout | PathName::KnoxLogoutall => {
            resource.authentication = vec![SchemeChoice::Knox];
            resource.permissions = vec![Permission::IsAuthenticated];
        }
        PathName::Whoami => {
            resource.methods = vec![Method::GET];
            resource.authentication.clone_from(&defaults.authentication);
            resource.permissions = vec![Permission::IsAuthenticated];
        }
        _ => resource.challenges_as_jwt = true,
    }
    resource
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
        challenges_as_jwt: false,
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
                "knox" => {
                    return Err(source.error(key, "knox needs its table; add \"knox\" to installed_apps"));
                }
                other => {
                    return Err(source.error(
                        key,
                        format!(
                            "\"{other}\" is no authentication class; use token, jwt, jwt_stateless, basic, session or knox"
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
