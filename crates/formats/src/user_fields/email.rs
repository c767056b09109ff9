//! The shape of an email address, rule for rule as Django's regular expressions have it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Source: Django 5.2 `EmailValidator`, after RFC 3696 §3.
const MAX_CHARACTERS: usize = 320;

/// The longest text of an IPv6 address. Source: Django 5.2 `MAX_IPV6_ADDRESS_LENGTH`.
const MAX_IPV6_CHARACTERS: usize = 39;

/// The longest label of a host name (RFC 1034 §3.1).
const MAX_LABEL: usize = 63;

/// Whether Django's `EmailValidator` lets the address pass.
pub(super) fn is_valid(email: &str) -> bool {
    if email.chars().nth(MAX_CHARACTERS).is_some() {
        return false;
    }
    email.rsplit_once('@').is_some_and(|(user, domain)| {
        (is_dot_atom(user) || is_quoted(user)) && (domain == "localhost" || is_host_name(domain) || is_literal(domain))
    })
}

/// `EmailValidator.user_regex`, first half.
fn is_dot_atom(user: &str) -> bool {
    let is_atom = |character: char| {
        character.is_ascii_alphanumeric() || "-!#$%&'*+/=?^_`{}|~".contains(character) || folds_to_ascii(character)
    };
    user.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

/// `EmailValidator.user_regex`, second half: text in quotation marks without spaces, where `\` takes the next character.
fn is_quoted(user: &str) -> bool {
    let Some(inner) = user.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let allowed = match character {
            '\\' => characters.next().is_some_and(|escaped| {
                matches!(escaped, '\u{1}'..='\t' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{7f}') || folds_to_ascii(escaped)
            }),
            '\u{1}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '!' | '#'..='[' | ']'..='\u{7f}' => true,
            other => folds_to_ascii(other),
        };
        if !allowed {
            return false;
        }
    }
    true
}

/// `EmailValidator.domain_regex`: labels of letters, digits and hyphens, the last of letters and hyphens only or in
/// punycode.
fn is_host_name(domain: &str) -> bool {
    let Some((hosts, top)) = domain.rsplit_once('.') else { return false };
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.chars().count())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| is_letter(character) || character.is_ascii_digit() || character == '-')
    };
    let punycode = top.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("xn--")).map(|_| &top[4..]);
    let is_punycode = punycode.is_some_and(|rest| {
        (1..=59).contains(&rest.chars().count())
            && rest.chars().all(|character| character.is_ascii_alphanumeric() || folds_to_ascii(character))
    });
    let is_top = top.chars().count() >= 2 && is_label(top) && !top.chars().any(|character| character.is_ascii_digit());
    hosts.split('.').all(is_label) && (is_top || is_punycode)
}

/// `EmailValidator.literal_regex`: an IP address in brackets.
fn is_literal(domain: &str) -> bool {
    let Some(address) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    address.parse::<Ipv4Addr>().is_ok() || (address.len() <= MAX_IPV6_CHARACTERS && address.parse::<Ipv6Addr>().is_ok())
}

/// `DomainNameValidator.ul` and ASCII letters.
fn is_letter(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '\u{a1}'..='\u{ffff}')
}

