//! A component taken apart: its core modules, how they are put together, and what of it is a function.
//!
//! In: the bytes of a component. Out: a [`Plan`], by which an instance is made of core instances alone.
//! Never: runs anything, or trusts a name: what a component says of itself was validated.
//!
//! wasmtime runs components too, but each call of a host function then costs hundreds of nanoseconds more
//! than the function: tables of resources, types looked at again, a way in and out of the component. What a
//! toolchain makes of one plugin is a main module with a few others around it, which can be linked directly;
//! and what the canonical ABI says of texts and lists is done by [glue](super::glue) inside the sandbox.

mod signature;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasmtime_environ::component::{
    CanonicalOptionsDataModel, ComponentTranslation, ComponentTypesBuilder, CoreDef, CoreExport,
    Export, ExportItem, GlobalInitializer, InstantiateModule, OptionsIndex, RuntimeImportIndex,
    StringEncoding, Trampoline, TrampolineIndex, Translator, TypeFuncIndex,
};
use wasmtime_environ::wasmparser::{Validator, WasmFeatures};
use wasmtime_environ::{EntityIndex, ScopeVec, StaticModuleIndex, Tunables, WasmValType};

use self::signature::Signatures;
pub use self::signature::{Param, Refused, Word};
pub use self::state::ModuleState;
use super::contract;
use super::encoding::Encoding;

/// How an instance is made. Kept beside what was compiled, so that a component is looked at once.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Core modules, each with where it is in the component.
    pub modules: Vec<std::ops::Range<usize>>,
    /// What changes of each while it runs.
    pub states: Vec<ModuleState>,
    /// What is instantiated, in order: an instance's number is that of its step.
    pub steps: Vec<Instantiate>,
    /// What it says that it imports, used or not; and interfaces of the contract that it exports.
    pub interfaces: Vec<String>,
    pub exported: Vec<String>,
    /// Functions of the host.
    pub imports: Vec<Import>,
    /// Functions for the host.
    pub exports: Vec<Lifted>,
    /// Where texts and lists are; none has any.
    pub memory: Option<Item>,
    /// Who makes room for them: several, where a toolchain has adapters.
    pub reallocs: Vec<Item>,
    pub encoding: Encoding,
}

/// One core instance.
#[derive(Debug, Serialize, Deserialize)]
pub struct Instantiate {
    pub module: usize,
    /// In the order of the module's imports.
    pub arguments: Vec<Argument>,
}

/// What a core module imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Argument {
    Item(Item),
    /// A function of the host, by its number.
    Import(usize),
    /// Takes back a handle.
    Drop,
}

/// What an earlier core instance exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub instance: usize,
    pub name: String,
}

/// A function of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// As the component names it.
    pub interface: String,
    pub function: String,
    /// Its type, as WIT has it but for names.
    pub signature: String,
    /// As core WebAssembly has it; where its answer goes is the last of them, if that is in memory.
    pub params: Vec<Word>,
    pub results: Vec<Word>,
    /// Who makes room for what it gives: there, where that is texts or lists.
    pub realloc: Option<usize>,
}

/// A function for the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// As the component names it.
    pub interface: String,
    pub name: String,
    pub function: Item,
    pub signature: String,
    pub params: Vec<Param>,
    /// Whether it gives anything, which is in memory then.
    pub answers: bool,
    /// Who makes room for what it takes: there, where that has texts.
    pub realloc: Option<usize>,
    /// To be called once its answer was read.
    pub post_return: Option<Item>,
}

/// What is known while a plan is made.
struct Maker<'a> {
    of: &'a ComponentTranslation,
    signatures: Signatures<'a>,
    /// Exported items of each module, by what they are there.
    names: Vec<BTreeMap<EntityIndex, String>>,
    /// Modules of the instances so far.
    instances: Vec<usize>,
    /// Of `LowerImport`, in order.
    lowered: Vec<RuntimeImportIndex>,
    post_returns: Vec<CoreDef>,
    plan: Plan,
    encoding_is_known: bool,
    /// Which import a trampoline is.
    known: BTreeMap<TrampolineIndex, usize>,
}

type Result<T> = std::result::Result<T, Refused>;

