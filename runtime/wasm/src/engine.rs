//! The engine that every plugin is compiled for and runs in.
//!
//! In: nothing. Out: one [`wasmtime::Engine`] for the process, and the [`Ticker`](super::ticker::Ticker)
//! that moves its epoch. Never: knows a component.
//!
//! What each setting is for stands beside it; the sizes below are address space, not memory: a slot
//! costs memory only while an instance touches it.

use std::num::NonZeroUsize;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmFeatures,
};

/// The most linear memory any plugin may be given, in bytes: what `limits.memory` can say.
pub const MAX_MEMORY: usize = 256 << 20;
/// Instances at a time, of all plugins and workers together; twice as many are needed for the time
/// of a reload. Each reserves 4 GiB of address space for its memory (so that compiled code needs no
/// bounds checks): 32 TiB of the 128 TiB there are. Where the address space is capped (`ulimit -v`,
/// some virtual machines and debuggers) the next smaller number is tried.
const MAX_INSTANCES: [u32; 6] = [8192, 4096, 1024, 128, 16, 8];
/// Core instances a component may consist of. Rust's `wasm32-wasip2` makes 4, componentize-py 30.
pub const MAX_CORE_INSTANCES_PER_COMPONENT: u32 = 100;
/// What the host puts between them and itself: one for each of the guest's allocators, and one more.
pub const MAX_GLUE: u32 = 17;
/// Function tables there are for each instance; one that has more takes the place of several.
pub const TABLES_PER_INSTANCE: u32 = 4;
/// Entries of a function table: CPython has about 12,000.
pub const MAX_TABLE_ELEMENTS: usize = 20_000;
/// Memory that an unused slot keeps, so that the next instance in it faults no page in. With
/// `isolation = "request"` a slot is reused at once; more than a small plugin touches is wasted.
const KEEP_RESIDENT: usize = 64 << 10;
/// Unused slots that keep what they touched. The rest give their memory back.
const WARM_SLOTS: u32 = 16;

/// What no toolchain of plugins makes: a compiler and a runtime have their faults where few go, so nobody
/// reaches these. Left are WebAssembly 2.0, its fixed-width SIMD included, tail calls and extended
/// constants, all of which do on every machine what they do on this one.
const NEEDLESS: WasmFeatures = WasmFeatures::GC
    .union(WasmFeatures::FUNCTION_REFERENCES)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::LEGACY_EXCEPTIONS)
    .union(WasmFeatures::THREADS)
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    // What a machine may answer as it likes.
    .union(WasmFeatures::RELAXED_SIMD);

/// Makes the engine. Gives it with the number of instances that it has room for.
///
/// # Errors
/// Where the machine is none that wasmtime compiles for, or has no address space for any instance.
pub fn engine() -> wasmtime::Result<(Engine, usize)> {
    let mut last = None;
    for instances in MAX_INSTANCES {
        match engine_for(instances) {
            Ok(engine) => return Ok((engine, instances as usize)),
            Err(error) => {
                tracing::debug!(instances, %error, "not enough address space for instances");
                last = Some(error);
            }
        }
    }
    Err(last.unwrap_or_else(|| wasmtime::Error::msg("no engine can be made")))
}

fn engine_for(instances: u32) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        // A number, for which nothing is set aside.
        .total_core_instances(instances.saturating_mul(MAX_CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances * TABLES_PER_INSTANCE)
        // One for each call on a fiber.
        .total_stacks(instances)
        .max_core_instances_per_component(MAX_CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(4)
        .max_tables_per_component(MAX_CORE_INSTANCES_PER_COMPONENT)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .max_memory_size(MAX_MEMORY)
        .table_elements(MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .max_unused_warm_slots(WARM_SLOTS);

    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Makes an engine that compiles for [`engine`], and runs nothing.
///
/// # Errors
/// Where the machine is none that wasmtime compiles for.
pub fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&code())
}

/// What compiled code depends on.
fn code() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Task bookkeeping for component-model async costs 0.4 µs of a 0.8 µs call.
        .concurrency_support(false)
        .cranelift_opt_level(OptLevel::Speed)
        // Deadlines. Checks at loop heads and function entries cost about 5 % of the guest's time.
        .epoch_interruption(true)
        .wasm_features(NEEDLESS, false)
        // The log names the guest function that failed; lines of source would need DWARF in memory.
        .wasm_backtrace_max_frames(NonZeroUsize::new(24))
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20);
    config
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    /// Each by itself; where a proposal is on, its module compiles.
    #[test]
    fn what_no_plugin_needs_is_refused_and_what_toolchains_make_is_taken() {
        let compiler = compiler().expect("a compiler");
        let compile = |module: &str| {
            let component = wat::parse_str(format!("(component (core module {module}))"));
            let component = component.expect("a component");
            wasmtime::component::Component::new(&compiler, component)
        };
        for (module, says) in [
            ("(memory i64 1)", "memory64"),
            ("(memory 1) (memory 1)", "multiple memories"),
            ("(memory 1 1 shared)", "threads"),
            ("(memory 1 (pagesize 1))", "custom page sizes"),
            ("(type (struct))", "gc"),
            ("(type $f (func)) (func (param (ref $f)))", "function references"),
            ("(tag)", "exceptions"),
            ("(func (result i64 i64) i64.const 1 i64.const 1 i64.mul_wide_u)", "wide arithmetic"),
            (
                "(func (param v128) (result v128) local.get 0 local.get 0 i8x16.relaxed_swizzle)",
                "relaxed SIMD",
            ),
        ] {
            let error = compile(module).err().unwrap_or_else(|| panic!("{module} is taken"));
            assert!(format!("{error:#}").contains(says), "{module}: {error:#}");
        }
        for module in [
            "(func (param v128) (result v128) local.get 0 local.get 0 i8x16.add)",
            "(func $f return_call $f)",
            "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
            "(table 1 funcref) (func (result i32 i32) i32.const 1 i32.const 2)",
            "(memory 1) (func i32.const 0 i32.const 0 i32.const 0 memory.fill)",
        ] {
            compile(module).unwrap_or_else(|error| panic!("{module}: {error:#}"));
        }
    }

    #[test]
    fn what_the_compiler_makes_is_for_the_engine() {
        let key = |engine: Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(key(compiler().expect("a compiler")), key(engine().expect("an engine").0));
    }
}
