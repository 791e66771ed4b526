//! What the machine, or the control group around this process, has to give.

use std::path::{Path, PathBuf};

/// Memory that this process may use: that of the machine or of the tightest control group, bytes.
pub fn memory_bytes() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().trim_end_matches("kB").trim().parse().ok()?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let tightest = limit_files(&groups)
        .into_iter()
        .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok())
        .min();
    Some((kib << 10).min(tightest.unwrap_or(u64::MAX)))
}

/// Memory of this process that is in the machine's memory now, bytes.
pub fn resident_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// The limit of every memory group from this process's own up to the root, for both versions of
/// control groups. Inside a container the root is the container's own group.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            continue;
        };
        for group in Path::new(path).ancestors() {
            let relative = group.strip_prefix("/").unwrap_or(group);
            files.push(Path::new(root).join(relative).join(file));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_up_to_the_root_is_looked_at_in_both_versions() {
        let files = limit_files("4:memory:/a/b\n3:cpu:/a\n0::/c\n");
        let expected: Vec<PathBuf> = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/c/memory.max",
            "/sys/fs/cgroup/memory.max",
        ]
        .map(PathBuf::from)
        .to_vec();
        assert_eq!(files, expected);
    }

    #[test]
    fn this_process_uses_less_than_there_is() {
        assert!(resident_bytes().unwrap() < memory_bytes().unwrap());
    }
}
