//! How long an answer's head is waited for, and what becomes of a connection whose endpoint is late.

use super::*;
use crate::upstream::sample::piped::piped;

#[test]
fn a_silent_endpoint_is_given_up_at_its_time_and_its_connection_with_it() {
    paused(async {
        let (endpoint, pool) = usual();
        let asker = Asker { first_byte: 7 * SECOND, ..Asker::new(1) };
        let begun = clock::now();
        let (answered, mut end) = tokio::join!(asker.get(&pool), async {
            let mut end = endpoint.accept().await;
            end.request().await.expect("a request");
            end
        });
        let error = failure(answered).error;
        assert_eq!(clock::since(begun), 7 * SECOND);
        // It may have acted on it.
        assert_eq!((error.kind, error.retryable), (Kind::HttpResponseTimeout, false), "{error}");
        assert_eq!(pool.counts(), (0, 0));
        end.ended().await;
        endpoint.answers(Duration::ZERO, HI);
        asker.fetch(&pool).await;
        assert_eq!(endpoint.dialled(), 2);
    });
}

/// The timer stays where an earlier exchange had it.
#[test]
fn every_request_of_a_connection_has_its_own_time() {
    paused(async {
        let (endpoint, pool) = usual();
        endpoint.serve(move |mut end| async move {
            for after in [4, 3, 60] {
                end.request().await;
                time::sleep(after * SECOND).await;
                end.say(HI).await;
            }
        });
        let asker = |first_byte: u32| Asker { first_byte: first_byte * SECOND, ..Asker::new(1) };
        asker(5).fetch(&pool).await;
        asker(60).fetch(&pool).await;
        let begun = clock::now();
        let error = failure(asker(10).get(&pool).await).error;
        assert_eq!((error.kind, clock::since(begun)), (Kind::HttpResponseTimeout, 10 * SECOND));
        assert_eq!(endpoint.dialled(), 1);
    });
}

#[test]
fn a_body_on_its_way_prolongs_the_time_from_its_last_byte() {
    paused(async {
        let (endpoint, pool) = usual();
        let upload = Arc::<UploadState>::default();
        let upload = Some(upload.clone());
        let mut asker = Asker { first_byte: 2 * SECOND, upload, ..Asker::new(1) };
        asker.head.method = Method::POST;
        let begun = clock::now();
        let (write, body) = piped();
        let writing = async {
            let upload = asker.upload.as_ref().expect("its own");
            upload.begin();
            for _ in 0..4 {
                time::sleep(SECOND * 3 / 2).await;
                upload.add(3);
                write.data("abc");
            }
            upload.end();
            drop(write);
        };
        let playing = async {
            let mut end = endpoint.accept().await;
            (end.request().await.expect("a request").body, end)
        };
        let (answered, (), (body, _end)) = tokio::join!(asker.send(&pool, body), writing, playing);
        assert_eq!(body, "abcabcabcabc");
        assert_eq!(failure(answered).error.kind, Kind::HttpResponseTimeout);
        assert_eq!(clock::since(begun), 6 * SECOND + 2 * SECOND);
    });
}

#[test]
fn a_written_time_is_over_whatever_is_on_its_way() {
    paused(async {
        let (endpoint, pool) = usual();
        let upload = Arc::<UploadState>::default();
        let begun = clock::now();
        let due = Some(begun + 5 * SECOND);
        let upload = Some(upload);
        let mut asker = Asker { first_byte: 2 * SECOND, due, upload, ..Asker::new(1) };
        asker.head.method = Method::POST;
        let (write, body) = piped();
        let writing = async {
            let upload = asker.upload.as_ref().expect("its own");
            upload.begin();
            loop {
                time::sleep(SECOND).await;
                upload.add(3);
                write.data("abc");
            }
        };
        endpoint.serve(|mut end| async move {
            end.request().await;
        });
        let answered = tokio::select! {
            answered = asker.send(&pool, body) => answered,
            () = writing => unreachable!(),
        };
        assert_eq!(failure(answered).error.kind, Kind::HttpResponseTimeout);
        assert_eq!(clock::since(begun), 5 * SECOND);
    });
}
