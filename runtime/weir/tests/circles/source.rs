//! What a file of Rust names, by its tokens.
//!
//! In: the tokens of a file, or of a part of it. Out: a [`File`]. Never: knows what other files there are.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module's path inside its crate.
pub type Module = Vec<String>;

/// A path that a file names, from the crate's root.
pub type Named = Vec<String>;

#[derive(Default)]
pub struct File {
    /// What it imports, or names on the spot.
    pub uses: BTreeSet<Named>,
    /// What it defines.
    pub items: BTreeSet<String>,
    /// What it imports: the name, and what that stands for, and whether to everybody. `*`: whatever is there.
    pub imports: Vec<(String, Named, bool)>,
}

/// Collects what is named. `inside`: the module that this stands in, which need not be a file.
/// At its `top`, what is defined there is the file's.
pub fn walk(inside: &Module, top: bool, tokens: TokenStream, found: &mut File) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let word = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    };
    let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.as_char() == sign);
    let is_path = |at: usize| is(at, ':') && is(at + 1, ':');
    let mut is_test = false;
    let mut is_public = false;
    let mut at = 0;
    while at < tokens.len() {
        if top
            && let Some(
                "struct" | "enum" | "union" | "trait" | "fn" | "type" | "const" | "static" | "mod",
            ) = word(at).as_deref()
        {
            found.items.extend(word(at + 1));
        }
        match (&tokens[at], word(at).as_deref()) {
            // An attribute: `#[cfg(test)]` is for the item that follows.
            (TokenTree::Group(group), _) if at > 0 && is(at - 1, '#') => {
                is_test |= group.stream().to_string().replace(' ', "") == "cfg(test)";
            }
            (_, Some("pub")) => {
                is_public = true;
                at += usize::from(matches!(tokens.get(at + 1), Some(TokenTree::Group(_))));
            }
            (_, Some("mod")) => {
                if let (Some(name), Some(TokenTree::Group(body))) =
                    (word(at + 1), tokens.get(at + 2))
                {
                    let mut inner = inside.clone();
                    inner.push(name);
                    if !is_test {
                        walk(&inner, false, body.stream(), found);
                    }
                    at += 2;
                }
                (is_test, is_public) = (false, false);
            }
            (_, Some("use")) => {
                let end = (at..tokens.len()).find(|at| is(*at, ';')).unwrap_or(tokens.len());
                let mut leaves = Vec::new();
                tree(&tokens[at + 1..end], &mut Vec::new(), &mut leaves);
                for (path, name) in leaves {
                    let Some(path) = from_root(inside, &path) else { continue };
                    if is_test {
                        continue;
                    }
                    if top {
                        found.imports.push((name, path.clone(), is_public));
                    }
                    found.uses.insert(path);
                }
                (is_test, is_public, at) = (false, false, end);
            }
            // A path, on the spot. Behind a single colon stands a type.
            (_, Some(_)) if is_path(at + 1) && !(at > 1 && is_path(at - 2)) => {
                let mut path = vec![word(at).unwrap_or_default()];
                while is_path(at + 1)
                    && let Some(next) = word(at + 3)
                {
                    path.push(next);
                    at += 3;
                }
                found.uses.extend(from_root(inside, &path).filter(|_| !is_test));
            }
            (TokenTree::Group(group), _) => {
                if !is_test {
                    walk(inside, false, group.stream(), found);
                }
                if group.delimiter() == Delimiter::Brace {
                    (is_test, is_public) = (false, false);
                }
            }
            (TokenTree::Punct(sign), _) if matches!(sign.as_char(), ';' | ',') => {
                (is_test, is_public) = (false, false);
            }
            _ => {}
        }
        at += 1;
    }
}

/// The paths of a `use`, each with the name that it gets.
fn tree(tokens: &[TokenTree], before: &mut Named, leaves: &mut Vec<(Named, String)>) {
    let mut path = before.clone();
    let mut name = None;
    let mut at = 0;
    while at <= tokens.len() {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) if *ident == "as" => {
                name = tokens.get(at + 1).map(ToString::to_string);
                at += 1;
            }
            Some(TokenTree::Ident(ident)) => path.push(ident.to_string()),
            Some(TokenTree::Punct(sign)) if sign.as_char() == '*' => path.push("*".to_owned()),
            Some(TokenTree::Group(group)) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                tree(&inner, &mut path, leaves);
                path.clear();
            }
            // A colon goes on; a comma, or the end, is the end of a path.
            Some(TokenTree::Punct(sign)) if sign.as_char() == ':' => {}
            _ => {
                if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    path.pop();
                }
                if let Some(last) =
                    path.last().cloned().filter(|_| path.len() > before.len() || name.is_some())
                {
                    leaves.push((path.clone(), name.take().unwrap_or(last)));
                } else if path.len() == before.len() && at > 0 && !path.is_empty() {
                    let last = path.last().cloned().unwrap_or_default();
                    leaves.push((path.clone(), last));
                }
                path.clone_from(before);
            }
        }
        at += 1;
    }
}

/// A path as it is written in a module, from the crate's root; `None`: of another crate.
fn from_root(inside: &Module, path: &[String]) -> Option<Named> {
    let mut whole = inside.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => {
            whole.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {}
        // A folder's own file, or another crate: only files are looked for.
        _ => return Some(whole.into_iter().chain(rest.iter().cloned()).collect()),
    }
    while rest.first().is_some_and(|part| part == "super") {
        whole.pop()?;
        rest = &rest[1..];
    }
    whole.extend(rest.iter().cloned());
    Some(whole)
}