/// The four characters outside ASCII that Python's `re.IGNORECASE` takes for `i`, `s` or `k`.
fn folds_to_ascii(character: char) -> bool {
    matches!(character, '\u{130}' | '\u{131}' | '\u{17f}' | '\u{212a}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of Django 5.2.19's `validate_email`.
    #[test]
    fn judged_as_django_judges() {
        for (email, expected) in [
            ("email@here.com", true),
            ("weirder-email@here.and.there.com", true),
            ("email@[127.0.0.1]", true),
            ("email@[2001:dB8::1]", true),
            ("email@[2001:dB8:0:0:0:0:0:1]", true),
            ("email@[::fffF:127.0.0.1]", true),
            ("example@valid-----hyphens.com", true),
            ("example@valid-with-hyphens.com", true),
            (
                "test@domain.with.idn.tld.\u{909}\u{926}\u{93e}\u{939}\u{930}\u{923}.\u{92a}\u{930}\u{940}\u{915}\u{94d}\u{937}\u{93e}",
                true,
            ),
            ("email@localhost", true),
            ("email@LOCALHOST", false),
            ("\"test@test\"@example.com", true),
            ("example@atm.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("example@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.atm", true),
            ("example@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbb.atm", true),
            ("example@atm.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("example@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.atm", false),
            ("\"\\\u{b}\"@here.com", true),
            ("abc", false),
            ("abc@", false),
            ("abc@bar", false),
            ("a @x.cz", false),
            ("abc@.com", false),
            ("something@@somewhere.com", false),
            ("email@127.0.0.1", false),
            ("email@[127.0.0.256]", false),
            ("email@[2001:db8::12345]", false),
            ("email@[::ffff:127.0.0.256]", false),
            ("email@[2001:dg8::1]", false),
            ("email@[2001:dG8:0:0:0:0:0:1]", false),
            ("email@[::fTzF:127.0.0.1]", false),
            ("example@invalid-.com", false),
            ("example@-invalid.com", false),
            ("example@invalid.com-", false),
            ("example@inv-.alid-.com", false),
            ("example@inv-.-alid.com", false),
            ("test@example.com\u{a}\u{a}<script", false),
            ("\"\\\u{a}\"@here.com", false),
            ("trailingdot@shouldfail.com.", false),
            ("a@b.com\u{a}", false),
            ("a\u{a}@b.com", false),
            ("\"test@test\"\u{a}@example.com", false),
            ("a@[127.0.0.1]\u{a}", false),
            (".a@b.co", false),
            ("a.@b.co", false),
            ("a..b@c.de", false),
            ("a@b.c", false),
            ("a@b.c1", false),
            ("a@b.xn--p1ai", true),
            ("a@b.XN--P1AI", true),
            ("a@b.xn--", false),
            ("a@b.xn--a-", false),
            ("a@b.xn--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("a@b.xn--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("a@b.1a", false),
            ("a@1.co", true),
            ("a@b_c.de", false),
            ("é@b.co", false),
            ("ſ@b.co", true),
            ("a@é.co", true),
            ("a@b.éé", true),
            ("a@\u{a0}b.co", false),
            ("a@\u{1f511}.co", false),
            ("a@\u{ffff}.co", true),
            ("\"\"@b.co", true),
            ("\"a b\"@c.de", false),
            ("\"a\\ b\"@c.de", true),
            ("\"a\\\"@c.de", false),
            ("\"a\"b\"@c.de", false),
            ("\"a\\\"b\"@c.de", true),
            ("a@[1.2.3]", false),
            ("a@[01.2.3.4]", false),
            ("a@[::]", true),
            ("a@[1:2:3:4:5:6:7:8:9]", false),
            ("a@[1:2:3:4::5:6:7:8]", false),
            ("a@[1:2:3::5:6:7:8]", true),
            ("a@[0000:0000:0000:0000:0000:ffff:192.168.100.228]", false),
            ("a@[::1.2.3.4]", true),
            ("a@[1::2::3]", false),
            ("a@[:1]", false),
            ("a@[]", false),
            ("@b.co", false),
            ("a@", false),
            ("a@b@c.de", false),
            ("!#$%&'*+-/=?^_`{|}~@x.yz", true),
            ("a(b)@c.de", false),
            ("a@b..co", false),
            ("a@b.co.", false),
            ("a@-.co", false),
            ("a@b.--", false),
            ("a@x.a-b", true),
        ] {
            assert_eq!(is_valid(email), expected, "{email:?}");
        }
    }

    #[test]
    fn length_is_bounded_in_characters() {
        let label = "é".repeat(63);
        let email = format!("{}@{label}.{label}.{label}.org", "a".repeat(320 - 196));
        assert_eq!(email.chars().count(), 320);
        assert!(is_valid(&email));
        assert!(!is_valid(&format!("a{email}")));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "[-a.@\\[\\]\"\\\\é0-9:\u{130}]{0,30}|.{0,40}") {
            let _ = is_valid(&text);
        }
    }
}
