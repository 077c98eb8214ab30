use std::time::Duration;

use super::*;
use weir_core::clock;

const NOTHING: Failed =
    Failed { unsent: false, silent: false, reused: false, ended: None, full: false };
/// An endpoint could not be reached.
const UNREACHED: Failed = Failed { unsent: true, ..NOTHING };
const FULL: Failed = Failed { unsent: true, full: true, ..NOTHING };
/// A fresh connection ended without a byte.
const SILENT: Failed = Failed { silent: true, ..NOTHING };
const STALE: Failed = Failed { silent: true, reused: true, ..NOTHING };
/// The same, before a byte of the request was sent.
const STALE_UNSENT: Failed = Failed { unsent: true, ..STALE };
/// It broke off within its response, or was late.
const BROKEN: Failed = NOTHING;

/// Without a body, or with one that is here as a whole.
const GET: Resendable = Resendable { idempotent: true, untouched: false, copied: true };
const POST: Resendable = Resendable { idempotent: false, ..GET };
/// Whose body comes from the client meanwhile.
const UPLOAD: Resendable = Resendable { idempotent: true, untouched: false, copied: false };
const UNREAD_UPLOAD: Resendable = Resendable { untouched: true, ..UPLOAD };

fn again(body: Source, elsewhere: bool) -> Option<Again> {
    Some(Again { body, elsewhere })
}

#[test]
fn what_follows_a_first_attempt() {
    let now = clock::now();
    let due = now + Duration::from_secs(1);
    for (failed, request, several, expected) in [
        (UNREACHED, GET, true, again(Source::Copy, true)),
        (UNREACHED, GET, false, again(Source::Copy, false)),
        (UNREACHED, POST, true, again(Source::Copy, true)),
        (UNREACHED, UNREAD_UPLOAD, true, again(Source::Untouched, true)),
        // Some of it is gone.
        (UNREACHED, UPLOAD, true, None),
        (FULL, POST, false, again(Source::Copy, true)),
        (SILENT, GET, true, again(Source::Copy, true)),
        (SILENT, GET, false, again(Source::Copy, false)),
        // Somebody may have acted on it.
        (SILENT, POST, true, None),
        (STALE, POST, true, None),
        (STALE, UPLOAD, true, None),
        (STALE, UNREAD_UPLOAD, true, None),
        // It says nothing of its endpoint.
        (STALE, GET, true, again(Source::Copy, false)),
        (STALE_UNSENT, POST, true, again(Source::Copy, false)),
        (STALE_UNSENT, UNREAD_UPLOAD, true, again(Source::Untouched, false)),
        (BROKEN, GET, true, None),
        (BROKEN, UNREAD_UPLOAD, true, None),
    ] {
        let case = format!("{failed:?} {request:?} {several}");
        assert_eq!(Attempts::new(1, due).next(failed, request, several, now), expected, "{case}");
        // Neither without a retry nor behind the deadline is there any.
        assert_eq!(Attempts::new(0, due).next(failed, request, several, now), None, "{case}");
        assert_eq!(Attempts::new(1, now).next(failed, request, several, now), None, "{case}");
    }
}

#[test]
fn attempts_are_counted_and_the_first_stale_connection_is_none() {
    let now = clock::now();
    let due = now + Duration::from_secs(1);
    for (retries, failures, tried) in [
        (2, [UNREACHED; 5], 2),
        (1, [STALE, UNREACHED, UNREACHED, UNREACHED, UNREACHED], 2),
        // A pool may have two of them; fresh ones come after the first.
        (1, [STALE, STALE, STALE, STALE, STALE], 2),
        (2, [UNREACHED, STALE, UNREACHED, UNREACHED, UNREACHED], 3),
        (2, [BROKEN, UNREACHED, UNREACHED, UNREACHED, UNREACHED], 0),
    ] {
        let mut attempts = Attempts::new(retries, due);
        let goes_on = |failed: &&Failed| attempts.next(**failed, GET, true, now).is_some();
        let counted = failures.iter().take_while(goes_on).count();
        assert_eq!(counted, tried, "{retries} {failures:?}");
        let stale = failures.iter().take(tried).any(|it| it.reused);
        assert_eq!(attempts.wants_opened_after(), stale.then_some(now));
    }
}

/// What others opened since they found the same connection over is as fresh as any.
#[test]
fn a_connection_is_fresh_that_was_opened_since_the_stale_one_was_found_so() {
    let begun = clock::now();
    let at = |millis| begun + Duration::from_millis(millis);
    let known = |millis| Failed { ended: Some(at(millis)), ..STALE };
    let mut attempts = Attempts::new(4, at(1_000));
    for (failed, now, after) in [
        (UNREACHED, 10, None),
        (known(15), 20, Some(15)),
        (UNREACHED, 30, Some(15)),
        (STALE, 40, Some(40)),
    ] {
        attempts.next(failed, GET, false, at(now));
        assert_eq!(attempts.wants_opened_after(), after.map(at), "{failed:?}");
    }
}
