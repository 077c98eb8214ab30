//! A guest that notes all that it is told.
//!
//! In: how its texts are. Out: a component, which passes on what it can and replies what it noted; and the notes,
//! read again. Never: judges any of it.

use std::fmt::Write as _;

use wit_component::StringEncoding;

use super::super::guest::encoded;

/// Where the guest notes what it is told.
pub const NOTES: usize = 1 << 20;

const WORLD: &str = "include weir:plugin/imports@0.2.0;\n export weir:plugin/request-hook@0.2.0;\n \
    export weir:plugin/response-hook@0.2.0;\n export weir:plugin/completion-hook@0.2.0;";

pub const IMPORTS: [(&str, &str, &str); 30] = [
    ("request", "method", "(param i32)"),
    ("request", "scheme", "(param i32)"),
    ("request", "authority", "(param i32)"),
    ("request", "path-with-query", "(param i32)"),
    ("request", "route", "(param i32)"),
    ("request", "field", "(param i32 i32 i32)"),
    ("request", "field-line", "(param i32 i32 i32)"),
    ("request", "field-lines", "(param i32 i32 i32)"),
    ("request", "fields", "(param i32)"),
    ("request", "attribute", "(param i32 i32 i32)"),
    ("attributes", "set", "(param i32 i32 i32 i32)"),
    ("client", "address", "(param i32)"),
    ("client", "port", "(result i32)"),
    ("client", "tls", "(param i32)"),
    ("response", "status", "(result i32)"),
    ("response", "field", "(param i32 i32 i32)"),
    ("response", "field-line", "(param i32 i32 i32)"),
    ("response", "field-lines", "(param i32 i32 i32)"),
    ("response", "fields", "(param i32)"),
    ("response-changes", "set-status", "(param i32 i32)"),
    ("response-changes", "set-field", "(param i32 i32 i32 i32 i32)"),
    ("limiter", "take", "(param i32 i32 f64 i32 i32 i32)"),
    ("limiter", "enter", "(param i32 i32 i32) (result i32)"),
    ("store", "set", "(param i32 i32 i32 i32 i32 i64 i32)"),
    ("store", "get", "(param i32 i32 i32)"),
    ("store", "increment", "(param i32 i32 i64 i32 i64 i32)"),
    ("store", "set-if-absent", "(param i32 i32 i32 i32 i32 i64 i32)"),
    ("request-changes", "set-field", "(param i32 i32 i32 i32 i32)"),
    ("request-changes", "append-field", "(param i32 i32 i32 i32 i32)"),
    ("request-changes", "set-authority", "(param i32 i32 i32)"),
];

const NOTING: &str = r#"
    (global $out (mut i32) (i32.const 0x100000))
    (func $raw (param i32)
        (i32.store (global.get $out) (local.get 0))
        (global.set $out (i32.add (global.get $out) (i32.const 4))))
    (func $copy (param i32 i32)
        (memory.copy (global.get $out) (local.get 0) (local.get 1))
        (global.set $out (i32.add (global.get $out) (local.get 1))))
    (func $word (param i32) (call $raw (i32.const 1)) (call $raw (local.get 0)))
    (func $long (param i64)
        (call $raw (i32.const 2))
        (i64.store (global.get $out) (local.get 0))
        (global.set $out (i32.add (global.get $out) (i32.const 8))))
    (func $bytes (param i32 i32)
        (call $raw (i32.const 3)) (call $raw (local.get 1)) (call $copy (local.get 0) (local.get 1)))
    (func $text (param i32 i32)
        (call $raw (i32.const 4)) (call $raw (local.get 1))
        (call $copy (local.get 0) (call $size (local.get 1))))
    (func $text_at (param i32)
        (call $text (i32.load (local.get 0)) (i32.load offset=4 (local.get 0))))
    (func $bytes_at (param i32)
        (call $bytes (i32.load (local.get 0)) (i32.load offset=4 (local.get 0))))
    (func $maybe_bytes (param i32)
        (call $word (i32.load8_u (local.get 0)))
        (if (i32.load8_u (local.get 0)) (then (call $bytes_at (i32.add (local.get 0) (i32.const 4))))))
    (func $maybe_text (param i32)
        (call $word (i32.load8_u (local.get 0)))
        (if (i32.load8_u (local.get 0)) (then (call $text_at (i32.add (local.get 0) (i32.const 4))))))
    (func $list_of_bytes (param i32) (local $at i32) (local $left i32)
        (local.set $at (i32.load (local.get 0))) (local.set $left (i32.load offset=4 (local.get 0)))
        (call $word (local.get $left))
        (loop $more
            (if (local.get $left) (then
                (call $bytes_at (local.get $at))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br $more)))))
    (func $list_of_lines (param i32) (local $at i32) (local $left i32)
        (local.set $at (i32.load (local.get 0))) (local.set $left (i32.load offset=4 (local.get 0)))
        (call $word (local.get $left))
        (loop $more
            (if (local.get $left) (then
                (call $text_at (local.get $at))
                (call $bytes_at (i32.add (local.get $at) (i32.const 8)))
                (local.set $at (i32.add (local.get $at) (i32.const 16)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br $more)))))
"#;

/// What the guest noted, or gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    Word(u32),
    Long(u64),
    Bytes(Vec<u8>),
    Text(String),
}

