use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use super::*;

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("weir-notices-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a folder");
    path.canonicalize().expect("there")
}

async fn heard(notices: &mut Notices) -> Vec<Notice> {
    let wait = Duration::from_secs(10);
    let news = tokio::time::timeout(wait, notices.next()).await;
    news.expect("something is told").expect("a sound queue")
}

#[tokio::test]
async fn who_writes_is_told_from_who_renames() {
    let folder = folder("kinds");
    let file = folder.join("weir.toml");
    std::fs::write(&file, "one").expect("written");
    let mut notices = Notices::new().expect("inotify");
    notices.follow([file.as_path()].into_iter()).expect("followed");
    {
        let mut open = std::fs::File::options().append(true).open(&file).expect("open");
        std::io::Write::write_all(&mut open, b"two").expect("written");
        assert_eq!(heard(&mut notices).await, [Notice::Written(file.clone())]);
    }
    assert!(heard(&mut notices).await.iter().all(|it| *it == Notice::Closed(file.clone())));
    std::fs::write(folder.join("next"), "three").expect("written");
    std::fs::rename(folder.join("next"), &file).expect("renamed");
    assert!(heard(&mut notices).await.contains(&Notice::Renamed));
    std::fs::remove_file(&file).expect("removed");
    assert!(heard(&mut notices).await.contains(&Notice::Renamed));
    std::fs::write(&file, "four").expect("written");
    let news = heard(&mut notices).await;
    assert_eq!(news.first(), Some(&Notice::Made(file.clone())));
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test]
async fn a_busy_neighbour_is_not_heard() {
    for others in [0, 2_000] {
        let folder = folder(&format!("busy-{others}"));
        let file = folder.join("weir.toml");
        let others = (0..others).map(|number| folder.join(format!("{number}.pem")));
        let watched: Vec<PathBuf> = others.chain([file.clone()]).collect();
        for path in &watched {
            std::fs::write(path, "one").expect("written");
        }
        let mut notices = Notices::new().expect("inotify");
        notices.follow(watched.iter().map(PathBuf::as_path)).expect("followed");
        let mut log = std::fs::File::create(folder.join("access.log")).expect("made");
        for _ in 0..10_000 {
            std::io::Write::write_all(&mut log, b"a line\n").expect("written");
        }
        std::fs::remove_file(&file).expect("removed");
        // Ten thousand would be more than one reading, and come first.
        assert!(heard(&mut notices).await.contains(&Notice::Renamed));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}

#[tokio::test]
async fn links_and_files_that_are_not_there_yet_are_followed() {
    let folder = folder("links");
    for version in ["v1", "v2"] {
        std::fs::create_dir_all(folder.join(version)).expect("a folder");
        std::fs::write(folder.join(version).join("weir.toml"), version).expect("written");
    }
    symlink("v1", folder.join("..data")).expect("a link");
    symlink("..data/weir.toml", folder.join("weir.toml")).expect("a link");
    let mut notices = Notices::new().expect("inotify");
    let (link, missing) = (folder.join("weir.toml"), folder.join("sub/a.pem"));
    let files =
        || [link.as_path(), missing.as_path()].into_iter() as std::array::IntoIter<&Path, 2>;
    notices.follow(files()).expect("followed");
    // As Kubernetes replaces what is in a volume.
    symlink("v2", folder.join("..next")).expect("a link");
    std::fs::rename(folder.join("..next"), folder.join("..data")).expect("renamed");
    assert!(heard(&mut notices).await.contains(&Notice::Renamed));
    notices.follow(files()).expect("followed");
    std::fs::create_dir(folder.join("sub")).expect("a folder");
    assert!(heard(&mut notices).await.contains(&Notice::Renamed));
    notices.follow(files()).expect("followed");
    std::fs::write(&missing, "a").expect("written");
    assert!(heard(&mut notices).await.contains(&Notice::Made(missing.clone())));
    std::fs::remove_dir_all(&folder).expect("removed");
}
