//! The nginx snippet: the carried-over paths to Countersign, everything else as before.

use std::fmt::Write as _;

use super::plan::Plan;

/// The two halves of nginx's configuration.
pub(super) struct Nginx {
    /// For the `http { }` block: the upstream.
    pub http: String,
    /// For the `server { }` block: one location a path.
    pub server: String,
}

impl Nginx {
    pub(super) fn of(plan: &Plan, bind: &str) -> Self {
        Self { http: http(bind), server: server(plan) }
    }
}

fn http(bind: &str) -> String {
    format!(
        "# Made by `countersign adopt`. Inside the http {{ }} block; on Debian, as /etc/nginx/conf.d/countersign.conf.\n\
         upstream countersign {{\n    server {bind};\n    keepalive 32;\n}}\n"
    )
}

fn server(plan: &Plan) -> String {
    let mut text = "# Made by `countersign adopt`. Inside the server { } block that leads to Django.\n\
                    # To step back, take these locations out again and reload nginx: Django answers the paths as before.\n"
        .to_owned();
    for (view, path, _) in plan.carried() {
        let _ = write!(text, "\n# {}\nlocation = {} {{\n", view.key(), location(path));
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
    fn unusual_paths_are_quoted() {
        assert_eq!(location("/api/token/"), "/api/token/");
        assert_eq!(location("/a b;{\"/"), "\"/a b;{\\\"/\"");
    }
}
