//! The nginx snippet: the carried-over paths to Countersign, everything else as before.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plan::Plan;

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
            "# Django throttles these paths: \"{scope}\" at {}. Nginx counts by client address.\n\
             limit_req_zone $binary_remote_addr zone={}:10m rate={};\n",
            rate.given,
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
        for scope in route.throttles.keys() {
            if let Some(rate) = zones.get(scope) {
                let _ = writeln!(text, "    limit_req zone={} burst={} nodelay;", zone(scope), rate.burst);
                text += "    limit_req_status 429;\n";
            }
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

/// A rate of DRF's in nginx's terms.
struct Rate {
    given: String,
    nginx: String,
    burst: u64,
}

impl Rate {
    /// `30/min`: DRF looks at the first letter of the period only. Nginx has whole requests a second or a minute.
    fn read(text: &str) -> Option<Self> {
        let (count, period) = text.split_once('/')?;
        let count: u64 = count.trim().parse().ok().filter(|count| *count > 0)?;
        let per_minute = |minutes: u64| format!("{}r/m", (count / minutes).max(1));
        let nginx = match period.chars().next()? {
            's' => format!("{count}r/s"),
            'm' => per_minute(1),
            'h' => per_minute(60),
            'd' => per_minute(24 * 60),
            _ => return None,
        };
        Some(Self { given: text.to_owned(), nginx, burst: count })
    }
}

/// The rates of the carried-over paths, by scope.
fn zones(plan: &Plan) -> BTreeMap<String, Rate> {
    let throttles = plan.carried().flat_map(|(_, _, route)| &route.throttles);
    throttles.filter_map(|(scope, rate)| Some((scope.clone(), Rate::read(rate.as_deref()?)?))).collect()
}

fn zone(scope: &str) -> String {
    let word: String = scope.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("countersign_{word}")
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{plan, stock};
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
        assert_eq!(nginx.server.matches("limit_req zone=countersign_anon burst=30 nodelay;").count(), 1);
    }

    #[test]
    fn rates_have_djangos_periods() {
        let nginx = |text| Rate::read(text).map(|rate| rate.nginx);
        assert_eq!(nginx("5/second").as_deref(), Some("5r/s"));
        assert_eq!(nginx("1200/hour").as_deref(), Some("20r/m"));
        assert_eq!(nginx("3/day").as_deref(), Some("1r/m"));
        assert_eq!(nginx("0/min"), None);
        assert_eq!(nginx("many"), None);
    }

    #[test]
    fn unusual_paths_are_quoted() {
        assert_eq!(location("/api/token/"), "/api/token/");
        assert_eq!(location("/a b;{\"/"), "\"/a b;{\\\"/\"");
    }
}
