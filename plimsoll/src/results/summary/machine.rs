//! The machine that the load came from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine that the load came from: numbers of different ones are not compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The system, as it names itself.
    pub system: String,
    /// The kernel's version.
    pub kernel: String,
    /// The processor, as it names itself.
    pub processor: String,
    /// The architecture, such as `x86_64`.
    pub architecture: String,
    /// The cores that this process may use.
    pub cores: u32,
    /// Memory in bytes; 0 if it is not known.
    pub memory_bytes: u64,
}

impl Machine {
    /// This one. What it does not tell stays empty.
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        Self::of(
            &read("/etc/os-release"),
            &read("/proc/sys/kernel/osrelease"),
            &read("/proc/cpuinfo"),
            &read("/proc/meminfo"),
            cores as u32,
        )
    }

    fn of(release: &str, kernel: &str, processors: &str, memory: &str, cores: u32) -> Self {
        let kilobytes = value(memory, "MemTotal", ':');
        let kilobytes = kilobytes.split_whitespace().next().and_then(|text| text.parse().ok());
        Self {
            system: value(release, "PRETTY_NAME", '=').trim_matches('"').to_owned(),
            kernel: kernel.trim().to_owned(),
            processor: value(processors, "model name", ':').to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            cores,
            memory_bytes: kilobytes.unwrap_or(0u64) * 1024,
        }
    }
}

/// The value of the first line with this name.
fn value<'a>(text: &'a str, name: &str, separator: char) -> &'a str {
    let mut pairs = text.lines().filter_map(|line| line.split_once(separator));
    pairs.find(|(key, _)| key.trim() == name).map_or("", |(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_what_its_files_say() {
        let machine = Machine::of(
            "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n",
            "6.1.0\n",
            "processor\t: 0\nmodel name\t: A CPU @ 2.00GHz\nmodel name\t: B\n",
            "MemTotal:       16000 kB\nMemFree: 1 kB\n",
            2,
        );
        assert_eq!(machine.system, "Debian GNU/Linux 12");
        assert_eq!((machine.kernel.as_str(), machine.cores), ("6.1.0", 2));
        assert_eq!(machine.processor, "A CPU @ 2.00GHz");
        assert_eq!(machine.memory_bytes, 16_384_000);
        assert_eq!(Machine::of("", "", "", "", 1).memory_bytes, 0, "nothing is known");
        assert!(Machine::here().cores > 0);
    }
}
