//! `[paths]`: which paths of the project Countersign takes over, and why others stay.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::document::one_line;
use super::super::found::{self, Class, Found};
use super::{Draft, Effect, Finding, View, framework, throttles};

/// Who answers a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Destination {
    Countersign,
    Django,
}

/// One authentication view of the project.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Route {
    /// As the project writes it.
    pub pattern: String,
    /// The one path it stands at.
    pub path: Option<String>,
    pub class: String,
    /// What it is, if Countersign has it.
    pub view: Option<View>,
    pub to: Destination,
    /// Ids of the findings that keep it with Django.
    pub because: Vec<&'static str>,
    /// Names of the rates that throttle it in Django, with the rate.
    pub throttles: BTreeMap<String, Option<String>>,
    /// Its throttles, as the configuration has them.
    #[serde(skip)]
    pub throttle_list: Vec<toml::Value>,
}

/// Findings after which the table does not say who may come in: Countersign's own view is switched off as well.
const MISREAD_USERS: &[&str] = &["user-filter", "user-id-field", "user-table-split"];

pub(super) fn routes(draft: &mut Draft<'_>, found: &Found) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for view in &found.views {
        let route = route(draft, found, view, &routes);
        routes.push(route);
    }
    absent(draft, found);
    let has_knox = found.django.installed_apps.iter().any(|app| app == "knox");
    for view in View::ALL.iter().copied().filter(|view| has_knox || !View::KNOX.contains(view)) {
        let carried = routes.iter().find(|route| route.view == Some(view) && route.to == Destination::Countersign);
        let path = carried.and_then(|route| route.path.clone()).unwrap_or_default();
        let comment = match carried {
            Some(route) => route.class.clone(),
            None if routes.iter().any(|route| route.view == Some(view)) => "stays with Django".to_owned(),
            None => "the project does not have it".to_owned(),
        };
        draft.document.set("paths", view.key(), path, comment);
    }
    let misread = draft.findings.iter().find(|finding| MISREAD_USERS.contains(&finding.id)).map(|finding| finding.id);
    if let Some(id) = misread {
        for key in ["whoami", "sessions", "sessions_logout_all", "sessions_logout_others"] {
            draft.document.set("paths", key, "", format!("{id}: who is let in is for Django to say"));
        }
    }
    let is_taken = |path: &str| {
        routes.iter().any(|route| route.to == Destination::Countersign && route.path.as_deref() == Some(path))
    };
    for (key, path) in [("whoami", "/api/whoami/"), ("sessions", "/api/sessions/")] {
        if misread.is_none() && is_taken(path) {
            draft.document.set("paths", key, "", "its usual path is taken");
        }
    }
    throttles::throttles(draft, found, &routes);
    routes
}

/// One view of the project: where it goes, and a finding for each thing that keeps it.
fn route(draft: &mut Draft<'_>, found: &Found, view: &found::View, others: &[Route]) -> Route {
    let pattern = one_line(&view.pattern);
    let kind = View::from_key(&view.kind);
    let mut because = kind.map(|kind| draft.kept_by(kind)).unwrap_or_default();
    let mut problems = Vec::new();
    let throttles = throttles::rates(found, view);
    match kind {
        Some(kind) => {
            problems.extend(misplaced(view, kind, others));
            problems.extend(changed(found, view, kind));
            problems.extend(throttles::missed(&throttles, view));
        }
        None => problems.push(stays(
            "other-package",
            view,
            &format!("is {}", view.class),
            "Views of other packages stay with Django. JWTs and DRF tokens that they give out work here.",
        )),
    }
    for problem in problems {
        let problem = draft.judged(problem);
        if problem.effect == Effect::Stays {
            because.push(problem.id);
        }
        draft.findings.push(problem);
    }
    // Also without a finding, a view that has no one path cannot move.
    let moves = because.is_empty() && kind.is_some() && view.path.is_some();
    if moves && pattern.trim_end_matches("\\Z").trim_end_matches('$').ends_with("/?") {
        draft.add(Finding::differs(
            "slash-optional",
            format!("{pattern} also matches without the slash at its end"),
            "Nginx redirects that spelling to the one with the slash. If clients send it, give it a location of its own that leads to Django.",
        ));
    }
    Route {
        pattern,
        path: view.path.clone(),
        class: one_line(&view.class),
        view: kind,
        to: if moves { Destination::Countersign } else { Destination::Django },
        because,
        throttle_list: throttles::list(found, view),
        throttles,
    }
}

/// A finding about one view. Its `views` stay empty: it keeps this route alone.
pub(super) fn stays(id: &'static str, view: &found::View, what: &str, remedy: &str) -> Finding {
    Finding::stays(id, &[], format!("{} {what}", view.pattern), remedy)
}

