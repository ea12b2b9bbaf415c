//! The name cleaner. The input is paths, a line each; whatever they are, what comes out can be
//! stored side by side on any file system.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_metainfo::names::{COMPONENT_BYTES_MAX, RawPath, clean_component, clean_paths};
use std::collections::BTreeSet;

fuzz_target!(|bytes: &[u8]| {
    let split: Vec<Vec<&[u8]>> = bytes
        .split(|byte| *byte == b'\n')
        .map(|path| path.split(|byte| *byte == b'/').collect())
        .collect();
    let raw: Vec<_> =
        split.iter().map(|components| RawPath { components, is_pad: false }).collect();
    let (paths, cleaned) = clean_paths(&raw);
    assert_eq!(paths.len(), raw.len());
    let folded: BTreeSet<String> = paths.iter().map(|path| path.to_lowercase()).collect();
    assert_eq!(folded.len(), paths.len(), "two paths are equal");
    for path in &paths {
        for name in path.split('/') {
            assert!(!name.is_empty() && name.len() <= COMPONENT_BYTES_MAX);
            assert!(!matches!(name, "." | "..") && !name.contains(['\\', '\0']));
            let (again, why) = clean_component(name.as_bytes());
            assert!(again == name && why.is_empty(), "{name:?} is not clean: {why}");
        }
        let inside = [&path.to_lowercase(), "/"].concat();
        let next = folded.range(inside.clone()..).next();
        assert!(!next.is_some_and(|other| other.starts_with(&inside)), "a file is a folder");
    }
    for change in cleaned {
        let file = change.file.expect("only paths were given");
        assert_eq!(paths[file], change.to);
    }
});
