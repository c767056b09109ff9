//! `Cookie` headers: the value of a name, as Django reads it. The first line of the input is the name.

use countersign_formats::csrf::cookie;

use super::{Target, split_line};

pub(super) const TARGET: Target = Target {
    name: "cookie",
    check,
    words: &["sessionid", "csrftoken", "=", ";", "; ", "\"", "\\", "\\073", "\\\"", "\u{1c}", "\u{a0}", ","],
};

fn check(data: &[u8]) {
    let (name, header) = split_line(data);
    let (name, header) = (String::from_utf8_lossy(name), String::from_utf8_lossy(header));
    let value = cookie(&header, &name);
    if let Some(value) = &value {
        assert!(value.len() <= 2 * header.len(), "{} bytes from {}", value.len(), header.len());
        assert!(header.contains(name.trim()) || name.is_empty(), "a value without its name");
    }
    // A cookie put behind decides, whatever stands before it; one of another name changes nothing.
    let plain = name.trim() == name && !name.contains([';', '=', '"']) && !name.is_empty();
    let plain = plain && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if plain && !header.contains('"') {
        let last = cookie(&format!("{header}; {name}=last"), &name);
        assert_eq!(last.as_ref().map(|value| value.as_str()), Some("last"));
        let other = cookie(&format!("{header}; another-{name}=x"), &name);
        assert_eq!(other.as_deref(), value.as_deref(), "another name counts");
    }
}
