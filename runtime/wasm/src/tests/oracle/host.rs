//! What the host answers, by wasmtime's own component runtime.
//!
//! In: an exchange, and calls of the guest. Out: values of the component model, and what the guest changed. Never:
//! uses what it is an oracle for.

use std::collections::BTreeMap;

use wasmtime::component::{Component, Instance, Linker, Val};
use wasmtime::{Engine, Store};
use wit_component::StringEncoding;

use super::guest::{Came, IMPORTS, notes};

/// An exchange, as both see it, and what the guest made of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub method: String,
    pub scheme: String,
    pub authority: String,
    pub path: String,
    pub route: String,
    pub fields: Vec<(String, Vec<u8>)>,
    pub attributes: BTreeMap<String, String>,
    pub address: String,
    pub port: u16,
    pub tls: Option<(String, String, Option<String>)>,
    pub status: u16,
    pub answered: Vec<(String, Vec<u8>)>,
    pub store: BTreeMap<String, Vec<u8>>,
}

pub fn bytes(value: &[u8]) -> Val {
    Val::List(value.iter().map(|byte| Val::U8(*byte)).collect())
}

pub fn of_bytes(value: &Val) -> Vec<u8> {
    let Val::List(all) = value else { panic!("{value:?}") };
    let byte = |value: &Val| if let Val::U8(byte) = value { *byte } else { panic!("{value:?}") };
    all.iter().map(byte).collect()
}

pub fn of_text(value: &Val) -> String {
    if let Val::String(text) = value { text.clone() } else { panic!("{value:?}") }
}

pub fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

pub fn maybe(value: Option<Val>) -> Val {
    Val::Option(value.map(Box::new))
}

pub fn ok(value: Option<Val>) -> Val {
    Val::Result(Ok(value.map(Box::new)))
}

pub fn refused(case: &str) -> Val {
    Val::Result(Err(Some(Box::new(Val::Variant(case.to_owned(), None)))))
}

fn all_lines<'a>(of: &'a [(String, Vec<u8>)], name: &Val) -> Vec<&'a Vec<u8>> {
    let name = of_text(name);
    of.iter().filter(|(is, _)| is.eq_ignore_ascii_case(&name)).map(|(_, value)| value).collect()
}

/// What a function of a head gives.
fn head(of: &[(String, Vec<u8>)], function: &str, params: &[Val]) -> Val {
    match function {
        "field" => {
            let lines = all_lines(of, &params[0]);
            let separator: &[u8] = if of_text(&params[0]) == "cookie" { b"; " } else { b", " };
            let full: Vec<_> =
                lines.iter().filter(|line| !line.is_empty()).map(|it| it.to_vec()).collect();
            maybe((!lines.is_empty()).then(|| bytes(&full.join(separator))))
        }
        "field-line" => maybe(all_lines(of, &params[0]).first().map(|line| bytes(line))),
        "field-lines" => {
            Val::List(all_lines(of, &params[0]).into_iter().map(|it| bytes(it)).collect())
        }
        _ => Val::List(
            of.iter().map(|(name, value)| Val::Tuple(vec![text(name), bytes(value)])).collect(),
        ),
    }
}

/// What the host gives, for the oracle.
fn give(seen: &mut Seen, interface: &str, function: &str, params: &[Val]) -> Option<Val> {
    Some(match (interface, function) {
        ("request", "method") => text(&seen.method),
        ("request", "scheme") => text(&seen.scheme),
        ("request", "authority") => text(&seen.authority),
        ("request", "path-with-query") => text(&seen.path),
        ("request", "route") => text(&seen.route),
        ("request", "attribute") => {
            maybe(seen.attributes.get(&of_text(&params[0])).map(|it| text(it)))
        }
        ("request", _) => head(&seen.fields, function, params),
        ("response", "status") => Val::U16(seen.status),
        ("response", _) => head(&seen.answered, function, params),
        ("attributes", _) => {
            seen.attributes.insert(of_text(&params[0]), of_text(&params[1]));
            return None;
        }
        ("client", "address") => text(&seen.address),
        ("client", "port") => Val::U16(seen.port),
        ("client", _) => maybe(seen.tls.as_ref().map(|(version, cipher, name)| {
            let part = |name: &str, value: Val| (name.to_owned(), value);
            Val::Record(vec![
                part("version", text(version)),
                part("cipher", text(cipher)),
                part("server-name", maybe(name.as_deref().map(text))),
                part("peer-subject", maybe(None)),
                part("peer-fingerprint", maybe(None)),
            ])
        })),
        ("limiter", "take") => {
            let bucket = Val::Record(vec![
                ("rate".to_owned(), Val::Float64(1000.0)),
                ("burst".to_owned(), Val::U32(10)),
            ]);
            assert_eq!(params[1..], [bucket, Val::U32(3)]);
            Val::Record(vec![
                ("allowed".to_owned(), Val::Bool(true)),
                ("remaining".to_owned(), Val::U32(7)),
                ("wait-millis".to_owned(), Val::U64(3)),
            ])
        }
        ("limiter", _) => Val::Bool(params[1] != Val::U32(0)),
        ("store", "set") => {
            assert_eq!(params[2], maybe(None));
            seen.store.insert(of_text(&params[0]), of_bytes(&params[1]));
            ok(None)
        }
        ("store", "get") => {
            ok(Some(maybe(seen.store.get(&of_text(&params[0])).map(|it| bytes(it)))))
        }
        ("store", "increment") => {
            assert_eq!(params[1..], [Val::S64(-7), maybe(Some(Val::U64(3600000)))]);
            let before = seen
                .store
                .get("n")
                .map_or(0, |it| String::from_utf8_lossy(it).parse::<i64>().unwrap());
            seen.store.insert("n".to_owned(), (before - 7).to_string().into_bytes());
            ok(Some(Val::S64(before - 7)))
        }
        ("store", _) => ok(Some(Val::Bool(!seen.store.contains_key(&of_text(&params[0]))))),
        ("request-changes", "set-field") => {
            let name = of_text(&params[0]);
            seen.fields.retain(|(known, _)| *known != name);
            seen.fields.push((name, of_bytes(&params[1])));
            ok(None)
        }
        ("request-changes", "append-field") => refused("forbidden"),
        ("request-changes", _) => refused("invalid-syntax"),
        ("response-changes", "set-status") => match params[0] {
            Val::U16(status) if status < 600 => {
                seen.status = status;
                ok(None)
            }
            _ => refused("invalid-syntax"),
        },
        ("response-changes", _) => {
            let name = of_text(&params[0]);
            seen.answered.retain(|(known, _)| *known != name);
            seen.answered.push((name, of_bytes(&params[1])));
            ok(None)
        }
        other => panic!("{other:?}"),
    })
}

