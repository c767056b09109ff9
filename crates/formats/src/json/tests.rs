//! Python's own verdicts, recorded by `compat/make_json_cases.py`, and properties.

use proptest::prelude::*;
use serde_json::Value as Line;

use super::*;

const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/compat/json_cases.jsonl"));

fn cases(kind: &str) -> Vec<Line> {
    let lines = CASES.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
}

fn error_of<T, E: ToString>(result: &Result<T, E>) -> Option<String> {
    result.as_ref().err().map(ToString::to_string)
}

#[test]
fn the_cases_come_from_python_3_11() {
    assert!(cases("made-by")[0]["python"].as_str().unwrap().starts_with("3.11."));
}

#[test]
fn texts_read_and_print_as_in_python() {
    let cases = cases("parse");
    assert!(cases.len() > 600, "only {} cases", cases.len());
    for case in cases {
        let text = match case["text"].as_str() {
            Some(text) => Text::from(text),
            None => Text::from_code_points(
                case["points"].as_array().unwrap().iter().map(|code| u32::try_from(code.as_u64().unwrap()).unwrap()),
            ),
        };
        let strict = parse_text(&text, NonFinite::Refuse);
        assert_eq!(error_of(&strict).as_deref(), case["strict"].as_str(), "strict: {text:?}");
        let loose = parse_text(&text, NonFinite::Accept);
        assert_eq!(error_of(&loose).as_deref(), case["loose"].as_str(), "loose: {text:?}");
        if let Some(plain) = text.as_str() {
            assert_eq!(error_of(&parse(plain, NonFinite::Refuse)), error_of(&strict));
        }
        let Ok(value) = loose else { continue };
        assert_eq!(Some(to_compact_ascii(&value).as_str()), case["compact"].as_str(), "{text:?}");
        if let Some(expected) = case["unicode"].as_str() {
            let separators = |text: &str| text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
            assert_eq!(render(&value, Style::default()), separators(expected));
            let indented = Style { indent: Some(3), ..Style::default() };
            assert_eq!(render(&value, indented), separators(case["indented"].as_str().unwrap()));
        }
    }
}

#[test]
fn bytes_read_as_in_python() {
    for case in cases("bytes") {
        let bytes = hex::decode(case["hex"].as_str().unwrap()).unwrap();
        let value = parse_bytes(&bytes, NonFinite::Accept);
        let compact = value.as_ref().ok().map(to_compact_ascii);
        assert_eq!(compact.as_deref(), case["compact"].as_str(), "{case}");
        // The position in UTF-16 is not reported as Python does: this text reaches logs only.
        let expected = case["error"].as_str();
        if !expected.is_some_and(|text| text.contains("'utf-16") || text.contains("'utf-32")) {
            assert_eq!(error_of(&value).as_deref(), expected, "{case}");
        }
    }
}

#[test]
fn bodies_decode_as_in_python() {
    for case in cases("utf8") {
        let bytes = hex::decode(case["hex"].as_str().unwrap()).unwrap();
        let text = decode_utf8_incremental(&bytes);
        assert_eq!(error_of(&text).as_deref(), case["error"].as_str(), "{case}");
        assert_eq!(text.ok().as_deref(), case["text"].as_str(), "{case}");
    }
}

#[test]
fn floats_print_as_in_python() {
    for case in cases("repr") {
        let bits = u64::from_str_radix(case["bits"].as_str().unwrap(), 16).unwrap();
        assert_eq!(python_float_repr(f64::from_bits(bits)), case["repr"].as_str().unwrap());
    }
}

#[test]
fn texts_become_integers_as_in_python() {
    let cases = cases("int");
    assert!(cases.len() > 290, "only {} cases", cases.len());
    for case in cases {
        let expected = case["value"].as_str().map(|digits| digits.parse::<i128>().unwrap());
        assert_eq!(parse_python_int(case["text"].as_str().unwrap()), expected, "{case}");
    }
    assert_eq!(parse_python_int(&"9".repeat(4300)), Some(i128::MAX));
}

#[test]
fn a_repeated_name_keeps_its_place_and_takes_the_last_value() {
    let value = parse(r#"{"a":1,"b":{"c":0,"c":1},"a":2}"#, NonFinite::Refuse).unwrap();
    let object = value.as_object().unwrap();
    assert_eq!(to_compact_ascii(&value), r#"{"a":2,"b":{"c":1}}"#);
    assert!(object.had_duplicates());
    assert!(object.get("b").unwrap().as_object().unwrap().had_duplicates());
    let simple = parse(r#"{"a":1}"#, NonFinite::Refuse).unwrap();
    assert!(!simple.as_object().unwrap().had_duplicates());
}

/// Depth is bounded, and neither reading nor writing nor dropping overflows a small stack.
#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let small_stack = std::thread::Builder::new().stack_size(512 * 1024);
    let check = move || {
        let deepest = parse(&nested(MAX_DEPTH), NonFinite::Refuse).unwrap();
        assert_eq!(to_compact_ascii(&deepest).len(), 2 * MAX_DEPTH);
        let error = parse(&nested(MAX_DEPTH + 1), NonFinite::Refuse).unwrap_err();
        assert_eq!(error.kind(), &SyntaxErrorKind::TooDeep);
        assert_eq!(error.to_string(), "maximum recursion depth exceeded");
        let bomb = r#"{"a":"#.repeat(500_000);
        assert_eq!(parse(&bomb, NonFinite::Refuse).unwrap_err().kind(), &SyntaxErrorKind::TooDeep);
    };
    small_stack.spawn(check).unwrap().join().unwrap();
}

/// Many names, all alike or all different, cost one pass: this takes minutes when it is quadratic.
#[test]
fn large_objects_are_read_in_one_pass() {
    let different: Vec<String> = (0..200_000).map(|number| format!("\"{number}\":0")).collect();
    let value = parse(&format!("{{{}}}", different.join(",")), NonFinite::Refuse).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 200_000);
    let alike = vec!["\"a\":0"; 200_000].join(",");
    let value = parse(&format!("{{{alike}}}"), NonFinite::Refuse).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 1);
}

