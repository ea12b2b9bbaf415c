//! The reference page, made from the table.

use crate::table::{SECTIONS, SETTINGS, Setting};

/// `docs/settings.md`.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for (section, about) in SECTIONS {
        page += &format!("\n## {section}\n\n{}\n\n", about.concat().trim());
        page += "| key | default | values | |\n|---|---|---|---|\n";
        for setting in SETTINGS.iter().filter(|setting| setting.section() == *section) {
            page += &row(setting);
        }
    }
    page
}

const HEAD: &str = "\
# Settings

Made from the table in `crates/settings/src/table.rs`; a test keeps it current.

Layers, the later one wins: defaults; the file `piecework.toml` in the configuration folder; what was changed
at run time; the environment, where `queue.downloads_max` is `PIECEWORK_QUEUE_DOWNLOADS_MAX`; flags, as
`--set KEY=VALUE`. `piecework config show --origin` says which one a value came from, `piecework config check`
tells all that is wrong at once. In the file a section is a table:

    [queue]
    downloads_max = 3

Lists are arrays there, and divided by commas elsewhere. Settings marked * count from the next start.
";

fn row(setting: &Setting) -> String {
    let name = setting.key.split_once('.').map_or(setting.key, |(_, name)| name);
    let mark = if setting.needs_restart { " *" } else { "" };
    let default = match setting.default {
        "" => "empty".into(),
        text => format!("`{text}`"),
    };
    format!("| `{name}`{mark} | {default} | {} | {} |\n", setting.form(), setting.doc())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");

    /// With `UPDATE_DOCS` set it writes the page instead.
    #[test]
    fn the_reference_page_is_current() {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(PATH, page()).unwrap();
        }
        let there = std::fs::read_to_string(PATH).unwrap();
        assert!(there == page(), "run UPDATE_DOCS=1 cargo test -p piecework-settings");
    }
}