/// What came of a request hook.
#[derive(Debug, PartialEq)]
pub enum Came {
    Forwards,
    Fails(String),
    Replies { status: u16, fields: Vec<(String, Vec<u8>)>, notes: Vec<Note> },
}

struct Writer {
    texts: StringEncoding,
    data: String,
    top: usize,
}

impl Writer {
    /// A text's place and length.
    fn put(&mut self, text: &str) -> (usize, u32) {
        let wide = || text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let units = text.encode_utf16().count() as u32;
        let narrow: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(it).ok()).collect();
        let (bytes, length) = match (self.texts, narrow) {
            (StringEncoding::UTF8, _) => (text.as_bytes().to_vec(), text.len() as u32),
            (StringEncoding::UTF16, _) => (wide(), units),
            (StringEncoding::CompactUTF16, Some(narrow)) => {
                let length = narrow.len() as u32;
                (narrow, length)
            }
            (StringEncoding::CompactUTF16, None) => (wide(), units | 1 << 31),
        };
        let at = self.top;
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let _ = writeln!(self.data, "(data (i32.const {at}) \"{escaped}\")");
        self.top = (at + bytes.len() + 8) & !7;
        (at, length)
    }

    fn text(&mut self, text: &str) -> String {
        let (at, length) = self.put(text);
        format!("(i32.const {at}) (i32.const {})", length as i32)
    }

    /// A list of lines; the second of each are bytes.
    fn lines(&mut self, lines: &[(&str, &str)]) -> String {
        let mut words = Vec::new();
        for (name, value) in lines {
            let (at, length) = self.put(name);
            words.extend([at as u32, length]);
            let at = self.top;
            let _ = writeln!(self.data, "(data (i32.const {at}) \"{value}\")");
            self.top = (at + value.len() + 8) & !7;
            words.extend([at as u32, value.len() as u32]);
        }
        let escaped: String =
            words.iter().flat_map(|it| it.to_le_bytes()).map(|it| format!("\\{it:02x}")).collect();
        let at = self.top;
        let _ = writeln!(self.data, "(data (i32.const {at}) \"{escaped}\")");
        self.top += escaped.len();
        format!(
            "(i32.store (i32.const 268) (i32.const {at})) (i32.store (i32.const 272) (i32.const {}))",
            lines.len()
        )
    }
}

