//! `plimsoll load`: what a user sees when the target, the request or the disk is not as it should be.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::started::{SOON, Started};
use crate::support::{
    Answer, Ran, Server, adds_up, class, closed_port, count, eventually, plimsoll, summary,
};

fn body(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".json").tempfile().expect("a temporary file");
    std::fs::write(file.path(), text).expect("it can be written");
    file
}

fn load(url: &str, more: &[&str]) -> Ran {
    let body = body("{\"data\": [[1]]}");
    let body = body.path().to_str().expect("UTF-8");
    let args = [
        "load",
        url,
        "--rate",
        "200",
        "--duration",
        "2s",
        "--body",
        body,
        "--objective",
        "error rate < 1% in every 1s",
    ];
    Ran::with_out(&[&args, more].concat())
}

#[test]
fn a_good_target_passes_and_every_result_is_written() {
    let server = Server::start(Answer::Status(200));
    let ran = load(&server.url(), &["--objective", "p99 < 900ms in every 1s", "--warmup", "1s"])
        .must_exit(0);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["verdict"], "met");
    assert_eq!(summary["exit_code"], 0);
    assert!(count(&summary, "/outcomes/ok") > 400, "{summary:#}");
    assert!(count(&summary, "/warmup/offered") > 100, "{summary:#}");
    for file in ["report.html", "timeline.csv", "latency.hlog", "junit.xml", "events.jsonl"] {
        let length = ran.folder().join(file).metadata().map(|data| data.len());
        assert!(length.is_ok_and(|length| length > 0), "{file}");
    }
    assert!(
        ran.stdout.contains("p99 < 900ms in every 1s") && ran.stdout.contains("report.html"),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_same_seed_offers_the_same_load() {
    let server = Server::start(Answer::Status(200));
    let offered =
        |seed: &str| count(&load(&server.url(), &["--seed", seed]).summary(), "/load/offered");
    let first = offered("11");
    assert_eq!(first, offered("11"));
    assert_ne!((first, offered("13")), (offered("12"), offered("14")), "other seeds, other counts");
}

#[test]
fn a_refused_port_is_counted_and_named() {
    let ran = load(&format!("http://127.0.0.1:{}/score", closed_port()), &[]).must_exit(3);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(class(&summary, "connect"), count(&summary, "/load/offered"));
    assert!(ran.text().to_lowercase().contains("connection refused"), "{}", ran.text());
}

#[test]
fn a_target_that_never_answers_right_is_no_pass_without_objectives_either() {
    let url = format!("http://127.0.0.1:{}/score", closed_port());
    let ran = Ran::with_out(&["load", &url, "--rate", "50", "--duration", "1s"]).must_exit(4);
    assert!(ran.text().contains("no request got a right answer"), "{}", ran.text());
}

#[test]
fn a_name_that_does_not_resolve_is_told_before_the_load() {
    let ran = load("http://no-such-host.invalid/score", &[]).must_exit(2);
    assert!(ran.stderr.contains("cannot resolve `no-such-host.invalid`"), "{}", ran.stderr);
}

#[test]
fn tls_to_a_plain_port_is_a_tls_failure() {
    let server = Server::start(Answer::Status(200));
    let ca = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let file = body(&ca.cert.pem());
    let url = format!("https://{}/score", server.address);
    let ran = load(&url, &["--ca-file", file.path().to_str().expect("UTF-8")]);
    let summary = ran.summary();
    adds_up(&summary);
    assert!(class(&summary, "tls") > 0, "{summary:#}");
    assert_eq!(class(&summary, "ok"), 0, "{summary:#}");
    assert!(ran.stdout.contains("is it http, not https?"), "{}", ran.stdout);
    assert_eq!(summary["run"]["insecure"], false);
    let ran = load(&url, &["--insecure"]);
    assert_eq!(ran.summary()["run"]["insecure"], true);
    assert!(ran.stderr.contains("certificate is NOT verified"), "{}", ran.stderr);
}

#[test]
fn a_proxy_that_is_not_used_is_named_before_the_load() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = plimsoll()
        .args(["load", "http://no-such-host.invalid/", "--rate", "1", "--duration", "1s", "--out"])
        .arg(out.path().join("results"))
        .envs([("http_proxy", "http://user:hush-hush@127.0.0.1:1"), ("no_proxy", "")])
        .env_remove("NO_PROXY")
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("http_proxy names a proxy, which is not used"), "{stderr}");
    assert!(!stderr.contains("hush-hush"), "{stderr}");
}

