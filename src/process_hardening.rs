//! Keeps the process's memory, which holds secrets, from being written or read by others.

/// No core dump is written of this process, and on Linux no other process of the same account can read its memory or
/// its environment (`PR_SET_DUMPABLE`; root still can). Where the system refuses, the program goes on: this is a
/// second line of defence.
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

/// Windows writes no dump of a process by itself unless an administrator asked for it.
#[cfg(not(unix))]
pub fn disable_core_dumps() {}
