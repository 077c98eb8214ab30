//! Probes of an endpoint that the test plays, on paused time: when they come, what they conclude, and what
//! becomes of them while sets of endpoints replace each other.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use super::*;
use crate::upstream::sample::played::{HI, Network, Played, paused, settle};
use crate::upstream::sample::{self, cluster_over};

const SECOND: Duration = Duration::from_secs(1);

/// An upstream of one endpoint that is asked for `path` every ten seconds; or is not asked.
fn set(
    endpoint: &Arc<Played>,
    path: Option<&str>,
    timeout: Duration,
    before: Option<&EndpointSet>,
) -> Arc<EndpointSet> {
    let health = path.map(|path| {
        let usual = config::Health::of(path.to_owned());
        config::Health { interval: 10 * SECOND, timeout, ..usual }
    });
    let network = Network(vec![(1, endpoint.clone())]);
    let cluster = cluster_over(network, config::Upstream { health, ..sample::upstream() });
    sample::set(&cluster, &[1], before)
}

/// Whoever reloads often would never learn that an endpoint keeps silent.
#[test]
fn a_question_is_given_up_only_where_it_is_another_one() {
    paused(async {
        let endpoint = Played::new();
        let (sets, told) = mpsc::unbounded_channel();
        let probing = spawn_local(probe(told, Clock::System));
        let set = |path, before| set(&endpoint, path, 600 * SECOND, before);
        let tell = |set: &Arc<EndpointSet>| sets.send(vec![set.clone()]).expect("it probes");
        let first = set(Some("/a"), None);
        tell(&first);
        let mut question = endpoint.accept().await;
        assert!(question.head().await.expect("a head").starts_with("GET /a "));
        // Nothing that the question depends on is other: after a reload it is the same.
        for _ in 0..20 {
            tell(&set(Some("/a"), Some(&first)));
            sleep(SECOND).await;
        }
        sleep(30 * SECOND).await;
        assert_eq!(endpoint.dialled(), 1, "no second question for the same");
        tell(&set(Some("/b"), Some(&first)));
        let mut other = endpoint.accept().await;
        assert!(other.head().await.expect("a head").starts_with("GET /b "));
        question.ended().await;
        // Nobody asks for its health any more.
        first.endpoints[0].set_healthy(false);
        tell(&set(None, Some(&first)));
        other.ended().await;
        // What ends with the last sender: everything that was to be done is done.
        drop(sets);
        probing.await.expect("it ends");
        assert_eq!(endpoint.dialled(), 2);
        let state = &first.endpoints[0];
        assert!(state.is_healthy() && state.check().is_none(), "without a check it is well");
    });
}

#[test]
fn an_endpoint_is_out_after_three_questions_in_vain_and_back_after_two_answers() {
    paused(async {
        let endpoint = Played::new();
        let (sets, told) = mpsc::unbounded_channel();
        spawn_local(probe(told, Clock::System));
        let set = set(&endpoint, Some("/a"), 4 * SECOND, None);
        sets.send(vec![set.clone()]).expect("it probes");
        let answers = Rc::<Cell<bool>>::default();
        let first = endpoint.accept().await;
        let begun = Instant::now();
        let playing = answers.clone();
        endpoint.serve(move |mut end| {
            let answers = playing.get();
            async move {
                end.request().await;
                if answers {
                    end.say(HI).await;
                }
                end.ended().await;
            }
        });
        // Two intervals and a timeout; then the second answer of two, an interval apart.
        for (seconds, healthy) in [(24, false), (40, true)] {
            let at = begun + seconds * SECOND;
            tokio::time::sleep_until(at - Duration::from_millis(1)).await;
            settle().await;
            assert_eq!(set.endpoints[0].is_healthy(), !healthy, "just before");
            tokio::time::sleep_until(at).await;
            settle().await;
            assert_eq!(set.endpoints[0].is_healthy(), healthy, "{seconds}");
            answers.set(true);
        }
        drop(first);
        assert_eq!(endpoint.dialled(), 5, "one question at a time");
    });
}
