//! The canonical ABI's part that needs the guest: making room for texts and lists, inside the sandbox.
//!
//! In: a [`Plan`]. Out: core modules that stand between the plugin's and the host. Never: touches memory
//! itself: the host does, within the bounds of it.
//!
//! A host that calls the guest's allocator from within a function that the guest called enters the sandbox
//! anew for each text, and on a fiber may not do it at all. So a function whose answer has texts or lists
//! gives the size of the first of them instead, and the glue asks for the next until there is none:
//!
//! ```text
//! guest ─▶ glue ─▶ host: `field` ─▶ how many bytes, or none
//!           │◀── realloc ── guest
//!           └──────▶ host: `give(where)` ─▶ the next, or none
//! ```
//!
//! What the host calls is glued likewise: room for each text, `put` into it; the function; `take` its answer;
//! and what is to be called after that. A hook is one way in and one out.

mod exposed;

use std::borrow::Cow;

use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentExportKind, ComponentExportSection, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, ImportSection, InstructionSink, Module,
    RawSection, TypeSection, ValType,
};
use wasmtime_environ::wasmparser::BinaryReaderError;

use self::exposed::exposed;
use super::plan::{Param, Plan, Word};

/// Of what is made here: artifacts of another one are not used.
pub const VERSION: u32 = 4;

/// Names in the bundle.
pub fn module(number: usize) -> String {
    format!("module{number}")
}

/// Of what gives answers by this `realloc`.
pub fn lowering(realloc: usize) -> String {
    format!("lowering{realloc}")
}

pub const LIFTING: &str = "lifting";

/// What a glue exports for the import, or the export, of this number.
pub fn function(number: usize) -> String {
    format!("f{number}")
}

/// A component that exports the core modules of another one, and the glue, and does nothing: all of it is
/// compiled at once, and kept as one artifact.
///
/// # Errors
/// Where a module is not valid.
pub fn bundle(component: &[u8], plan: &Plan) -> Result<Vec<u8>, BinaryReaderError> {
    let mut bundle = Component::new();
    let mut exports = ComponentExportSection::new();
    let mut count = 0;
    let mut add = |name: &str, module: Cow<'_, [u8]>| {
        const CORE_MODULE: u8 = 1;
        bundle.section(&RawSection { id: CORE_MODULE, data: &module });
        exports.export(name, ComponentExportKind::Module, count, None);
        count += 1;
    };
    for (number, (range, state)) in plan.modules.iter().zip(&plan.states).enumerate() {
        add(&module(number), exposed(&component[range.clone()], state)?);
    }
    for realloc in plan.lowering() {
        add(&lowering(realloc), Cow::Owned(lower(plan, realloc)));
    }
    add(LIFTING, Cow::Owned(lift(plan)));
    bundle.section(&exports);
    Ok(bundle.finish())
}

/// A core module under construction: its imports are functions, of an empty name.
#[derive(Default)]
struct Glue {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    /// Types and functions so far.
    counts: (u32, u32),
}

impl Glue {
    fn ty(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        self.types.ty().function(params.iter().copied(), results.iter().copied());
        self.counts.0 += 1;
        self.counts.0 - 1
    }

    fn import(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = self.ty(params, results);
        self.imports.import("", &function(self.counts.1 as usize), EntityType::Function(ty));
        self.counts.1 += 1;
        self.counts.1 - 1
    }

    /// Imports come first.
    fn export(&mut self, name: &str, params: &[ValType], body: Function) {
        let ty = self.ty(params, &[]);
        self.functions.function(ty);
        self.code.function(&body);
        self.exports.export(name, ExportKind::Func, self.counts.1);
        self.counts.1 += 1;
    }

    fn finish(self) -> Vec<u8> {
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.exports)
            .section(&self.code);
        module.finish()
    }
}

const REALLOC: (&[ValType], &[ValType]) =
    (&[ValType::I32, ValType::I32, ValType::I32, ValType::I32], &[ValType::I32]);

