//! Calls of the contract's functions, as text for a guest that makes one of them for each exchange.
//!
//! In: the contract. Out: a call for each argument that has a size, all others being usual; and the guest.

use std::fmt::{self, Write as _};

use weir_core::chain::Failure;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Resolve, Type, TypeDefKind, WorldItem, WorldKey};

use super::rows::{self, Outcome};

/// Whose functions are called, and from where.
pub const WORLD: &str = "include weir:plugin/imports@0.2.0;\n \
    export weir:plugin/request-hook@0.2.0;\n export weir:plugin/response-hook@0.2.0;";
/// A page of memory, and those that are zeros: everything behind the first.
const PAGE: usize = 64 << 10;
const PAGES: usize = 60;
/// What a long text or list has, in bytes.
pub const LONG: usize = PAGES * PAGE;
/// Pairs of a list that has many, 16 bytes each.
const MANY: usize = LONG / 16;
/// Where a function puts its answer, where it is told, where there is an `x`, and where a pair.
const ANSWER: usize = 1040;
const ANSWER_BYTES: usize = 16;
const TOLD: usize = 1120;
const USUAL: usize = 1072;
const PAIR: usize = 1088;

/// One call.
pub struct Call {
    function: String,
    /// Of it, and where it has parts, of which.
    argument: String,
    pub outcome: Outcome,
    /// It hands over megabytes.
    pub is_long: bool,
    /// It is about a response.
    pub in_response: bool,
    /// Which function, of all.
    index: usize,
    /// What is written to memory first.
    before: String,
    arguments: String,
}

/// How large an argument is.
#[derive(Clone, Copy, PartialEq)]
enum Size {
    Usual,
    /// As large as it can be.
    Most,
    /// One pair, with a long text here.
    Part(usize),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with `{}` at its most", self.function, self.argument)
    }
}

/// The functions that a guest may import, with the names of their interfaces.
fn imported(contract: &Resolve) -> impl Iterator<Item = (String, &Function)> {
    let world = contract.worlds.iter().find(|(_, world)| world.name == "imports");
    let (_, world) = world.expect("the world of everything that may be imported");
    world.imports.iter().flat_map(move |(key, item)| {
        let (WorldKey::Interface(id), WorldItem::Interface { .. }) = (key, item) else {
            panic!("{key:?} is no interface");
        };
        let interface = &contract.interfaces[*id];
        let name = interface.name.clone().expect("an interface's name");
        interface.functions.values().map(move |function| (name.clone(), function))
    })
}

/// Their names.
pub fn functions(contract: &Resolve) -> Vec<String> {
    imported(contract)
        .map(|(interface, function)| format!("{interface} {}", function.name))
        .collect()
}

/// A call for each argument of each function.
pub fn all(contract: &Resolve) -> Vec<Call> {
    let mut calls = Vec::new();
    for (index, (interface, function)) in imported(contract).enumerate() {
        let name = format!("{interface} {}", function.name);
        for param in &function.params {
            let mut sizes = vec![(param.name.clone(), Size::Most)];
            if is_list_of_pairs(contract, &param.ty) {
                sizes.extend((0..2).map(|at| (format!("{}.{at}", param.name), Size::Part(at))));
            }
            for (argument, size) in sizes {
                let mut call = Call {
                    outcome: rows::of(&name, &argument),
                    function: name.clone(),
                    argument,
                    is_long: false,
                    in_response: interface.starts_with("response"),
                    index,
                    before: String::new(),
                    arguments: String::new(),
                };
                for other in &function.params {
                    let size = if other.name == param.name { size } else { Size::Usual };
                    call.push(contract, &other.ty, size);
                }
                calls.push(call);
            }
        }
    }
    calls
}

/// The guest: its hooks make the call whose number is the length of the request's path, less one.
pub fn core(contract: &Resolve, calls: &[Call]) -> String {
    let mut core = String::new();
    let mut returns = Vec::new();
    let mut path = None;
    for (index, (interface, function)) in imported(contract).enumerate() {
        let signature = contract.wasm_signature(AbiVariant::GuestImport, function);
        assert!(!signature.indirect_params, "{}: more than this guest can pass", function.name);
        let words =
            |types: &[WasmType]| types.iter().map(|it| word(*it)).collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            core,
            "(import \"weir:plugin/{interface}@0.2.0\" \"{}\" (func $f{index} (param {}) (result {})))",
            function.name,
            words(&signature.params),
            words(&signature.results),
        );
        if function.name == "path-with-query" {
            path = Some(index);
        }
        returns.push((signature.retptr, signature.results.len()));
    }
    let path = path.expect("a request's path");
    let mut cases = String::new();
    for (at, Call { index, before, arguments, .. }) in calls.iter().enumerate() {
        let (into_memory, results) = returns[*index];
        let answer = if into_memory { format!(" (i32.const {ANSWER})") } else { String::new() };
        let call = format!("(call $f{index}{arguments}{answer})");
        let call = if results > 0 { format!("(drop {call})") } else { call };
        let number = at + 1;
        let _ = writeln!(
            cases,
            "(if (i32.eq (local.get $case) (i32.const {number})) (then {before} {call}))"
        );
    }
    let _ = writeln!(
        core,
        r#"
    (data (i32.const {USUAL}) "x")
    (func $act (result i32)
        (local $case i32) (local $at i32)
        (if (i32.le_u (memory.size) (i32.const {PAGES})) (then (drop (memory.grow (i32.const {PAGES})))))
        (call $f{path} (i32.const 1024))
        (local.set $case (i32.sub (i32.load (i32.const 1028)) (i32.const 1)))
        (i32.store8 (i32.const 256) (i32.const 0)) (i64.store (i32.const 260) (i64.const 0))
        (if (i32.eqz (local.get $case)) (then (return (i32.const 256))))
        (i64.store (i32.const {ANSWER}) (i64.const 0)) (i64.store offset=8 (i32.const {ANSWER}) (i64.const 0))
        {cases}
        (loop $more
            (i32.store8 (i32.add (i32.const {TOLD}) (i32.shl (local.get $at) (i32.const 1)))
                (i32.add (i32.const 97) (i32.shr_u (i32.load8_u offset={ANSWER} (local.get $at)) (i32.const 4))))
            (i32.store8 offset=1 (i32.add (i32.const {TOLD}) (i32.shl (local.get $at) (i32.const 1)))
                (i32.add (i32.const 97) (i32.and (i32.load8_u offset={ANSWER} (local.get $at)) (i32.const 15))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const {ANSWER_BYTES}))))
        (i32.store8 (i32.const 256) (i32.const 1))
        (i32.store (i32.const 260) (i32.const {TOLD})) (i32.store (i32.const 264) (i32.const {}))
        (i32.const 256))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (call $act))
    (func (export "weir:plugin/response-hook@0.2.0#on-response") (result i32)
        (call $act))"#,
        2 * ANSWER_BYTES,
    );
    core
}

