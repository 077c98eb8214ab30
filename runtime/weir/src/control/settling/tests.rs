//! A row of looks under a turned clock.

use weir_core::clock;
use weir_core::config::Stamp;

use super::*;

/// A file as it looks with so many bytes.
fn file(name: &str, size: usize, how: How) -> Changed {
    let (process, thread) = (std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(format!("weir-settling-{process}-{thread:?}-{name}"));
    std::fs::write(&path, vec![b'x'; size]).expect("written");
    let stamp = Stamp::of(&path);
    std::fs::remove_file(&path).expect("removed");
    Changed { path: name.into(), stamp, how }
}

fn whole() -> Settled {
    Settled::Without(Vec::new())
}

fn without(name: &str) -> Settled {
    Settled::Without(vec![name.into()])
}

#[test]
fn a_pause_between_two_writes_is_waited_for() {
    let start = clock::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut settling = Settling::begin(at(0));
    let mut look =
        |millis, file: &Changed| settling.look(at(millis), std::slice::from_ref(file), None);
    let half = file("a", 1, How::Closed);
    assert_eq!(look(0, &half), Settled::NotYet);
    assert_eq!(look(250, &half), Settled::NotYet);
    let more = file("a", 2, How::Closed);
    assert_eq!(look(900, &more), Settled::NotYet);
    assert_eq!(look(1_899, &more), Settled::NotYet);
    let unfinished = Changed { how: How::Unfinished, ..more.clone() };
    assert_eq!(look(1_900, &unfinished), Settled::NotYet);
    assert_eq!(look(1_900, &more), whole());
    assert_eq!(look(3_900, &unfinished), whole());
}

#[test]
fn a_file_that_is_open_is_not_there_yet_and_holds_back_others_for_a_while_only() {
    let start = clock::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut settling = Settling::begin(at(0));
    let other = file("other", 1, How::Closed);
    let open = file("open", 1, How::Open);
    let both = [open.clone(), other];
    assert_eq!(settling.look(at(0), &both, None), Settled::NotYet);
    assert_eq!(settling.look(at(2_999), &both, None), Settled::NotYet);
    assert_eq!(settling.look(at(3_000), &both, None), without("open"));
    // Alone it is waited for as long as it is written to: nothing is lost by that.
    for seconds in (4..600).step_by(20) {
        let more = [file("open", seconds, How::Open)];
        assert_eq!(settling.look(at(seconds as u64 * 1_000), &more, None), Settled::NotYet);
    }
    // From its end on as any other.
    let closed = [file("open", 600, How::Closed)];
    assert_eq!(settling.look(at(600_000), &closed, None), Settled::NotYet);
    assert_eq!(settling.look(at(600_999), &closed, None), Settled::NotYet);
    assert_eq!(settling.look(at(601_000), &closed, None), whole());
    // One that is held open for ever is taken as complete at some time.
    let mut settling = Settling::begin(at(0));
    assert_eq!(settling.look(at(0), std::slice::from_ref(&open), None), Settled::NotYet);
    assert_eq!(settling.look(at(29_999), std::slice::from_ref(&open), None), Settled::NotYet);
    assert_eq!(settling.look(at(30_000), &[open], None), whole());
}

#[test]
fn who_waits_gets_what_is_complete_in_time() {
    let start = clock::now();
    let at = |millis| start + Duration::from_millis(millis);
    for how in [How::Open, How::Closed] {
        let mut settling = Settling::begin(at(0));
        let mut look =
            |millis, size| settling.look(at(millis), &[file("a", size, how)], Some(at(2_000)));
        assert_eq!(look(0, 1), Settled::NotYet);
        assert_eq!(look(1_500, 2), Settled::NotYet);
        assert_eq!(look(2_000, 3), without("a"), "{how:?}");
    }
}

#[test]
fn what_changes_all_the_time_and_is_not_open_is_read_as_it_is_in_the_end() {
    let start = clock::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut settling = Settling::begin(start);
    let both = |second| [file("a", second, How::Closed), file("open", second, How::Open)];
    for second in 0..60 {
        assert_eq!(settling.look(at(second as u64), &both(second), None), Settled::NotYet);
    }
    let both = both(60);
    assert_eq!(settling.look(at(60), &both, None), without("open"));
}

#[test]
fn texts_that_end_in_the_middle() {
    for (text, unfinished) in [
        ("", true),
        ("[routes.a]\nupstream = \"b\"\n", false),
        ("[routes.a]\nupstream = \"b\"", true),
        ("[routes.a]\nupstream = \"b\"\n  ", false),
        ("[routes.a]\n", true),
        ("[routes.a]\n# its keys\n\n", true),
        ("hosts = [\n  \"a\",\n]\n", false),
    ] {
        assert_eq!(looks_unfinished(text), unfinished, "{text:?}");
    }
}
