//! What a process has used, and how busy the machine is, as Linux counts it.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks a second in which Linux reports processor time to programs; fixed for every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields of `/proc/PID/stat` behind the name, from 0: user and system time of its threads, and of its children that have
/// ended.
const OWN_TICKS: Range<usize> = 11..13;
const CHILDREN_TICKS: Range<usize> = 13..15;

/// Processor time of all threads of a process so far.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    ticks(&id.to_string(), OWN_TICKS)
}

/// The same with that of its children that have ended.
pub(crate) fn processor_time_with_children(id: u32) -> Result<Duration> {
    ticks(&id.to_string(), OWN_TICKS.start..CHILDREN_TICKS.end)
}

/// Processor time of this program's children that have ended.
pub(crate) fn processor_time_of_children() -> Result<Duration> {
    ticks("self", CHILDREN_TICKS)
}

fn ticks(process: &str, fields: Range<usize>) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name is in parentheses and may hold anything, so the fields are counted from its end.
    let all: Vec<&str> = stat.rsplit_once(')').context("a name in /proc")?.1.split_whitespace().collect();
    let mut ticks = 0.0;
    for field in all.get(fields).context("fields of /proc")? {
        ticks += field.parse::<f64>()?;
    }
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
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
