//! Bodies: URL-encoded, multipart and JSON, by any `Content-Type`. The first line of the input is the header.

use countersign_formats::request_body::{CharField, Data, Limits, Parameters, Parser, parse, read_fields};

use super::{Target, split_line};

pub(super) const TARGET: Target = Target {
    name: "body",
    check,
    words: &[
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=",
        "; charset=",
        "utf-16",
        "latin-1",
        "--B\r\n",
        "--B--",
        "\r\n\r\n",
        "Content-Disposition: form-data; name=\"username\"",
        "; filename=\"x\"",
        "Content-Transfer-Encoding: base64\r\n",
        "filename*=utf-8''%41",
        "&",
        "=",
        "%",
        "%00",
        "+",
        "username",
        "password",
        "\"",
        "\\",
        "{\"username\":",
    ],
};

const FORM: [CharField<'static>; 2] =
    [CharField { name: "username", trim: true }, CharField { name: "password", trim: false }];

fn check(data: &[u8]) {
    let (content_type, body) = split_line(data);
    let orders = [[Parser::Json, Parser::Form, Parser::Multipart], [Parser::Form, Parser::Multipart, Parser::Json]];
    for parsers in orders {
        match parse(Some(content_type), body, &parsers, &Limits::default()) {
            Ok(data) => check_data(data, body),
            Err(error) => {
                assert!(matches!(error.status(), 400 | 415));
                let detail = error.detail().unwrap_or_default();
                assert!(detail.len() <= 300 + 6 * content_type.len(), "an error of {} bytes", detail.len());
            }
        }
    }
    let none = Limits { memory: 0, fields: 0, files: 0 };
    if !body.is_empty() {
        let refused = parse(Some(b"application/json"), body, &orders[0], &none).is_err();
        assert!(refused, "a body over the limit is read");
    }
    check_form_round_trip(body);
    check_parameters(content_type, body);
}

/// A client's parameters are those of the form that Django's views would read, if that repeats nothing.
fn check_parameters(content_type: &[u8], body: &[u8]) {
    let Ok(parameters) = Parameters::parse(Some(content_type), body, &Limits::default()) else { return };
    let data = parse(Some(content_type), body, &[Parser::Form], &Limits::default()).expect("a form");
    let fields = data.into_fields().expect("fields");
    for field in FORM {
        let given = read_fields(&fields, &[CharField { trim: false, ..field }]).ok().and_then(|mut texts| texts.pop());
        let shown = parameters.get(field.name).filter(|value| !value.contains('\0'));
        assert_eq!(shown, given.as_ref().map(|text| text.as_str()), "{}", field.name);
        let twice = [body, b"&", field.name.as_bytes(), b"=&", field.name.as_bytes(), b"="].concat();
        assert!(Parameters::parse(Some(content_type), &twice, &Limits::default()).is_err(), "repeated and read");
    }
}

/// Texts are not longer than what they came from: each byte of a body is at most three bytes of UTF-8 (U+FFFD).
fn check_data(data: Data, body: &[u8]) {
    let Ok(fields) = data.into_fields() else { return };
    match read_fields(&fields, &FORM) {
        Ok(texts) => {
            assert_eq!(texts.len(), FORM.len());
            let long: usize = texts.iter().map(|text| text.len()).sum();
            assert!(long <= 3 * body.len() + 64, "{long} bytes of text from {}", body.len());
            for text in &texts {
                assert!(!text.is_empty() && !text.contains('\0'));
            }
            assert_eq!(texts[0].trim(), texts[0].as_str(), "a trimmed field has blanks around it");
        }
        Err(errors) => assert!(errors.iter().len() > 0),
    }
}

/// Any text that is encoded as a form comes back.
fn check_form_round_trip(bytes: &[u8]) {
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|letter| *letter != '\0').collect();
    if text.is_empty() {
        return;
    }
    let mut body = "username=x&password=".to_owned();
    for byte in text.bytes() {
        body.push('%');
        body.push_str(&hex::encode([byte]));
    }
    let data = parse(Some(b"application/x-www-form-urlencoded"), body.as_bytes(), &[Parser::Form], &Limits::default());
    let fields = data.expect("a form").into_fields().expect("fields");
    let texts = read_fields(&fields, &FORM).expect("both fields");
    assert_eq!(texts[1].as_str(), text);
}
