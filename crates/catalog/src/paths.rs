//! Names and folders: what is allowed, and what follows from a category.
//!
//! Knows nothing of a drive: whether a folder lies inside the roots, or exists, is for others to say.

use crate::command::{Refusal, RefusalKind};
use crate::record::{COMMENT_CHARS_MAX, Category, Record};
use crate::rules::Rules;
use std::collections::BTreeSet;
use std::path::Path;

/// Characters of a category, of a tag.
const LABEL_CHARS_MAX: usize = 255;
/// Characters of a torrent's name for people.
const NAME_CHARS_MAX: usize = 1_024;
/// Bytes of a folder or of the path of a file: what the common systems take.
const PATH_BYTES_MAX: usize = 4_096;
/// Bytes of one part of a path.
const PART_BYTES_MAX: usize = 255;

fn invalid(text: String) -> Refusal {
    Refusal::new(RefusalKind::Invalid, text)
}

/// Refuses a name that cannot be a category's. `a/b` is one below `a`.
pub(crate) fn check_category(name: &str) -> Result<(), Refusal> {
    let fault = if name.is_empty() {
        "it is empty"
    } else if name.chars().count() > LABEL_CHARS_MAX {
        "it is longer than 255 characters"
    } else if name.chars().any(char::is_control) {
        "it has control characters"
    } else if name.split('/').any(str::is_empty) {
        "it begins or ends with `/`, or has `//`"
    } else if name.split('/').any(|part| matches!(part, "." | "..")) {
        "it has a part `.` or `..`"
    } else if name.contains('\\') {
        "it has `\\`"
    } else {
        return Ok(());
    };
    Err(invalid(format!("{} cannot name a category: {fault}", quoted(name))))
}

/// A tag without spaces around it, unless it cannot be one.
pub(crate) fn clean_tag(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    let fault = if name.is_empty() {
        "it is empty"
    } else if name.chars().count() > LABEL_CHARS_MAX {
        "it is longer than 255 characters"
    } else if name.chars().any(char::is_control) {
        "it has control characters"
    } else if name.contains(',') {
        "it has a comma"
    } else {
        return Ok(name.to_owned());
    };
    Err(invalid(format!("{} cannot be a tag: {fault}", quoted(name))))
}

/// Several of them.
pub(crate) fn clean_tags(names: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
    names.iter().map(|name| clean_tag(name)).collect()
}

/// A name for people without control characters; `None` if nothing is left.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    let printable = name.chars().filter(|char| !char.is_control());
    let name: String = printable.take(NAME_CHARS_MAX).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// As much of a comment as is kept; `None` if there is nothing in it.
pub(crate) fn clean_comment(comment: Option<String>) -> Option<String> {
    let comment: String = comment?.chars().take(COMMENT_CHARS_MAX).collect();
    (!comment.is_empty()).then_some(comment)
}

/// A folder without a `/` behind it, unless it cannot be one.
pub(crate) fn clean_folder(folder: &str) -> Result<String, Refusal> {
    let fault = if folder.chars().any(char::is_control) {
        "it has control characters"
    } else if folder.len() > PATH_BYTES_MAX {
        "it is longer than 4,096 bytes"
    } else if !Path::new(folder).is_absolute() {
        "it is not absolute"
    } else if folder.split(['/', '\\']).any(|part| part == "..") {
        "it has a part `..`"
    } else {
        return Ok(bare(folder).to_owned());
    };
    Err(invalid(format!("{} cannot be a folder: {fault}", quoted(folder))))
}

/// Refuses a path that a file of a torrent cannot have.
pub(crate) fn check_file(path: &str) -> Result<(), Refusal> {
    let fault = if path.is_empty() {
        "it is empty"
    } else if path.len() > PATH_BYTES_MAX {
        "it is longer than 4,096 bytes"
    } else if path.chars().any(char::is_control) {
        "it has control characters"
    } else if path.starts_with('/') || Path::new(path).is_absolute() {
        "it is not below the torrent's folder"
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "it has an empty part, `.` or `..`"
    } else if path.split('/').any(|part| part.len() > PART_BYTES_MAX) {
        "a part of it is longer than 255 bytes"
    } else {
        return Ok(());
    };
    Err(invalid(format!("{} cannot be the path of a file: {fault}", quoted(path))))
}

/// Refuses paths of which one is another, or a folder on the way to another.
pub(crate) fn check_apart<'a>(paths: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    let mut known = BTreeSet::new();
    for path in paths {
        if !known.insert(path.as_str()) {
            return Err(conflict(path));
        }
    }
    for path in &known {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        if let Some(folder) = folders.into_iter().find(|folder| known.contains(folder)) {
            return Err(conflict(folder));
        }
    }
    Ok(())
}

fn conflict(path: &str) -> Refusal {
    let text = format!("two files cannot have the path {}", quoted(path));
    Refusal::new(RefusalKind::Conflict, text)
}

/// The first part that all paths share, if there is one and something behind it.
pub(crate) fn common_root<'a>(mut paths: impl Iterator<Item = &'a String>) -> Option<String> {
    let (root, _) = paths.next()?.split_once('/')?;
    let is_common = paths.all(|path| path.split_once('/').is_some_and(|(it, _)| it == root));
    is_common.then(|| root.to_owned())
}

/// Refuses a category whose folders cannot be.
pub(crate) fn check_folders(category: &Category) -> Result<(), Refusal> {
    let folders = [Some(&category.save_path), category.incomplete_path.as_ref()];
    for folder in folders.into_iter().flatten().filter(|folder| !folder.is_empty()) {
        if Path::new(folder).is_absolute() {
            clean_folder(folder)?;
        } else {
            check_file(bare(folder))?;
        }
    }
    Ok(())
}

