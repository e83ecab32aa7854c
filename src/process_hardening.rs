//! Keeps the process's memory, which has secrets in it, from being dumped to disk or read by other processes.

/// Turns core dumps off. On Linux, also keeps other processes of the same account from reading this process's memory
/// and environment (`PR_SET_DUMPABLE`; root still can). If the system refuses, the program continues, because this is
/// only a second line of defence.
#[cfg(unix)]
pub fn disable_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Does nothing, because Windows dumps a process only if an administrator has asked for it.
#[cfg(not(unix))]
pub fn disable_core_dumps() {}
