//! What serde's attributes, and `#[schema(…)]`, say about a type, a variant or a field.
//!
//! In: attributes. Out: what a schema needs to know of them.
//! Never: guesses; an attribute of serde that changes the shape in another way is an error.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, Lit, LitStr, Result, Token, Type};

use crate::json::json;

/// One of serde's `rename_all` rules.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

#[derive(Default)]
pub(crate) struct Attributes {
    rename: Option<String>,
    pub(crate) rename_all: Option<Rule>,
    pub(crate) rename_all_fields: Option<Rule>,
    pub(crate) aliases: Vec<String>,
    pub(crate) default: bool,
    pub(crate) skip: bool,
    pub(crate) untagged: bool,
    pub(crate) tag: Option<String>,
    /// The type this one is read as: `from`, `try_from`.
    from: Option<LitStr>,
    /// What `#[schema(as = "…")]` names.
    stands_for: Option<LitStr>,
    /// Where a function reads the field, which then needs `stands_for`.
    custom: Option<proc_macro2::Span>,
    /// Members for the schema, each with a comma after it.
    pub(crate) extra: String,
}

// === impl Attributes ===

impl Attributes {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut out = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                attribute.parse_nested_meta(|meta| out.serde(&meta))?;
            } else if attribute.path().is_ident("schema") {
                attribute.parse_nested_meta(|meta| out.schema(&meta))?;
            }
        }
        Ok(out)
    }

    /// What holds for the fields of a variant.
    pub(crate) fn inside(rename_all: Option<Rule>) -> Self {
        Self { rename_all, ..Self::default() }
    }

    /// The name in the configuration.
    pub(crate) fn name(
        &self,
        ident: &str,
        rule: Option<Rule>,
        apply: fn(Rule, &str) -> String,
    ) -> String {
        match (&self.rename, rule) {
            (Some(name), _) => name.clone(),
            (None, Some(rule)) => apply(rule, ident),
            (None, None) => ident.into(),
        }
    }

    /// The type that the whole type is read as.
    pub(crate) fn read_as(&self) -> Result<Option<Type>> {
        let other = self.stands_for.as_ref().or(self.from.as_ref());
        other.map(LitStr::parse).transpose()
    }

    /// The type that a field is read as.
    pub(crate) fn field_type(&self) -> Result<Option<Type>> {
        if let (Some(span), None) = (self.custom, &self.stands_for) {
            return Err(syn::Error::new(
                span,
                "say what the configuration holds: `#[schema(as = \"String\")]`",
            ));
        }
        self.stands_for.as_ref().map(LitStr::parse).transpose()
    }

    fn serde(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "rename" => self.rename = Some(text(meta)?.value()),
            "rename_all" => self.rename_all = Some(Rule::named(&text(meta)?)?),
            "rename_all_fields" => self.rename_all_fields = Some(Rule::named(&text(meta)?)?),
            "alias" => self.aliases.push(text(meta)?.value()),
            "default" => {
                self.default = true;
                if meta.input.peek(Token![=]) {
                    text(meta)?;
                }
            }
            "skip" | "skip_deserializing" => self.skip = true,
            "untagged" => self.untagged = true,
            "tag" => self.tag = Some(text(meta)?.value()),
            "from" | "try_from" => self.from = Some(text(meta)?),
            "with" | "deserialize_with" => {
                self.custom = Some(text(meta)?.span());
            }
            "deny_unknown_fields" => return Err(meta.error("`#[config]` says so already")),
            "transparent" | "expecting" => {
                if meta.input.peek(Token![=]) {
                    text(meta)?;
                }
            }
            _ => return Err(meta.error("`#[config]` cannot say this in a schema")),
        }
        Ok(())
    }

    fn schema(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("as") {
            self.stands_for = Some(text(meta)?);
            return Ok(());
        }
        const KEYWORDS: [(&str, &str); 14] = [
            ("min", "minimum"),
            ("max", "maximum"),
            ("above", "exclusiveMinimum"),
            ("below", "exclusiveMaximum"),
            ("min_length", "minLength"),
            ("max_length", "maxLength"),
            ("min_items", "minItems"),
            ("max_items", "maxItems"),
            ("min_properties", "minProperties"),
            ("pattern", "pattern"),
            ("format", "format"),
            ("default", "default"),
            ("title", "title"),
            ("credential", "x-weir-credential"),
        ];
        let keyword = KEYWORDS.iter().find(|(name, _)| meta.path.is_ident(name));
        let Some((_, keyword)) = keyword else {
            let known: Vec<_> = KEYWORDS.iter().map(|(name, _)| *name).collect();
            return Err(meta.error(format!("unknown: write `as` or one of {}", known.join(", "))));
        };
        let value = literal(&meta.value()?.parse::<Expr>()?)?;
        self.extra.push_str(&format!("\"{keyword}\":{value},"));
        Ok(())
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    meta.value()?.parse()
}

/// A literal as JSON.
fn literal(value: &Expr) -> Result<String> {
    if let Expr::Unary(unary) = value
        && let syn::UnOp::Neg(_) = unary.op
    {
        return Ok(format!("-{}", literal(&unary.expr)?));
    }
    if let Expr::Lit(value) = value {
        match &value.lit {
            Lit::Str(text) => return Ok(json(&text.value())),
            Lit::Int(number) => return Ok(number.base10_digits().into()),
            Lit::Float(number) => return Ok(number.base10_digits().into()),
            Lit::Bool(value) => return Ok(value.value.to_string()),
            _ => {}
        }
    }
    Err(syn::Error::new_spanned(value, "a text, a number or a boolean is needed"))
}

// === impl Rule ===

impl Rule {
    fn named(name: &LitStr) -> Result<Self> {
        Ok(match name.value().as_str() {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return Err(syn::Error::new(name.span(), "no rule of serde")),
        })
    }

    /// For the name of a field, which is `snake_case`.
    pub(crate) fn field(self, name: &str) -> String {
        let pascal = || -> String {
            name.split('_')
                .map(|word| {
                    let (first, rest) = word.split_at(word.len().min(1));
                    first.to_ascii_uppercase() + rest
                })
                .collect()
        };
        match self {
            Self::Lower | Self::Snake => name.into(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => pascal(),
            Self::Camel => {
                let pascal = pascal();
                let (first, rest) = pascal.split_at(pascal.len().min(1));
                first.to_ascii_lowercase() + rest
            }
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => name.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// For the name of a variant, which is `PascalCase`.
    pub(crate) fn variant(self, name: &str) -> String {
        let mut snake = String::new();
        for (index, letter) in name.char_indices() {
            if index > 0 && letter.is_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        match self {
            Self::Pascal => name.into(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => {
                let (first, rest) = name.split_at(name.len().min(1));
                first.to_ascii_lowercase() + rest
            }
            Self::Snake => snake,
            Self::ScreamingSnake => snake.to_ascii_uppercase(),
            Self::Kebab => snake.replace('_', "-"),
            Self::ScreamingKebab => snake.to_ascii_uppercase().replace('_', "-"),
        }
    }
}