/// wasmtime's own.
pub struct Oracle {
    pub store: Store<Seen>,
    instance: Instance,
}

impl Oracle {
    pub fn new(component: &[u8]) -> Oracle {
        let engine = Engine::default();
        let component = Component::new(&engine, component).expect("it compiles");
        let mut linker: Linker<Seen> = Linker::new(&engine);
        let mut interfaces: Vec<&str> = IMPORTS.iter().map(|(interface, ..)| *interface).collect();
        interfaces.dedup();
        interfaces.sort_unstable();
        interfaces.dedup();
        for interface in interfaces {
            let mut to =
                linker.instance(&format!("weir:plugin/{interface}@0.2.0")).expect("it is new");
            for (_, name, _) in IMPORTS.iter().filter(|(of, ..)| *of == interface) {
                to.func_new(name, move |mut store, _, params, results| {
                    if let Some(value) = give(store.data_mut(), interface, name, params) {
                        results[0] = value;
                    }
                    Ok(())
                })
                .expect("it is new");
            }
        }
        linker.define_unknown_imports_as_traps(&component).expect("the rest");
        let mut store = Store::new(&engine, Seen::default());
        let instance = linker.instantiate(&mut store, &component).expect("an instance");
        let mut oracle = Oracle { store, instance };
        let told = oracle.call("lifecycle", "configure", &[text("{}")], 1);
        assert_eq!(told, [ok(None)]);
        oracle
    }

    pub fn call(
        &mut self,
        interface: &str,
        name: &str,
        params: &[Val],
        results: usize,
    ) -> Vec<Val> {
        let (store, instance) = (&mut self.store, &self.instance);
        let interface = format!("weir:plugin/{interface}@0.2.0");
        let interface = instance.get_export_index(&mut *store, None, &interface).expect("exported");
        let name =
            instance.get_export_index(&mut *store, Some(&interface), name).expect("exported");
        let function = instance.get_func(&mut *store, name).expect("a function");
        let mut given = vec![Val::Bool(false); results];
        function.call(&mut *store, params, &mut given).expect("it returns");
        given
    }

    pub fn request(&mut self, texts: StringEncoding) -> Came {
        let came = self.call("request-hook", "on-request", &[], 1).remove(0);
        let Val::Result(came) = came else { panic!("{came:?}") };
        let verdict = match came {
            Err(why) => return Came::Fails(of_text(&why.expect("a text"))),
            Ok(verdict) => *verdict.expect("a verdict"),
        };
        let Val::Variant(_, reply) = verdict else { panic!("{verdict:?}") };
        let Some(reply) = reply else { return Came::Forwards };
        let Val::Record(parts) = *reply else { panic!("{reply:?}") };
        let part = |at: usize| &parts[at].1;
        let Val::U16(status) = *part(0) else { panic!("{parts:?}") };
        let Val::List(lines) = part(1) else { panic!("{parts:?}") };
        let fields = lines.iter().map(|line| {
            let Val::Tuple(line) = line else { panic!("{line:?}") };
            (of_text(&line[0]), of_bytes(&line[1]))
        });
        Came::Replies { status, fields: fields.collect(), notes: notes(&of_bytes(part(2)), texts) }
    }
}
