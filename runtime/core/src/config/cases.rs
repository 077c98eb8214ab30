//! Bad configurations as data: `cases/*.toml`, each with the exact places of its problems.
//!
//! A `[[case]]` has a `name` and a `toml`, which is written to `weir.toml` in a folder of its own
//! beside certificates (`a.pem`, `a.key`, `b.pem`, `b.key`, `broken.pem`, `text.pem`). Where it has
//! no listener, one is appended. It expects one problem, `at` a place (`line:column` of that file,
//! or a whole place), whose message has `says` in it and whose hint has `hint`; or a list of
//! `problems`, in order. `environment` sets variables, `files` writes more files, and with
//! `folder = true` the folder is loaded instead of the file. Tests of `weir` include this file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;

use super::{Environment, Problem, Source};

const BUILT_INS: [&str; 2] = ["cors", "request-id"];

/// For `a.example` and `b.example`, each signed by itself with a key of P-256, for ever.
const CERTIFICATES: [(&str, &str); 4] = [
    ("a.pem", include_str!("cases/certificates/a.pem")),
    ("a.key", include_str!("cases/certificates/a.key")),
    ("b.pem", include_str!("cases/certificates/b.pem")),
    ("b.key", include_str!("cases/certificates/b.key")),
];

#[derive(Deserialize)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    toml: String,
    at: Option<String>,
    says: Option<String>,
    hint: Option<String>,
    #[serde(default)]
    problems: Vec<Expected>,
    #[serde(default)]
    environment: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    files: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    folder: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    at: String,
    says: String,
    hint: Option<String>,
}

/// A folder that is there as long as this is.
pub struct Folder(PathBuf);

/// Runs every case of some files through `check`, and gives how many there were. Panics with all
/// that is not as expected.
pub fn run(
    files: &[&str],
    check: impl Fn(&Source, &Environment, &[&str]) -> Vec<Problem>,
) -> usize {
    let parse = |file: &&str| toml::from_str::<File>(file).expect("a file of cases").case;
    let cases: Vec<Case> = files.iter().flat_map(parse).collect();
    let mut wrong = String::new();
    for case in &cases {
        if let Err(why) = case.run(&check) {
            wrong.push_str(&format!("\n== {}\n{}{why}\n", case.name, case.toml));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    cases.len()
}

impl Case {
    fn run(
        &self,
        check: impl Fn(&Source, &Environment, &[&str]) -> Vec<Problem>,
    ) -> Result<(), String> {
        let folder = Folder::new();
        folder.write_certificates();
        let listener = match self.toml.contains("listeners") {
            true => "",
            false => "[listeners.appended]\nbind = \"127.0.0.1:0\"\n",
        };
        folder.write("weir.toml", format!("{}{listener}", self.toml));
        for (name, text) in &self.files {
            folder.write(name, text);
        }
        let source = match self.folder {
            true => Source::Path(folder.path().to_owned()),
            false => Source::Path(folder.path().join("weir.toml")),
        };
        let environment = self.environment.iter().collect();
        let found = check(&source, &environment, &BUILT_INS);
        let prefix = format!("{}/", folder.path().display());
        let shown: Vec<String> =
            found.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect();
        let expected = self.expected();
        let right = expected.len() == found.len()
            && expected
                .iter()
                .zip(&found)
                .zip(&shown)
                .all(|((expected, problem), shown)| expected.matches(problem, shown));
        match right {
            true => Ok(()),
            false => Err(format!("-- found\n{}", shown.join("\n"))),
        }
    }

    fn expected(&self) -> Vec<Expected> {
        let copy = |text: &Option<String>| text.clone().unwrap_or_default();
        if self.at.is_some() {
            let (at, says) = (copy(&self.at), copy(&self.says));
            return vec![Expected { at, says, hint: self.hint.clone() }];
        }
        let copied = |e: &Expected| Expected {
            at: e.at.clone(),
            says: e.says.clone(),
            hint: e.hint.clone(),
        };
        self.problems.iter().map(copied).collect()
    }
}

impl Expected {
    /// Every problem has a hint; where none is expected, any will do.
    fn matches(&self, problem: &Problem, shown: &str) -> bool {
        let place = match self.at.starts_with(|c: char| c.is_ascii_digit()) {
            true => format!("weir.toml:{}: error: ", self.at),
            false => format!("{}: error: ", self.at),
        };
        let hint = match (&self.hint, &problem.hint) {
            (Some(expected), Some(hint)) => hint.contains(expected.as_str()),
            (None, hint) => hint.is_some(),
            (Some(_), None) => false,
        };
        let message = shown.lines().next().unwrap_or_default();
        message.starts_with(&place) && message.contains(&self.says) && hint
    }
}

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-config-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file for the test");
        path
    }

    fn write_certificates(&self) {
        for (name, text) in CERTIFICATES {
            self.write(name, text);
        }
        self.write("text.pem", "no certificate\n");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        self.write("broken.pem", broken);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