#[test]
fn a_wrong_key_is_401_for_everyone_and_never_printed() {
    let server = Server::start(Answer::OnlyWith("Bearer right"));
    let body = body("{}");
    let out = tempfile::tempdir().expect("a temporary folder");
    let run = |key: &str, folder: &str| {
        let folder = out.path().join(folder);
        let output = plimsoll()
            .args([
                "load",
                &server.url(),
                "--rate",
                "100",
                "--duration",
                "2s",
                "--objective",
                "error rate < 5% in every 1s",
            ])
            .args(["--key-env", "SCORING_KEY", "--body"])
            .arg(body.path())
            .arg("--out")
            .arg(&folder)
            .env("SCORING_KEY", key)
            .output()
            .expect("it starts");
        (output, folder)
    };
    let (output, folder) = run("hush-hush-wrong", "wrong");
    assert_eq!(output.status.code(), Some(3));
    let found = summary(&folder);
    assert_eq!(count(&found, "/outcomes/status/401"), count(&found, "/load/offered"));
    assert_eq!(class(&found, "auth"), count(&found, "/load/offered"));
    for entry in std::fs::read_dir(&folder).expect("results").flatten() {
        let text = std::fs::read(entry.path()).expect("readable");
        assert!(!String::from_utf8_lossy(&text).contains("hush-hush"), "{:?}", entry.path());
    }
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hush-hush"));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hush-hush"));
    for (key, folder, note) in [("right", "right", ""), ("Bearer right\n", "pasted", "left out")] {
        let (output, folder) = run(key, folder);
        let found = summary(&folder);
        assert_eq!(count(&found, "/outcomes/ok"), count(&found, "/load/offered"));
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stderr).contains(note));
    }
    let (output, _) = run("hush\nhush", "broken");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("SCORING_KEY holds no key") && !stderr.contains("hush"), "{stderr}");
}

#[test]
fn the_values_of_headers_and_the_query_are_never_written() {
    let server = Server::start(Answer::Status(200));
    let headers = [
        "--header",
        "authorization: Bearer hush-hush",
        "--header=x-key: hush-hush",
        "-H",
        "x-more: hush-hush",
        "-Hx-last: hush-hush",
    ];
    let ran = load(&format!("{}?code=hush-hush", server.url()), &headers).must_exit(0);
    assert!(!ran.text().contains("hush-hush"), "{}", ran.text());
    for entry in std::fs::read_dir(ran.folder()).expect("results").flatten() {
        let text = std::fs::read(entry.path()).expect("readable");
        assert!(!String::from_utf8_lossy(&text).contains("hush-hush"), "{:?}", entry.path());
    }
    let summary = ran.summary();
    let command = summary["run"]["command"].as_str().unwrap_or_default();
    for name in ["authorization", "x-key", "x-more", "x-last"] {
        assert!(command.contains(&format!("{name}: …")), "{command}");
    }
}

// Some servers repeat in an error what they were asked with.
#[test]
fn an_example_of_a_failure_is_told_without_secrets() {
    let server = Server::start(Answer::Echo);
    let headers = ["-H", "authorization: Bearer hush-hush", "-H", "x-key: hush-hush-2"];
    let ran = load(&format!("{}?code=hush-hush-3", server.url()), &headers).must_exit(3);
    let example = "500: POST /score?… HTTP/1.1 ";
    assert!(ran.stdout.contains(&format!("server_error: {example}")), "{}", ran.stdout);
    let summary = ran.summary();
    let told = summary["generator"]["examples"]["server_error"].as_str().unwrap_or_default();
    assert!(told.starts_with(example) && told.chars().count() <= 201, "{told}");
    for entry in std::fs::read_dir(ran.folder()).expect("results").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("text");
        assert!(!text.contains("hush-hush"), "{:?}", entry.path());
        assert!(entry.file_name() != "report.html" || text.contains(example), "on the page");
    }
    assert!(!ran.text().contains("hush-hush"), "{}", ran.text());
}

