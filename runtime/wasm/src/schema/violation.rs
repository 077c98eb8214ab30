//! A violation of a schema in the words of Weir's own keys.
//!
//! In: what the validator found, and the schema. Out: problems with what is wanted and a hint.
//! Never: tells a value; takes several alternatives that all fail for several problems.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;
use weir_core::config::{Flaw, Wanted, nearest};

use super::super::problem::Problem;

/// References and alternatives within each other.
const MAX_DEPTH: usize = 16;

/// Appends the problems that an error is, which are not told yet.
pub(super) fn add(error: &ValidationError<'_>, schema: &Value, out: &mut Vec<Problem>) {
    let pointer = format!("/config{}", error.instance_path());
    let place = Place { error, schema: keyword_of(error, schema), root: schema };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for key in unexpected {
                let step = key.replace('~', "~0").replace('/', "~1");
                let hint = place.meant(key);
                push(
                    out,
                    Problem { hint, ..at_value(&format!("{pointer}/{step}"), Flaw::UnknownKey) },
                );
            }
        }
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            // The key is there, but for its spelling: whoever found that has said it.
            if place.misspelled(key) {
                return;
            }
            let hint = place.says(key);
            push(out, Problem { hint, ..at_value(&pointer, Flaw::MissingKey(key.to_owned())) });
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match meant(error, context) {
            Some(errors) => errors.iter().for_each(|error| add(error, schema, out)),
            None => push(out, place.problem(&pointer)),
        },
        Kind::PropertyNames { error } => {
            let key = error.instance().as_str().unwrap_or_default();
            let step = key.replace('~', "~0").replace('/', "~1");
            let what = Place { error, schema: keyword_of(error, schema), root: schema }.flaw();
            let words = format!("this is not a key that is taken here: {}", what.words());
            push(out, at_value(&format!("{pointer}/{step}"), Flaw::Said(words)));
        }
        _ => push(out, place.problem(&pointer)),
    }
}

/// The alternative that was meant: the only one whose type and fixed values fit, or of several the
/// one that lacks least.
fn meant<'e>(
    error: &ValidationError<'_>,
    context: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e [ValidationError<'static>]> {
    let fits = |errors: &&Vec<ValidationError<'static>>| {
        errors.iter().all(|inner| match inner.kind() {
            Kind::Constant { .. } => false,
            Kind::Type { .. } | Kind::Enum { .. } => {
                inner.instance_path().as_str() != error.instance_path().as_str()
            }
            _ => true,
        })
    };
    let fitting: Vec<_> = context.iter().filter(fits).collect();
    let least = fitting.iter().map(|errors| errors.len()).min()?;
    let mut best = fitting.into_iter().filter(|errors| errors.len() == least);
    match (best.next(), best.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn at_value(pointer: &str, flaw: Flaw) -> Problem {
    Problem::at(pointer, flaw)
}

/// A value that is neither long enough nor of the right form is one problem.
fn push(out: &mut Vec<Problem>, problem: Problem) {
    if !out.contains(&problem) {
        out.push(problem);
    }
}

/// An error and the part of the schema that it is about.
struct Place<'a> {
    error: &'a ValidationError<'a>,
    schema: &'a Value,
    root: &'a Value,
}

