//! The examples in the plugins' READMEs: a configuration that people copy has to be one.

use std::fs;
use std::path::Path;

use weir_tests::Proxy;

#[test]
fn every_example_of_a_readme_is_taken() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let mut taken = 0;
    for folder in fs::read_dir(plugins).expect("the plugins").flatten() {
        let readme = fs::read_to_string(folder.path().join("README.md")).expect("a README");
        for (number, example) in readme.split("```toml\n").skip(1).enumerate() {
            let example = example.split("```").next().unwrap_or_default();
            // What comes from a file is a hash or a key, which a test has not got.
            if example.contains("${file:") {
                continue;
            }
            let text = complete(example);
            if let Err(error) = Proxy::try_start(&text) {
                panic!("example {} of {}:\n{text}\n{error}", number + 1, folder.path().display());
            }
            taken += 1;
        }
    }
    assert!(taken >= 10, "{taken} examples");
}

/// What an example leaves out.
fn complete(example: &str) -> String {
    let bind = "[listeners.web]\nbind = \"127.0.0.1:0\"\n";
    if example.contains("[listeners.web]\n") {
        return example.replace("[listeners.web]\n", bind);
    }
    format!("{example}\n{bind}")
}
