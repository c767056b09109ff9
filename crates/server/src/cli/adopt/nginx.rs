//! The nginx snippet: the carried-over paths to Countersign, everything else as before.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::document::one_line;
use super::plan::Plan;
use super::rate::Rate;

/// The two halves of nginx's configuration.
pub(super) struct Nginx {
    /// For the `http { }` block: the upstream, and zones for rates.
    pub http: String,
    /// For the `server { }` block: one location a path.
    pub server: String,
}

impl Nginx {
    pub(super) fn of(plan: &Plan, bind: &str) -> Self {
        Self { http: http(plan, bind), server: server(plan) }
    }
}

fn http(plan: &Plan, bind: &str) -> String {
    let mut text = format!(
        "# Made by `countersign adopt`. Inside the http {{ }} block; on Debian, as /etc/nginx/conf.d/countersign.conf.\n\
         upstream countersign {{\n    server {bind};\n    keepalive 32;\n}}\n"
    );
    for (scope, rate) in zones(plan) {
        let _ = write!(
            text,
            "# Django throttles these paths: \"{}\" at {}. Nginx counts by client address.{}\n\
             limit_req_zone $binary_remote_addr zone={}:10m rate={};\n",
            one_line(&scope),
            one_line(&rate.given),
            if rate.is_looser { " Here it is 1 a minute, looser than Django's." } else { "" },
            zone(&scope),
            rate.nginx,
        );
    }
    text
}

fn server(plan: &Plan) -> String {
    let mut text = "# Made by `countersign adopt`. Inside the server { } block that leads to Django.\n\
                    # To step back, take these locations out again and reload nginx: Django answers the paths as before.\n"
        .to_owned();
    let zones = zones(plan);
    for (view, path, route) in plan.carried() {
        let _ = write!(text, "\n# {}\nlocation = {} {{\n", view.key(), location(path));
        let limits: Vec<_> =
            route.throttles.keys().filter_map(|scope| Some((zone(scope), zones.get(scope)?.burst))).collect();
        for (zone, burst) in &limits {
            let burst = if *burst > 0 { format!(" burst={burst}") } else { String::new() };
            let _ = writeln!(text, "    limit_req zone={zone}{burst} nodelay;");
        }
        if !limits.is_empty() {
            text += "    limit_req_status 429;\n";
        }
        if path.ends_with('/') {
            // For such a location nginx answers the path without the slash by itself, with a redirect as Django's.
            text += "    absolute_redirect off;\n";
        }
        text += "    proxy_pass http://countersign;\n\
                 \x20   proxy_http_version 1.1;\n\
                 \x20   proxy_set_header Connection \"\";\n\
                 \x20   proxy_set_header Host $http_host;\n\
                 \x20   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
                 \x20   proxy_set_header X-Forwarded-Proto $scheme;\n\
                 }\n";
    }
    text
}

/// A path as nginx reads it: in quotes where it is more than plain letters.
fn location(path: &str) -> String {
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c));
    if plain { path.to_owned() } else { format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// The rates of the carried-over paths, by scope.
fn zones(plan: &Plan) -> BTreeMap<String, Rate> {
    let throttles = plan.carried().flat_map(|(_, _, route)| &route.throttles);
    throttles.filter_map(|(scope, rate)| Some((scope.clone(), Rate::read(rate.as_deref()?)?))).collect()
}

/// A zone's name: two scopes never share one.
fn zone(scope: &str) -> String {
    let mut name = "countersign_".to_owned();
    for c in scope.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            name.push(c);
        } else {
            let _ = write!(name, "_{:x}", u32::from(c));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{plan, plan_accepting, stock};
    use super::*;

    #[test]
    fn each_carried_path_is_one_exact_location() {
        let nginx = Nginx::of(&plan(&stock()), "127.0.0.1:8001");
        assert_eq!(
            nginx.http,
            "# Made by `countersign adopt`. Inside the http { } block; on Debian, as /etc/nginx/conf.d/countersign.conf.\n\
             upstream countersign {\n    server 127.0.0.1:8001;\n    keepalive 32;\n}\n"
        );
        let paths: Vec<&str> = nginx.server.lines().filter_map(|line| line.strip_prefix("location ")).collect();
        assert_eq!(paths, ["= /api-token-auth/ {", "= /api/token/ {", "= /api/token/refresh/ {"]);
        let first = nginx.server.split("\n\n").nth(1).expect("a location");
        assert_eq!(
            first,
            "# obtain_auth_token\n\
             location = /api-token-auth/ {\n\
             \x20   absolute_redirect off;\n\
             \x20   proxy_pass http://countersign;\n\
             \x20   proxy_http_version 1.1;\n\
             \x20   proxy_set_header Connection \"\";\n\
             \x20   proxy_set_header Host $http_host;\n\
             \x20   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
             \x20   proxy_set_header X-Forwarded-Proto $scheme;\n\
             }"
        );
    }

    #[test]
    fn djangos_rates_are_kept_by_nginx() {
        let mut found = stock();
        found["rest_framework"]["throttle_rates"] = serde_json::json!({"anon": "30/min", "user": null});
        found["views"][1]["throttles"] = serde_json::json!(["rest_framework.throttling.AnonRateThrottle"]);
        let nginx = Nginx::of(&plan(&found), "127.0.0.1:8001");
        assert!(
            nginx.http.ends_with("limit_req_zone $binary_remote_addr zone=countersign_anon:10m rate=30r/m;\n"),
            "{}",
            nginx.http
        );
        assert_eq!(nginx.server.matches("limit_req zone=countersign_anon burst=29 nodelay;").count(), 1);
    }

    /// Nginx refuses a file in which a location has `limit_req_status` twice.
    #[test]
    fn a_path_of_two_throttles_names_its_status_once() {
        let mut found = stock();
        found["rest_framework"]["throttle_rates"] = serde_json::json!({"anon": "1/min", "user.all": "1000/day"});
        found["views"][1]["throttles"] = serde_json::json!([
            "rest_framework.throttling.AnonRateThrottle",
            "rest_framework.throttling.ScopedRateThrottle"
        ]);
        found["views"][1]["throttle_scope"] = serde_json::json!("user.all");
        let plan = plan_accepting(&found, &["throttle-rate"]);
        let nginx = Nginx::of(&plan, "127.0.0.1:8001");
        let location = nginx.server.split("\n\n").find(|part| part.contains("= /api/token/ {")).expect("a location");
        assert_eq!(
            location.lines().skip(2).take(4).collect::<Vec<_>>(),
            [
                "    limit_req zone=countersign_anon nodelay;",
                "    limit_req zone=countersign_user_2eall burst=999 nodelay;",
                "    limit_req_status 429;",
                "    absolute_redirect off;",
            ]
        );
        assert_eq!(nginx.server.matches("limit_req_status").count(), 1);
        let looser = nginx.http.lines().find(|line| line.contains("user.all")).expect("a comment");
        assert!(looser.ends_with("Here it is 1 a minute, looser than Django's."), "{looser}");
    }

    #[test]
    fn unusual_paths_are_quoted() {
        assert_eq!(location("/api/token/"), "/api/token/");
        assert_eq!(location("/a b;{\"/"), "\"/a b;{\\\"/\"");
    }
}
