//! Peak memory. Each measurement is a separate process, because the peak of a process never goes down.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use signwave::config::Settings;

use crate::{
    figure::{Figure, Goal},
    lab::{Lab, Signers, Template},
};

/// Peak memory at ten times `records`, and its ratio to the peak at `records`. `again` makes the command that
/// prints the peak at a given number of records.
pub fn memory(again: impl Fn(u64) -> Result<Command>, records: u64, repeat: u16) -> Result<Vec<Figure>> {
    let peak = |records: u64| -> Result<f64> {
        let output = again(records)?.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let kib: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
        Ok(kib / 1024.0)
    };
    let (mut peaks, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=repeat {
        let (small, large) = (peak(records)?, peak(records * 10)?);
        log::info!("peak memory, round {round}: {small:.1} MiB, {large:.1} MiB at ten times the records");
        peaks.push(large);
        ratios.push(large / small);
    }
    Ok(vec![
        Figure::new("peak memory in MiB", Some(Goal::AtMost(100.0)), peaks),
        Figure::new("÷ peak at a tenth of the records", Some(Goal::AtMost(1.1)), ratios),
    ])
}

/// Signs `template` with the no-op signer. Returns the peak memory of this process in KiB.
pub fn peak(lab: &Lab, template: &Template) -> Result<u64> {
    lab.sign(template, &Settings::default(), Signers::Noop)?;
    let status = fs::read_to_string("/proc/self/status").context("peak memory is read from /proc")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    Ok(peak.context("/proc/self/status has no VmHWM")?.trim().parse()?)
}
