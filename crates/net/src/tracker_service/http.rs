//! The HTTP side: one GET a connection, with a limit for its bytes and its time.

use super::Shared;
use super::seats::Seats;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use piecework_tracker::server::{HttpAnswer, TARGET_BYTES_MAX};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Bytes read of a request, head and all.
const REQUEST_BYTES_MAX: usize = TARGET_BYTES_MAX;

/// Time for the whole head of a request to come.
const HEAD_AFTER: Duration = Duration::from_secs(5);

/// Time for a connection from its start to its end.
const CONNECTION_AFTER: Duration = Duration::from_secs(10);

/// Pause after an error that would come again at once, such as a lack of descriptors.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn serve(listener: TcpListener, shared: Shared, seats: Rc<Seats>) {
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "accepting at the tracker's port");
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        // Without a place it is closed at once: what waits in the kernel would keep others out.
        let Some(seat) = seats.take(from.ip()) else { continue };
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            let served = tokio::time::timeout(CONNECTION_AFTER, converse(stream, from, shared));
            if let Ok(Err(error)) = served.await {
                tracing::debug!(%from, %error, "a tracker's connection");
            }
            drop(seat);
        });
    }
}

async fn converse(stream: TcpStream, from: SocketAddr, shared: Shared) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, from, &shared);
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_AFTER)
        .max_buf_size(REQUEST_BYTES_MAX)
        // Clients come back in half an hour.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, from: SocketAddr, shared: &Shared) -> Response<Full<Bytes>> {
    let HttpAnswer { status, body } = if request.method() == Method::GET {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        shared.server().answer_http(from, target.as_bytes(), shared.now())
    } else {
        HttpAnswer { status: 405, body: b"this is a tracker: it answers GET".to_vec() }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