impl Plan {
    /// Takes a component apart.
    ///
    /// # Errors
    /// Where it is none, or is not made of one plugin's core modules.
    pub fn of(component: &[u8]) -> Result<Plan> {
        let tunables = Tunables::default_host();
        let scope = ScopeVec::new();
        let mut validator = Validator::new_with_features(WasmFeatures::default());
        let mut types = ComponentTypesBuilder::new(&validator);
        let translator = Translator::new(&tunables, &mut validator, &mut types, &scope);
        let (of, modules) = translator
            .translate(component)
            .map_err(|error| Refused::Invalid(format!("{error:#}")))?;
        let start = component.as_ptr().addr();
        let interfaces = of.component.import_types.values().map(|(name, _)| name.clone()).collect();
        let mut plan = Plan { interfaces, ..Plan::default() };
        let mut names = Vec::new();
        for (_, module) in &modules {
            // Adapters between components are made, not found.
            let at = module.wasm.as_ptr().addr().wrapping_sub(start);
            let range = at..at.wrapping_add(module.wasm.len());
            let Some(bytes) = component.get(range.clone()) else {
                return Err(Refused::Unusual("it is composed of several components"));
            };
            let state = ModuleState::of(bytes);
            plan.states.push(state.map_err(|error| Refused::Invalid(error.to_string()))?);
            plan.modules.push(range);
            let exports = module.module.exports.iter();
            names.push(
                exports.map(|(name, at)| (*at, module.module.strings[*name].to_string())).collect(),
            );
        }
        let (instances, lowered, post_returns, known, encoding_is_known) = Default::default();
        let signatures = Signatures::new(&types, &of.component);
        let of = &of;
        Maker {
            of,
            signatures,
            names,
            instances,
            lowered,
            post_returns,
            plan,
            encoding_is_known,
            known,
        }
        .make()
    }

    /// The numbers of those who make room for an answer.
    pub fn lowering(&self) -> impl Iterator<Item = usize> {
        (0..self.reallocs.len()).filter(|at| self.lowered_by(*at).next().is_some())
    }

    /// The functions, by their numbers, whose answers one of them makes room for.
    pub fn lowered_by(&self, realloc: usize) -> impl Iterator<Item = (usize, &Import)> {
        let imports = self.imports.iter().enumerate();
        imports.filter(move |(_, import)| import.realloc == Some(realloc))
    }
}