/// Imports: `realloc`, `give`, then the host's functions in order. Each gives the alignment and the size of
/// what is wanted first, in the two halves of its answer.
fn lower(plan: &Plan, realloc: usize) -> Vec<u8> {
    let mut glue = Glue::default();
    let make_room = glue.import(REALLOC.0, REALLOC.1);
    let give = glue.import(&[ValType::I32], &[ValType::I64]);
    let all: Vec<_> = plan
        .lowered_by(realloc)
        .map(|(number, import)| {
            let params = words(&import.params);
            (number, glue.import(&params, &[ValType::I64]), params)
        })
        .collect();
    for (number, host, params) in all {
        let wanted = params.len() as u32;
        let mut body = Function::new([(1, ValType::I64)]);
        let mut code = body.instructions();
        (0..wanted).for_each(|at| {
            code.local_get(at);
        });
        code.call(host).local_tee(wanted).i64_eqz().if_(BlockType::Empty).return_().end();
        code.loop_(BlockType::Empty);
        code.i32_const(0).i32_const(0);
        code.local_get(wanted).i64_const(32).i64_shr_u().i32_wrap_i64();
        code.local_get(wanted).i32_wrap_i64();
        code.call(make_room).call(give).local_tee(wanted);
        code.i64_eqz().i32_eqz().br_if(0).end().end();
        glue.export(&function(number), &params, body);
    }
    glue.finish()
}

/// Imports, for each export: `realloc` where it takes a text, the function, what is to be called after it
/// where there is any; and `put` and `take` before all.
fn lift(plan: &Plan) -> Vec<u8> {
    let mut glue = Glue::default();
    let put = glue.import(&[ValType::I32], &[]);
    let take = glue.import(&[ValType::I32], &[]);
    let all: Vec<_> = plan
        .exports
        .iter()
        .map(|lifted| {
            let realloc = lifted.realloc.map(|_| glue.import(REALLOC.0, REALLOC.1));
            let core: Vec<ValType> = lifted.params.iter().flat_map(core).collect();
            let results: &[ValType] = if lifted.answers { &[ValType::I32] } else { &[] };
            let function = glue.import(&core, results);
            let after = lifted.post_return.as_ref().map(|_| glue.import(results, &[]));
            (lifted, realloc, function, after)
        })
        .collect();
    for (number, (lifted, realloc, called, after)) in all.into_iter().enumerate() {
        let params: Vec<ValType> = lifted.params.iter().flat_map(core).collect();
        let answer = params.len() as u32;
        let mut body = Function::new([(1, ValType::I32)]);
        let mut code = body.instructions();
        let mut at = 0;
        for param in &lifted.params {
            if let (Param::Text { align }, Some(realloc)) = (param, realloc) {
                make_room(&mut code, realloc, put, at, *align as i32);
            }
            at += core(param).len() as u32;
        }
        (0..answer).for_each(|at| {
            code.local_get(at);
        });
        code.call(called);
        if lifted.answers {
            code.local_tee(answer).call(take);
        }
        if let Some(after) = after {
            if lifted.answers {
                code.local_get(answer);
            }
            code.call(after);
        }
        code.end();
        glue.export(&function(number), &params, body);
    }
    glue.finish()
}

/// A text comes as its bytes and its length, and goes on as where it is and its length.
fn make_room(code: &mut InstructionSink<'_>, realloc: u32, put: u32, at: u32, align: i32) {
    code.local_get(at).if_(BlockType::Result(ValType::I32));
    code.i32_const(0).i32_const(0).i32_const(align).local_get(at).call(realloc);
    code.local_tee(at).call(put).local_get(at);
    // What is empty is anywhere but nowhere.
    code.else_().i32_const(align).end();
    code.local_set(at);
}

fn core(param: &Param) -> Vec<ValType> {
    match param {
        Param::Word(word) => vec![value(*word)],
        Param::Text { .. } => vec![ValType::I32, ValType::I32],
    }
}

fn words(words: &[Word]) -> Vec<ValType> {
    words.iter().map(|word| value(*word)).collect()
}

fn value(word: Word) -> ValType {
    match word {
        Word::I32 => ValType::I32,
        Word::I64 => ValType::I64,
        Word::F32 => ValType::F32,
        Word::F64 => ValType::F64,
    }
}

#[cfg(test)]
mod tests;
