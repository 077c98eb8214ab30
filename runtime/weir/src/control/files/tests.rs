//! Files and folders that are watched: real ones, changed in every way.

use std::fs::File;
use std::io::Write;

use rustix::time::{ClockId, clock_gettime};

use super::*;

const WAIT: Duration = Duration::from_secs(20);

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("weir-files-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

fn following(paths: &[&Path]) -> Files {
    let mut files = Files::new();
    files.follow(paths.iter().map(|path| (path.to_path_buf(), Stamp::of(path))).collect());
    files
}

async fn changes(files: &mut Files, within: Duration) -> bool {
    tokio::time::timeout(within, files.changed()).await.is_ok_and(|without| without.is_empty())
}

#[tokio::test(start_paused = true)]
async fn a_file_that_somebody_still_writes_is_not_there_yet() {
    let folder = folder("open");
    let file = folder.join("weir.toml");
    std::fs::write(&file, "[a]\nb = 1\n").expect("written");
    let mut files = following(&[&file]);
    let mut open = File::create(&file).expect("open");
    open.write_all(b"[a]\nb = 2\n").expect("written");
    // Longer than any quiet that would do for a closed one.
    assert!(!changes(&mut files, Duration::from_millis(4_500)).await);
    assert_eq!(files.settled(Duration::ZERO).await, std::slice::from_ref(&file));
    open.write_all(b"c = 3\n").expect("written");
    drop(open);
    assert!(changes(&mut files, WAIT).await);
    assert_eq!(files.settled(WAIT).await, [] as [PathBuf; 0]);
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// Where the system tells nothing it still says who has a file open.
#[tokio::test(start_paused = true)]
async fn who_has_it_open_is_known_however_it_came_and_without_notices() {
    let folder = folder("renamed");
    let file = folder.join("weir.toml");
    std::fs::write(&file, "[a]\nb = 1\n").expect("written");
    for with_notices in [true, false] {
        let mut files = following(&[&file]);
        if !with_notices {
            files.notices = None;
        }
        let mut open = File::create(folder.join("next")).expect("open");
        open.write_all(b"[a]\nb = 2\n").expect("written");
        std::fs::rename(folder.join("next"), &file).expect("renamed");
        assert!(!changes(&mut files, Duration::from_millis(4_500)).await, "{with_notices}");
        drop(open);
        assert!(changes(&mut files, WAIT).await, "{with_notices}");
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test(start_paused = true)]
async fn a_new_file_of_a_folder_that_is_open_is_left_out_with_the_folder() {
    let folder = folder("folder");
    let (old, new) = (folder.join("old.toml"), folder.join("new.toml"));
    std::fs::write(&old, "[a]\nb = 1\n").expect("written");
    let mut files = following(&[&folder, &old]);
    let open = File::create(&new).expect("open");
    std::fs::write(&old, "[a]\nb = 2\n").expect("written");
    let changed = tokio::time::timeout(WAIT, files.changed()).await.expect("a change");
    assert_eq!(changed, [folder.clone(), new]);
    // As who reads without it does.
    let before = files.stamps[&folder];
    files.follow([(folder.clone(), before), (old.clone(), Stamp::of(&old))].into());
    drop(open);
    assert!(changes(&mut files, WAIT).await);
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_comes_later_is_a_change_whatever_is_missing_on_the_way() {
    let folder = folder("later");
    let file = folder.join("certs/a.pem");
    let mut files = following(&[&file]);
    assert!(!changes(&mut files, Duration::from_millis(100)).await);
    std::fs::create_dir(folder.join("certs")).expect("a folder");
    let whole = folder.join("a.pem");
    std::fs::write(&whole, "a").expect("written");
    std::fs::rename(&whole, &file).expect("renamed");
    assert!(changes(&mut files, WAIT).await);
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// As where the user has no more of inotify, or the system knows none.
#[tokio::test]
async fn without_notices_files_are_looked_at_and_no_core_is_burnt() {
    let folder = folder("alone");
    let file = folder.join("weir.toml");
    std::fs::write(&file, "[a]\nb = 1\n").expect("written");
    let mut files = following(&[&file]);
    files.notices = None;
    let used = || clock_gettime(ClockId::ThreadCPUTime);
    let before = used();
    assert!(!changes(&mut files, Duration::from_secs(2)).await);
    let after = used();
    let nanos = (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec;
    assert!(nanos < 200_000_000, "{nanos} ns of CPU time in two seconds");
    std::fs::write(&file, "[a]\nb = 2\n").expect("written");
    assert!(changes(&mut files, WAIT).await);
    std::fs::remove_dir_all(&folder).expect("removed");
}
