//! Text fields of a form: DRF 3.18 `CharField` inside a `Serializer`, with its messages.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

use super::{FormFields, FormValue};
use crate::json::{Object, Text, Value, python_float_repr};
use crate::negotiation::header_parameters::python_strip;

/// A required text field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CharField<'a> {
    /// The key in the body.
    pub name: &'a str,
    /// Whether surrounding white space goes (Python's `str.strip`). DRF's `trim_whitespace`.
    pub trim: bool,
}

/// The members of a body, by name.
#[derive(Clone)]
pub struct Fields(Source);

#[derive(Clone)]
enum Source {
    Form(FormFields),
    Json(Object),
}

impl Fields {
    pub(crate) fn from_form(form: FormFields) -> Self {
        Self(Source::Form(form))
    }

    pub(crate) fn from_object(object: Object) -> Self {
        Self(Source::Json(object))
    }

    /// Whether the body has that key at all, with whatever value.
    pub fn contains(&self, name: &str) -> bool {
        match &self.0 {
            Source::Form(form) => form.last(name).is_some(),
            Source::Json(object) => object.contains(name),
        }
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields(..)")
    }
}

/// What is wrong with one field; `Display` is the text the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The key is absent.
    #[error("This field is required.")]
    Required,
    /// JSON `null`.
    #[error("This field may not be null.")]
    Null,
    /// The empty text, or only white space in a trimmed field.
    #[error("This field may not be blank.")]
    Blank,
    /// A boolean, a list, an object or an uploaded file.
    #[error("Not a valid string.")]
    NotAString,
    /// U+0000 in the text. Django 5.2 `ProhibitNullCharactersValidator`.
    #[error("Null characters are not allowed.")]
    NullCharacters,
    /// A lone surrogate, the first one. DRF 3.18 `ProhibitSurrogateCharactersValidator`.
    #[error("Surrogate characters are not allowed: U+{0:X}.")]
    SurrogateCharacters(u16),
}

/// The fields that failed, in the order of the form, each with its errors in order. The answer is 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldErrors(Vec<(String, Vec<FieldError>)>);

impl FieldErrors {
    /// Name and errors of each field.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[FieldError])> {
        self.0.iter().map(|(name, errors)| (name.as_str(), errors.as_slice()))
    }

    /// The body of the answer: `{"field":["message", …]}`.
    pub fn to_value(&self) -> Value {
        let mut object = Object::new();
        for (name, errors) in self.iter() {
            let messages: Vec<Value> = errors.iter().map(|error| Value::from(error.to_string())).collect();
            object.set(name, messages);
        }
        Value::from(object)
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid fields:")?;
        self.iter().try_for_each(|(name, errors)| errors.iter().try_for_each(|error| write!(f, " {name}: {error}")))
    }
}

impl std::error::Error for FieldErrors {}

/// Reads the texts of `form` in its order. Numbers become text as Python's `str` writes them.
/// DRF 3.18 `Serializer.to_internal_value` over `CharField.run_validation`.
///
/// # Errors
/// [`FieldErrors`] naming every field that failed.
pub fn read_fields(fields: &Fields, form: &[CharField<'_>]) -> Result<Vec<Zeroizing<String>>, FieldErrors> {
    let mut texts = Vec::with_capacity(form.len());
    let mut failed = Vec::new();
    for field in form {
        match read_field(fields, *field) {
            Ok(text) => texts.push(text),
            Err(errors) => failed.push((field.name.to_owned(), errors)),
        }
    }
    if failed.is_empty() { Ok(texts) } else { Err(FieldErrors(failed)) }
}

fn read_field(fields: &Fields, field: CharField<'_>) -> Result<Zeroizing<String>, Vec<FieldError>> {
    let text = match &fields.0 {
        Source::Form(form) => match form.last(field.name) {
            None => Err(FieldError::Required),
            Some(FormValue::Text(text)) => Ok(Cow::Borrowed(text.as_str())),
            // DRF looks at the file's name when it looks for white space.
            Some(FormValue::File { blank_name: true }) if field.trim => Err(FieldError::Blank),
            Some(FormValue::File { .. }) => Err(FieldError::NotAString),
        },
        Source::Json(object) => match object.get(field.name) {
            None => Err(FieldError::Required),
            Some(Value::Null) => Err(FieldError::Null),
            Some(Value::String(text)) => match text.as_str() {
                Some(text) => Ok(Cow::Borrowed(text)),
                None => return Err(flaws_of(text)),
            },
            Some(Value::Integer(integer)) => Ok(Cow::Owned(integer.to_string())),
            Some(Value::Float(number)) => Ok(Cow::Owned(python_float_repr(*number))),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(FieldError::NotAString),
        },
    };
    let text = text.map_err(|error| vec![error])?;
    let text = if field.trim { python_strip(&text) } else { &text };
    if text.is_empty() {
        return Err(vec![FieldError::Blank]);
    }
    if text.contains('\0') {
        return Err(vec![FieldError::NullCharacters]);
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// What is wrong with a text that holds lone surrogates.
fn flaws_of(text: &Text) -> Vec<FieldError> {
    let null = text.contains_nul().then_some(FieldError::NullCharacters);
    null.into_iter().chain(text.first_surrogate().map(FieldError::SurrogateCharacters)).collect()
}
