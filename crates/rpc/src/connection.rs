//! One connection: HTTP/1.1, which may become a WebSocket.

use crate::admission::{Admission, Admitted};
use crate::error::LIMIT_EXCEEDED;
use crate::gate::{Gate, GatedStream};
use crate::host::{Foreign, Hosts};
use crate::server::Place;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jsonrpsee::core::BoxError;
use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::server::{
    HttpBody, HttpRequest, HttpResponse, Methods, ServerBuilder, ServerConfig, StopHandle,
};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// From the first byte of a request to the last of its headers.
const HEADERS_MAX: Duration = Duration::from_secs(10);
/// From the headers of a request to the answer: its body, its turn, its work.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// For telling a client why it is not served.
const REFUSAL_MAX: Duration = Duration::from_secs(1);

/// What every connection gets a share of.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) methods: Methods,
    pub(crate) stop: StopHandle,
    pub(crate) admission: Arc<Admission>,
    pub(crate) hosts: Arc<Hosts>,
}

/// Answers on this socket, the connection with that number, until it closes or the server stops.
pub(crate) async fn serve(
    (socket, place): (TcpStream, Place),
    (address, id): (IpAddr, u32),
    shared: Shared,
) {
    let Ok(local) = socket.local_addr() else { return };
    // Answers are small and awaited.
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let Shared { config, methods, stop, admission, hosts } = shared;
    let gate = Gate::new();
    let (layer_gate, stopped) = (Arc::clone(&gate), stop.clone().shutdown());
    let layer = RpcServiceBuilder::new().layer_fn(move |inner| {
        Admitted::new(inner, (Arc::clone(&admission), Arc::clone(&layer_gate)), address)
    });
    let builder = ServerBuilder::with_config(config).set_rpc_middleware(layer).to_service_builder();
    let service = builder.connection_id(id).build(methods, stop);
    let service = TowerToHyperService::new(service);
    let guarded = service_fn(move |request: HttpRequest<Incoming>| {
        let call = match hosts.check(&request, local.ip()) {
            Ok(()) => Ok(service.call(request)),
            Err(foreign) => Err(foreign),
        };
        answer(call)
    });
    let mut http = http1::Builder::new();
    let http = http.timer(TokioTimer::new()).header_read_timeout(HEADERS_MAX);
    let io = TokioIo::new(GatedStream::new(socket, gate, place));
    let mut connection = std::pin::pin!(http.serve_connection(io, guarded).with_upgrades());
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "a connection for JSON-RPC failed");
    }
}

/// Never an error: with a boxed one the compiler cannot see that the connection may be sent to another
/// thread.
async fn answer(
    call: Result<impl Future<Output = Result<HttpResponse, BoxError>>, Foreign>,
) -> Result<HttpResponse, Infallible> {
    let call = match call {
        Ok(call) => call,
        Err(foreign) => return Ok(plain(StatusCode::FORBIDDEN, &foreign.to_string())),
    };
    Ok(match timeout(REQUEST_MAX, call).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(_) => plain(StatusCode::REQUEST_TIMEOUT, "the request took too long"),
    })
}

fn plain(status: StatusCode, text: &str) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpBody::from(format!("{text}\n")));
    *answer.status_mut() = status;
    answer
}

/// Says why there is no place for this connection, and closes it.
pub(crate) async fn refuse(mut socket: TcpStream, reason: &str) {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{LIMIT_EXCEEDED},"message":"{reason}"}}}}"#
    );
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let telling = async {
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await?;
        // A close with unread bytes would take the answer back.
        let mut rest = [0; 1024];
        while socket.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let _ = timeout(REFUSAL_MAX, telling).await;
}