pub fn guest(texts: StringEncoding) -> Vec<u8> {
    let mut to = Writer { texts, data: String::new(), top: 2048 };
    let mut request = String::new();
    for name in ["method", "scheme", "authority", "path-with-query", "route"] {
        let _ = writeln!(
            request,
            "(call $request.{name} (i32.const 1024)) (call $text_at (i32.const 1024))"
        );
    }
    let heads = |of: &str, to: &mut Writer| {
        let mut code = String::new();
        for name in ["x-one", "X-Many", "x-empty", "cookie", "x-absent", "\u{e9}"] {
            let name = to.text(name);
            let _ = writeln!(
                code,
                "(call ${of}.field {name} (i32.const 1024)) (call $maybe_bytes (i32.const 1024))
                (call ${of}.field-line {name} (i32.const 1024)) (call $maybe_bytes (i32.const 1024))
                (call ${of}.field-lines {name} (i32.const 1024)) (call $list_of_bytes (i32.const 1024))"
            );
        }
        let _ = writeln!(
            code,
            "(call ${of}.fields (i32.const 1024)) (call $list_of_lines (i32.const 1024))"
        );
        code
    };
    request += &heads("request", &mut to);
    let (key, out, absent) = (to.text("in"), to.text("out"), to.text("absent"));
    let _ = writeln!(
        request,
        "(call $request.attribute {absent} (i32.const 1024)) (call $maybe_text (i32.const 1024))
        (call $request.attribute {key} (i32.const 1024)) (call $maybe_text (i32.const 1024))
        (if (i32.load8_u (i32.const 1024)) (then
            (call $attributes.set {out} (i32.load (i32.const 1028)) (i32.load (i32.const 1032)))))
        (call $client.address (i32.const 1024)) (call $text_at (i32.const 1024))
        (call $word (call $client.port))
        (call $client.tls (i32.const 1024)) (call $word (i32.load8_u (i32.const 1024)))
        (if (i32.load8_u (i32.const 1024)) (then
            (call $text_at (i32.const 1028)) (call $text_at (i32.const 1036))
            (call $maybe_text (i32.const 1044)) (call $maybe_text (i32.const 1056)) (call $maybe_text (i32.const 1068))))"
    );
    for (key, value) in
        [("latin", "caf\u{e9} \u{ff}\0"), ("wide", "\u{20ac}\u{1F600}\u{e9}x"), ("empty", "")]
    {
        let (key, value) = (to.text(key), to.text(value));
        let _ = writeln!(request, "(call $attributes.set {key} {value})");
    }
    let (one, key, other, number, header, bad, host, place) = (
        to.text("x-one"),
        to.text("k\u{e9}"),
        to.text("none"),
        to.text("n"),
        to.text("x-out"),
        to.text("connection"),
        to.text("ex ample"),
        to.text("place"),
    );
    let _ = writeln!(
        request,
        "(call $limiter.take {key} (f64.const 1000) (i32.const 10) (i32.const 3) (i32.const 1024))
        (call $word (i32.load8_u (i32.const 1024))) (call $word (i32.load (i32.const 1028)))
        (call $long (i64.load (i32.const 1032)))
        (call $word (call $limiter.enter {place} (i32.const 0)))
        (call $word (call $limiter.enter {place} (i32.const 5)))
        (call $request.field-line {one} (i32.const 1024))
        (if (i32.load8_u (i32.const 1024)) (then
            (call $store.set {key} (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) (i32.const 0) (i64.const 0) (i32.const 1100))
            (call $word (i32.load8_u (i32.const 1100)))
            (call $request-changes.set-field {header} (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) (i32.const 1100))
            (call $word (i32.load8_u (i32.const 1100)))))
        (call $store.get {key} (i32.const 1100)) (call $word (i32.load8_u (i32.const 1100))) (call $maybe_bytes (i32.const 1104))
        (call $store.get {other} (i32.const 1100)) (call $word (i32.load8_u (i32.const 1100))) (call $maybe_bytes (i32.const 1104))
        (call $store.increment {number} (i64.const -7) (i32.const 1) (i64.const 3600000) (i32.const 1104))
        (call $word (i32.load8_u (i32.const 1104))) (call $long (i64.load (i32.const 1112)))
        (call $store.set-if-absent {number} (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 1100))
        (call $word (i32.load8_u (i32.const 1100))) (call $word (i32.load8_u (i32.const 1104)))
        (call $request-changes.append-field {bad} (i32.const 0) (i32.const 0) (i32.const 1100))
        (call $word (i32.load8_u (i32.const 1100))) (call $word (i32.load8_u (i32.const 1101)))
        (call $request-changes.set-authority {host} (i32.const 1100))
        (call $word (i32.load8_u (i32.const 1100))) (call $word (i32.load8_u (i32.const 1101)))"
    );
    let (fail, pass) = (to.text("fail"), to.text("pass"));
    let lines = to.lines(&[("x-reply", "yes"), ("x-none", ""), ("x-reply", "again")]);
    let mut response = "(call $word (call $response.status))".to_owned();
    response += &heads("response", &mut to);
    let (one, header) = (to.text("x-one"), to.text("x-out"));
    let _ = writeln!(
        response,
        "(call $response-changes.set-status (i32.const 0x100c9) (i32.const 1100)) (call $word (i32.load8_u (i32.const 1100)))
        (call $response-changes.set-status (i32.const 600) (i32.const 1100)) (call $word (i32.load8_u (i32.const 1100)))
        (call $word (i32.load8_u (i32.const 1101)))
        (call $response.field-line {one} (i32.const 1024))
        (if (i32.load8_u (i32.const 1024)) (then
            (call $response-changes.set-field {header} (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) (i32.const 1100))
            (call $word (i32.load8_u (i32.const 1100)))))"
    );
    let imports: String = IMPORTS
        .iter()
        .map(|(of, name, ty)| {
            format!("(import \"weir:plugin/{of}@0.2.0\" \"{name}\" (func ${of}.{name} {ty}))\n")
        })
        .collect();
    let size = match texts {
        StringEncoding::UTF8 => "(local.get 0)",
        StringEncoding::UTF16 => "(i32.shl (local.get 0) (i32.const 1))",
        StringEncoding::CompactUTF16 => {
            "(if (result i32) (i32.lt_s (local.get 0) (i32.const 0)) (then (i32.shl (local.get 0) (i32.const 1))) (else (local.get 0)))"
        }
    };
    assert!(to.top < 8192, "{}", to.top);
    let core = format!(
        r#"{imports}
    {}
    {NOTING}
    (func $size (param i32) (result i32) {size})
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (global.set $top (i32.const 131072))
        {request}
        (call $request.attribute {fail} (i32.const 1024))
        (if (i32.load8_u (i32.const 1024)) (then
            (i32.store8 (i32.const 256) (i32.const 1))
            (i32.store (i32.const 260) (i32.load (i32.const 1028))) (i32.store (i32.const 264) (i32.load (i32.const 1032)))
            (return (i32.const 256))))
        (memory.fill (i32.const 256) (i32.const 0) (i32.const 40))
        (call $request.attribute {pass} (i32.const 1024))
        (if (i32.load8_u (i32.const 1024)) (then (return (i32.const 256))))
        (i32.store8 (i32.const 260) (i32.const 1)) (i32.store16 (i32.const 264) (i32.const 299))
        {lines}
        (i32.store (i32.const 276) (i32.const {NOTES}))
        (i32.store (i32.const 280) (i32.sub (global.get $out) (i32.const {NOTES})))
        (global.set $out (i32.const {NOTES}))
        (i32.const 256))
    (func (export "weir:plugin/response-hook@0.2.0#on-response") (result i32)
        (global.set $top (i32.const 131072))
        {response}
        (memory.fill (i32.const 256) (i32.const 0) (i32.const 40))
        (i32.const 256))
    (func (export "weir:plugin/completion-hook@0.2.0#on-complete") (param i32 i64 i64 i64 i32 i32 i32 i32 i32 i32)
        (call $word (local.get 0)) (call $long (local.get 1)) (call $long (local.get 2)) (call $long (local.get 3))
        (call $word (local.get 4)) (if (local.get 4) (then (call $text (local.get 5) (local.get 6))))
        (call $word (local.get 7)) (if (local.get 7) (then (call $text (local.get 8) (local.get 9))))
        (global.set $top (i32.const 131072)))"#,
        to.data
    );
    let configure = "(drop (memory.grow (i32.const 40))) (call $text (local.get 0) (local.get 1)) (i32.const 128)";
    encoded(WORLD, &core, configure, texts)
}