#[test]
fn objects_change_in_place() {
    let mut object: Object = [("a", 1.into()), ("b", 2.into()), ("c", 3.into())].into_iter().collect();
    object.set("b", "two");
    assert_eq!(object.remove("a"), Some(Value::from(1)));
    object.set("a", Value::Null);
    assert_eq!(to_compact_ascii(&object.into()), r#"{"b":"two","c":3,"a":null}"#);
}

#[test]
fn one_line_may_have_blanks() {
    let value = parse(r#"{"a":[1,2],"b":"é"}"#, NonFinite::Refuse).unwrap();
    let style = Style { unicode: false, compact: false, indent: Some(0) };
    assert_eq!(render(&value, style), r#"{"a": [1, 2], "b": "\u00e9"}"#);
}

#[test]
fn texts_know_their_surrogates() {
    let Value::String(text) = parse(r#""a\udc01\ud800b\u0000""#, NonFinite::Refuse).unwrap() else { unreachable!() };
    assert_eq!(text.as_str(), None);
    assert_eq!(text.first_surrogate(), Some(0xDC01));
    assert!(text.contains_nul());
    assert_eq!(text.to_string_lossy(), "a\u{FFFD}\u{FFFD}b\0");
    assert_eq!(Text::from("é").first_surrogate(), None);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Float),
        "\\PC*".prop_map(Value::from),
        prop::collection::vec(0_u32..0x11_0000, 0..8).prop_map(|codes| Value::String(joined(codes))),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec(("\\PC{0,6}", inner), 0..6).prop_map(|members| {
                let mut object = Object::new();
                for (name, value) in members {
                    object.set(&name, value);
                }
                Value::Object(object)
            }),
        ]
    })
}

/// Text without a high surrogate before a low one: written escaped, those two would read as one character.
fn joined(codes: Vec<u32>) -> Text {
    Text::from_code_points(codes.into_iter().filter(|code| !(0xDC00..=0xDFFF).contains(code)))
}

/// Code points on both sides of what stands in place, surrogates among them.
fn any_codes() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![8 => 0_u32..0x80, 1 => 0x80_u32..0x11_0000], 0..60)
}

fn hash_of(text: &Text) -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default(), text)
}

proptest! {
    /// However a text is held, it is the same text.
    #[test]
    fn texts_are_their_code_points(codes in any_codes(), others in any_codes()) {
        let (text, other) = (Text::from_code_points(codes.clone()), Text::from_code_points(others.clone()));
        prop_assert_eq!(text.code_points().collect::<Vec<_>>(), codes.clone());
        prop_assert_eq!(text.cmp(&other), codes.cmp(&others));
        prop_assert_eq!(text == other, codes == others);
        let plain: Option<String> = codes.iter().map(|&code| char::from_u32(code)).collect();
        prop_assert_eq!(text.as_str(), plain.as_deref());
        prop_assert_eq!(text.first_surrogate().is_some(), plain.is_none());
        if let Some(plain) = plain {
            prop_assert_eq!(text.as_bytes(), plain.as_bytes());
            for same in [Text::from(plain.as_str()), Text::from(plain.clone())] {
                prop_assert_eq!(hash_of(&same), hash_of(&text));
                prop_assert_eq!(&same, &text);
            }
            prop_assert_eq!(text.into_string(), Ok(plain));
        } else {
            prop_assert_eq!(text.clone().into_string(), Err(text));
        }
    }

    #[test]
    fn what_is_written_reads_back(value in any_value()) {
        prop_assert_eq!(parse(&to_compact_ascii(&value), NonFinite::Refuse).unwrap(), value.clone());
        prop_assert_eq!(parse(&render(&value, Style::default()), NonFinite::Refuse).unwrap(), value.clone());
        let airy = Style { unicode: true, compact: false, indent: Some(2) };
        prop_assert_eq!(parse(&render(&value, airy), NonFinite::Refuse).unwrap(), value);
    }

    /// What serde_json, a stricter reader, accepts, this one accepts.
    #[test]
    fn another_reader_agrees(text in r#"[\[\]{}",:0-9eE+\-.ntrufals\\ \n]{0,24}"#) {
        let other = serde_json::from_str::<Line>(&text);
        let ours = parse(&text, NonFinite::Refuse);
        if other.is_ok() {
            prop_assert!(ours.is_ok(), "{:?}", ours);
        } else if ours.is_ok() {
            let message = other.unwrap_err().to_string();
            prop_assert!(message.contains("number out of range") || message.contains("surrogate")
                || message.contains("hex escape"), "{}", message);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse_bytes(&bytes, NonFinite::Accept);
        let _ = decode_utf8_incremental(&bytes);
    }
}
