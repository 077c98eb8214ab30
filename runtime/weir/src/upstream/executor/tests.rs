use std::convert::Infallible;
use std::future::poll_fn;

use http::{Request, Response};
use hyper::client::conn::http2::handshake;
use hyper::rt::Executor as _;
use hyper::server;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::{spawn_local, yield_now};
use weir_core::client::ClientKey;
use weir_core::turn;

use super::*;
use crate::busy::run;

fn executor() -> Executor {
    Executor::new(Rc::default())
}

/// It read as long as its endpoint sent, a hundred and twenty-eight times in a row.
#[test]
fn who_reads_the_socket_does_so_in_turns() {
    let measured = Rc::<Cell<Option<bool>>>::default();
    let told = measured.clone();
    run(async {
        let reads = async move { told.set(Some(turn::task().is_some())) };
        executor().execute(reads);
        yield_now().await;
    });
    assert_eq!(measured.get(), Some(true));
}

/// Notes for whom each future is that the codec has executed.
#[derive(Clone)]
struct Noting(Executor, Rc<RefCell<Vec<Option<ClientKey>>>>);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Noting {
    fn execute(&self, future: F) {
        self.1
            .borrow_mut()
            .push(self.0.begun.whose.borrow().as_ref().map(|whose| whose.flow.client()));
        self.0.execute(future);
    }
}

/// An answer through a connection that another client had a hundred slow uploads on came ten times later,
/// for all of them were one client's to the worker.
#[test]
fn what_is_done_for_a_stream_is_done_in_its_clients_turns() {
    run(async {
        let (near, far) = tokio::io::duplex(64 << 10);
        let echo = service_fn(async |request| {
            Ok::<_, Infallible>(Response::new(Body::Incoming(Request::into_body(request))))
        });
        let serving = server::conn::http2::Builder::new(TokioExecutor::new());
        spawn_local(serving.serve_connection(TokioIo::new(far), echo));
        let noting = Noting(executor(), Rc::default());
        let (mut sender, connection) =
            handshake::<_, _, Sent>(noting.clone(), TokioIo::new(near)).await.expect("HTTP/2");
        let begins = noting.0.clone();
        let mut connection = Box::pin(connection);
        spawn_local(poll_fn(move |cx| begins.begins(|| connection.as_mut().poll(cx))));
        let of = |number: u8| ClientKey::of(&format!("192.0.2.{number}"));
        let kept: Rc<dyn Any> = Rc::new(());
        let whose = |number| Whose { flow: Flow::of(of(number)), keeps: Rc::downgrade(&kept) };
        let endless = || Body::Stream(Box::pin(Endless));
        let mut sent = Vec::new();
        for (number, body) in [(1, endless()), (2, Body::Empty), (3, endless()), (1, Body::Empty)] {
            let body = noting.0.body(body, Some(whose(number)));
            sent.push(sender.send_request(Request::new(body)));
        }
        for sent in sent {
            assert!(sent.await.is_ok());
        }
        let noted: Vec<_> = noting.1.take().into_iter().flatten().collect();
        // The rest of a body where it is not there yet, and the wait for an answer.
        assert_eq!(noted, [1, 1, 2, 3, 3, 1].map(of));
        // Two bodies are on their way for ever; what waited for answers is through.
        yield_now().await;
        assert_eq!(Rc::strong_count(&kept), 1 + 2);
    });
}

/// A body of which nothing is there.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Pending
    }
}