pub fn notes(mut bytes: &[u8], texts: StringEncoding) -> Vec<Note> {
    fn word(bytes: &mut &[u8]) -> u32 {
        let (word, rest) = bytes.split_first_chunk().expect("a word");
        *bytes = rest;
        u32::from_le_bytes(*word)
    }
    fn some<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (some, rest) = bytes.split_at(count);
        *bytes = rest;
        some
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        all.push(match word(&mut bytes) {
            1 => Note::Word(word(&mut bytes)),
            2 => {
                let (low, high) = (word(&mut bytes), word(&mut bytes));
                Note::Long(u64::from(low) | u64::from(high) << 32)
            }
            3 => {
                let length = word(&mut bytes) as usize;
                Note::Bytes(some(&mut bytes, length).to_vec())
            }
            _ => {
                let length = word(&mut bytes);
                let wide = |bytes: &[u8]| {
                    let units = bytes.chunks(2).map(|it| u16::from_le_bytes([it[0], it[1]]));
                    String::from_utf16(&units.collect::<Vec<_>>()).expect("UTF-16")
                };
                Note::Text(match (texts, length >> 31) {
                    (StringEncoding::UTF8, _) => {
                        String::from_utf8(some(&mut bytes, length as usize).to_vec())
                            .expect("UTF-8")
                    }
                    (StringEncoding::UTF16, _) => wide(some(&mut bytes, length as usize * 2)),
                    (_, 0) => {
                        some(&mut bytes, length as usize).iter().map(|it| char::from(*it)).collect()
                    }
                    _ => wide(some(&mut bytes, (length & !(1 << 31)) as usize * 2)),
                })
            }
        });
    }
    all
}
