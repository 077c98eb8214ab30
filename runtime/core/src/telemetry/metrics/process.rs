//! What the process uses: memory, CPU, file descriptors.
//!
//! In: `/proc`. Out: the conventional `process_*` families. Never: fails; where a file is missing
//! (any system but Linux) the family is absent.
#![expect(clippy::disallowed_methods, reason = "what the kernel makes up needs no disk")]

use std::fs;

use super::exposition::Exposition;

/// Ticks of `/proc/*/stat` per second: part of Linux's user-space interface, 100 everywhere.
const TICKS: f64 = 100.0;

pub(super) fn expose(out: &mut Exposition) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let memory = [
            ("process_resident_memory_bytes", "Resident memory.", "VmRSS:"),
            ("process_virtual_memory_bytes", "Virtual memory.", "VmSize:"),
        ];
        for (name, help, key) in memory {
            if let Some(kib) = number_after(&status, key) {
                out.gauge(name, help).sample(&[], kib * 1024.0);
            }
        }
        if let Some(threads) = number_after(&status, "Threads:") {
            out.gauge("process_threads", "Threads.").sample(&[], threads);
        }
    }
    if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
        if let Some(ticks) = cpu_ticks(&stat) {
            out.counter("process_cpu_seconds_total", "User and system CPU time.")
                .sample(&[], ticks / TICKS);
        }
        let boot = fs::read_to_string("/proc/stat").ok();
        let boot = boot.and_then(|stat| number_after(&stat, "btime "));
        if let (Some(boot), Some(start)) = (boot, field(&stat, 22)) {
            out.gauge("process_start_time_seconds", "Start of the process (Unix time).")
                .sample(&[], boot + start / TICKS);
        }
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        // The directory being read is itself one of them.
        let open = descriptors.count().saturating_sub(1);
        out.gauge("process_open_fds", "Open file descriptors.").sample(&[], open as f64);
    }
    let limits = fs::read_to_string("/proc/self/limits").ok();
    if let Some(limit) = limits.and_then(|limits| number_after(&limits, "Max open files")) {
        out.gauge("process_max_fds", "Most file descriptors it may open.").sample(&[], limit);
    }
}

/// The first number after `key` on a line that begins with it.
fn number_after(text: &str, key: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn cpu_ticks(stat: &str) -> Option<f64> {
    Some(field(stat, 14)? + field(stat, 15)?)
}

/// A field of `/proc/PID/stat` by its number in proc(5). The second, the name, may hold blanks
/// and parentheses: counting starts behind its last one.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
#[test]
fn stat_fields_survive_odd_names() {
    let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 12345 1000 10";
    assert_eq!(cpu_ticks(stat), Some(300.0));
    assert_eq!(field(stat, 22), Some(12345.0));
    assert_eq!(field("", 22), None);
}
