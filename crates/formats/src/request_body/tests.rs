use base64::Engine;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

const ALL: [Parser; 3] = [Parser::Json, Parser::Form, Parser::Multipart];
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn body(content_type: &str, body: &[u8]) -> Result<Data, BodyError> {
    parse(Some(content_type.as_bytes()), body, &ALL, &Limits::default())
}

fn refusal(content_type: &str, content: &[u8]) -> (u16, Option<String>) {
    let error = body(content_type, content).unwrap_err();
    (error.status(), error.detail())
}

fn read(data: Data) -> Result<Vec<String>, String> {
    let fields = data.into_fields().map_err(|error| format!(r#"{{"non_field_errors":["{error}"]}}"#))?;
    let form = [CharField { name: "username", trim: true }, CharField { name: "password", trim: false }];
    let texts = read_fields(&fields, &form).map_err(|errors| json::to_compact_ascii(&errors.to_value()))?;
    Ok(texts.iter().map(|text| text.to_string()).collect())
}

fn json_field(value: &str, trim: bool) -> Result<String, Vec<FieldError>> {
    let data = body(JSON, format!("{{\"a\": {value}}}").as_bytes()).expect("JSON");
    let fields = data.into_fields().expect("an object");
    let texts = read_fields(&fields, &[CharField { name: "a", trim }]);
    texts.map(|texts| texts[0].to_string()).map_err(|errors| errors.iter().next().expect("one field").1.to_vec())
}

#[test]
fn an_empty_body_is_an_empty_form_whatever_the_type() {
    for content_type in [None, Some(&b"text/plain"[..]), Some(b"x; a*=nope''b")] {
        let data = parse(content_type, b"", &ALL, &Limits::default()).expect("an empty form");
        assert_eq!(
            read(data),
            Err(r#"{"username":["This field is required."],"password":["This field is required."]}"#.to_owned())
        );
    }
}

#[test]
fn an_unknown_type_is_415_and_quoted_as_sent() {
    let detail = |text: &str| (415, Some(text.to_owned()));
    assert_eq!(
        refusal("text/plain; x=\"y\"", b"a"),
        detail(r#"Unsupported media type "text/plain; x="y"" in request."#)
    );
    let missing = parse(None, b"a", &ALL, &Limits::default()).unwrap_err();
    assert_eq!((missing.status(), missing.detail()), detail(r#"Unsupported media type "" in request."#));
    let long = format!("application/json;{}", "a".repeat(240));
    assert_eq!(refusal(&long, b"{}").0, 415);
    assert!(body(&long[..256], b"{}").is_ok());
}

#[test]
fn a_wildcard_type_takes_the_first_parser_of_the_view() {
    let wildcard = |parsers: &[Parser]| parse(Some(b"*/*"), b"username=a&password=b", parsers, &Limits::default());
    assert!(matches!(wildcard(&[Parser::Form, Parser::Json]), Ok(Data::Form(_))));
    assert!(matches!(wildcard(&[Parser::Json, Parser::Form]), Err(BodyError::Json(_))));
}

#[test]
fn charsets_are_followed_ignored_or_refused() {
    let wide: Vec<u8> =
        "\u{feff}{\"username\":\"é\",\"password\":\"b\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts = |username: &str| Ok(vec![username.to_owned(), "b".to_owned()]);
    assert_eq!(read(body("application/json; charset=utf-16", &wide).expect("UTF-16")), texts("é"));
    let form = format!("{FORM}; charset=iso-8859-1");
    assert_eq!(read(body(&form, b"username=caf%E9&password=b").expect("Latin-1")), texts("café"));
    assert_eq!(read(body(&format!("{FORM}; charset=nope"), b"username=%C3%A9&password=b").expect("UTF-8")), texts("é"));
    assert_eq!(
        refusal("application/json; charset=BZ2", b"{}"),
        (400, Some("Unsupported charset \"BZ2\" in request Content-Type header.".to_owned()))
    );
}

#[test]
fn memory_and_field_limits_are_exact_and_answer_with_the_page() {
    let padded = |size: usize| format!("{{}}{}", " ".repeat(size - 2)).into_bytes();
    assert!(body(JSON, &padded(2_621_440)).is_ok());
    for content_type in [JSON, FORM] {
        assert_eq!(refusal(content_type, &padded(2_621_441)), (400, None), "{content_type}");
    }
    assert!(body(FORM, "a=1&".repeat(999).as_bytes()).is_ok());
    assert_eq!(refusal(FORM, "a=1&".repeat(1000).as_bytes()), (400, None));
    assert_eq!(refusal("application/json; charset=bz2", &padded(2_621_441)), (400, None), "size before charset");
}

#[test]
fn top_levels_other_than_objects_are_named() {
    let message = |text: &str| body(JSON, text.as_bytes()).expect("JSON").into_fields().unwrap_err().to_string();
    assert_eq!(message("null"), "No data provided");
    for (text, name) in [("[]", "list"), ("\"a\"", "str"), ("1", "int"), ("1.5", "float"), ("true", "bool")] {
        assert_eq!(message(text), format!("Invalid data. Expected a dictionary, but got {name}."));
    }
}

#[test]
fn fields_are_checked_in_order_and_numbers_become_text() {
    for (value, message) in [
        ("null", "This field may not be null."),
        (r#""""#, "This field may not be blank."),
        ("true", "Not a valid string."),
        ("[]", "Not a valid string."),
        ("{}", "Not a valid string."),
        (r#""a\u0000""#, "Null characters are not allowed."),
        (r#""a\ud800\udc01\udc02""#, "Surrogate characters are not allowed: U+DC02."),
    ] {
        assert_eq!(json_field(value, true).unwrap_err()[0].to_string(), message, "{value}");
    }
    assert_eq!(
        json_field(r#""\ud800 \u0000""#, true),
        Err(vec![FieldError::NullCharacters, FieldError::SurrogateCharacters(0xd800)])
    );
    for (value, text) in
        [("-17", "-17"), ("1.50", "1.5"), ("1e16", "1e+16"), ("1e400", "inf"), ("-0", "0"), ("-0.0", "-0.0")]
    {
        assert_eq!(json_field(value, true).as_deref(), Ok(text), "{value}");
    }
}

#[test]
fn trimmed_fields_lose_pythons_white_space_only() {
    let white = r#""\t\n\u001c\u0085\u00a0\u1680\u2000\u2028\u202f\u205f\u3000""#;
    assert_eq!(json_field(white, true), Err(vec![FieldError::Blank]));
    assert_eq!(json_field(white, false).map(|text| text.chars().count()), Ok(11));
    assert_eq!(json_field(r#"" \u200b ""#, true).as_deref(), Ok("\u{200b}"));
    assert_eq!(json_field(r#"" ""#, false).as_deref(), Ok(" "));
}

#[test]
fn of_repeated_keys_the_last_wins() {
    let last = Ok(vec!["b".to_owned(), "p".to_owned()]);
    assert_eq!(read(body(FORM, b"username=a&username=b&password=p").expect("a form")), last);
    assert_eq!(read(body(JSON, br#"{"username":"a","username":"b","password":"p"}"#).expect("JSON")), last);
}

#[test]
fn w_secrets_are_not_in_debug_output() {
    let data = body(FORM, b"username=alice&password=hunter2").expect("a form");
    assert_eq!(format!("{data:?}"), "Form(..)");
    assert_eq!(format!("{:?}", data.into_fields().expect("fields")), "Fields(..)");
    let data = body(JSON, br#"{"password":"hunter2"}"#).expect("JSON");
    assert_eq!(format!("{data:?}"), "Json(..)");
}

/// Every recorded body, read by the real Django 5.2 and DRF 3.18. Where those crashed, a clean 400 is expected, or for an
/// empty body an empty form.
#[test]
fn the_original_reads_bodies_alike() {
    let text = include_str!("../../../../testdata/compat/body_cases.jsonl");
    let mut differences = Vec::new();
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).expect("a JSON line");
        if let Err(difference) = replay(&case) {
            differences
                .push(format!("{line:.400}\n  expected {:.300}\n  found {difference}", case["answer"].to_string()));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(text.lines().count() >= 1000);
}

fn replay(case: &Json) -> Result<(), String> {
    let content_type: Option<Vec<u8>> = case["type"]
        .as_str()
        .map(|text| text.chars().map(|character| u8::try_from(u32::from(character)).expect("Latin-1")).collect());
    let content = match (case["body"].as_str(), case["body_b64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (_, text) => base64::engine::general_purpose::STANDARD.decode(text.expect("a body")).expect("base64"),
    };
    let parser = |letter| match letter {
        'f' => Parser::Form,
        'm' => Parser::Multipart,
        _ => Parser::Json,
    };
    let parsers: Vec<Parser> = case["parsers"].as_str().expect("parsers").chars().map(parser).collect();
    let (status, answer) = answer(parse(content_type.as_deref(), &content, &parsers, &Limits::default()));
    let expected = case["status"].as_u64().expect("a status");
    let matches =
        if expected == 500 { status == 400 } else { u64::from(status) == expected && answer == case["answer"] };
    if matches { Ok(()) } else { Err(format!("{status} {answer}")) }
}

fn answer(parsed: Result<Data, BodyError>) -> (u16, Json) {
    match parsed {
        Err(error) => {
            (error.status(), error.detail().map_or(Json::Null, |detail| serde_json::json!({ "detail": detail })))
        }
        Ok(data) => match read(data) {
            Ok(texts) => (200, serde_json::json!({ "username": texts[0], "password": texts[1] })),
            Err(errors) => (400, serde_json::from_str(&errors).expect("a JSON object")),
        },
    }
}

/// Hostile bodies of sixteen megabytes: what takes linear time is done at once, and what takes quadratic time is not done today
/// (`.config/nextest.toml` ends it).
#[test]
fn hostile_bodies_take_linear_time() {
    let boundary = "-".repeat(200);
    let multipart = format!("multipart/form-data; boundary=\"{boundary}\"");
    let gbk = format!("{JSON}; charset=gbk");
    let near = format!("--{}x", &boundary[1..]);
    let cases: [(&str, &[u8]); 8] = [
        (&multipart, near.as_bytes()),
        (&multipart, b"-"),
        ("multipart/form-data; boundary=X", b"--X\r\n\r\n\r\n"),
        (FORM, b"%"),
        (FORM, b"%c3+\xc3"),
        (JSON, b"["),
        (JSON, b"\xc3"),
        (&gbk, b"\x81 "),
    ];
    let limits = Limits { memory: usize::MAX, fields: usize::MAX - 2, files: usize::MAX };
    for (content_type, unit) in cases {
        let content = unit.repeat((16 << 20) / unit.len());
        drop(parse(Some(content_type.as_bytes()), &content, &ALL, &limits));
    }
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(content_type: Vec<u8>, content: Vec<u8>) {
        let _ = parse(Some(&content_type), &content, &ALL, &Limits::default()).map(read);
    }

    #[test]
    fn any_bytes_under_a_known_type_get_an_answer(
        content_type in "(application/json|application/x-www-form-urlencoded|multipart/form-data; boundary=X)\
            (; charset=(utf-8|utf-16|utf-32|latin-1|ascii|cp1252|gbk|gb18030|euc-jp|shift_jis|utf-8-sig))?",
        content: Vec<u8>,
    ) {
        let _ = parse(Some(content_type.as_bytes()), &content, &ALL, &Limits::default()).map(read);
    }

    #[test]
    fn multipart_like_text_gets_an_answer(
        content in "(--X|\r\n|\r\n\r\n|Content-Disposition: x|; name=|username|\"|; filename=|f|;|=|\\*0\\*=|a''b|[\\x00-\\xff]){0,30}",
    ) {
        let _ = body("multipart/form-data; boundary=X", content.as_bytes()).map(read);
    }

    #[test]
    fn forms_come_back_as_written(pairs in prop::collection::vec(("[a-z%+&= é\u{1f600}]{0,8}", ".{0,8}"), 0..8)) {
        let escape = |text: &str| text.bytes().fold(String::new(), |escaped, byte| format!("{escaped}%{byte:02X}"));
        let written: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        let read = forms::parse(written.join("&").as_bytes(), Charset::Utf8, 1000);
        prop_assert_eq!(read, Ok(pairs));
    }
}
