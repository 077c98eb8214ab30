//! Core modules whose state is reached from outside.
//!
//! In: a module, and what of it changes. Out: the same module, which exports that, and its start function instead of
//! having it called. Never: changes what it does.

use std::borrow::Cow;

use wasm_encoder::{ExportKind, ExportSection, Module, RawSection, SectionId};
use wasmtime_environ::wasmparser::{BinaryReaderError, ExternalKind, Parser, Payload};

use crate::plan::ModuleState;

/// The module with further exports.
///
/// # Errors
/// Where it is not valid.
pub fn exposed<'a>(
    module: &'a [u8],
    state: &ModuleState,
) -> Result<Cow<'a, [u8]>, BinaryReaderError> {
    if state.start.is_none() && state.new_exports().next().is_none() {
        return Ok(Cow::Borrowed(module));
    }
    let mut exports = ExportSection::new();
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ExportSection(all) = &payload {
            for export in all.clone() {
                let export = export?;
                exports.export(export.name, kind(export.kind), export.index);
            }
        }
        // Of code there is the whole and its parts; only sections have a number.
        if let Some((id, range)) = payload.as_section() {
            sections.push((id, &module[range]));
        }
    }
    for (of, it) in state.new_exports() {
        exports.export(&it.name, kind(of), it.index);
    }
    let mut made = Module::new();
    let mut exports = Some(exports);
    for (id, data) in sections {
        if is_behind_exports(id)
            && let Some(exports) = exports.take()
        {
            made.section(&exports);
        }
        if id != SectionId::Export as u8 && id != SectionId::Start as u8 {
            made.section(&RawSection { id, data });
        }
    }
    if let Some(exports) = exports {
        made.section(&exports);
    }
    Ok(Cow::Owned(made.finish()))
}

/// In the order that sections have, which is not that of their numbers.
fn is_behind_exports(id: u8) -> bool {
    const BEHIND: [SectionId; 6] = [
        SectionId::Export,
        SectionId::Start,
        SectionId::Element,
        SectionId::DataCount,
        SectionId::Code,
        SectionId::Data,
    ];
    BEHIND.into_iter().any(|behind| behind as u8 == id)
}

fn kind(of: ExternalKind) -> ExportKind {
    match of {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

#[cfg(test)]
mod tests;
