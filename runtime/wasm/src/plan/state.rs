//! What of a core module changes while it runs, and how that is reached from outside.
//!
//! In: a module. Out: its memories, its globals and its start function, each by the name that it has or is to have;
//! and whether anything else of it can change. Never: runs it, or says so of what it imports: that is another
//! module's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wasmtime_environ::wasmparser::{
    BinaryReaderError, ExternalKind, Operator, Parser, Payload, TypeRef, ValType,
};

/// Of one core module.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleState {
    pub memories: Vec<Exposed>,
    /// Those that hold numbers, and may be set.
    pub globals: Vec<Exposed>,
    /// What is to be called before anything else of it.
    pub start: Option<Exposed>,
    /// A table, a segment or a reference of it may change as well.
    pub is_more: bool,
}

/// Something that a module exports, perhaps only since its state is reached by it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposed {
    pub name: String,
    /// Where it is among those of its kind.
    pub index: u32,
    pub is_new: bool,
}

/// What is known of a module while it is read.
#[derive(Default)]
struct Reading {
    memories: (u32, u32),
    globals: (u32, Vec<u32>),
    start: Option<u32>,
    exports: Vec<(ExternalKind, u32, String)>,
    is_more: bool,
}

impl ModuleState {
    /// Reads a module that is valid.
    ///
    /// # Errors
    /// Where it is not.
    pub fn of(module: &[u8]) -> Result<ModuleState, BinaryReaderError> {
        let mut reading = Reading::default();
        for payload in Parser::new(0).parse_all(module) {
            reading.read(payload?)?;
        }
        Ok(reading.finish())
    }

    /// What is to be exported that was not.
    pub fn new_exports(&self) -> impl Iterator<Item = (ExternalKind, &Exposed)> {
        let memories = self.memories.iter().map(|it| (ExternalKind::Memory, it));
        let globals = self.globals.iter().map(|it| (ExternalKind::Global, it));
        let start = self.start.iter().map(|it| (ExternalKind::Func, it));
        memories.chain(globals).chain(start).filter(|(_, it)| it.is_new)
    }
}

impl Reading {
    fn read(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Memory(_) => self.memories.0 += 1,
                        TypeRef::Global(_) => self.globals.0 += 1,
                        _ => {}
                    }
                }
            }
            Payload::MemorySection(memories) => self.memories.1 = memories.count(),
            Payload::GlobalSection(globals) => {
                for (at, global) in (self.globals.0..).zip(globals) {
                    let ty = global?.ty;
                    match ty.content_type {
                        _ if !ty.mutable => {}
                        ValType::Ref(_) => self.is_more = true,
                        _ => self.globals.1.push(at),
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    self.exports.push((export.kind, export.index, export.name.to_owned()));
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::CodeSectionEntry(body) if !self.is_more => {
                for operator in body.get_operators_reader()? {
                    self.is_more |= changes_more(&operator?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> ModuleState {
        let taken: BTreeSet<&str> = self.exports.iter().map(|(.., name)| &**name).collect();
        let exposed = |kind: ExternalKind, index: u32, what: &str| {
            let known = self.exports.iter().find(|(of, at, _)| (*of, *at) == (kind, index));
            if let Some((.., name)) = known {
                return Exposed { name: name.clone(), index, is_new: false };
            }
            let mut name = format!("weir:{what}{index}");
            while taken.contains(&*name) {
                name.push('\'');
            }
            Exposed { name, index, is_new: true }
        };
        let (first, count) = self.memories;
        ModuleState {
            memories: (first..first + count)
                .map(|at| exposed(ExternalKind::Memory, at, "memory"))
                .collect(),
            globals: (self.globals.1.iter())
                .map(|at| exposed(ExternalKind::Global, *at, "global"))
                .collect(),
            start: self.start.map(|at| exposed(ExternalKind::Func, at, "start")),
            is_more: self.is_more,
        }
    }
}

fn changes_more(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. }
    )
}
