//! A configured instance as it was once it had taken its configuration, for others to begin as.
//!
//! In: that instance, and one of which nothing has run. Out: what differs between them, and further instances that
//! are set to it, for which no code of the guest runs. Never: of a plugin whose state may be in more than memories
//! and numbers, or of one that would take long to set back.

use std::ops::Range;

use wasmtime::{Error, Extern, Global, Memory, ModuleExport, Result, Store, Val};

use super::parts::{Made, Parts, exported};
use super::state::State;

/// What is compared at a time. A page that is written is one that an instance has for itself.
const PAGE: usize = 4 << 10;
/// The most bytes that differ: these are written for each instance, which takes some 100 µs.
const MAX_BYTES: usize = 1 << 20;
/// The most memory that is compared.
const MAX_MEMORY: usize = 64 << 20;

/// What makes a fresh instance a configured one.
pub struct Snapshot {
    /// Of each core module of the plugin, in order.
    modules: Vec<Changes>,
}

#[derive(Default)]
struct Changes {
    globals: Vec<(ModuleExport, Val)>,
    memories: Vec<MemoryChanges>,
}

struct MemoryChanges {
    export: ModuleExport,
    /// Pages of WebAssembly.
    size: u64,
    written: Vec<(usize, Box<[u8]>)>,
}

impl Snapshot {
    /// What an instance has become since it was as the `untouched` one. `None`: there is more than can be set, or
    /// more than should be.
    ///
    /// # Errors
    /// Where the parts are another plugin's.
    pub fn take(
        parts: &Parts,
        (store, made): (&mut Store<State>, &Made),
        (fresh, untouched): (&mut Store<State>, &Made),
    ) -> Result<Option<Snapshot>> {
        let (mut modules, mut bytes) = (Vec::new(), 0);
        let both = parts.of_plugin(made).zip(parts.of_plugin(untouched));
        for ((number, module, instance), (_, _, other)) in both {
            let state = &parts.plan.states[number];
            if state.is_more {
                return Ok(None);
            }
            let mut changes = Changes::default();
            for global in &state.globals {
                let export = exported(module, &global.name)?;
                let value = global_of(instance, store, &export)?.get(&mut *store);
                changes.globals.push((export, value));
            }
            for memory in &state.memories {
                let export = exported(module, &memory.name)?;
                let is = memory_of(instance, store, &export)?;
                let was = memory_of(other, fresh, &export)?;
                let size = is.size(&*store);
                let (is, was) = (is.data(&*store), was.data(&*fresh));
                if is.len() > MAX_MEMORY {
                    return Ok(None);
                }
                let written: Vec<(usize, Box<[u8]>)> =
                    differing(is, was).map(|range| (range.start, Box::from(&is[range]))).collect();
                bytes += written.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
                if bytes > MAX_BYTES {
                    return Ok(None);
                }
                changes.memories.push(MemoryChanges { export, size, written });
            }
            modules.push(changes);
        }
        Ok(Some(Snapshot { modules }))
    }

    /// Sets an instance of which nothing has run to it.
    ///
    /// # Errors
    /// Where it may not have the memory.
    pub fn restore(&self, parts: &Parts, store: &mut Store<State>, made: &Made) -> Result<()> {
        for ((.., instance), changes) in parts.of_plugin(made).zip(&self.modules) {
            for (export, value) in &changes.globals {
                global_of(instance, store, export)?.set(&mut *store, *value)?;
            }
            for MemoryChanges { export, size, written } in &changes.memories {
                let memory = memory_of(instance, store, export)?;
                let more = size.saturating_sub(memory.size(&*store));
                if more > 0 {
                    memory.grow(&mut *store, more)?;
                }
                let data = memory.data_mut(&mut *store);
                for (at, bytes) in written {
                    let place = data.get_mut(*at..).and_then(|data| data.get_mut(..bytes.len()));
                    let place = place.ok_or_else(|| Error::msg("a memory is too small"))?;
                    place.copy_from_slice(bytes);
                }
            }
        }
        Ok(())
    }
}

/// Where two memories differ; behind the end of one are zeros.
fn differing<'a>(is: &'a [u8], was: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    const ZEROS: [u8; PAGE] = [0; PAGE];
    is.chunks(PAGE).enumerate().filter_map(move |(number, page)| {
        let at = number * PAGE;
        let other = was.get(at..at + page.len()).unwrap_or(&ZEROS[..page.len()]);
        let mut differs = (0..page.len()).filter(|at| page[*at] != other[*at]);
        // Most pages are as they were, which a comparison of the whole tells at once.
        let first = if page == other { None } else { differs.next() }?;
        let last = differs.next_back().unwrap_or(first);
        Some(at + first..at + last + 1)
    })
}

fn global_of(
    instance: wasmtime::Instance,
    store: &mut Store<State>,
    export: &ModuleExport,
) -> Result<Global> {
    let found = instance.get_module_export(store, export).and_then(Extern::into_global);
    found.ok_or_else(|| Error::msg("a core module lacks a global"))
}

fn memory_of(
    instance: wasmtime::Instance,
    store: &mut Store<State>,
    export: &ModuleExport,
) -> Result<Memory> {
    let found = instance.get_module_export(store, export).and_then(Extern::into_memory);
    found.ok_or_else(|| Error::msg("a core module lacks a memory"))
}

#[cfg(test)]
mod tests;
