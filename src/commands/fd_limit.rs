//! As many connections as the system lets a process open: a job without one fails for no fault of its user's.

/// Files that are open beside the connections: journal, plan, lock, standard streams, the runtime's own.
#[cfg(unix)]
const RESERVED_FILES: u64 = 24;

/// How many of `jobs` can have a connection. Where not all can, that is logged.
pub(super) fn limit_jobs(jobs: usize) -> usize {
    let (fitting, allowed) = jobs_within_limit(jobs);
    if fitting < jobs {
        tracing::warn!(
            jobs,
            fitting,
            "fewer jobs than wanted: the system allows {allowed} open files (ulimit -n)"
        );
    }
    fitting
}

/// How many of `jobs` can have a connection, and how many files may be open; the process's soft limit is raised first
/// where that is allowed.
#[cfg(unix)]
pub(super) fn jobs_within_limit(jobs: usize) -> (usize, u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = jobs as u64 + RESERVED_FILES;
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < wanted) else { return (jobs, wanted) };
    let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let allowed = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }) {
        Ok(()) => raised,
        Err(_) => current,
    };
    let fitting = usize::try_from(allowed.saturating_sub(RESERVED_FILES)).unwrap_or(jobs).clamp(1, jobs);
    (fitting, allowed)
}

/// Windows knows no such limit for sockets.
#[cfg(not(unix))]
pub(super) fn jobs_within_limit(jobs: usize) -> (usize, u64) {
    (jobs, u64::MAX)
}
