//! The dispatcher against a fake Graph under tokio's paused clock. Hours pass in moments, and every assertion
//! is made at the server, which notes the virtual instant of each arrival.
//!
//! [`DispatchFixture`] sets up a run and plays it. [`FixtureRun::check`] asserts what must be true of every
//! run.

mod apps;
mod batches;
mod check;
mod events;
mod fake;
mod fixture;
mod foreseen;
mod halt;
mod journal;
mod pacing;
mod quota;
mod random;
mod retry;
mod starving;
mod tenants;
mod throttle;
mod token;
mod whole;
mod widths;

use fake::{FakeReaction, SeenRequest};
use fixture::{DispatchFixture, FixtureRun, seconds};
