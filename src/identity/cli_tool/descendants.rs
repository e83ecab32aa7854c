//! What a program has started. `az` is a script that starts another process, and ending the script alone would leave
//! that running. They are in this program's own process group, where a terminal's ^C reaches them; so the group can't
//! be ended as a whole.

use rustix::process::{Pid, Signal, kill_process};

/// The processes that this one started, and those that they started, the oldest first. Only Linux tells; elsewhere
/// there are none, and what a script started ends when it finds its output closed.
pub(super) fn list(pid: Pid) -> Vec<Pid> {
    let mut found = vec![pid];
    let all = parents();
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        let new: Vec<Pid> = all
            .iter()
            .filter(|(of, child)| *of == parent && !found.contains(child))
            .map(|(_, child)| *child)
            .collect();
        found.extend(new);
        at += 1;
    }
    found.split_off(1)
}

/// Ends these processes.
pub(super) fn kill_all(processes: &[Pid]) {
    for process in processes {
        // It may have ended in this moment.
        let _ = kill_process(*process, Signal::KILL);
    }
}

/// Every process with its parent before it.
fn parents() -> Vec<(Pid, Pid)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read(entry.path().join("stat")).ok()?;
        Some((Pid::from_raw(parent(&String::from_utf8_lossy(&stat))?)?, Pid::from_raw(id)?))
    });
    stats.collect()
}

/// The parent in `/proc/PID/stat`: the second word after the name (proc(5)), which may hold spaces and brackets itself.
fn parent(stat: &str) -> Option<i32> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_behind_any_name() {
        assert_eq!(parent("12 (sh) S 7 12 12 0 -1"), Some(7));
        assert_eq!(parent("12 (a) S 1 (b)) R 9 1"), Some(9));
        for odd in ["", "12 (sh", "12 (sh)", "12 (sh) S", "12 (sh) S x"] {
            assert_eq!(parent(odd), None, "{odd}");
        }
    }
}