/// What a function had answered, as the guest tells it: two letters for each byte.
pub fn answer(failure: &Failure) -> Vec<u8> {
    assert_eq!(failure.reason, "error", "{failure:?}");
    assert_eq!(failure.detail.len(), 2 * ANSWER_BYTES, "{failure:?}");
    let digits: Vec<u8> = failure.detail.bytes().map(|letter| letter - b'a').collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

impl Call {
    /// One more argument.
    fn push(&mut self, contract: &Resolve, ty: &Type, size: Size) {
        let most = size == Size::Most;
        match ty {
            Type::String => self.push_bytes(size),
            Type::U8 | Type::U16 | Type::U32 => {
                let number = match (ty, most) {
                    (_, false) => 1,
                    (Type::U8, true) => u32::from(u8::MAX),
                    (Type::U16, true) => u32::from(u16::MAX),
                    (_, true) => u32::MAX,
                };
                let _ = write!(self.arguments, " (i32.const {number})");
            }
            Type::U64 => {
                let number = if most { u64::MAX } else { 1 };
                let _ = write!(self.arguments, " (i64.const {number})");
            }
            Type::S64 => {
                let number = if most { i64::MAX } else { 1 };
                let _ = write!(self.arguments, " (i64.const {number})");
            }
            Type::F64 => {
                let number = if most { "1.7976931348623157e308" } else { "1" };
                let _ = write!(self.arguments, " (f64.const {number})");
            }
            Type::Id(id) => self.push_defined(contract, &contract.types[*id].kind, size),
            other => panic!("an argument of a type that no function had: {other:?}"),
        }
    }

    fn push_defined(&mut self, contract: &Resolve, kind: &TypeDefKind, size: Size) {
        match kind {
            TypeDefKind::Type(ty) => self.push(contract, ty, size),
            TypeDefKind::List(Type::U8) => self.push_bytes(size),
            TypeDefKind::List(_) => self.push_pairs(size),
            TypeDefKind::Record(record) => {
                record.fields.iter().for_each(|field| self.push(contract, &field.ty, size));
            }
            TypeDefKind::Option(ty) => {
                let some = i32::from(size != Size::Usual);
                let _ = write!(self.arguments, " (i32.const {some})");
                self.push(contract, ty, size);
            }
            TypeDefKind::Enum(cases) => {
                let case = if size == Size::Most { cases.cases.len() - 1 } else { 0 };
                let _ = write!(self.arguments, " (i32.const {case})");
            }
            other => panic!("an argument of a type that no function had: {other:?}"),
        }
    }

    fn push_bytes(&mut self, size: Size) {
        self.is_long |= size == Size::Most;
        let (at, length) = if size == Size::Most { (PAGE, LONG) } else { (USUAL, 1) };
        let _ = write!(self.arguments, " (i32.const {at}) (i32.const {length})");
    }

    fn push_pairs(&mut self, size: Size) {
        self.is_long |= size != Size::Usual;
        let (at, length) = match size {
            Size::Usual => (PAGE, 0),
            Size::Most => (PAGE, MANY),
            Size::Part(_) => (PAIR, 1),
        };
        if let Size::Part(long) = size {
            for text in 0..2 {
                let (at, length) = if text == long { (PAGE, LONG) } else { (USUAL, 1) };
                let to = PAIR + 8 * text;
                let _ = write!(
                    self.before,
                    "(i32.store (i32.const {to}) (i32.const {at})) (i32.store offset=4 (i32.const {to}) (i32.const {length}))"
                );
            }
        }
        let _ = write!(self.arguments, " (i32.const {at}) (i32.const {length})");
    }
}

fn is_list_of_pairs(contract: &Resolve, ty: &Type) -> bool {
    let Type::Id(id) = ty else { return false };
    let TypeDefKind::List(Type::Id(element)) = contract.types[*id].kind else { return false };
    let is_pair = |kind: &TypeDefKind| matches!(kind, TypeDefKind::Tuple(tuple) if tuple.types == [Type::String, Type::String]);
    is_pair(&contract.types[element].kind)
}

fn word(of: WasmType) -> &'static str {
    match of {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}
