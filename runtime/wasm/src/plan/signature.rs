//! Types of functions, as text.
//!
//! In: the type of a component's function. Out: what WIT says of it, but for names of types and
//! parameters: two functions of one text take and give the same. Never: types that the contract has not, which
//! are told by their kind alone and so equal nothing.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use wasmtime_environ::component::{
    Component, ComponentTypesBuilder, InterfaceType, TypeFuncIndex, TypeResourceTable,
    TypeResourceTableIndex,
};

use crate::encoding::Encoding;

/// Bytes of a text: several times what the longest of the contract has. A type of some hundred bytes may
/// take gigabytes to be told.
const MAX_TEXT: usize = 2 << 10;
/// What a function takes as words and texts. More than so many words are passed another way.
const MAX_PARAMS: usize = 16;

/// A type of core WebAssembly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    I32,
    I64,
    F32,
    F64,
}

/// What a function for the host takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Param {
    Word(Word),
    /// A text, or bytes: where it is and its length.
    Text {
        align: u32,
    },
}

/// Why a component cannot be taken apart.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is none.
    Invalid(String),
    /// It has what no single plugin's toolchain makes.
    Unusual(&'static str),
}

/// What was said so far.
#[derive(Default)]
struct Text {
    text: String,
    /// It is too long: nothing more is said, and it equals no other.
    is_cut: bool,
}

/// Types of one component.
pub struct Signatures<'a> {
    pub types: &'a ComponentTypesBuilder,
    component: &'a Component,
}

