//! Requests over plain HTTP stay on this machine, whatever the environment says.

use std::net::TcpListener;

use crate::ctx::TestContext;

#[test]
fn plain_http_to_loopback_never_goes_through_a_proxy() {
    let ctx = TestContext::new("");
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let input = ctx.input("users.txt", "ann@contoso.com\n");
    let mut command = ctx.command("run");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        command.env(name, &url);
    }
    ctx.finish(command.arg(input)).exits(0);
    assert_eq!(ctx.stats().effects, 1);
    assert!(proxy.accept().is_err(), "the token went to a proxy in the clear");
}
