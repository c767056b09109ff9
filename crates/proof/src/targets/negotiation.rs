//! Which form an answer takes. The first line of the input is `Accept`, the second the query.

use countersign_formats::negotiation::{Renderer, format_from_query, select_renderer};

use super::{Target, split_line};

pub(super) const TARGET: Target = Target {
    name: "negotiation",
    check,
    words: &[
        "*/*",
        "application/json",
        "text/html",
        "application/*",
        "; indent=4",
        ";q=0",
        ",",
        ";",
        "=",
        "\"",
        "\\",
        "indent*=utf-8''4",
        "indent*0=1",
        "\nformat=json",
        "\nformat=api",
        "&",
        "%6a",
        " ",
    ],
};

fn check(data: &[u8]) {
    let (accept, query) = split_line(data);
    let query = String::from_utf8_lossy(query);
    let both = [Renderer::Json, Renderer::BrowsableApi];
    let Ok(format) = format_from_query(&query, "format") else {
        assert!(query.bytes().filter(|&byte| byte == b'&').count() >= 1000 - 1);
        return;
    };
    for renderers in [&both[..], &both[..1], &both[1..]] {
        let selected = select_renderer(Some(accept), format.as_deref(), renderers);
        if let Ok(selected) = selected {
            assert!(renderers.contains(&selected.renderer));
            assert!(
                selected.indent.is_none_or(|indent| (1..=8).contains(&indent) && selected.renderer == Renderer::Json)
            );
            let named = format.as_deref().filter(|name| !name.is_empty());
            assert!(named.is_none_or(|name| name == selected.renderer.format()));
            // What is accepted stays accepted when everything is.
            if accept.len() < 4000 && accept.split(|&byte| byte == b',').count() < 60 {
                let wider = [b"*/*,", accept].concat();
                assert!(select_renderer(Some(&wider), format.as_deref(), renderers).is_ok());
            }
        }
    }
}
