//! Limits the number of jobs to the connections that the system allows, because a job without a connection fails.

/// Files that are open in addition to the connections: journal, plan, lock, standard streams, and the runtime's own.
#[cfg(unix)]
const RESERVED_FILES: u64 = 24;

/// The number of `jobs` that can have a connection. If it is lower than `jobs`, a warning is logged.
pub(super) fn limit_jobs(jobs: usize) -> usize {
    let (fitting, allowed) = jobs_within_limit(jobs);
    if fitting < jobs {
        tracing::warn!(
            jobs,
            fitting,
            "fewer jobs than requested: the system allows {allowed} open files (ulimit -n)"
        );
    }
    fitting
}

/// The number of `jobs` that can have a connection, and the number of files that may be open. The process's soft limit
/// is raised first, if that is allowed.
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

/// Windows does not have such a limit for sockets.
#[cfg(not(unix))]
pub(super) fn jobs_within_limit(jobs: usize) -> (usize, u64) {
    (jobs, u64::MAX)
}
