//! `#[config]`: derives `Deserialize`, and writes the JSON Schema that says the same.
//!
//! In: a struct or an enum with serde's attributes. Out: the item, its derive, its `Schema`.
//! Never: understands half of an attribute; what the schema cannot say is a compile error.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Lit, Result, Type};

use crate::attributes::{Attributes, Rule};
use crate::json::json;

pub(crate) fn expand(mut item: DeriveInput) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new(item.generics.span(), "a configuration has no generics"));
    }
    let name = &item.ident;
    let container = Attributes::of(&item.attrs)?;
    let mut text = Text::default();
    text.describe(&item.attrs);
    if let Some(other) = container.read_as()? {
        text.members_of(&other);
    } else {
        match &item.data {
            Data::Struct(data) => text.fields(&data.fields, &container, None)?,
            Data::Enum(data) => text.variants(data, &container)?,
            Data::Union(_) => return Err(Error::new(name.span(), "a union is no configuration")),
        }
    }
    let steps = text.finish();

    // A type that is read as another has no fields of its own to refuse.
    let deny = container.read_as()?.is_none().then(|| quote!(#[serde(deny_unknown_fields)]));
    let schema = quote! {
        impl ::weir_sdk::Schema for #name {
            fn members(out: &mut ::std::string::String) {
                #steps
            }
        }
    };
    strip(&mut item);
    Ok(quote! {
        #[derive(::weir_sdk::serde::Deserialize)]
        #[serde(crate = "::weir_sdk::serde")]
        #deny
        #item
        #schema
    })
}

/// Removes `#[schema(…)]`, which no derive knows.
fn strip(item: &mut DeriveInput) {
    let keep = |attributes: &mut Vec<Attribute>| {
        attributes.retain(|attribute| !attribute.path().is_ident("schema"));
    };
    keep(&mut item.attrs);
    match &mut item.data {
        Data::Struct(data) => data.fields.iter_mut().for_each(|field| keep(&mut field.attrs)),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                keep(&mut variant.attrs);
                variant.fields.iter_mut().for_each(|field| keep(&mut field.attrs));
            }
        }
        Data::Union(_) => {}
    }
}

/// The statements that write a schema: literal text, and calls for the types of fields.
#[derive(Default)]
struct Text {
    literal: String,
    steps: TokenStream,
}

// === impl Text ===

