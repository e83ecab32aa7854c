//! Real proxies: tinyproxy, squid and mitmproxy, each started here on loopback. A test is skipped, with the reason
//! printed, if its proxy is not installed; `.ci/run` installs them if possible.
#![cfg(unix)]

mod mitmproxy;
mod program;
mod squid;
mod tinyproxy;
