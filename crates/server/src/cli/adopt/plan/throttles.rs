//! `[throttling]` and `num_proxies`: the throttles of the paths that are carried over.

use std::collections::BTreeMap;

use countersign::Rate;
use toml::Value;

use super::super::document::one_line;
use super::super::found::{self, Found};
use super::routes::{Destination, Route, stays};
use super::{Draft, Finding};

/// A throttle of DRF's own: its name here, its scope and its rate, if it has any.
struct Stock<'f> {
    kind: &'static str,
    scope: &'f str,
    rate: Option<&'f str>,
}

/// `None` for a class of the project's.
fn stock<'f>(found: &'f Found, view: &'f found::View, class: &str) -> Option<Stock<'f>> {
    let (kind, scope) = match class.strip_prefix("rest_framework.throttling.")? {
        "AnonRateThrottle" => ("anon", "anon"),
        "UserRateThrottle" => ("user", "user"),
        // A view without a scope is not counted.
        "ScopedRateThrottle" => ("scoped", view.policies.throttle_scope.as_deref().unwrap_or_default()),
        _ => return None,
    };
    let rates = found.rest_framework.as_ref().map(|framework| &framework.throttle_rates);
    let rate = rates.and_then(|rates| rates.get(scope)).and_then(Option::as_deref);
    Some(Stock { kind, scope, rate })
}

/// The rates that throttle a view: those of DRF's own throttles by scope; of the project's by class, without a rate.
pub(super) fn rates(found: &Found, view: &found::View) -> BTreeMap<String, Option<String>> {
    let mut throttles = BTreeMap::new();
    for class in &view.policies.throttles {
        match stock(found, view, class) {
            // A scope without a rate does not throttle.
            Some(Stock { rate: None, .. }) => {}
            Some(Stock { scope, rate: Some(rate), .. }) => {
                throttles.insert(scope.to_owned(), Some(rate.to_owned()));
            }
            None => {
                throttles.insert(one_line(class), None);
            }
        }
    }
    throttles
}

/// The same as the configuration has them, in Django's order.
pub(super) fn list(found: &Found, view: &found::View) -> Vec<Value> {
    let classes = view.policies.throttles.iter().filter_map(|class| stock(found, view, class));
    let tables = classes.filter_map(|Stock { kind, scope, rate }| {
        let rate = rate.filter(|rate| rate.parse::<Rate>().is_ok())?;
        let entries = [("kind", kind), ("scope", scope), ("rate", rate)];
        Some(Value::Table(entries.map(|(key, value)| (key.to_owned(), Value::from(value))).into_iter().collect()))
    });
    tables.collect()
}

/// Throttles that are the project's code: without them, a path would admit more guesses than it does today.
pub(super) fn missed(throttles: &BTreeMap<String, Option<String>>, view: &found::View) -> Option<Finding> {
    let missed = throttles.iter().filter_map(|(name, rate)| match rate {
        None => Some(name.clone()),
        Some(rate) => rate.parse::<Rate>().is_err().then(|| format!("{name} ({rate})")),
    });
    let missed: Vec<String> = missed.collect();
    (!missed.is_empty()).then(|| {
        stays(
            "throttle-class",
            view,
            &format!("is throttled by what is not DRF's own: {}", one_line(&missed.join(", "))),
            "It stays with Django. With --accept throttle-class it is carried over without these throttles; give it others of the same kind in [throttling.paths].",
        )
    })
}

/// Writes the throttles of the carried-over paths down.
pub(super) fn throttles(draft: &mut Draft<'_>, found: &Found, routes: &[Route]) {
    let carried = || routes.iter().filter(|route| route.to == Destination::Countersign);
    for route in carried().filter(|route| !route.throttle_list.is_empty()) {
        if let Some(view) = route.view {
            let list = Value::Array(route.throttle_list.clone());
            draft.document.set("throttling.paths", view.key(), list, "throttle_classes, DEFAULT_THROTTLE_RATES");
        }
    }
    by_header(draft, found);
    let mut shown: Vec<String> = Vec::new();
    for (name, rate) in carried().flat_map(|route| &route.throttles) {
        let text = rate.as_ref().map_or_else(|| name.clone(), |rate| format!("{name} ({rate})"));
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    if !shown.is_empty() {
        draft.add(Finding::differs(
            "throttles",
            format!("carried-over paths are throttled: {}", shown.join(", ")),
            "Countersign throttles them by the same rules, and counts apart from Django: where paths of one scope are left with Django, a client has the rate at both. Several Countersigns count together with throttling.redis.",
        ));
    }
}

/// `NUM_PROXIES`: whom throttles count.
fn by_header(draft: &mut Draft<'_>, found: &Found) {
    let Some(framework) = &found.rest_framework else { return };
    let has_throttles =
        !framework.defaults.throttles.is_empty() || found.views.iter().any(|view| !view.policies.throttles.is_empty());
    match framework.num_proxies.as_ref().map(serde_json::Value::as_i64) {
        Some(Some(count)) if draft.is_behind_a_local_proxy() => {
            draft.document.set("rest_framework", "num_proxies", count, "NUM_PROXIES");
        }
        None if has_throttles => draft.add(Finding::note(
            "throttle-by-header",
            "NUM_PROXIES is not set: DRF's throttles tell clients apart by the whole X-Forwarded-For header, which they write themselves",
            "A client that sends another header each time is not throttled by Django. Set NUM_PROXIES to the number of proxies in front of it. Countersign counts by the address that the proxies in trusted_proxies give.",
        )),
        _ => {}
    }
}
