//! Puts what `web/` was built into (the folder `dist`) into the program, as a table of files. Without Node.js
//! the folder is empty, and so is the table.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=dist");
    let dist = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("dist");
    let mut files = Vec::new();
    collect(&dist, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in files.iter().filter(|file| !is_packed(file)) {
        let path = file.strip_prefix(&dist).map_err(io::Error::other)?;
        let path = path.to_str().ok_or_else(|| io::Error::other("a name that is no text"))?;
        let packed = |suffix: &str| {
            let packed = PathBuf::from(format!("{}.{suffix}", file.display()));
            match packed.is_file() {
                true => format!("Some(include_bytes!({packed:?}))"),
                false => "None".to_owned(),
            }
        };
        writeln!(
            table,
            "    AppFile {{ path: {path:?}, plain: include_bytes!({file:?}), gzip: {}, brotli: {} }},",
            packed("gz"),
            packed("br"),
        )
        .map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    fs::write(PathBuf::from(variable("OUT_DIR")).join("files.rs"), table)
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn is_packed(file: &Path) -> bool {
    file.extension().is_some_and(|it| it == "gz" || it == "br")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.file_name().is_some_and(|name| name != ".gitignore") {
            files.push(path);
        }
    }
    Ok(())
}