#[test]
fn what_is_wrong_with_the_flags_is_told_before_anything_is_written() {
    let cases: [(&str, &[&str], &str); 10] = [
        ("http://user:hush-hush@127.0.0.1:1/", &[], "in a header instead"),
        ("ftp://127.0.0.1/", &[], "not http or https"),
        ("http://127.0.0.1:1/", &["--method", "a b"], "no HTTP method"),
        ("http://127.0.0.1:1/", &["--header", "b d: x"], "`b d` cannot be sent"),
        ("http://127.0.0.1:1/", &["--header", "a: 1", "--header", "A: 2"], "given twice"),
        ("http://127.0.0.1:1/", &["--timeout", "0s"], "at least 1ms"),
        ("http://127.0.0.1:1/", &["--ca-file", "no/file"], "there is no file no/file"),
        ("http://127.0.0.1:1/", &["--warmup", "10000000000000000000s"], "at most 30 days"),
        (
            "http://127.0.0.1:1/",
            &["--objective", "p99 < 1s in every 10s"],
            "`p99 < 1s in every 10s`: the window of 10s is longer than the 2s that are measured",
        ),
        (
            "http://127.0.0.1:1/",
            &["--objective", "p99 of scroe < 1s"],
            "no stage, request or deployment named `scroe`; did you mean `score`?",
        ),
    ];
    for (url, more, message) in cases {
        let ran = load(url, more).must_exit(2);
        assert!(ran.text().contains(message), "{url} {more:?}: {}", ran.text());
        assert!(!ran.text().contains("hush-hush") && !ran.folder().exists(), "{url} {more:?}");
    }
}

#[test]
fn a_folder_whose_name_is_no_unicode_can_be_written() {
    let server = Server::start(Answer::Status(200));
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = out.path().join(OsStr::from_bytes(b"r\xff"));
    let load = ["load", &server.url(), "--rate", "100", "--duration", "1s", "--out"];
    let output = plimsoll().args(load).arg(&folder).output().expect("it starts");
    assert_eq!(summary(&folder)["exit_code"], output.status.code().unwrap_or(101));
}

#[test]
fn an_unanswered_request_times_out_and_is_counted() {
    let server = Server::start(Answer::Never);
    let ran = load(&server.url(), &["--timeout", "300ms", "--max-connections", "50"]).must_exit(3);
    let summary = ran.summary();
    adds_up(&summary);
    assert!(class(&summary, "client_timeout") > 0, "{summary:#}");
    assert!(count(&summary, "/load/dropped") > 0, "50 connections cannot carry it: {summary:#}");
}

#[test]
fn a_body_may_come_from_a_pipe_or_the_command_line() {
    let server = Server::start(Answer::Status(200));
    for how in ["--body -", "--body /dev/stdin", "--body <(echo '{}')", "--data '{}'"] {
        let script = format!("echo '{{}}' | \"$0\" load \"$1\" -r 20 -d 1s -o \"$2\" {how}");
        let run = Started::with(|command, out| {
            let binary = command.get_program().to_owned();
            *command = Command::new("bash");
            command.args(["-c", &script]).arg(binary).arg(server.url()).arg(out.join("results"))
        });
        let summary = run.ended(SOON).must_exit(0).summary();
        assert_eq!(count(&summary, "/outcomes/ok"), count(&summary, "/load/offered"), "{how}");
    }
}

#[test]
fn a_pipe_that_nobody_writes_to_can_be_given_up() {
    let run = Started::with(|command, out| {
        let fifo = out.join("body.json");
        let made = Command::new("mkfifo").arg(&fifo).status().expect("coreutils");
        assert!(made.success());
        command.args(["load", "http://127.0.0.1:1/", "-r", "1", "-d", "1s", "-b"]).arg(fifo)
    });
    // Opened as soon as it is read.
    let pipe = run.results().with_file_name("body.json");
    let _open = std::fs::File::options().write(true).open(pipe).expect("somebody reads");
    run.terminate();
    assert_eq!(run.ended(SOON).code, -1, "by the signal");
}

