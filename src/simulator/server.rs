//! Connections: accepted, spoken to, and taken down.

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
use super::route::{self, Route};
use super::wire::{Fate, Wire};
use super::world::{Reply, World};
use super::{control, graph, nearby, openid, token};

/// How to speak to a connection.
pub(super) struct Manner {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) header_case: HeaderCase,
}

/// Accepts connections until the world closes, then ends those that are open.
pub(super) async fn serve(listener: TcpListener, world: Arc<World>, manner: Manner) {
    let manner = Arc::new(manner);
    // Dropped at the end, which ends every connection.
    let mut connections = JoinSet::new();
    let closed = world.closed();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(speak(stream, Arc::clone(&world), Arc::clone(&manner)));
                }
                // Mostly the limit of open files: it passes when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

async fn speak(stream: TcpStream, world: Arc<World>, manner: Arc<Manner>) {
    // Should the socket refuse, answers come a little later.
    let _ = stream.set_nodelay(true);
    let fate = Arc::new(Fate::default());
    let wire = Wire::new(stream, Arc::clone(&fate));
    match &manner.tls {
        None => converse(wire, world, fate, manner.header_case).await,
        Some(acceptor) => {
            // A client that does not trust us hangs up here; that is its business.
            if let Ok(stream) = acceptor.accept(wire).await {
                converse(stream, world, fate, manner.header_case).await;
            }
        }
    }
}

async fn converse<S>(stream: S, world: Arc<World>, fate: Arc<Fate>, header_case: HeaderCase)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().title_case_headers(header_case == HeaderCase::Title);
    server.http2().max_concurrent_streams(1000);
    let service = service_fn(move |request| answer(Arc::clone(&world), Arc::clone(&fate), request));
    // An error is a connection that broke, often because a fault asked for it.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// An error ends the connection over HTTP/1, the stream over HTTP/2.
async fn answer(
    world: Arc<World>,
    fate: Arc<Fate>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let version = request.version();
    match dispatch(&world, request).await {
        Reply::Answer(mut response) => {
            date(&world, &mut response);
            Ok(response)
        }
        Reply::Reset => {
            // Over HTTP/2 a reset of the connection would strike requests that no fault has struck.
            if version != Version::HTTP_2 {
                fate.reset();
            }
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Reply::Hang => {
            world.closed().await;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}

async fn dispatch(world: &World, request: Request<Incoming>) -> Reply {
    // A cheap copy: the request itself goes on to whoever answers.
    let uri = request.uri().clone();
    let route = route::route(request.method(), uri.path());
    if !matches!(route, Ok(Route::Control(_))) {
        check_host(world, &request);
    }
    match route {
        Ok(Route::Control(page)) => Reply::Answer(control::answer(world, page, request).await),
        Ok(Route::Token { tenant }) => token::answer(world, &tenant, request).await,
        Ok(Route::Nearby(service)) => nearby::answer(world, service, &request).await,
        Ok(Route::DeviceCode { tenant }) => token::answer_device(world, &tenant, request).await,
        Ok(Route::OpenId { tenant }) => Reply::Answer(openid::answer(world, &tenant)),
        Ok(Route::Graph { version, ask }) => graph::answer(world, request, Ok((version, ask))).await,
        Err(error) => graph::answer(world, request, Err(error)).await,
    }
}

/// Says the time, where the simulator's clock is not this machine's; otherwise the server below says it.
fn date(world: &World, response: &mut Response<Body>) {
    if !world.clock.is_shifted() {
        return;
    }
    let now = std::time::SystemTime::from(world.clock.wall(world.clock.now()));
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(now)) {
        response.headers_mut().insert(DATE, date);
    }
}

/// Records a request that was meant for another host.
fn check_host(world: &World, request: &Request<Incoming>) {
    let host = host(request.uri(), request.headers());
    if !world.hosts.iter().any(|expected| expected.eq_ignore_ascii_case(host)) {
        world.recorder.unexpected_host(world.clock.now(), host);
    }
}

/// Whom a request is meant for: over HTTP/1 by `Host`, over HTTP/2 by `:authority`.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let header = headers.get(HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(Authority::as_str).or(header).unwrap_or("")
}
