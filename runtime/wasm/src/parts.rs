//! A compiled component, in its parts, and instances made of them.
//!
//! In: a [`Plan`] and the compiled [`bundle`](super::glue::bundle) of it. Out: core instances, linked as the
//! plan says. Never: links a function of the host to an import of another type, or looks anything up by its name
//! once it is loaded.

mod linking;

use std::fmt;

use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{
    Engine, Error, Extern, Func, FuncType, Instance, Linker, Memory, Module, ModuleExport, Result,
    Store, ValType,
};

pub use self::linking::exported;
use self::linking::{Linked, Linking};
use super::component;
use super::contract;
use super::functions::Exports;
use super::glue;
use super::plan::{Import, Plan, Word};
use super::state::State;

/// The compiled core modules.
pub struct Parts {
    pub plan: Plan,
    /// What is instantiated, in order: the plugin's modules, and glue where it is first needed. The last is what
    /// the host calls.
    links: Vec<Link>,
    /// Functions of the host that they take.
    wanted: Vec<Wanted>,
    /// Where the guest's memory is, once that link is there.
    memory: Option<(usize, ModuleExport)>,
    pub exports: Exports,
    weight: usize,
}

/// One core instance.
struct Link {
    module: Module,
    arguments: Vec<Source>,
    /// To be called before anything else of it.
    start: Option<ModuleExport>,
    /// The module's number in the plan, where it is the plugin's.
    number: Option<usize>,
}

/// Where an argument comes from.
enum Source {
    /// From an earlier link.
    Export(usize, ModuleExport),
    /// A function of the host, by its place among those that are wanted.
    Host(usize),
}

/// A function of the host.
enum Wanted {
    Named(&'static str, &'static str),
    /// One that is there only so that a toolchain finds it, which is a trap: of this import.
    Absent(usize),
}

/// What was made of the parts.
pub struct Made {
    /// One for each link.
    instances: Vec<Instance>,
}

impl Parts {
    /// Takes the modules out of a compiled bundle.
    ///
    /// # Errors
    /// Where it is that of another plan.
    pub fn new(engine: &Engine, bundle: &Component, plan: Plan) -> Result<Parts> {
        // It imports nothing and runs nothing: its modules are what there is to get.
        let mut store = Store::new(engine, ());
        let instance = ComponentLinker::new(engine).instantiate(&mut store, bundle)?;
        let mut module = |name: &str| {
            let module = instance.get_module(&mut store, name);
            module.ok_or_else(|| Error::msg(format!("the artifact has no `{name}`")))
        };
        let modules = (0..plan.modules.len()).map(|number| module(&glue::module(number)));
        let modules = modules.collect::<Result<Vec<_>>>()?;
        let lowerings =
            plan.lowering().map(|number| Ok((number, module(&glue::lowering(number))?)));
        let lowerings = lowerings.collect::<Result<_>>()?;
        let lifting = module(glue::LIFTING)?;
        let weight = weight(&plan, &modules);
        let Linked { links, wanted, memory } =
            Linking::new(&plan, modules, lowerings).link(&lifting)?;
        let exports = Exports::of(&plan, &lifting)?;
        Ok(Parts { links, wanted, memory, exports, weight, plan })
    }

    /// The seats that an instance takes.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Makes an instance, and calls the start functions of its modules.
    ///
    /// # Errors
    /// Where there is no room for it, or a start function of it fails.
    pub async fn instantiate(
        &self,
        store: &mut Store<State>,
        linker: &Linker<State>,
    ) -> Result<Made> {
        let (mut made, mut functions) = (Made::of(self), vec![None; self.wanted.len()]);
        for link in &self.links {
            let instance = self.add(link, &mut made, store, linker, &mut functions)?;
            if let Some(start) = &link.start {
                let start = instance.get_module_export(&mut *store, start);
                let start = start.and_then(Extern::into_func);
                let start = start.ok_or_else(|| Error::msg("a start function is none"))?;
                let start = start.typed::<(), ()>(&*store)?;
                store.data_mut().budget.set_on_fiber(true);
                start.call_async(&mut *store, ()).await?;
                store.data_mut().budget.set_on_fiber(false);
            }
        }
        Ok(made)
    }