// For a while no file can be made anew, and then again: nothing is lost by that.
#[test]
fn a_run_that_has_no_descriptors_for_a_while_ends_as_it_was_judged() {
    let server = Server::start(Answer::Never);
    let run = Started::with(|command, out| {
        let script = "ulimit -n 40; exec \"$0\" load \"$1\" -r 40 -d 3s --arrivals constant \
                      --timeout 2500ms --objective 'p99 < 2s' -o \"$2\"";
        let binary = command.get_program().to_owned();
        *command = Command::new("bash");
        command.args(["-c", script]).arg(binary).arg(server.url()).arg(out.join("results"))
    });
    let ran = run.ended(SOON);
    let summary = ran.summary();
    adds_up(&summary);
    assert!(class(&summary, "client_fault") > 0, "{summary:#}");
    assert_eq!(summary["validity"]["state"], "invalid");
    assert_eq!((ran.code, &summary["exit_code"]), (4, &4.into()), "{}", ran.text());
}

#[test]
fn a_folder_that_a_run_writes_to_is_refused() {
    let server = Server::start(Answer::Status(200));
    let mut run = Started::new(&["load", &server.url(), "-r", "20", "-d", "60s", "--seed", "1"]);
    run.until_rows(1);
    let second = ["load", &server.url(), "-r", "20", "-d", "1s", "--seed", "2", "-o"];
    let output = plimsoll().args(second).arg(run.results()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("in use by another run"), "{said}");
    run.terminate();
    let ran = run.ended(SOON).must_exit(130);
    assert_eq!(ran.summary()["scenario"]["seed"], 1);
    // A run that is over holds it no more.
    let output = plimsoll().args(second).arg(ran.folder()).output().expect("it starts");
    // On a busy machine it may be invalid.
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(4), "{code:?}");
    assert_eq!(ran.summary()["scenario"]["seed"], 2);
}

#[test]
fn a_request_that_is_no_json_or_empty_is_refused_with_its_place() {
    for (text, expected) in [("{\"data\": [1,\n 2,]}", ":2:"), ("", "holds no request")] {
        let file = body(text);
        let path = file.path().to_str().expect("UTF-8");
        let ran = Ran::with_out(&[
            "load",
            "http://127.0.0.1:1/",
            "--rate",
            "1",
            "--duration",
            "1s",
            "--body",
            path,
        ]);
        assert!(ran.stderr.contains(expected) && ran.stderr.contains(path), "{}", ran.stderr);
        assert_eq!(ran.code, 2);
    }
}

#[test]
fn a_file_that_cannot_be_written_loses_that_file_and_not_the_run() {
    let server = Server::start(Answer::Status(200));
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = out.path().join("results");
    std::fs::create_dir(&folder).expect("a folder");
    let earlier = "{\"schema\": \"plimsoll.summary/v2\"}";
    std::fs::write(folder.join("summary.json"), earlier).expect("an earlier result");
    let mut child = plimsoll()
        .args(["load", &server.url(), "--rate", "100", "--duration", "4s", "--out"])
        .arg(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // The folder is taken over when the run begins; after that, something gets in the way.
    let timeline = folder.join("timeline.csv");
    eventually(Duration::from_secs(10), "the first row", || {
        timeline.metadata().ok().filter(|data| data.len() > 0)
    });
    std::fs::create_dir(folder.join("junit.xml")).expect("a folder where the file should go");
    let output = child.wait().and_then(|_| child.wait_with_output()).expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(stderr.contains("junit.xml"), "{stderr}");
    assert!(stdout.contains("offered"), "what was measured is printed: {stdout}");
    adds_up(&summary(&folder));
    assert!(folder.join("report.html").is_file());
}

#[test]
fn a_full_disk_keeps_the_run_going_and_says_what_it_measured() {
    let disk = tempfile::tempdir().expect("a temporary folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(disk.path())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: needs the right to mount a small tmpfs");
        return;
    }
    let server = Server::start(Answer::Status(200));
    let output = plimsoll()
        .args(["load", &server.url(), "--rate", "300", "--duration", "8s", "--out"])
        .arg(disk.path().join("results"))
        .output()
        .expect("it starts");
    let unmounted = Command::new("umount").arg(disk.path()).status();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(unmounted.is_ok_and(|status| status.success()), "the folder is free again");
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
    assert!(stdout.contains("offered"), "what was measured is printed: {stdout}");
}

