//! Proxies as they are met: tinyproxy, squid and mitmproxy, each started here on loopback. What is not installed is
//! skipped, with the reason printed; `.ci/run` installs them where it can.
#![cfg(unix)]

mod mitmproxy;
mod program;
mod squid;
mod tinyproxy;
