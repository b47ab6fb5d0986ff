//! Whole scenario files: what is read, and every problem as it is printed.

use super::*;

/// A scenario of this request and these objectives; 3 s of warm-up, 5 s of `hold`, 4 s of `peak`.
fn scenario(request: &str, objectives: &str) -> Result<Scenario, Problems> {
    let text = format!(
        "name: mix
target: {{url: 'http://127.0.0.1:1/score'}}
request:{request}
load:
  stages:
    - {{name: warm-up, duration: 3s, rps: 30, warmup: true}}
    - {{name: hold, duration: 5s, rps: 30}}
    - {{name: peak, duration: 4s, rps: 60}}
{objectives}"
    );
    read_text(&text)
}

fn problems(request: &str, objectives: &str) -> String {
    scenario(request, objectives).unwrap_err().to_string()
}

#[test]
fn one_request_is_a_map_and_several_are_a_list() {
    let one = scenario(" {method: get, timeout: 3s}", "").unwrap();
    assert_eq!((one.requests.len(), one.timeout), (1, Duration::from_secs(3)));
    let only = &one.requests[0];
    assert_eq!((only.name.as_str(), only.weight, only.method.as_str()), ("score", 1.0, "GET"));
    let list = "
  - {name: score, weight: 3, method: GET, timeout: 2s}
  - {name: explain, method: PUT, path: '/explain?deep=1', headers: {x-a: b}, deployment: green}
  - {name: rest, weight: 0, method: GET, timeout: 2s}";
    let several = scenario(list, "").unwrap();
    assert_eq!(several.timeout, Duration::from_secs(2));
    let parts = several.requests.iter().map(|r| (r.name.as_str(), r.weight, r.path.as_deref()));
    let wanted =
        [("score", 3.0, None), ("explain", 1.0, Some("/explain?deep=1")), ("rest", 0.0, None)];
    assert_eq!(parts.collect::<Vec<_>>(), wanted);
    assert_eq!(several.requests[1].headers["x-a"], "b");
    assert_eq!(several.requests[1].deployment.as_deref(), Some("green"));
    assert_eq!(scenario("\n  - {name: a, method: GET}", "").unwrap().requests[0].name, "a");
}

#[test]
fn what_is_wrong_with_requests_is_printed_with_its_place() {
    let list = "
  - {name: score, weight: -1, method: GET, timeout: 2s}
  - {name: score, method: GET, timeout: 3s}
  - {method: GET, path: explain, timeout: 2s}
  - {name: post}
  - {name: two words, method: GET}
  - {name: light, weight: 0.001, wieght: 2, method: GET}";
    insta::assert_snapshot!("requests", problems(list, ""));
    let idle = "
  - {name: score, weight: 0, method: GET}
  - {name: explain, weight: 0, method: GET}";
    insta::assert_snapshot!("weights", problems(idle, ""));
    assert!(problems(" []", "").contains("the list of requests is empty"));
}

#[test]
fn what_is_wrong_with_objectives_is_printed_with_its_place() {
    let list = "
  - {name: score, method: GET}
  - {name: hold, method: GET}";
    let objectives = "objectives:
  - p99 of scroe < 200ms
  - p99 of hold < 200ms
  - p99 of warm-up < 200ms
  - p99 of request peak < 200ms
  - p99 of score of request hold < 200ms
  - p99 of teal < 200ms
  - p99 of deployment teal < 200ms
  - error rate < 1% in every 10s
  - error rate of peak < 1% in 90% of 5s windows
  - error rate < 1% in every 9s
alerts:
  - {name: slow, objective: p99 of hodl < 200ms in every 2s}
  - {name: failing, objective: error rate < 1% in every 1m}
";
    insta::assert_snapshot!("objectives", problems(list, objectives));
}

#[test]
fn missing_deployments_are_told_with_everything_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.yml");
    std::fs::write(folder.path().join("endpoint.yml"), "name: my-endpoint\n").unwrap();
    for (line, count) in [("", 1), ("deployments: []\n", 1), ("deployments: 3\n", 0)] {
        let text = format!(
            "name: x\nendpoint: endpoint.yml\n{line}sed: 1\nrequest: {{method: GET}}\n\
             load: {{stages: [{{duration: 1s, rps: 1}}]}}\n"
        );
        std::fs::write(&path, text).unwrap();
        let problems = read(&path).unwrap_err().to_string();
        assert_eq!(problems.matches("`deployments` is missing").count(), count, "{problems}");
        assert!(problems.contains("`sed`"), "{problems}");
    }
}

#[test]
fn every_seed_of_64_bits_is_taken() {
    for seed in [0, 1 << 63, u64::MAX] {
        let text = format!(
            "name: x\nseed: {seed}\ntarget: {{url: 'http://127.0.0.1:1/'}}\n\
             request: {{method: GET}}\nload: {{stages: [{{duration: 1s, rps: 1}}]}}\n"
        );
        assert_eq!(read_text(&text).unwrap().seed, seed);
    }
}

#[test]
fn no_secret_is_in_the_debug_form_of_a_scenario() {
    let text = "name: x\ntarget: {url: 'http://127.0.0.1:1/?code=s3cret'}\nrequest: \
                {method: GET, path: '/a?k=s3cret', headers: {x-key: s3cret}}\nload: {stages: [{rps: \
                1, duration: 1s}]}\noutputs: {otlp: 'http://u:s3cret@h'}\n";
    let document = Document::parse("scenario.yml", text).unwrap();
    let raw: Option<RawScenario> = document.read(FORMATS, &mut Problems::new());
    assert!(!format!("{:?}", raw.unwrap()).contains("s3cret"));
    let scenario = read_text(text).unwrap();
    assert!(!format!("{scenario:?}").contains("s3cret"));
    assert_eq!(scenario.requests[0].path.as_deref(), Some("/a?k=s3cret"));
}

#[test]
fn a_target_is_a_url_or_the_name_of_an_endpoint() {
    let with = |target: &str| {
        read_text(&format!(
            "name: x\ntarget: {target}\nrequest: {{method: GET}}\n\
             load: {{stages: [{{duration: 1s, rps: 1}}]}}\n"
        ))
    };
    let standing = with("{endpoint: shop}").unwrap();
    assert!(matches!(&standing.place, Place::Standing(name) if name == "shop"));
    assert_eq!(standing.endpoint_name(), None, "it is not this run's to remove");
    let both = with("{endpoint: shop, url: 'http://127.0.0.1:1/'}").unwrap_err().to_string();
    assert!(both.contains("not to an `endpoint`"), "{both}");
    let neither = with("{key_env: KEY}").unwrap_err().to_string();
    assert!(neither.contains("needs a `url`, or the name of an `endpoint`"), "{neither}");
}
