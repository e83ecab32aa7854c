//! Connections: accepts, serves and ends them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{DATE, HOST, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::body::Body;
use super::config::HeaderCase;
use super::resettable_stream::{ResetFlag, ResettableStream};
use super::route::{self, Route};
use super::state::{Reply, ServerState};
use super::{control, graph, openid, token, token_services};

/// How connections are served.
pub(super) struct ServerOptions {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) header_case: HeaderCase,
}

/// Accepts connections until the simulator stops, then ends the open ones.
pub(super) async fn serve(listener: TcpListener, state: Arc<ServerState>, options: ServerOptions) {
    let options = Arc::new(options);
    // Dropped on return, which ends every connection.
    let mut connections = JoinSet::new();
    let closed = state.closed();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(handle_connection(stream, Arc::clone(&state), Arc::clone(&options)));
                }
                // Usually the limit for open files, which resolves when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

async fn handle_connection(stream: TcpStream, state: Arc<ServerState>, options: Arc<ServerOptions>) {
    // Without it, answers only come a little later.
    let _ = stream.set_nodelay(true);
    let reset_flag = Arc::new(ResetFlag::default());
    let stream = ResettableStream::new(stream, Arc::clone(&reset_flag));
    match &options.tls {
        None => serve_http(stream, state, reset_flag, options.header_case).await,
        Some(acceptor) => {
            // A client that does not trust the certificate hangs up here.
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_http(stream, state, reset_flag, options.header_case).await;
            }
        }
    }
}

async fn serve_http<S>(
    stream: S,
    state: Arc<ServerState>,
    reset_flag: Arc<ResetFlag>,
    header_case: HeaderCase,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().title_case_headers(header_case == HeaderCase::Title);
    server.http2().max_concurrent_streams(1000);
    let service = service_fn(move |request| answer(Arc::clone(&state), Arc::clone(&reset_flag), request));
    // An error here is a broken connection, often because of a fault.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Answers one request. An error ends the connection over HTTP/1, and the stream over HTTP/2.
async fn answer(
    state: Arc<ServerState>,
    reset_flag: Arc<ResetFlag>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let version = request.version();
    match dispatch(&state, request).await {
        Reply::Answer(mut response) => {
            set_date_header(&state, &mut response);
            Ok(response)
        }
        Reply::Reset => {
            // Over HTTP/2, a reset of the connection would also hit requests without a fault.
            if version != Version::HTTP_2 {
                reset_flag.set();
            }
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Reply::Hang => {
            state.closed().await;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}

async fn dispatch(state: &ServerState, request: Request<Incoming>) -> Reply {
    // A cheap copy, because the request itself is passed on.
    let uri = request.uri().clone();
    let route = route::parse_route(request.method(), uri.path());
    if !matches!(route, Ok(Route::Control(_))) {
        check_host(state, &request);
    }
    match route {
        Ok(Route::Control(page)) => Reply::Answer(control::answer(state, page, request).await),
        Ok(Route::Token { tenant }) => token::answer(state, &tenant, request).await,
        Ok(Route::TokenService(service)) => token_services::answer(state, service, &request).await,
        Ok(Route::DeviceCode { tenant }) => token::answer_device(state, &tenant, request).await,
        Ok(Route::OpenId { tenant }) => Reply::Answer(openid::metadata_response(state, &tenant)),
        Ok(Route::Graph { version, graph_request }) => {
            graph::answer(state, request, Ok((version, graph_request))).await
        }
        Err(error) => graph::answer(state, request, Err(error)).await,
    }
}

/// Sets `Date` if the simulator's clock differs from this machine's. Otherwise hyper sets it.
fn set_date_header(state: &ServerState, response: &mut Response<Body>) {
    if !state.clock.is_shifted() {
        return;
    }
    let now = std::time::SystemTime::from(state.clock.wall_time(state.clock.now()));
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(now)) {
        response.headers_mut().insert(DATE, date);
    }
}

/// Records a request that was meant for another host.
fn check_host(state: &ServerState, request: &Request<Incoming>) {
    let host = host(request.uri(), request.headers());
    if !state.hosts.iter().any(|expected| expected.eq_ignore_ascii_case(host)) {
        state.recorder.record_unexpected_host(state.clock.now(), host);
    }
}

/// The host that a request is meant for: `Host` over HTTP/1, `:authority` over HTTP/2.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let header = headers.get(HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(Authority::as_str).or(header).unwrap_or("")
}