/// What about a view's place keeps it with Django.
fn misplaced(view: &found::View, kind: View, others: &[Route]) -> Vec<Finding> {
    let mut problems = Vec::new();
    if view.shadowed {
        problems.push(stays(
            "view-shadowed",
            view,
            "is never reached: an earlier pattern takes its path",
            "Nothing to do.",
        ));
    } else if view.path.is_none() {
        let (what, remedy) = if view.localized {
            ("has the language in its path", "Countersign answers in English at one path. It stays with Django.")
        } else {
            ("has parameters in its path", "Countersign has one fixed path for each view. It stays with Django.")
        };
        problems.push(stays("view-path", view, what, remedy));
    } else if let Some(first) =
        others.iter().find(|route| route.view == Some(kind) && route.to == Destination::Countersign)
    {
        problems.push(stays(
            "view-second-path",
            view,
            &format!("is a second path of {}, which is carried over at {}", kind.key(), first.pattern),
            "Countersign has one path for each view. This one stays with Django, and does the same on the same tables.",
        ));
    }
    problems
}

/// What of a view's class is the project's own.
fn changed(found: &Found, view: &found::View, kind: View) -> Vec<Finding> {
    let mut problems = Vec::new();
    if !view.overrides.is_empty() {
        problems.push(stays(
            "view-override",
            view,
            &format!("is {}, which changes {}", view.class, view.overrides.join(", ")),
            "Code of the project runs there. It stays with Django.",
        ));
    }
    if !view.decorators.is_empty() {
        problems.push(stays(
            "view-decorator",
            view,
            &format!("is wrapped by code in {}", view.decorators.join(", ")),
            "What the decorator does is not done here. It stays with Django.",
        ));
    }
    if let Some(serializer) = view.serializer.as_ref().filter(|serializer| serializer.stock().is_none()) {
        let changes = if serializer.overrides.is_empty() {
            "is not derived from the usual one".to_owned()
        } else {
            format!("changes {}", serializer.overrides.join(", "))
        };
        problems.push(stays(
            "custom-serializer",
            view,
            &format!("uses {}, which {changes}", serializer.class),
            "Custom claims, fields and checks are the project's code. It stays with Django; the tokens it gives out work here, claims included.",
        ));
    }
    problems.extend(policy(found, view, kind));
    problems
}

/// Class lists that a view sets otherwise than the view it derives from.
fn policy(found: &Found, view: &found::View, kind: View) -> Vec<Finding> {
    let mut problems = Vec::new();
    let policies = &view.policies;
    let is_knox = View::KNOX.contains(&kind);
    let usual_permission =
        if is_knox { "rest_framework.permissions.IsAuthenticated" } else { "rest_framework.permissions.AllowAny" };
    let mut own: Vec<String> = Vec::new();
    let permissions: Vec<&str> = policies
        .permissions
        .iter()
        .filter(|class| class.stock() != Some(usual_permission))
        .map(|class| class.class.as_str())
        .collect();
    if !permissions.is_empty() || (is_knox && policies.permissions.is_empty()) {
        own.push(format!("permission_classes {}", permissions.join(", ")));
    }
    let defaults = found.rest_framework.as_ref().map(|framework| &framework.defaults);
    let names = |classes: &[Class]| classes.iter().map(|class| class.class.clone()).collect::<Vec<_>>();
    let usual = match (kind, defaults) {
        (View::ObtainAuthToken | View::KnoxLogin, Some(defaults)) => names(&defaults.authentication),
        (View::KnoxLogout | View::KnoxLogoutall, _) => vec!["knox.auth.TokenAuthentication".to_owned()],
        _ => Vec::new(),
    };
    if names(&policies.authentication) != usual {
        own.push(format!("authentication_classes {}", names(&policies.authentication).join(", ")));
    }
    if !own.is_empty() {
        problems.push(stays(
            "view-policy",
            view,
            &format!("sets {}", own.join(" and ")),
            "Countersign gives the view the policy of the one it derives from. It stays with Django.",
        ));
    }
    let (renderers, parsers) = (&policies.renderers, &policies.parsers);
    let (usual_renderers, usual_parsers) = match (kind, defaults) {
        (View::ObtainAuthToken, _) | (_, None) => (vec!["json"], vec!["form", "multipart", "json"]),
        (_, Some(defaults)) => (framework::renderers(&defaults.renderers), framework::parsers(&defaults.parsers)),
    };
    let missed = framework::missed_renderers(renderers);
    if !missed.is_empty() || framework::renderers(renderers) != usual_renderers {
        problems.push(stays(
            "renderers",
            view,
            &format!("renders with {}", names(renderers).join(", ")),
            "Answers would look otherwise. If clients read plain JSON, --accept renderers.",
        ));
    }
    let missed = framework::missed_parsers(parsers);
    if !missed.is_empty() || framework::parsers(parsers) != usual_parsers {
        problems.push(stays(
            "parsers",
            view,
            &format!("parses with {}", names(parsers).join(", ")),
            "Bodies would be read otherwise. If clients send plain JSON or forms, --accept parsers.",
        ));
    }
    problems
}

/// JWTs whose login lies elsewhere are worth a word: nothing was found to carry over.
fn absent(draft: &mut Draft<'_>, found: &Found) {
    if !found.views.iter().any(|view| View::from_key(&view.kind).is_some()) {
        draft.add(Finding::note(
            "no-views",
            "none of DRF's and SimpleJWT's token views is in the URL configuration",
            "There is no path to carry over. Countersign can still check tokens, at /api/whoami/ and [[protected]] paths.",
        ));
    }
}
