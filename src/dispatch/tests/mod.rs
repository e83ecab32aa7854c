//! The dispatcher against a fake Graph under tokio's paused clock: hours pass in moments, and every assertion is
//! made at the server, which notes each arrival with its virtual instant.
//!
//! [`DispatchFixture`] sets a run up and plays it; [`FixtureRun::check`] holds every run to what must hold in all of them.

mod apps;
mod batches;
mod check;
mod events;
mod fake;
mod foreseen;
mod halt;
mod journal;
mod pacing;
mod quota;
mod random;
mod retry;
mod stage;
mod starving;
mod tenants;
mod throttle;
mod token;
mod whole;
mod widths;

use fake::{FakeReaction, SeenRequest};
use stage::{DispatchFixture, FixtureRun, seconds};
