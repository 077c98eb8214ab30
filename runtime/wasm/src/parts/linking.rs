//! How the parts of a component are linked, found out once.
//!
//! In: a [`Plan`], and the compiled modules. Out: the links of an instance, in order, and the functions of the host
//! that they take. Never: makes an instance.

use wasmtime::{Error, Module, ModuleExport, Result};

use super::{Link, Source, Wanted};
use crate::glue;
use crate::host::{self, function::HostFunction};
use crate::plan::{Argument, Item, Plan};

/// All links.
pub struct Linked {
    pub links: Vec<Link>,
    pub wanted: Vec<Wanted>,
    /// Where the guest's memory is.
    pub memory: Option<(usize, ModuleExport)>,
}

/// Links under construction.
pub struct Linking<'a> {
    plan: &'a Plan,
    modules: Vec<Module>,
    /// With whose `realloc`.
    lowerings: Vec<(usize, Module)>,
    /// For each import: the host's function, where there is one.
    functions: Vec<Option<&'static HostFunction>>,
    links: Vec<Link>,
    /// Which link an instance of the plan is.
    instances: Vec<usize>,
    /// Which link gives answers by a `realloc`.
    lowered: Vec<Option<usize>>,
    wanted: Vec<Wanted>,
    /// Which of them a function of an import is.
    known: Vec<Option<usize>>,
}

impl<'a> Linking<'a> {
    pub fn new(
        plan: &'a Plan,
        modules: Vec<Module>,
        lowerings: Vec<(usize, Module)>,
    ) -> Linking<'a> {
        Linking {
            plan,
            modules,
            lowerings,
            functions: plan.imports.iter().map(host::functions::of).collect(),
            links: Vec::new(),
            instances: Vec::new(),
            lowered: vec![None; plan.reallocs.len()],
            wanted: Vec::new(),
            known: vec![None; plan.imports.len()],
        }
    }

    /// With what the host calls for the last of them.
    pub fn link(mut self, lifting: &Module) -> Result<Linked> {
        let plan = self.plan;
        for step in &plan.steps {
            let arguments =
                step.arguments.iter().map(|of| self.argument(of)).collect::<Result<_>>()?;
            let module = self.modules.get(step.module).cloned();
            let module = module.ok_or_else(|| Error::msg("the artifact lacks a module"))?;
            let start = plan.states.get(step.module).and_then(|state| state.start.as_ref());
            let start = start.map(|start| exported(&module, &start.name)).transpose()?;
            self.instances.push(self.links.len());
            self.links.push(Link { module, arguments, start, number: Some(step.module) });
        }
        let arguments = self.lifted()?;
        self.links.push(Link { module: lifting.clone(), arguments, start: None, number: None });
        let memory = plan.memory.as_ref().map(|item| self.at(item)).transpose()?;
        Ok(Linked { links: self.links, wanted: self.wanted, memory })
    }

    fn argument(&mut self, argument: &Argument) -> Result<Source> {
        Ok(match argument {
            Argument::Item(item) => self.item(item)?,
            Argument::Drop => self.named(host::functions::DROP),
            Argument::Import(number) => match self.plan.imports[*number].realloc {
                None => self.host(*number),
                Some(realloc) => {
                    let lowering = self.lowering(realloc)?;
                    let module = &self.links[lowering].module;
                    Source::Export(lowering, exported(module, &glue::function(*number))?)
                }
            },
        })
    }

    /// What gives answers by this `realloc`.
    fn lowering(&mut self, realloc: usize) -> Result<usize> {
        if let Some(known) = self.lowered[realloc] {
            return Ok(known);
        }
        let module = self.lowerings.iter().find(|(number, _)| *number == realloc);
        let (_, module) = module.ok_or_else(|| Error::msg("the artifact lacks glue"))?;
        let (module, plan) = (module.clone(), self.plan);
        let mut arguments = vec![self.item(&plan.reallocs[realloc])?];
        arguments.push(self.named(host::functions::GIVE));
        arguments.extend(plan.lowered_by(realloc).map(|(number, _)| self.host(number)));
        self.lowered[realloc] = Some(self.links.len());
        self.links.push(Link { module, arguments, start: None, number: None });
        Ok(self.links.len() - 1)
    }

    /// What the host calls.
    fn lifted(&mut self) -> Result<Vec<Source>> {
        let plan = self.plan;
        let mut arguments: Vec<_> =
            [host::functions::PUT, host::functions::TAKE].map(|name| self.named(name)).into();
        for lifted in &plan.exports {
            let realloc = lifted.realloc.map(|realloc| &plan.reallocs[realloc]);
            let after = lifted.post_return.as_ref();
            for item in [realloc, Some(&lifted.function), after].into_iter().flatten() {
                arguments.push(self.item(item)?);
            }
        }
        Ok(arguments)
    }

    fn host(&mut self, number: usize) -> Source {
        if let Some(known) = self.known[number] {
            return Source::Host(known);
        }
        let source = match self.functions[number] {
            Some(function) => self.named((function.interface, function.name)),
            None => self.want(Wanted::Absent(number)),
        };
        let Source::Host(at) = source else { return source };
        self.known[number] = Some(at);
        source
    }

    fn named(&mut self, (module, name): (&'static str, &'static str)) -> Source {
        let is_it = |wanted: &Wanted| matches!(wanted, Wanted::Named(of, is) if (*of, *is) == (module, name));
        match self.wanted.iter().position(is_it) {
            Some(known) => Source::Host(known),
            None => self.want(Wanted::Named(module, name)),
        }
    }

    fn want(&mut self, wanted: Wanted) -> Source {
        self.wanted.push(wanted);
        Source::Host(self.wanted.len() - 1)
    }

    fn item(&self, item: &Item) -> Result<Source> {
        let (of, export) = self.at(item)?;
        Ok(Source::Export(of, export))
    }

    fn at(&self, item: &Item) -> Result<(usize, ModuleExport)> {
        let of = self.instances.get(item.instance).copied();
        let of = of.ok_or_else(|| Error::msg("an instance is used before it is there"))?;
        Ok((of, exported(&self.links[of].module, &item.name)?))
    }
}

/// Where a module has what it exports.
pub fn exported(module: &Module, name: &str) -> Result<ModuleExport> {
    let found = module.get_export_index(name);
    found.ok_or_else(|| Error::msg(format!("a core module has no `{name}`")))
}
