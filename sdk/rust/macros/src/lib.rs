//! The attributes `#[plugin]` and `#[config]` of `weir-sdk`.
//!
//! In: an `impl Plugin for …` block, or a configuration type. Out: the same item, and beside it
//! the exports of a component, or the derives of a configuration.
//! Never: looks into a function's body, or changes what the author wrote.

mod attributes;
mod config;
mod json;

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// The hooks an author can write, and the macro of `weir-sdk` that exports each.
const HOOKS: [(&str, &str); 5] = [
    ("on_request", "__export_request_hook"),
    ("on_response", "__export_response_hook"),
    ("on_request_body", "__export_request_body_hook"),
    ("on_response_body", "__export_response_body_hook"),
    ("on_complete", "__export_completion_hook"),
];

/// Turns an `impl Plugin for T` block into a component that exports exactly the hooks written in
/// the block. The artifact's name, version and summary are the crate's (`Cargo.toml`).
#[proc_macro_attribute]
pub fn plugin(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match exports(attribute, &item) {
        Ok(exports) => {
            let mut out = item;
            out.extend(exports);
            out
        }
        Err(message) => {
            let mut out = item;
            out.extend(tokens(&format!("::core::compile_error!({message:?});")));
            out
        }
    }
}

/// Makes a struct or an enum the configuration of a plugin: derives `Deserialize`, refuses unknown
/// keys, and writes the JSON Schema of both. Doc comments become descriptions.
///
/// Attributes of serde that change the shape (`rename`, `rename_all`, `default`, `alias`, `skip`,
/// `tag`, `untagged`, `from`, `try_from`, `transparent`) are understood, others refused. What serde
/// cannot say goes into `#[schema(…)]` on a field: `min`, `max`, `above`, `below`, `min_length`,
/// `max_length`, `min_items`, `max_items`, `min_properties`, `pattern`, `format`, `default`, and
/// `title`, `as = "TYPE"` for a field (or a type) that is read by a function, and `credential = "query"`
/// (or `"header"`, `"cookie"`) for one that names the place of a credential: what is sent in a query
/// parameter of that name is masked in the proxy's logs.
#[proc_macro_attribute]
pub fn config(attribute: TokenStream, item: TokenStream) -> TokenStream {
    if !attribute.is_empty() {
        return tokens("::core::compile_error!(\"`#[config]` takes no arguments\");");
    }
    let item = syn::parse_macro_input!(item as syn::DeriveInput);
    match config::expand(item) {
        Ok(tokens) => tokens.into(),
        Err(error) => error.into_compile_error().into(),
    }
}

fn exports(attribute: TokenStream, item: &TokenStream) -> Result<TokenStream, String> {
    if !attribute.is_empty() {
        return Err("`#[plugin]` takes no arguments: write the hooks into the block".into());
    }
    let mut head = Vec::new();
    let mut body = None;
    for token in item.clone() {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                body = Some(group.stream())
            }
            other => head.push(other),
        }
    }
    let body = body.ok_or("`#[plugin]` goes on an `impl Plugin for …` block")?;
    let name = implementor(&head)?;

    let functions = functions(body);
    let hooks: Vec<_> = HOOKS
        .iter()
        .filter(|(function, _)| functions.iter().any(|name| name == function))
        .collect();
    if hooks.is_empty() {
        let known: Vec<_> = HOOKS.iter().map(|(function, _)| *function).collect();
        return Err(format!(
            "this plugin has no hook and would never be called: write one of {}",
            known.join(", ")
        ));
    }

    let mut source = format!("::weir_sdk::__export_lifecycle!({name});");
    for (_, export) in hooks {
        source.push_str(&format!("::weir_sdk::{export}!({name});"));
    }
    Ok(tokens(&source))
}

/// The name after `for`: `KeyAuth` in `impl Plugin for KeyAuth`.
fn implementor(head: &[TokenTree]) -> Result<String, String> {
    let wrong = "`#[plugin]` goes on an `impl Plugin for NAME` block, without generics";
    let position = head
        .iter()
        .position(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "for"))
        .ok_or(wrong)?;
    match &head[position + 1..] {
        [TokenTree::Ident(name)] => Ok(name.to_string()),
        _ => Err(wrong.into()),
    }
}

/// The names after `fn` at the top of the block; functions inside functions are in groups.
fn functions(body: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    let mut after_fn = false;
    for token in body {
        match token {
            TokenTree::Ident(word) if after_fn => {
                names.push(word.to_string());
                after_fn = false;
            }
            TokenTree::Ident(word) => after_fn = word.to_string() == "fn",
            _ => after_fn = false,
        }
    }
    names
}

fn tokens(source: &str) -> TokenStream {
    source.parse().expect("the text is fixed but for identifiers and string literals")
}
