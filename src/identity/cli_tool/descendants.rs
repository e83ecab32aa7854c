//! The descendants of a process. `az` is a script that starts another process, which would keep running if only the
//! script is killed. Both are in this program's process group, so that ^C in a terminal reaches them. For that reason
//! the group can't be killed as a whole.

use rustix::process::{Pid, Signal, kill_process};

/// The processes that this one started, and their descendants, oldest first. The list is empty on systems other than
/// Linux. There, a child of the script ends when it finds its output closed.
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

/// Kills these processes.
pub(super) fn kill_all(processes: &[Pid]) {
    for process in processes {
        // It may have ended in the meantime.
        let _ = kill_process(*process, Signal::KILL);
    }
}

/// All processes, as pairs of the parent and the process.
fn parents() -> Vec<(Pid, Pid)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read(entry.path().join("stat")).ok()?;
        Some((Pid::from_raw(parent(&String::from_utf8_lossy(&stat))?)?, Pid::from_raw(id)?))
    });
    stats.collect()
}

/// The parent in `/proc/PID/stat`: the second word after the name (proc(5)), which may contain spaces and brackets.
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
