//! A traffic shift: step by step to a new version, and back at the first breach.

use serde_json::Value;

use crate::started::{Folder, Started, nothing_is_left};
use crate::support::{Ran, adds_up, count};

/// Right answers of a deployment in a stage.
fn ok(ran: &Ran, stage: &str, deployment: &str) -> u64 {
    let summary = ran.summary();
    let keys = summary["keys"].as_array().expect("keys").iter();
    let mut of = keys.filter(|key| key["stage"] == stage && key["deployment"] == deployment);
    of.next().map_or(0, |key| count(key, "/outcomes/ok"))
}

/// Whether a run decided nothing because the machine had no time for the generator.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn is_starved(ran: &Ran) -> bool {
    let starved = ran.code == 4 && ran.summary()["validity"]["state"] != "valid";
    if starved {
        println!("skipped: needs a machine that leaves the load generator a processor");
    }
    starved
}

fn short() -> Folder {
    Folder::copy("blue-green").load(
        "    - {name: mirrored, duration: 2s, rps: 80, mirror_traffic: {green: 50}}
    - {name: tenth, duration: 3s, rps: 80, traffic: {blue: 90, green: 10}}
    - {name: whole, duration: 4s, rps: 80, traffic: {green: 100}}",
        &["error rate < 90%"],
    )
}

#[test]
fn a_good_version_gets_all_traffic_and_the_old_one_is_deleted() {
    let ran = short().run(&[]);
    nothing_is_left(&ran);
    // Whatever the machine has time for, copies are sent and counted.
    assert!(!ran.stderr.contains("no copy has been answered"), "{}", ran.stderr);
    if is_starved(&ran) {
        return;
    }
    let ran = ran.must_exit(0);
    adds_up(&ran.summary());
    assert_eq!(ok(&ran, "mirrored", "green"), 0, "nobody gets the answers to copies");
    let (blue, green) = (ok(&ran, "tenth", "blue"), ok(&ran, "tenth", "green"));
    assert!(green > 0 && green < blue, "{green} beside {blue}");
    // The shares change when the end of the interval before is told of: a little late.
    let (blue, green) = (ok(&ran, "whole", "blue"), ok(&ran, "whole", "green"));
    assert!(blue < green, "{blue} beside {green}");
    assert!(ran.stderr.contains("green under mirrored load: it is no worse"), "{}", ran.stderr);
    let deleted = "deployment blue has no traffic any more: deleted";
    assert!(ran.stderr.contains(deleted), "{}", ran.stderr);
}

#[test]
fn a_bad_version_is_rolled_back_at_its_first_breach() {
    let run = Started::new(&["run", "scenarios/blue-green/bad.yml"]);
    let ran = run.ended(super::A_SCENARIO);
    nothing_is_left(&ran);
    if is_starved(&ran) {
        return;
    }
    let ran = ran.must_exit(3);
    let summary = ran.summary();
    assert_eq!(summary["verdict"], "breached");
    let events = super::events(&ran);
    let back = |event: &&Value| {
        event["message"].as_str().is_some_and(|text| text.contains("the traffic goes back"))
    };
    let back: Vec<_> = events.iter().filter(back).collect();
    assert_eq!(back.len(), 1, "{events:#?}");
    // The whole shift would take 35 s.
    assert!(back[0]["t_s"].as_f64().is_some_and(|at| at < 27.0), "{back:#?}");
    assert_eq!(ok(&ran, "whole", "green"), 0, "it never got all of it");
    assert!(!ran.stderr.contains("deleted"), "{}", ran.stderr);
}

#[test]
fn a_version_that_is_worse_under_mirrored_load_gets_no_traffic() {
    let folder = Folder::copy("blue-green")
        .replace("scenario.yml", "green-deployment.yml", "bad-green-deployment.yml")
        .load(
            "    - {name: mirrored, duration: 6s, rps: 80, mirror_traffic: {green: 50}}
    - {name: tenth, duration: 5s, rps: 80, traffic: {blue: 90, green: 10}}
    - {name: whole, duration: 30s, rps: 80, traffic: {green: 100}}",
            &["error rate < 90%"],
        );
    let ran = folder.run(&[]);
    nothing_is_left(&ran);
    // Once it is told to be worse the shift must be held up, whether the load was what it should be or not.
    let is_told = ["it fails more often", "it is slower"]
        .iter()
        .any(|how| ran.stderr.contains(&format!("green under mirrored load: {how}")));
    if !is_told && is_starved(&ran) {
        return;
    }
    let ran = ran.must_exit(3);
    let summary = ran.summary();
    adds_up(&summary);
    assert_eq!(summary["verdict"], "breached");
    let (tenth, whole) = (ok(&ran, "tenth", "green"), ok(&ran, "whole", "green"));
    assert_eq!((tenth, whole), (0, 0), "nobody gets its answers");
    assert_eq!(ok(&ran, "whole", "blue"), 0, "the load ends");
    assert!(!ran.stderr.contains("deleted"), "nothing is deleted: {}", ran.stderr);
    let worse = "green under mirrored load: it ";
    let events = super::events(&ran);
    let told = |event: &&Value| event["message"].as_str().is_some_and(|m| m.starts_with(worse));
    assert_eq!(events.iter().filter(told).count(), 1, "{events:#?}");
    let told = format!("the traffic was not shifted: {worse}");
    assert!(
        ran.stdout.contains(&told) || ran.stderr.contains(&told),
        "{} {}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn shares_that_cannot_be_are_refused_before_anything_is_brought_up() {
    let folder = Folder::copy("blue-green")
        .replace("scenario.yml", "{blue: 90, green: 10}", "{blue: 90, red: 10}")
        .replace("scenario.yml", "{blue: 50, green: 50}", "{blue: 50, green: 40}")
        .replace("scenario.yml", "{green: 50}}", "{blue: 50}}");
    let ran = folder.run(&[]).must_exit(2);
    let messages =
        ["no deployment named `red`", "add up to 90, not to 100", "`blue` has live traffic"];
    for message in messages {
        assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
    }
    let simulated = Folder::copy("blue-green").run(&["--simulate"]).must_exit(2);
    assert!(simulated.stderr.contains("is not simulated"), "{}", simulated.stderr);
}
