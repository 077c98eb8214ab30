//! What the documents say, where nothing else would notice that it is gone.
//!
//! In: README, the reference and the threat model. Out: sentences that users were promised.

const README: &str = include_str!("../../README.md");
const REFERENCE: &str = include_str!("../../configs/reference.toml");
const SECURITY: &str = include_str!("../../.github/SECURITY.md");

/// In any line break.
const SAID: &[(&str, &str)] = &[
    (README, "replace files by a rename (`mv weir.toml.new weir.toml`), which is atomic"),
    (README, "Interim responses of endpoints (`103 Early Hints`) are not passed on"),
    (README, "`Expect: 100-continue` gets its 100 over HTTP/1.1 only"),
    (
        README,
        "`curl -X POST 'localhost:9901/log?level=debug'` has the log tell the life of each request",
    ),
    (REFERENCE, "Put a file in its place by a rename, whole"),
    (
        REFERENCE,
        "three seconds where a text of TOML seems to end in the middle, thirty where somebody has one open",
    ),
    (
        REFERENCE,
        "nginx as an endpoint does not compress what comes with one (its gzip_proxied is off by default)",
    ),
    (REFERENCE, "WEIR_LOG, else RUST_LOG, overrules it"),
    (REFERENCE, "Of the routes that match a request one is taken: the higher priority; then"),
    (
        REFERENCE,
        "at last the name that comes first in the alphabet. Routes that match the same are warned of",
    ),
    (REFERENCE, "102, 103 and others of the kind are read and not passed on"),
    (SECURITY, "## How to report Write to the maintainers by a private security advisory"),
    (SECURITY, "## What is not promised"),
    (SECURITY, "`Expect: 100-continue` over HTTP/2: no 100 is sent"),
];

#[test]
fn what_users_were_promised_is_still_said() {
    for (document, sentence) in SAID {
        // Comments of TOML go on behind a sign.
        let words = document.split_whitespace().filter(|word| !["#", "#:"].contains(word));
        let text = words.collect::<Vec<_>>().join(" ");
        assert!(text.contains(sentence), "nothing says: {sentence}");
    }
}
