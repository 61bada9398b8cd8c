//! Disks, signals and files that misbehave, from outside.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    sync::atomic::Ordering,
    time::Duration,
};

use crate::{
    crash::{check_lists, check_windows},
    damage::crc32,
    load::Load,
    shop::{self, SECRET, requests, scrape_thrice, start},
    sink::Sink,
    system::{System, binary, until},
};

/// A small disk of our own; unmounted when dropped.
pub(crate) struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// `None`, said loudly, where mounting is not permitted.
    pub(crate) fn mount(at: &'a Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        if mount.is_ok_and(|it| it.status.success()) {
            return Some(Self(at));
        }
        eprintln!("SKIPPED: mounting a tmpfs is not permitted");
        None
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

async fn status(system: &System, path: &str) -> u16 {
    system.http.get(format!("{}{path}", system.url)).send().await.unwrap().status().as_u16()
}

/// Ten request lines; the status and whether the sender is told when to come back.
async fn ten_lines(system: &System) -> (u16, bool) {
    let line = r#"{"service":"logs","environment":"production","version":"1","status":200}"#;
    let post = system.http.post(format!("{}/api/v1/requests", system.url));
    let answer = post.body(format!("{line}\n").repeat(10)).send().await.unwrap();
    (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room_and_loses_nothing_that_was_acked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("disk");
    let Some(_disk) = Disk::mount(&at, "size=2m") else { return };
    let config = format!("server: {{ listen: \"LISTEN\", data_dir: {}/data }}\n", at.display());
    let mut system = System::start(&config).await;
    let mut acked = 0;
    assert_eq!(ten_lines(&system).await.0, 202);
    acked += 10;
    until("the lines are judged", async || requests(&system, "logs").await).await;
    let filler = at.join("filler");
    let filled = std::fs::write(&filler, vec![0; 4 << 20]);
    assert!(filled.is_err(), "the disk takes more than it holds");

    until("a refusal", async || match ten_lines(&system).await {
        (503, true) => Some(()),
        (202, _) => {
            acked += 10;
            None
        }
        other => panic!("neither taken nor refused: {other:?}"),
    })
    .await;
    until("not ready", async || (status(&system, "/-/ready").await == 503).then_some(())).await;
    assert_eq!(status(&system, "/-/healthy").await, 200);
    let token = std::fs::read_to_string(at.join("data/cli.token")).unwrap();
    let reload = system.http.post(format!("{}/-/reload", system.url)).bearer_auth(token);
    assert_eq!(reload.send().await.unwrap().status(), 200, "nothing of the policy changed");
    assert!(requests(&system, "logs").await.is_some(), "values are shown while nothing can be written");

    // Killed and started on the full disk: it comes up, says so, and still refuses.
    system.kill();
    system.start_again_unready().await;
    until("still not ready", async || (status(&system, "/-/ready").await == 503).then_some(())).await;
    assert_eq!(ten_lines(&system).await.0, 503);

    std::fs::remove_file(&filler).unwrap();
    until("ready again", async || (status(&system, "/-/ready").await == 200).then_some(())).await;
    assert_eq!(ten_lines(&system).await.0, 202);
    acked += 10;
    let counted =
        async |system: &System| (requests(system, "logs").await.unwrap_or_default() >= acked).then_some(());
    until("what was acked is there", async || counted(&system).await).await;
    system.kill_and_restart().await;
    until("and after a restart", async || counted(&system).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_load_loses_nothing_and_neither_does_a_stop_that_finds_it_full() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("disk");
    let Some(_disk) = Disk::mount(&at, "size=6m") else { return };
    let sink = Sink::start().await;
    let data = at.join("data");
    let config = shop::CONFIG.replace("TARGET", &sink.url);
    let config = config.replace("\"LISTEN\"", &format!("\"LISTEN\", data_dir: {}", data.display()));
    let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    // Where the senders look for the token.
    std::os::unix::fs::symlink(&data, system.folder.path().join("data")).unwrap();
    let load = Load::start(&system, 0.0);
    let filler = at.join("filler");
    for round in ["stopped", "killed"] {
        until("the load is on", async || requests(&system, "steady").await.filter(|it| *it > 0)).await;
        assert!(std::fs::write(&filler, vec![0; 8 << 20]).is_err(), "the disk takes more than it holds");
        until("not ready", async || (status(&system, "/-/ready").await == 503).then_some(())).await;
        // There is no room for a snapshot either, and none for a token if it were made anew.
        if round == "stopped" {
            assert_eq!(system.terminate(), Some(0));
        } else {
            system.kill();
        }
        system.start_again_unready().await;
        until("still not ready", async || (status(&system, "/-/ready").await == 503).then_some(())).await;
        std::fs::remove_file(&filler).unwrap();
        until("ready again", async || (status(&system, "/-/ready").await == 200).then_some(())).await;
    }
    let acked = load.finish().await;
    assert_eq!(*acked.odd.lock().unwrap(), Vec::<String>::new());
    check_windows(&system, &acked).await;
    check_lists(&system, &acked).await;
    assert!(!system.log().contains("panicked"), "{}", system.log());
    system.kill_and_restart().await;
    check_windows(&system, &acked).await;
}

fn serve(folder: &Path, config: &str) -> Output {
    std::fs::write(folder.join("ripcord.yml"), config).unwrap();
    Command::new(binary()).args(["serve", "--config", "ripcord.yml"]).current_dir(folder).output().unwrap()
}

#[test]
fn a_data_directory_that_cannot_be_used_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a-file"), "").unwrap();
    for (name, version) in [("older", 1), ("newer", 3)] {
        let stated = format!("ripcord-log {version}");
        std::fs::create_dir(path(name)).unwrap();
        let text = format!("{stated} {:08x}\n", crc32(stated.as_bytes()));
        std::fs::write(path(name).join("format"), text).unwrap();
    }
    let disk = path("read-only");
    let mounted = Disk::mount(&disk, "size=1m,ro");
    for (data_dir, sentence, is_there) in [
        ("a-file", "a-file", true),
        ("older", "has format 1 and this ripcord reads format 2: start the version that wrote it", true),
        ("newer", "has format 3 and this ripcord reads format 2: start the version that wrote it", true),
        ("read-only", "Read-only file system", mounted.is_some()),
        ("read-only/below/data", "Read-only file system", mounted.is_some()),
        ("a-file/data", "Not a directory", true),
    ] {
        if !is_there {
            continue;
        }
        let config = format!("server: {{ listen: \"127.0.0.1:0\", data_dir: {data_dir} }}\n");
        let refused = serve(folder.path(), &config);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(78), "{data_dir}: {said}");
        assert!(said.contains(sentence), "{data_dir}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    for name in ["older", "newer"] {
        let left: Vec<_> = std::fs::read_dir(path(name)).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert!(left.iter().all(|it| it == "format" || it == "lock"), "{name} was written to: {left:?}");
    }
}

#[tokio::test]
async fn a_data_directory_is_made_with_what_is_missing_above_it() {
    let system = System::start("server: { listen: \"LISTEN\", data_dir: not/there/yet }\n").await;
    assert!(system.folder.path().join("not/there/yet/format").is_file());
    assert_eq!(ten_lines(&system).await.0, 202);
}

#[tokio::test]
async fn the_data_is_its_owners_alone_and_no_secret_is_told() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let release = system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    system.until_state(&release, "rolling_back").await;
    let data = system.folder.path().join("data");
    let mut waiting = vec![data.clone()];
    let mut seen = 0;
    while let Some(path) = waiting.pop() {
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "others can reach {}", path.display());
        seen += 1;
        if metadata.is_dir() {
            waiting.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 5, "only {seen} files");

    let token = std::fs::read_to_string(data.join("cli.token")).unwrap();
    let mut told = system.log();
    for path in
        ["/metrics", "/api/v1/releases", "/api/v1/audit", "/api/v1/deliveries", "/api/v1/openapi.json"]
    {
        told += &system.http.get(format!("{}{path}", system.url)).send().await.unwrap().text().await.unwrap();
    }
    told += &system.get(&format!("/api/v1/releases/{release}")).await.to_string();
    for secret in [token.trim(), SECRET, SECRET.trim_start_matches("whsec_")] {
        assert!(!told.contains(secret), "a secret is told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_answers_or_refuses_every_request_and_keeps_what_it_acked() {
    let sink = Sink::start().await;
    let mut system = start(&sink).await;
    let load = Load::start(&system, 0.0);
    let acked = std::sync::Arc::clone(&load.acked);
    until("the load is on", async || (acked.lines.lock().unwrap().len() > 10).then_some(())).await;
    system.signal("TERM");
    until("it ends by itself with 0", async || system.exit_code().filter(|code| *code == 0)).await;
    assert!(!system.log().contains("not everything stopped in time"), "{}", system.log());
    system.start_again().await;
    let acked = load.finish().await;
    assert_eq!(*acked.odd.lock().unwrap(), Vec::<String>::new());
    let steady = acked.steady.load(Ordering::Relaxed);
    until("every acked sample counts once", async || {
        (requests(&system, "steady").await == Some(steady)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_second_sigterm_ends_the_process_at_once() {
    // A target that takes the connection and never answers keeps the first one waiting.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = shop::CONFIG.replace("TARGET", &format!("http://{}/", listener.local_addr().unwrap()));
    let mut system = System::start_with_files(&config, &[("webhook.secret", SECRET)]).await;
    system.release("checkout", "2.4.1", Some("2.4.0")).await;
    scrape_thrice(&system, "checkout", "2.4.1", 900.0, 100.0).await;
    let _asked = tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap();
    system.signal("TERM");
    until("it stops", async || system.log().contains("a second signal").then_some(())).await;
    assert_eq!(system.exit_code(), None, "the first one waits for the command under way");
    system.signal("TERM");
    let ended = until("it ends", async || system.exit_code());
    let code = tokio::time::timeout(Duration::from_secs(3), ended).await.expect("the second one waits too");
    assert_eq!(code, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_reloads_with_bad_and_good_files_loses_nothing_and_the_last_good_file_rules() {
    let sink = Sink::start().await;
    let system = start(&sink).await;
    let load = Load::start(&system, 0.0);
    let file = system.folder.path().join("ripcord.yml");
    let good = std::fs::read_to_string(&file).unwrap();
    for n in 0..50 {
        // Written in place, so that it is also read while it is empty.
        let text = if n % 2 == 0 { "rollback_triggers: [" } else { &good };
        std::fs::write(&file, text).unwrap();
        system.signal("HUP");
    }
    std::fs::write(&file, "server: nonsense").unwrap();
    let (refused, _) = system.post("/-/reload", &serde_json::Value::Null).await;
    assert_eq!(refused, 400);
    // As a ConfigMap is updated: the file is a link, and the link is swapped.
    let (new, link) = (system.folder.path().join("new.yml"), system.folder.path().join("link.yml"));
    std::fs::write(&new, good.replace("threshold: 1%", "threshold: 2%")).unwrap();
    std::os::unix::fs::symlink(&new, &link).unwrap();
    std::fs::rename(&link, &file).unwrap();
    until("the swapped file is in force", async || {
        system.log().contains("configuration reloaded origin=\"file change\"").then_some(())
    })
    .await;
    let release = system.release("search", "2", Some("1")).await;
    scrape_thrice(&system, "search", "2", 900.0, 100.0).await;
    system.until_state(&release, "rolling_back").await;
    let command = sink.commands_for("search").pop();
    let command = match command {
        Some(command) => command,
        None => until("a command", async || sink.commands_for("search").pop()).await,
    };
    assert_eq!(command["reason"]["condition"], "error_rate > 2%");
    let acked = load.finish().await;
    assert_eq!(*acked.odd.lock().unwrap(), Vec::<String>::new());
    let steady = acked.steady.load(Ordering::Relaxed);
    until("every acked sample counts once", async || {
        (requests(&system, "steady").await == Some(steady)).then_some(())
    })
    .await;
}
