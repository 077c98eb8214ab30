//! Which names lead to a file.
//!
//! In: a path. Out: every name on the way that could be changed so that the path leads elsewhere:
//! each link, the file's own, or the first that is not there yet. Never: opens anything.
#![expect(clippy::disallowed_methods, reason = "files are watched on the control side")]

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As Linux's own bound on links in one path.
const MOST_LINKS: usize = 40;

/// The way to a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Traced {
    /// Folders without links, each with a name in it.
    pub names: Vec<(PathBuf, OsString)>,
    /// The file, where there is one, by a path without links.
    pub end: Option<PathBuf>,
}

/// Follows a path as it is now. A folder on the way that is no link counts as one that stays.
pub fn trace(path: &Path) -> Traced {
    let mut names = Vec::new();
    let mut here = PathBuf::from("/");
    let mut left = Vec::new();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    push(&mut left, &absolute);
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        let Ok(facts) = std::fs::symlink_metadata(&next) else {
            names.push((here, name));
            return Traced { names, end: None };
        };
        if facts.is_symlink() {
            names.push((here.clone(), name));
            links += 1;
            match std::fs::read_link(&next) {
                Ok(target) if links <= MOST_LINKS => {
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    push(&mut left, &target);
                }
                _ => return Traced { names, end: None },
            }
        } else {
            if left.is_empty() {
                names.push((here, name));
            }
            here = next;
        }
    }
    Traced { names, end: Some(here) }
}

/// Puts a path's names before those that are left; the last is the next.
fn push(left: &mut Vec<OsString>, path: &Path) {
    left.extend(path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    }));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_and_the_first_name_that_is_missing() {
        let folder = std::env::temp_dir().join(format!("weir-trace-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("v1")).expect("a folder");
        let folder = folder.canonicalize().expect("there");
        let at = |path: &str, name: &str| (folder.join(path), OsString::from(name));
        let traced = |path: &str| trace(&folder.join(path));
        let none = traced("v1/sub/weir.toml");
        assert_eq!(none, Traced { names: vec![at("v1", "sub")], end: None });
        // As a volume of Kubernetes has it.
        std::fs::write(folder.join("v1/weir.toml"), "").expect("written");
        symlink("v1", folder.join("..data")).expect("a link");
        symlink("..data/weir.toml", folder.join("weir.toml")).expect("a link");
        let found = traced("v1/../weir.toml");
        let names = vec![at("", "weir.toml"), at("", "..data"), at("v1", "weir.toml")];
        let names: Vec<_> =
            names.into_iter().map(|(path, name)| (path.components().collect(), name)).collect();
        assert_eq!(found, Traced { names, end: Some(folder.join("v1/weir.toml")) });
        symlink("loop", folder.join("loop")).expect("a link");
        assert_eq!(traced("loop").end, None);
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
