use proptest::prelude::*;
use serde_json::Value;

use super::*;

const BOTH: [Renderer; 2] = [Renderer::Json, Renderer::BrowsableApi];

fn chosen(accept: &str) -> Result<(Renderer, Option<u8>), NegotiationError> {
    let accept: Vec<u8> =
        accept.chars().map(|character| u8::try_from(u32::from(character)).expect("Latin-1")).collect();
    select_renderer(Some(&accept), None, &BOTH).map(|selected| (selected.renderer, selected.indent))
}

#[test]
fn an_absent_header_takes_the_first_renderer_and_an_empty_one_takes_none() {
    assert_eq!(select_renderer(None, None, &BOTH), Ok(Selected { renderer: Renderer::Json, indent: None }));
    assert_eq!(chosen("*/*"), Ok((Renderer::Json, None)));
    assert_eq!(chosen(""), Err(NegotiationError::NotAcceptable));
    assert_eq!(NegotiationError::NotAcceptable.to_string(), "Could not satisfy the request Accept header.");
    assert_eq!(NegotiationError::NotAcceptable.status(), 406);
}

#[test]
fn specificity_decides_and_q_does_not() {
    assert_eq!(chosen("*/*, text/html;q=0.1"), Ok((Renderer::BrowsableApi, None)));
    assert_eq!(chosen("text/html, application/json;q=0"), Ok((Renderer::Json, None)));
    assert_eq!(chosen("text/html; level=1, application/json"), Ok((Renderer::BrowsableApi, None)));
    assert_eq!(chosen("TEXT/Html"), Ok((Renderer::BrowsableApi, None)));
}

#[test]
fn indent_is_clamped_and_zero_is_compact() {
    for (header, indent) in [
        ("application/json; indent=4", Some(4)),
        ("application/json; indent=99", Some(8)),
        ("application/json; indent=0", None),
        ("application/json; indent=-1", None),
        ("application/json; indent=two", None),
        ("*/*; indent=2", Some(2)),
        ("application/json; indent=1_0", Some(8)),
        ("application/json; indent=1__0", None),
    ] {
        assert_eq!(chosen(header), Ok((Renderer::Json, indent)), "{header}");
    }
}

#[test]
fn the_header_is_read_within_bounds() {
    let far = |count: usize| format!("{}application/json", "image/png,".repeat(count));
    assert_eq!(chosen(&far(63)), Ok((Renderer::Json, None)));
    assert_eq!(chosen(&far(64)), Err(NegotiationError::NotAcceptable));
    assert_eq!(chosen(&format!("application/json;{}", "x".repeat(240))), Err(NegotiationError::NotAcceptable));
    assert_eq!(chosen(&format!("text/html,{},application/json", "y".repeat(8180))), Ok((Renderer::BrowsableApi, None)));
}

#[test]
fn format_restricts_the_renderers_first() {
    let with =
        |accept: Option<&[u8]>, format| select_renderer(accept, Some(format), &BOTH).map(|selected| selected.renderer);
    assert_eq!(with(None, "api"), Ok(Renderer::BrowsableApi));
    assert_eq!(with(None, ""), Ok(Renderer::Json));
    assert_eq!(with(Some(b"text/html"), "json"), Err(NegotiationError::NotAcceptable));
    assert_eq!(with(Some(b""), "xml"), Err(NegotiationError::UnknownFormat));
    assert_eq!(
        (NegotiationError::UnknownFormat.status(), NegotiationError::UnknownFormat.to_string()),
        (404, "Not found.".into())
    );
}

#[test]
fn the_last_format_of_a_query_counts() {
    let format = |query| format_from_query(query, "format").expect("few parameters");
    assert_eq!(format("format=xml&a=b&%66ormat=js%6Fn").as_deref(), Some("json"));
    assert_eq!(format("format=a+b").as_deref(), Some("a b"));
    assert_eq!(format("format").as_deref(), Some(""));
    assert_eq!(format("a=b"), None);
    assert_eq!(format_from_query(&"&".repeat(1000), "format"), Err(TooManyFields));
}

/// Every recorded negotiation of the real DRF 3.18.
#[test]
fn the_original_negotiates_alike() {
    let text = include_str!("../../../../testdata/compat/negotiation_cases.jsonl");
    let mut differences = Vec::new();
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a JSON line");
        let (expected, found) = replay(&case);
        if expected != found {
            differences.push(format!("{line:.200}\n  found {found:?}"));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(text.lines().count() >= 250);
}

type Outcome = (u64, Option<(Renderer, Option<u8>)>);

fn replay(case: &Value) -> (Outcome, Outcome) {
    let renderer = |letter: &str| if letter == "j" { Renderer::Json } else { Renderer::BrowsableApi };
    let text = |key: &str| case[key].as_str();
    let indent = case["indent"].as_u64().and_then(|indent| u8::try_from(indent).ok());
    let expected =
        (case["status"].as_u64().expect("a status"), text("chosen").map(|letter| (renderer(letter), indent)));

    let accept: Option<Vec<u8>> = text("accept")
        .map(|header| header.chars().map(|character| u8::try_from(u32::from(character)).expect("Latin-1")).collect());
    let renderers: Vec<Renderer> =
        text("renderers").into_iter().flat_map(str::chars).map(|c| renderer(&c.to_string())).collect();
    let found = match format_from_query(text("query").expect("a query"), "format") {
        Err(TooManyFields) => (400, None),
        Ok(format) => match select_renderer(accept.as_deref(), format.as_deref(), &renderers) {
            Ok(selected) => (200, Some((selected.renderer, selected.indent))),
            Err(error) => (u64::from(error.status()), None),
        },
    };
    (expected, found)
}

proptest! {
    #[test]
    fn any_header_gets_an_answer(accept: Vec<u8>, query: String) {
        let format = format_from_query(&query, "format").unwrap_or_default();
        let _ = select_renderer(Some(&accept), format.as_deref(), &BOTH);
    }

    #[test]
    fn header_like_text_gets_an_answer(accept in "([a-z*]{1,3}/[a-z*]{1,3}(; ?[a-z]{1,2}\\*?[0-9]?\\*?=[\"'%a-f0-9\\\\]{0,6}){0,3},? ?){0,6}") {
        let _ = select_renderer(Some(accept.as_bytes()), None, &BOTH);
    }
}
