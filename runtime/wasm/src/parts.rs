//! A compiled component, in its parts, and instances made of them.
//!
//! In: a [`Plan`] and the compiled [`bundle`](super::glue::bundle) of it. Out: core instances, linked as the
//! plan says. Never: links a function of the host to an import of another type.

use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{
    Engine, Error, Extern, Func, FuncType, Instance, Linker, Memory, Module, Result, Store, ValType,
};

use super::component;
use super::contract;
use super::glue;
use super::host::{self, function::HostFunction};
use super::plan::{Argument, Import, Instantiate, Item, Plan, Word};
use super::state::State;

/// The compiled core modules.
#[derive(Debug)]
pub struct Parts {
    pub plan: Plan,
    modules: Vec<Module>,
    /// With whose `realloc`.
    lowerings: Vec<(usize, Module)>,
    lifting: Module,
    /// For each import: the host's function, where there is one.
    functions: Vec<Option<&'static HostFunction>>,
}

/// An instance under construction.
struct Making<'a> {
    parts: &'a Parts,
    linker: &'a Linker<State>,
    instances: Vec<Instance>,
    lowerings: Vec<Option<Instance>>,
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
        let modules = modules.collect::<Result<_>>()?;
        let lowerings =
            plan.lowering().map(|number| Ok((number, module(&glue::lowering(number))?)));
        let lowerings = lowerings.collect::<Result<_>>()?;
        let lifting = module(glue::LIFTING)?;
        let functions = plan.imports.iter().map(host::functions::of).collect();
        Ok(Parts { plan, modules, lowerings, lifting, functions })
    }

    /// The seats that an instance takes.
    pub fn weight(&self) -> usize {
        let of = |step: &Instantiate| self.modules[step.module].resources_required();
        let needs = self.plan.steps.iter().map(of);
        let (memories, tables) = needs.fold((0, 0), |(memories, tables), needs| {
            (memories + needs.num_memories, tables + needs.num_tables)
        });
        component::weight(memories, tables)
    }

    /// Makes an instance. Gives what the host calls: `f0` and so on, in the order of the plan's exports.
    ///
    /// # Errors
    /// Where there is no room for it, or a start function of it fails.
    pub async fn instantiate(
        &self,
        store: &mut Store<State>,
        linker: &Linker<State>,
    ) -> Result<Instance> {
        let (instances, lowerings) = (Vec::new(), vec![None; self.plan.reallocs.len()]);
        let mut making = Making { parts: self, linker, instances, lowerings };
        for step in &self.plan.steps {
            let mut arguments = Vec::with_capacity(step.arguments.len());
            for argument in &step.arguments {
                arguments.push(making.argument(store, argument).await?);
            }
            let module = &self.modules[step.module];
            let instance = Instance::new_async(&mut *store, module, &arguments).await?;
            making.instances.push(instance);
            making.note_memory(store)?;
        }
        making.lift(store).await
    }
}

impl Making<'_> {
    async fn argument(&mut self, store: &mut Store<State>, argument: &Argument) -> Result<Extern> {
        Ok(match argument {
            Argument::Item(item) => self.item(store, item)?,
            Argument::Drop => self.named(store, host::functions::DROP)?.into(),
            Argument::Import(number) => match self.parts.plan.imports[*number].realloc {
                None => self.host(store, *number)?.into(),
                Some(realloc) => {
                    let lowering = self.lowering(store, realloc).await?;
                    let name = glue::function(*number);
                    exported(lowering.get_export(&mut *store, &name), &name)?
                }
            },
        })
    }

    /// What gives answers by this `realloc`.
    async fn lowering(&mut self, store: &mut Store<State>, realloc: usize) -> Result<Instance> {
        if let Some(made) = self.lowerings[realloc] {
            return Ok(made);
        }
        let plan = &self.parts.plan;
        let modules = &self.parts.lowerings;
        let module = modules.iter().find(|(number, _)| *number == realloc);
        let (_, module) = module.ok_or_else(|| Error::msg("the artifact lacks glue"))?;
        let mut arguments = vec![self.item(store, &plan.reallocs[realloc])?];
        arguments.push(self.named(store, host::functions::GIVE)?.into());
        for (number, _) in plan.lowered_by(realloc) {
            arguments.push(self.host(store, number)?.into());
        }
        let made = Instance::new_async(&mut *store, module, &arguments).await?;
        self.lowerings[realloc] = Some(made);
        Ok(made)
    }

    /// What the host calls.
    async fn lift(&mut self, store: &mut Store<State>) -> Result<Instance> {
        let plan = &self.parts.plan;
        let mut arguments: Vec<Extern> = Vec::new();
        for name in [host::functions::PUT, host::functions::TAKE] {
            arguments.push(self.named(store, name)?.into());
        }
        for lifted in &plan.exports {
            if let Some(realloc) = lifted.realloc {
                arguments.push(self.item(store, &plan.reallocs[realloc])?);
            }
            arguments.push(self.item(store, &lifted.function)?);
            if let Some(after) = &lifted.post_return {
                arguments.push(self.item(store, after)?);
            }
        }
        Instance::new_async(&mut *store, &self.parts.lifting, &arguments).await
    }

    /// A function of the host; one that is there only so that a toolchain finds it is a trap.
    fn host(&self, store: &mut Store<State>, number: usize) -> Result<Func> {
        if let Some(function) = self.parts.functions[number] {
            return self.named(store, (function.interface, function.name));
        }
        let import = &self.parts.plan.imports[number];
        let message = format!(
            "`{}#{}` is not there for plugins",
            contract::unversioned(&import.interface),
            import.function
        );
        let ty = import.core_type(store.engine());
        Ok(Func::new(store, ty, move |_, _, _| Err(Error::msg(message.clone()))))
    }

    fn named(&self, store: &mut Store<State>, (module, name): (&str, &str)) -> Result<Func> {
        let found = self.linker.get(&mut *store, module, name)?.into_func();
        found.ok_or_else(|| Error::msg(format!("the host has no `{module}#{name}`")))
    }

    fn item(&self, store: &mut Store<State>, item: &Item) -> Result<Extern> {
        let instance = self.instances.get(item.instance);
        let instance =
            instance.ok_or_else(|| Error::msg("an instance is used before it is there"))?;
        exported(instance.get_export(store, &item.name), &item.name)
    }

    /// Functions of the host find the guest's memory from now on, where it is there.
    fn note_memory(&self, store: &mut Store<State>) -> Result<()> {
        let Some(item) = &self.parts.plan.memory else { return Ok(()) };
        if store.data().memory.is_none() && item.instance < self.instances.len() {
            let memory: Option<Memory> = self.item(store, item)?.into_memory();
            store.data_mut().memory = memory;
        }
        Ok(())
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

fn exported(found: Option<Extern>, name: &str) -> Result<Extern> {
    found.ok_or_else(|| Error::msg(format!("a core module has no `{name}`")))
}

fn value(word: Word) -> ValType {
    match word {
        Word::I32 => ValType::I32,
        Word::I64 => ValType::I64,
        Word::F32 => ValType::F32,
        Word::F64 => ValType::F64,
    }
}