    /// Makes an instance of which nothing has run: its memories are as the modules have them.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn instantiate_only(
        &self,
        store: &mut Store<State>,
        linker: &Linker<State>,
    ) -> Result<Made> {
        let (mut made, mut functions) = (Made::of(self), vec![None; self.wanted.len()]);
        for link in &self.links {
            self.add(link, &mut made, store, linker, &mut functions)?;
        }
        Ok(made)
    }

    fn add(
        &self,
        link: &Link,
        made: &mut Made,
        store: &mut Store<State>,
        linker: &Linker<State>,
        functions: &mut [Option<Func>],
    ) -> Result<Instance> {
        let mut arguments = Vec::with_capacity(link.arguments.len());
        for source in &link.arguments {
            arguments.push(match source {
                Source::Export(of, export) => made.export(*of, export, store)?,
                Source::Host(at) => match functions[*at] {
                    Some(function) => function.into(),
                    None => {
                        let function = self.host(store, linker, &self.wanted[*at])?;
                        functions[*at] = Some(function);
                        function.into()
                    }
                },
            });
        }
        let instance = Instance::new(&mut *store, &link.module, &arguments)?;
        made.instances.push(instance);
        // Functions of the host find the guest's memory from now on.
        if let Some((of, export)) = &self.memory
            && *of == made.instances.len() - 1
        {
            let memory: Option<Memory> = made.export(*of, export, store)?.into_memory();
            store.data_mut().memory = memory;
        }
        Ok(instance)
    }

    fn host(
        &self,
        store: &mut Store<State>,
        linker: &Linker<State>,
        wanted: &Wanted,
    ) -> Result<Func> {
        match wanted {
            Wanted::Named(module, name) => {
                let found = linker.get(&mut *store, module, name)?.into_func();
                found.ok_or_else(|| Error::msg(format!("the host has no `{module}#{name}`")))
            }
            Wanted::Absent(number) => {
                let import = &self.plan.imports[*number];
                let message = format!(
                    "`{}#{}` is not there for plugins",
                    contract::unversioned(&import.interface),
                    import.function
                );
                let ty = import.core_type(store.engine());
                Ok(Func::new(store, ty, move |_, _, _| Err(Error::msg(message.clone()))))
            }
        }
    }

    /// The plugin's core modules that an instance has, in order: which of the plan it is, and itself.
    pub fn of_plugin<'a>(
        &'a self,
        made: &'a Made,
    ) -> impl Iterator<Item = (usize, &'a Module, Instance)> {
        let all = self.links.iter().zip(&made.instances);
        all.filter_map(|(link, instance)| Some((link.number?, &link.module, *instance)))
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Made {
    fn of(parts: &Parts) -> Made {
        Made { instances: Vec::with_capacity(parts.links.len()) }
    }

    /// What the host calls.
    ///
    /// # Errors
    /// Where nothing was made.
    pub fn lifting(&self) -> Result<Instance> {
        self.instances.last().copied().ok_or_else(|| Error::msg("there is no instance"))
    }

    fn export(&self, of: usize, export: &ModuleExport, store: &mut Store<State>) -> Result<Extern> {
        let found = self.instances.get(of).and_then(|it| it.get_module_export(store, export));
        found.ok_or_else(|| Error::msg("a core module has not what its component says"))
    }
}

impl Import {
    fn core_type(&self, engine: &Engine) -> FuncType {
        let words = |words: &[Word]| words.iter().map(|word| value(*word)).collect::<Vec<_>>();
        let results = match self.realloc {
            // To its glue.
            Some(_) => vec![ValType::I64],
            None => words(&self.results),
        };
        FuncType::new(engine, words(&self.params), results)
    }
}

/// The seats that an instance takes.
fn weight(plan: &Plan, modules: &[Module]) -> usize {
    let modules = plan.steps.iter().filter_map(|step| modules.get(step.module));
    let (memories, tables) = modules.fold((0, 0), |(memories, tables), module| {
        let needs = module.resources_required();
        (memories + needs.num_memories, tables + needs.num_tables)
    });
    component::weight(memories, tables)
}

fn value(word: Word) -> ValType {
    match word {
        Word::I32 => ValType::I32,
        Word::I64 => ValType::I64,
        Word::F32 => ValType::F32,
        Word::F64 => ValType::F64,
    }
}