impl Maker<'_> {
    fn make(mut self) -> Result<Plan> {
        for step in &self.of.component.initializers {
            match step {
                GlobalInitializer::InstantiateModule(module, _) => self.instantiate(module)?,
                GlobalInitializer::LowerImport { import, .. } => self.lowered.push(*import),
                GlobalInitializer::ExtractMemory(memory) => {
                    // Each is extracted once.
                    let memory = self.item(&memory.export.clone().into())?;
                    if self.plan.memory.replace(memory).is_some() {
                        return Err(Refused::Unusual("it has several memories"));
                    }
                }
                GlobalInitializer::ExtractRealloc(realloc) => {
                    let realloc = self.item(&realloc.def)?;
                    self.plan.reallocs.push(realloc);
                }
                GlobalInitializer::ExtractPostReturn(after) => {
                    self.post_returns.push(after.def.clone())
                }
                GlobalInitializer::Resource(_) => {
                    return Err(Refused::Unusual("it has resources of its own"));
                }
                GlobalInitializer::ExtractCallback(_) | GlobalInitializer::ExtractTable(_) => {
                    return Err(Refused::Unusual("it has asynchronous functions"));
                }
            }
        }
        self.exports()?;
        Ok(self.plan)
    }

    fn instantiate(&mut self, module: &InstantiateModule) -> Result<()> {
        let InstantiateModule::Static(module, arguments) = module else {
            return Err(Refused::Unusual("it imports core modules"));
        };
        let arguments =
            arguments.iter().map(|argument| self.argument(argument)).collect::<Result<_>>()?;
        let module = number(*module);
        self.instances.push(module);
        self.plan.steps.push(Instantiate { module, arguments });
        Ok(())
    }

    fn argument(&mut self, def: &CoreDef) -> Result<Argument> {
        let CoreDef::Trampoline(trampoline) = def else {
            return Ok(Argument::Item(self.item(def)?));
        };
        match &self.of.trampolines[*trampoline] {
            Trampoline::LowerImport { index, lower_ty, options } => {
                if let Some(known) = self.known.get(trampoline) {
                    return Ok(Argument::Import(*known));
                }
                let import = self.lowered.get(index.as_u32() as usize);
                let import =
                    *import.ok_or(Refused::Unusual("a function is used before it is there"))?;
                let import = self.import(import, *lower_ty, *options)?;
                self.known.insert(*trampoline, self.plan.imports.len());
                self.plan.imports.push(import);
                Ok(Argument::Import(self.plan.imports.len() - 1))
            }
            Trampoline::ResourceDrop { .. } => Ok(Argument::Drop),
            _ => Err(Refused::Unusual("it is composed of several components")),
        }
    }

    fn item(&self, def: &CoreDef) -> Result<Item> {
        let CoreDef::Export(CoreExport { instance, item }) = def else {
            return Err(Refused::Unusual("it uses what is between components"));
        };
        let instance = instance.as_u32() as usize;
        let name = match item {
            ExportItem::Name(name) => Some(name.clone()),
            ExportItem::Index(at) => {
                let module =
                    self.instances.get(instance).and_then(|module| self.names.get(*module));
                module.and_then(|names| names.get(at)).cloned()
            }
        };
        let name = name.ok_or(Refused::Unusual("it uses what no module exports"))?;
        Ok(Item { instance, name })
    }

    fn import(
        &mut self,
        import: RuntimeImportIndex,
        ty: TypeFuncIndex,
        options: OptionsIndex,
    ) -> Result<Import> {
        let component = &self.of.component;
        let (at, path) = &component.imports[import];
        let [function] = &path[..] else {
            return Err(Refused::Unusual("it imports a function outside of an interface"));
        };
        let interface = component.import_types[*at].0.clone();
        let signature = self.signatures.function(ty);
        let realloc =
            self.options(options, &signature)?.filter(|_| self.signatures.gives_texts(ty));
        let core = self.of.component.options[options].core_type;
        let core = &self.signatures.types.module_types_builder()[core];
        let words = |types: &[WasmValType]| types.iter().map(word).collect::<Result<_>>();
        let core = core.as_func().ok_or(Refused::Unusual("a function of it is none"))?;
        let (params, results) = (words(core.params())?, words(core.results())?);
        Ok(Import { interface, function: function.clone(), signature, params, results, realloc })
    }

    /// Notes how texts are in memory. Gives who makes room for them.
    fn options(&mut self, options: OptionsIndex, signature: &str) -> Result<Option<usize>> {
        let options = &self.of.component.options[options];
        let CanonicalOptionsDataModel::LinearMemory(memory) = &options.data_model else {
            return Err(Refused::Unusual("it has no linear memory"));
        };
        if options.async_ {
            return Err(Refused::Unusual("it has asynchronous functions"));
        }
        let encoding = match options.string_encoding {
            StringEncoding::Utf8 => Encoding::Utf8,
            StringEncoding::Utf16 => Encoding::Utf16,
            StringEncoding::CompactUtf16 => Encoding::Compact,
        };
        // What has no texts need not say how they are, or says what is usual elsewhere.
        if signature.contains("string") {
            if self.plan.encoding != encoding && self.encoding_is_known {
                return Err(Refused::Unusual("its texts are in several encodings"));
            }
            (self.plan.encoding, self.encoding_is_known) = (encoding, true);
        }
        Ok(memory.realloc.map(|realloc| realloc.as_u32() as usize))
    }

    fn exports(&mut self) -> Result<()> {
        let component = &self.of.component;
        for (interface, (at, _)) in component.exports.raw_iter() {
            let (Export::Instance { exports, .. }, Some(short)) =
                (&component.export_items[*at], contract::interface(interface))
            else {
                continue;
            };
            self.plan.exported.push(interface.to_string());
            for (name, (at, _)) in exports.raw_iter() {
                let known =
                    |(of, function, _): &(&str, &str, _)| *of == short && *function == &**name;
                if !contract::EXPORTS.iter().any(known) {
                    continue;
                }
                let Export::LiftedFunction { ty, func, options } = &component.export_items[*at]
                else {
                    continue;
                };
                let post_return = component.options[*options].post_return;
                let post_return =
                    post_return.and_then(|at| self.post_returns.get(at.as_u32() as usize));
                let post_return = post_return.map(|def| self.item(def)).transpose()?;
                // Before its parameters are looked at: texts are as this says.
                let signature = self.signatures.function(*ty);
                let realloc = self.options(*options, &signature)?;
                let params = self.signatures.params(*ty, self.plan.encoding)?;
                let has_text = params.iter().any(|param| matches!(param, Param::Text { .. }));
                self.plan.exports.push(Lifted {
                    interface: interface.to_string(),
                    name: name.to_string(),
                    function: self.item(func)?,
                    signature,
                    params,
                    answers: self.signatures.gives(*ty),
                    realloc: realloc.filter(|_| has_text),
                    post_return,
                });
            }
        }
        Ok(())
    }
}

fn number(module: StaticModuleIndex) -> usize {
    module.as_u32() as usize
}

fn word(of: &WasmValType) -> Result<Word> {
    Ok(match of {
        WasmValType::I32 => Word::I32,
        WasmValType::I64 => Word::I64,
        WasmValType::F32 => Word::F32,
        WasmValType::F64 => Word::F64,
        _ => return Err(Refused::Unusual("a function of it takes what no WIT gives")),
    })
}