impl Text {
    fn push(&mut self, text: &str) {
        self.literal.push_str(text);
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.steps.extend(quote!(out.push_str(#literal);));
        }
    }

    fn finish(mut self) -> TokenStream {
        self.flush();
        self.steps
    }

    fn members_of(&mut self, of: &Type) {
        self.flush();
        self.steps.extend(quote!(<#of as ::weir_sdk::Schema>::members(out);));
    }

    /// Doc comments become the description.
    fn describe(&mut self, attributes: &[Attribute]) {
        let mut lines = Vec::new();
        for attribute in attributes {
            if let syn::Meta::NameValue(meta) = &attribute.meta
                && meta.path.is_ident("doc")
                && let syn::Expr::Lit(value) = &meta.value
                && let Lit::Str(line) = &value.lit
            {
                lines.push(line.value().trim().to_owned());
            }
        }
        let text = lines.join("\n");
        let text = text.trim();
        if !text.is_empty() {
            self.push(&format!("\"description\":{},", json(text)));
        }
    }

    /// The members of one field's schema.
    fn field(&mut self, field: &Field, attributes: &Attributes) -> Result<()> {
        self.describe(&field.attrs);
        match attributes.field_type()? {
            Some(other) => self.members_of(&other),
            None => self.members_of(&field.ty),
        }
        // Behind the type's own bounds, which these narrow: of two members of a name the last counts.
        if let Some(extra) = attributes.extra.strip_suffix(',') {
            self.push(&format!(",{extra}"));
        }
        Ok(())
    }

    /// A struct, or the fields of a variant; `tag` is a member with a fixed value.
    fn fields(
        &mut self,
        fields: &Fields,
        container: &Attributes,
        tag: Option<(&str, &str)>,
    ) -> Result<()> {
        match fields {
            Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 && tag.is_none() => {
                let field = &unnamed.unnamed[0];
                return self.field(field, &Attributes::of(&field.attrs)?);
            }
            Fields::Unnamed(_) => {
                return Err(Error::new(
                    fields.span(),
                    "name the fields: a list of different things is no configuration",
                ));
            }
            Fields::Named(_) | Fields::Unit => {}
        }
        let mut required = Vec::new();
        let mut first = true;
        self.push("\"type\":\"object\",\"properties\":{");
        if let Some((key, value)) = tag {
            self.push(&format!("{}:{{\"const\":{}}}", json(key), json(value)));
            required.push(json(key));
            first = false;
        }
        for field in fields {
            let attributes = Attributes::of(&field.attrs)?;
            if attributes.skip {
                continue;
            }
            let ident = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
            let ident = ident.trim_start_matches("r#");
            let name = attributes.name(ident, container.rename_all, Rule::field);
            let names = std::iter::once(&name).chain(&attributes.aliases);
            for name in names {
                if !std::mem::take(&mut first) {
                    self.push(",");
                }
                self.push(&format!("{}:{{", json(name)));
                self.field(field, &attributes)?;
                self.push("}");
            }
            let optional = attributes.default || container.default || is_option(&field.ty);
            if !optional && attributes.aliases.is_empty() {
                required.push(json(&name));
            }
        }
        self.push("},\"additionalProperties\":false");
        if !required.is_empty() {
            self.push(&format!(",\"required\":[{}]", required.join(",")));
        }
        Ok(())
    }

    fn variants(&mut self, data: &syn::DataEnum, container: &Attributes) -> Result<()> {
        let units = data.variants.iter().all(|it| matches!(it.fields, Fields::Unit));
        let plain = container.tag.is_none() && !container.untagged;
        let mut alternatives = 0;
        if units && plain {
            self.push("\"enum\":[");
        } else {
            self.push("\"anyOf\":[");
        }
        for variant in &data.variants {
            let attributes = Attributes::of(&variant.attrs)?;
            if attributes.skip {
                continue;
            }
            let name =
                attributes.name(&variant.ident.to_string(), container.rename_all, Rule::variant);
            let names: Vec<_> = std::iter::once(&name).chain(&attributes.aliases).collect();
            let inner = Attributes::inside(attributes.rename_all.or(container.rename_all_fields));
            if units && plain {
                for name in names {
                    self.separate(&mut alternatives);
                    self.push(&json(name));
                }
                continue;
            }
            for name in names.iter().take(if container.untagged { 1 } else { names.len() }) {
                self.separate(&mut alternatives);
                self.push("{");
                self.describe(&variant.attrs);
                if container.untagged {
                    match variant.fields {
                        Fields::Unit => self.push("\"type\":\"null\""),
                        _ => self.fields(&variant.fields, &inner, None)?,
                    }
                } else if let Some(tag) = &container.tag {
                    self.fields(&variant.fields, &inner, Some((tag, name)))?;
                } else if let Fields::Unit = variant.fields {
                    self.push(&format!("\"const\":{}", json(name)));
                } else {
                    self.push(&format!("\"type\":\"object\",\"properties\":{{{}:{{", json(name)));
                    self.fields(&variant.fields, &inner, None)?;
                    self.push(&format!(
                        "}}}},\"additionalProperties\":false,\"required\":[{}]",
                        json(name)
                    ));
                }
                self.push("}");
            }
        }
        self.push("]");
        Ok(())
    }

    fn separate(&mut self, count: &mut usize) {
        if *count > 0 {
            self.push(",");
        }
        *count += 1;
    }
}

/// Whether a field may be left out by its type, as serde sees it.
fn is_option(of: &Type) -> bool {
    matches!(of, Type::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}
