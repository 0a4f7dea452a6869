//! What a process has used, and how busy the machine is, as Linux counts it.

use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks a second in which Linux reports processor time to programs; fixed for every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields of `/proc/PID/stat` behind the name, from 0: user and system time.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;

/// Processor time of all its threads so far.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name is in parentheses and may hold anything, so the fields are counted from its end.
    let fields: Vec<&str> = stat.rsplit_once(')').context("a name in /proc")?.1.split_whitespace().collect();
    let ticks = |field: usize| -> Result<f64> { Ok(fields.get(field).context("a field of /proc")?.parse()?) };
    Ok(Duration::from_secs_f64((ticks(USER_TICKS)? + ticks(SYSTEM_TICKS)?) / TICKS_PER_SECOND))
}

/// The most memory it ever held, in MiB.
pub(crate) fn peak_memory_mib(id: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM in /proc")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// How many processes wanted to run in the last minute, on average.
pub(crate) fn load_average() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().context("a figure in /proc/loadavg")?.parse()?)
}