impl Place<'_> {
    fn problem(&self, pointer: &str) -> Problem {
        let flaw = self.flaw();
        let written = |choice: &String| choice.trim_matches('"').to_owned();
        let meant = match (&flaw, self.error.instance().as_str()) {
            (Flaw::Unwanted(wanted), Some(text)) => {
                let choices: Vec<String> = choices(wanted).iter().map(written).collect();
                nearest(text, choices.iter().map(String::as_str))
                    .map(|meant| format!("did you mean {meant:?}?"))
            }
            _ => None,
        };
        let hint = match flaw {
            Flaw::Unwanted(Wanted::Duration | Wanted::Size) => None,
            Flaw::Unwanted(_) => meant,
            _ => description(self.schema),
        };
        Problem { hint, ..at_value(pointer, flaw) }
    }

    fn flaw(&self) -> Flaw {
        let wanted = wanted(self.schema, self.root, 0);
        match self.error.kind() {
            // Of the right type, and no duration: its pattern or its length says so.
            Kind::Pattern { .. } | Kind::MinLength { .. } | Kind::Type { .. }
                if matches!(wanted, Some(Wanted::Duration | Wanted::Size)) =>
            {
                Flaw::Unwanted(wanted.unwrap_or(Wanted::Anything))
            }
            Kind::Type { kind } => Flaw::Unwanted(match wanted {
                Some(wanted) => wanted,
                None => types(kind),
            }),
            Kind::Enum { .. }
            | Kind::Constant { .. }
            | Kind::AnyOf { .. }
            | Kind::OneOfNotValid { .. } => match wanted {
                Some(wanted) => Flaw::Unwanted(wanted),
                None => Flaw::Value("is none of what is allowed here".to_owned()),
            },
            _ => Flaw::Value(self.unfit()),
        }
    }

    /// What is said behind the value.
    fn unfit(&self) -> String {
        let entries = |n: u64| if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") };
        match self.error.kind() {
            Kind::Minimum { .. }
            | Kind::Maximum { .. }
            | Kind::ExclusiveMinimum { .. }
            | Kind::ExclusiveMaximum { .. } => format!("is out of range: {}", range(self.schema)),
            Kind::MultipleOf { multiple_of } => format!("is not a multiple of {multiple_of}"),
            Kind::MinLength { limit: 1 } => "is empty".to_owned(),
            Kind::MinLength { limit } => format!("is shorter than {limit} characters"),
            Kind::MaxLength { limit } => format!("is longer than {limit} characters"),
            Kind::MinItems { limit } | Kind::MinProperties { limit } => {
                format!("has less than {}", entries(*limit))
            }
            Kind::MaxItems { limit } | Kind::MaxProperties { limit } => {
                format!("has more than {}", entries(*limit))
            }
            Kind::UniqueItems => "has an entry twice".to_owned(),
            Kind::Pattern { pattern } => match self.schema["title"].as_str() {
                Some(title) => format!("is not {title}"),
                None => format!("does not match the pattern {pattern}"),
            },
            Kind::Format { format } => format!("is not of the format {format:?}"),
            Kind::FalseSchema => "is not taken here".to_owned(),
            Kind::OneOfMultipleValid { .. } => "fits several of what is allowed here".to_owned(),
            Kind::Contains => "lacks an entry that is needed".to_owned(),
            Kind::AdditionalItems { limit } => format!("has more than {}", entries(*limit as u64)),
            Kind::Not { .. } => "is one of those that are not allowed here".to_owned(),
            kind => format!("does not fulfil {:?} of the plugin's schema", kind.keyword()),
        }
    }

    /// What an unknown key was most likely meant to be, or those that are known.
    fn meant(&self, key: &str) -> Option<String> {
        let known: Vec<&str> = self.keys().collect();
        Some(match nearest(key, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None if known.is_empty() => "no key is taken here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        })
    }

    /// Whether the table has an unknown key that was most likely meant to be this one.
    fn misspelled(&self, key: &str) -> bool {
        let Some(table) = self.error.instance().as_object() else { return false };
        let known: Vec<&str> = self.keys().collect();
        let unknown = table.keys().filter(|name| !known.contains(&name.as_str()));
        self.schema["additionalProperties"] == Value::Bool(false)
            && unknown.into_iter().any(|name| nearest(name, known.iter().copied()) == Some(key))
    }

    /// What the schema says of a key.
    fn says(&self, key: &str) -> Option<String> {
        let schema = resolved(self.schema["properties"].get(key)?, self.root);
        description(schema).or_else(|| Some(format!("it is {}", wanted(schema, self.root, 0)?)))
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|keys| keys.keys())
            .map(String::as_str)
    }
}

/// The subschema that has the keyword of an error.
fn keyword_of<'s>(error: &ValidationError<'_>, root: &'s Value) -> &'s Value {
    let path = error.schema_path().as_str();
    let above = path.rfind('/').and_then(|end| path.get(..end)).unwrap_or_default();
    root.pointer(above).unwrap_or(&Value::Null)
}

