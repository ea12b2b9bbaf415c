//! What this machine is, as far as figures depend on it.

use std::fs;
use std::process::Command;
use std::thread;

/// Facts from `/proc`; what cannot be read is said to be unknown.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) model: String,
    pub(crate) cores: usize,
    pub(crate) has_avx2: bool,
    pub(crate) has_avx512: bool,
    pub(crate) has_sha_ni: bool,
    pub(crate) kernel: String,
    pub(crate) memory_gib: u64,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
}

impl Machine {
    /// The machine now, before the rounds.
    pub(crate) fn look() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let features = field(&cpu, "flags").unwrap_or_default();
        let has = |feature: &str| features.split(' ').any(|word| word == feature);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_kib = field(&memory, "MemTotal")
            .and_then(|text| text.split(' ').next().and_then(|number| number.parse::<u64>().ok()));
        Self {
            date: date(),
            model: field(&cpu, "model name").unwrap_or("unknown CPU").to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            has_avx2: has("avx2"),
            has_avx512: has("avx512f") && has("avx512bw"),
            has_sha_ni: has("sha_ni"),
            kernel: first_word("/proc/sys/kernel/osrelease"),
            memory_gib: memory_kib.unwrap_or_default().div_ceil(1 << 20),
            load_before: load(),
            load_after: String::new(),
        }
    }

    /// The load after the rounds.
    pub(crate) fn look_again(&mut self) {
        self.load_after = load();
    }
}

/// The value of the first line `key : value`.
fn field<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

/// The load average of the last minute.
fn load() -> String {
    first_word("/proc/loadavg")
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn date() -> String {
    let output = Command::new("date").args(["-u", "+%F"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "an unknown day".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 85\nmodel name\t: A CPU @ 2 GHz\nflags\t: fpu avx2\n";
        assert_eq!(field(text, "model name"), Some("A CPU @ 2 GHz"));
        assert_eq!(field(text, "name"), None);
    }
}