#[test]
fn ctrl_c_ends_the_load_and_keeps_what_was_measured() {
    let server = Server::start(Answer::Status(200));
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = out.path().join("results");
    let child = plimsoll()
        .args(["load", &server.url(), "--rate", "100", "--duration", "60s", "--out"])
        .arg(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let timeline = folder.join("timeline.csv");
    eventually(Duration::from_secs(10), "the first row", || {
        timeline.metadata().ok().filter(|data| data.len() > 0)
    });
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let found = summary(&folder);
    adds_up(&found);
    assert_eq!(found["run"]["interrupted"], true);
    assert!(count(&found, "/outcomes/ok") > 50, "{found:#}");
    assert!(folder.join("report.html").is_file());
}

#[test]
fn a_killed_run_leaves_what_it_measured_and_the_report_can_be_written() {
    let server = Server::start(Answer::Status(200));
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = out.path().join("results");
    let mut child = plimsoll()
        .args(["load", &server.url(), "--rate", "100", "--duration", "60s", "--out"])
        .arg(&folder)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    eventually(Duration::from_secs(10), "two rows", || {
        let rows = std::fs::read_to_string(folder.join("timeline.csv"))
            .unwrap_or_default()
            .lines()
            .count();
        (rows > 2).then_some(())
    });
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(summary(&folder)["run"]["complete"], false);
    assert!(!folder.join("report.html").exists());
    let output = plimsoll().arg("report").arg(&folder).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the report");
    assert!(page.contains("<svg"), "it has charts");
}

// Names, in a stage as in an alert, are others' words: a scenario may come from anywhere.
#[test]
fn hostile_names_reach_neither_the_terminal_nor_a_spreadsheet() {
    // Its answers, and not a machine's being slow, decide that the alert fires.
    let server = Server::start(Answer::Status(500));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = folder.path().join("scenario.yml");
    let text = format!(
        "name: names\ntarget: {{url: '{}'}}\nrequest: {{method: GET}}\nload:\n  stages:\n\
         \x20   - {{name: '=HYPERLINK(\"x\")', duration: 1s, rps: 20}}\n\
         \x20   - {{name: \"\\e]0;title\\a\\e[2J\\u202egone\", duration: 1s, rps: 20}}\n\
         alerts: [{{name: \"\\e[2J\", objective: error rate < 1% in every 1s, severity: critical}}]\n",
        server.url()
    );
    std::fs::write(&scenario, text).expect("it can be written");
    let ran = Ran::with_out(&["run", scenario.to_str().expect("UTF-8")]).must_exit(4);
    let shown =
        |text: &str| text.lines().flat_map(str::chars).all(plimsoll_domain::plain::is_shown);
    assert!(shown(&ran.text()) && ran.text().contains(r"alert \u{1b}[2J: "), "{}", ran.text());
    for entry in std::fs::read_dir(ran.folder()).expect("results").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("text");
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{:?}", entry.path());
    }
    let read = |name: &str| std::fs::read_to_string(ran.folder().join(name)).expect("it is there");
    assert!(read("timeline.csv").contains(",\"'=HYPERLINK("), "{}", read("timeline.csv"));
    assert!(shown(&read("report.html")) && read("report.html").contains("=HYPERLINK"));
}

#[test]
fn colours_are_where_somebody_sees_them() {
    let said = |variable: &str| {
        let mut command = plimsoll();
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env(variable, "1");
        let output = command.args(["check", "no-such-file.yml"]).output().expect("it starts");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(!said("X").contains('\u{1b}'), "on a pipe");
    assert!(said("CLICOLOR_FORCE").contains("\u{1b}[1;31merror:"), "{}", said("CLICOLOR_FORCE"));
}
