use fastrand::Rng;
use regex::Regex;

use super::*;

/// What people write.
const PATHS: [&str; 14] = [
    r"/users/\d+/avatar",
    r"/v\d+(/.*)?",
    r"/users/\w{3,32}",
    r"/[\w.-]{1,64}/files/[^/]{1,128}",
    r"(?i)/admin(/.*)?",
    r"/.*\.(png|jpe?g|gif|css|js|woff2?)",
    r"/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    r"/\d{4}-\d{2}-\d{2}/.*",
    r"/(?:[^/]+/)*\.well-known/.*",
    r"/a\b.*",
    r"(?x) / a  # a comment",
    r"/(a|a|a|aa)*b",
    r"//.*|/.*//.*",
    r"",
];
const VALUES: [&str; 8] = [
    r"2|3",
    r"\w+",
    r"(?i)bearer .+",
    r".*(curl|wget|bot).*",
    r"[0-9]{1,20}",
    r"(?-u:\b)?é+(?-u:\w)*",
    r"\p{Greek}*",
    r"[^,]*(, [^,]*)*",
];

/// What keeps a matcher busy with each byte, however it goes about it.
const BUSY: [&str; 5] = [
    "(?:[a-z]{0,60}[0-9]{0,60}){1,20}x",
    "/.*a.{40}",
    "/(?:a{0,100}){0,100}b",
    r"/(?:\w{0,30} ?){30}\w{0,30}y",
    r"(?:\pL{1,50}\pN{1,50}){50}",
];

#[test]
fn what_people_write_is_taken_and_what_keeps_a_worker_busy_is_not() {
    for text in PATHS {
        assert!(Pattern::of_path(text).is_ok(), "{text}");
    }
    for text in VALUES {
        assert!(Pattern::of_value(text).is_ok(), "{text}");
    }
    for text in BUSY {
        for made in [Pattern::of_path(text), Pattern::of_value(text)] {
            let fault = made.expect_err(text);
            assert!(fault.message.contains("too large"), "{text}: {fault:?}");
        }
    }
    let fault = Pattern::of_value(r"a\b").expect_err("all scripts");
    assert!(fault.hint.is_some_and(|hint| hint.contains(r"(?-u:\b)")));
    for text in ["a)|(b", "[", r"\", "a{2,1}", "(?=a)"] {
        let fault = Pattern::of_path(text).expect_err(text);
        assert!(fault.message.starts_with("this is not a regular expression: "), "{fault:?}");
    }
}

/// Seeded, against another matcher.
#[test]
fn it_matches_what_the_expression_matches_as_a_whole() {
    let mut random = Rng::with_seed(11);
    let pieces = [
        "/",
        "a",
        "b",
        "aa",
        "users/",
        "7",
        "12/avatar",
        "v1",
        "x",
        ".png",
        "é",
        "α",
        "ADMIN",
        "admin",
        "Bearer ",
        "curl",
        ", ",
        "\n",
        "-",
        "2",
        "_",
        " ",
    ];
    for (text, path) in PATHS.iter().map(|it| (it, true)).chain(VALUES.iter().map(|it| (it, false)))
    {
        let made = if path { Pattern::of_path(text) } else { Pattern::of_value(text) };
        let made = made.unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        let other = Regex::new(&format!("^(?:{text}\n)$"));
        let other = other.ok().filter(|_| text.starts_with("(?x)"));
        let other = other.unwrap_or_else(|| Regex::new(&format!("^(?:{text})$")).expect("one"));
        for _ in 0..3000 {
            let count = random.usize(..6);
            let subject: String =
                (0..count).map(|_| pieces[random.usize(..pieces.len())]).collect();
            // A path has been put in its normal form.
            let subject = if path { subject.replace(['é', 'α'], "%C3") } else { subject };
            assert_eq!(made.is_match(&subject), other.is_match(&subject), "{text} {subject:?}");
        }
    }
    let value = Pattern::of_value(".*").expect("one");
    let steps = Steps::of_a_request();
    assert!(value.takes("é".as_bytes(), &steps, TooLong::Field));
    assert!(!value.takes(b"\xff", &steps, TooLong::Field), "no UTF-8");
    let path = Pattern::of_path(".*").expect("one");
    assert!(!path.is_match("é"), "no path that can be");
}

#[test]
fn a_step_is_taken_for_each_byte_that_matters() {
    let pattern = Pattern::of_path("/a.*z").expect("one");
    let long = format!("/a{}", "b".repeat(998));
    let steps = Steps::up_to(2500);
    let left = |steps: &Steps| steps.left.get();
    assert!(!pattern.takes(long.as_bytes(), &steps, TooLong::Target));
    assert_eq!(left(&steps), 1500);
    // It cannot be any more, from its second byte on.
    assert!(!pattern.takes(b"/bbbbbbbbbbz", &steps, TooLong::Target));
    assert_eq!((left(&steps), steps.verdict()), (1498, Ok(())));
    assert!(!pattern.takes(long.as_bytes(), &steps, TooLong::Field));
    assert!(!pattern.takes(long.as_bytes(), &steps, TooLong::Target));
    assert_eq!((left(&steps), steps.verdict()), (0, Err(TooLong::Target)));
    // What was too long first is told.
    assert!(!pattern.takes(b"/az", &steps, TooLong::Field));
    assert_eq!(steps.verdict(), Err(TooLong::Target));
    assert!(pattern.takes(b"/az", &Steps::up_to(3), TooLong::Target));
    assert!(!pattern.takes(b"/az", &Steps::up_to(2), TooLong::Target));
    assert_eq!(Error::from(TooLong::Target).status(), 414);
    assert_eq!(Error::from(TooLong::Field).status(), 431);
}