/// The folders of a torrent whose paths follow its category: complete, and until then.
pub(crate) fn automatic(
    rules: &Rules,
    category: Option<(&String, &Category)>,
) -> (String, Option<String>) {
    let base = bare(&rules.save_path);
    let incomplete = rules.incomplete_path.as_deref().map(bare);
    let Some((name, category)) = category else {
        return (base.to_owned(), incomplete.map(str::to_owned));
    };
    let own = |path: &str, base: &str| {
        let below = if path.is_empty() { name } else { path };
        if Path::new(below).is_absolute() {
            bare(below).to_owned()
        } else {
            format!("{}/{}", base.trim_end_matches('/'), bare(below))
        }
    };
    let until_complete = match category.incomplete_path.as_deref() {
        Some(path) => Some(own(path, incomplete.unwrap_or(base))),
        None => incomplete.map(str::to_owned),
    };
    (own(&category.save_path, base), until_complete)
}

/// Gives a torrent other folders. Where it lies is kept, until it has been moved; without metainfo there is
/// nothing to move. Gives whether anything changed.
pub(crate) fn set_folders(
    record: &mut Record,
    save_path: String,
    incomplete_path: Option<String>,
) -> bool {
    let incomplete_path = incomplete_path.filter(|path| *path != save_path);
    if record.save_path == save_path && record.incomplete_path == incomplete_path {
        return false;
    }
    let here = record.folder().to_owned();
    (record.save_path, record.incomplete_path) = (save_path, incomplete_path);
    if record.has_metainfo {
        crate::life::lie(record, here);
    } else {
        go_home(record);
    }
    true
}

/// It lies where it ought to: there is nothing of it yet.
pub(crate) fn go_home(record: &mut Record) {
    (record.place, record.lies_in) = (crate::life::home(record).0, None);
}

fn bare(folder: &str) -> &str {
    let bare = folder.trim_end_matches('/');
    if bare.is_empty() { folder } else { bare }
}

/// A name as it may stand in a line: short, and without anything that a terminal would obey.
pub(crate) fn quoted(name: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut text: String = name.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(CHARS_MAX).is_some() {
        text.push('…');
    }
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            save_path: "/save/".into(),
            incomplete_path: Some("/part".into()),
            ..Rules::default()
        }
    }

    fn folders(save_path: &str, incomplete_path: Option<&str>) -> (String, Option<String>) {
        let category = Category {
            save_path: save_path.into(),
            incomplete_path: incomplete_path.map(str::to_owned),
        };
        automatic(&rules(), Some((&"tv/hd".to_owned(), &category)))
    }

    fn pair(save_path: &str, incomplete_path: &str) -> (String, Option<String>) {
        (save_path.into(), Some(incomplete_path.into()))
    }

    #[test]
    fn paths_follow_the_category_or_its_name_or_the_rules() {
        assert_eq!(automatic(&rules(), None), pair("/save", "/part"));
        assert_eq!(folders("", None), pair("/save/tv/hd", "/part"));
        assert_eq!(folders("shows", Some("")), pair("/save/shows", "/part/tv/hd"));
        assert_eq!(folders("/far/", Some("/near")), pair("/far", "/near"));
        let plain = Rules { save_path: "/".into(), ..Rules::default() };
        let none = Category::default();
        let found = automatic(&plain, Some((&"tv".to_owned(), &none)));
        assert_eq!(found, ("/tv".into(), None));
    }

    #[test]
    fn names_of_categories_are_parts_of_paths() {
        for name in ["a", "a/b", "Ä b", &"x".repeat(255)] {
            assert_eq!(check_category(name), Ok(()));
        }
        let bad = ["", "/a", "a/", "a//b", "..", "a/..", "a/./b", "a\nb", "a\\b", &"x".repeat(256)];
        for name in bad {
            let refusal = check_category(name).expect_err(name);
            assert_eq!(refusal.kind, RefusalKind::Invalid);
            assert!(!refusal.text.contains('\n'));
        }
    }

    #[test]
    fn tags_lose_spaces_around_them_and_have_no_comma() {
        assert_eq!(clean_tag("  seen it "), Ok("seen it".to_owned()));
        for name in ["", "  ", "a,b", "a\u{7}", &"x".repeat(256)] {
            assert!(clean_tag(name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_for_people_are_cleaned_and_cut() {
        assert_eq!(clean_name(" a\u{1b}[31mb\n "), Some("a[31mb".to_owned()));
        assert_eq!(clean_name("\n\t "), None);
        assert_eq!(clean_name(&"ä".repeat(2000)).map(|name| name.chars().count()), Some(1024));
    }

    #[test]
    fn paths_of_files_stay_below_and_apart() {
        assert_eq!(check_file("a/b.txt"), Ok(()));
        for path in ["", "/a", "a//b", "../a", "a/..", "./a", "a/\0", &"x".repeat(256)] {
            assert!(check_file(path).is_err(), "{path}");
        }
        let paths = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|path| (*path).to_owned()).collect();
            check_apart(list.iter()).is_ok()
        };
        assert!(paths(&["a/b", "a/c", "ab"]));
        assert!(!paths(&["a", "a"]));
        assert!(!paths(&["a", "a-b", "a/b"]));
    }

    #[test]
    fn folders_are_absolute() {
        assert_eq!(clean_folder("/a/b/"), Ok("/a/b".to_owned()));
        assert_eq!(clean_folder("/"), Ok("/".to_owned()));
        for folder in ["", "a", "/a/../b", "/a\n"] {
            assert!(clean_folder(folder).is_err(), "{folder}");
        }
    }
}