/// What a schema wants, as far as a type or a list of values says it.
fn wanted(schema: &Value, root: &Value, depth: usize) -> Option<Wanted> {
    if depth > MAX_DEPTH {
        return None;
    }
    let schema = resolved(schema, root);
    match schema["pattern"].as_str() {
        Some(weir_units::duration::PATTERN) => return Some(Wanted::Duration),
        Some(weir_units::size::PATTERN) => return Some(Wanted::Size),
        _ => {}
    }
    if let Some(choices) = schema["enum"].as_array() {
        return Some(Wanted::OneOf(choices.iter().map(Value::to_string).collect()));
    }
    if let Some(choice) = schema.get("const") {
        return Some(Wanted::OneOf(vec![choice.to_string()]));
    }
    match &schema["type"] {
        Value::String(name) => return named(name),
        Value::Array(names) => {
            return either(names.iter().filter_map(|name| named(name.as_str()?)).collect());
        }
        _ => {}
    }
    let all = ["anyOf", "oneOf"].into_iter().filter_map(|keyword| schema[keyword].as_array());
    let all: Option<Vec<Wanted>> =
        all.flatten().take(MAX_DEPTH).map(|schema| wanted(schema, root, depth + 1)).collect();
    either(all?)
}

fn named(name: &str) -> Option<Wanted> {
    Some(match name {
        "string" => Wanted::Text,
        "boolean" => Wanted::Flag,
        "integer" => Wanted::Whole,
        "number" => Wanted::Number,
        "array" => Wanted::List,
        "object" => Wanted::Table,
        // TOML has no null: nobody can write one.
        _ => return None,
    })
}

fn types(kind: &TypeKind) -> Wanted {
    let all: Vec<Wanted> = match kind {
        TypeKind::Single(one) => named(&one.to_string()).into_iter().collect(),
        TypeKind::Multiple(all) => all.iter().filter_map(|one| named(&one.to_string())).collect(),
    };
    either(all).unwrap_or(Wanted::Anything)
}

/// One, or several that are not the same.
fn either(all: Vec<Wanted>) -> Option<Wanted> {
    let mut flat: Vec<Wanted> = Vec::new();
    for one in all {
        let inner = match one {
            Wanted::Either(inner) => inner,
            one => vec![one],
        };
        for one in inner {
            if !flat.contains(&one) {
                flat.push(one);
            }
        }
    }
    match flat.len() {
        0 => None,
        1 => flat.pop(),
        _ => Some(Wanted::Either(flat)),
    }
}

fn choices(wanted: &Wanted) -> Vec<String> {
    match wanted {
        Wanted::OneOf(choices) => choices.clone(),
        Wanted::Either(all) => all.iter().flat_map(choices).collect(),
        _ => Vec::new(),
    }
}

/// `1 to 100`, `1 and more`, `above 0`.
fn range(schema: &Value) -> String {
    let lower = match (schema.get("minimum"), schema.get("exclusiveMinimum")) {
        (_, Some(n)) => Some(format!("above {n}")),
        (Some(n), None) => Some(n.to_string()),
        (None, None) => None,
    };
    let upper = match (schema.get("maximum"), schema.get("exclusiveMaximum")) {
        (_, Some(n)) => Some(format!("below {n}")),
        (Some(n), None) => Some(n.to_string()),
        (None, None) => None,
    };
    match (lower, upper) {
        (Some(lower), Some(upper)) => format!("{lower} to {upper}"),
        (Some(lower), None) if lower.starts_with("above") => lower,
        (Some(lower), None) => format!("{lower} and more"),
        (None, Some(upper)) if upper.starts_with("below") => upper,
        (None, Some(upper)) => format!("{upper} and less"),
        (None, None) => "its bounds".to_owned(),
    }
}

/// The first sentence of what a schema says of itself.
fn description(schema: &Value) -> Option<String> {
    let text = schema["description"].as_str()?;
    let paragraph: Vec<&str> =
        text.trim().lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let sentence = paragraph.split_once(". ").map_or(&*paragraph, |(first, _)| first);
    let sentence = sentence.trim_end_matches('.');
    (!sentence.is_empty()).then(|| format!("what is wanted: {sentence}"))
}

/// What a local reference leads to.
fn resolved<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let mut schema = schema;
    for _ in 0..MAX_DEPTH {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = reference.and_then(|path| root.pointer(path.strip_prefix('#')?));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}
