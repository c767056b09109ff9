//! Django's plain HTML pages for what never reaches a DRF view, to the byte. Django 5.2 `views/defaults.py`.

macro_rules! page {
    ($title:literal, $heading:literal, $text:literal) => {
        concat!(
            "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>",
            $title,
            "</title>\n</head>\n<body>\n  <h1>",
            $heading,
            "</h1><p>",
            $text,
            "</p>\n</body>\n</html>\n"
        )
    };
}

/// The page of a wrong path.
pub(crate) const NOT_FOUND: &str =
    page!("Not Found", "Not Found", "The requested resource was not found on this server.");
/// The page of a request over Django's limits.
pub(crate) const BAD_REQUEST: &str = page!("Bad Request (400)", "Bad Request (400)", "");
/// The page of a failure of the server.
pub(crate) const SERVER_ERROR: &str = page!("Server Error (500)", "Server Error (500)", "");

/// A page that shows a DRF answer to a person: name of the view, status and body. Stands in for DRF's browsable API.
pub(crate) fn browsable(view_name: &str, status: u16, reason: &str, allow: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>{name} – Countersign</title>\n</head>\n\
         <body>\n  <h1>{name}</h1>\n  <pre>HTTP {status} {reason}\nAllow: {allow}\nContent-Type: application/json\n\n{body}</pre>\n\
         </body>\n</html>\n",
        name = escape(view_name),
        reason = escape(reason),
        allow = escape(allow),
        body = escape(body),
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_is_escaped() {
        let page =
            browsable("X", 405, "Method Not Allowed", "POST", "{\"detail\":\"Method \\\"<b>\\\" not allowed.\"}");
        assert!(!page.contains("<b>"));
        assert!(page.contains("&lt;b&gt;"));
    }
}