impl<'a> Signatures<'a> {
    pub fn new(types: &'a ComponentTypesBuilder, component: &'a Component) -> Signatures<'a> {
        Signatures { types, component }
    }

    /// `(string, list<u8>) -> result<_, string>`; of a long one the begin.
    pub fn function(&self, function: TypeFuncIndex) -> String {
        let function = &self.types[function];
        let mut text = Text::default();
        text.push_str("(");
        self.listed(&mut text, &self.types[function.params].types);
        text.push_str(")");
        if let [result, ..] = &self.types[function.results].types[..] {
            text.push_str(" -> ");
            self.value(&mut text, result);
        }
        text.text
    }

    /// Whether there is an answer. All that the contract's exports give is in memory.
    pub fn gives(&self, function: TypeFuncIndex) -> bool {
        !self.types[self.types[function].results].types.is_empty()
    }

    /// Whether texts or lists are in the answer.
    pub fn gives_texts(&self, function: TypeFuncIndex) -> bool {
        let results = &self.types[self.types[function].results].types;
        let mut text = Text::default();
        self.listed(&mut text, results);
        text.text.contains("string") || text.text.contains("list<")
    }

    /// What it takes.
    pub fn params(
        &self,
        function: TypeFuncIndex,
        encoding: Encoding,
    ) -> Result<Vec<Param>, Refused> {
        let mut params = Vec::new();
        for ty in &self.types[self.types[function].params].types {
            self.flatten(&mut params, ty, encoding)?;
        }
        Ok(params)
    }

    fn flatten(
        &self,
        to: &mut Vec<Param>,
        ty: &InterfaceType,
        encoding: Encoding,
    ) -> Result<(), Refused> {
        if to.len() >= MAX_PARAMS {
            return Err(Refused::Unusual("a function of it takes more than any of the contract"));
        }
        to.push(match ty {
            InterfaceType::Bool | InterfaceType::U8 | InterfaceType::U16 | InterfaceType::U32 => {
                Param::Word(Word::I32)
            }
            InterfaceType::U64 | InterfaceType::S64 => Param::Word(Word::I64),
            InterfaceType::Float64 => Param::Word(Word::F64),
            InterfaceType::String => Param::Text { align: encoding.align() },
            InterfaceType::List(list) if self.types[*list].element == InterfaceType::U8 => {
                Param::Text { align: 1 }
            }
            InterfaceType::Option(option) => {
                to.push(Param::Word(Word::I32));
                return self.flatten(to, &self.types[*option].ty, encoding);
            }
            InterfaceType::Record(record) => {
                let mut fields = self.types[*record].fields.iter();
                return fields.try_for_each(|field| self.flatten(to, &field.ty, encoding));
            }
            _ => return Err(Refused::Unusual("a function of it takes what the contract has not")),
        });
        Ok(())
    }

    fn listed<'t>(&self, text: &mut Text, types: impl IntoIterator<Item = &'t InterfaceType>) {
        for (at, ty) in types.into_iter().enumerate() {
            text.push_str(if at > 0 { ", " } else { "" });
            self.value(text, ty);
        }
    }

    fn value(&self, text: &mut Text, ty: &InterfaceType) {
        if text.is_cut {
            return;
        }
        let simple = match ty {
            InterfaceType::Bool => "bool",
            InterfaceType::U8 => "u8",
            InterfaceType::U16 => "u16",
            InterfaceType::U32 => "u32",
            InterfaceType::U64 => "u64",
            InterfaceType::S64 => "s64",
            InterfaceType::Float64 => "f64",
            InterfaceType::String => "string",
            other => return self.compound(text, other),
        };
        text.push_str(simple);
    }

    fn compound(&self, text: &mut Text, ty: &InterfaceType) {
        let types = self.types;
        match ty {
            InterfaceType::List(list) => self.wrapped(text, "list", &types[*list].element),
            InterfaceType::Option(option) => self.wrapped(text, "option", &types[*option].ty),
            InterfaceType::Tuple(tuple) => {
                text.push_str("tuple<");
                self.listed(text, &types[*tuple].types);
                text.push_str(">");
            }
            InterfaceType::Result(result) => {
                let result = &types[*result];
                text.push_str("result<");
                self.maybe(text, result.ok.as_ref());
                text.push_str(", ");
                self.maybe(text, result.err.as_ref());
                text.push_str(">");
            }
            InterfaceType::Record(record) => {
                text.push_str("record {");
                for (at, field) in types[*record].fields.iter().enumerate() {
                    let _ = write!(text, "{} {}: ", if at > 0 { "," } else { "" }, field.name);
                    self.value(text, &field.ty);
                }
                text.push_str(" }");
            }
            InterfaceType::Variant(variant) => {
                text.push_str("variant {");
                for (at, (name, ty)) in types[*variant].cases.iter().enumerate() {
                    let _ = write!(text, "{} {name}", if at > 0 { "," } else { "" });
                    if let Some(ty) = ty {
                        text.push_str("(");
                        self.value(text, ty);
                        text.push_str(")");
                    }
                }
                text.push_str(" }");
            }
            InterfaceType::Enum(names) => {
                let names: Vec<&str> = types[*names].names.iter().map(String::as_str).collect();
                let _ = write!(text, "enum {{ {} }}", names.join(", "));
            }
            InterfaceType::Own(resource) => {
                let _ = write!(text, "own<{}>", self.resource(*resource));
            }
            InterfaceType::Borrow(resource) => {
                let _ = write!(text, "borrow<{}>", self.resource(*resource));
            }
            _ => text.push_str("?"),
        }
    }

    fn wrapped(&self, text: &mut Text, kind: &str, ty: &InterfaceType) {
        let _ = write!(text, "{kind}<");
        self.value(text, ty);
        text.push_str(">");
    }

    fn maybe(&self, text: &mut Text, ty: Option<&InterfaceType>) {
        match ty {
            Some(ty) => self.value(text, ty),
            None => text.push_str("_"),
        }
    }

    /// What an imported one is called.
    fn resource(&self, resource: TypeResourceTableIndex) -> &str {
        let TypeResourceTable::Concrete { ty, .. } = &self.types[resource] else { return "?" };
        let import = self.component.imported_resources.get(*ty);
        let path = import.map(|import| &self.component.imports[*import].1);
        path.and_then(|path| path.last()).map_or("?", String::as_str)
    }
}

impl Text {
    fn push_str(&mut self, more: &str) {
        self.is_cut |= self.text.len() + more.len() > MAX_TEXT;
        if !self.is_cut {
            self.text.push_str(more);
        } else if !self.text.ends_with('…') {
            self.text.push('…');
        }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.push_str(more);
        Ok(())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Invalid(why) => f.write_str(why),
            Refused::Unusual(what) => write!(f, "it is no component of one plugin: {what}"),
        }
    }
}
