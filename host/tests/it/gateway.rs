//! The data plane: keys, limits, timeouts, errors, weights.

use std::num::NonZeroU32;
use std::time::Duration;

use hyper::{Method, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::ExposeSecret;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::harness::{Caller, TestHost, call, deployment, endpoint, traffic, until};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_keys_open_and_only_score_is_there() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&deployment("blue", 1, 1.0)).await;
    let wrong = Caller { key: "wrong".into(), ..caller.clone() };
    assert_eq!(wrong.score().await.status, StatusCode::UNAUTHORIZED);
    let none = call(Method::POST, &caller.uri, &[], "{}").await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    let secondary = host.driver.credentials("end").await.unwrap().secondary;
    let caller = Caller { key: secondary, ..caller };
    assert_eq!(caller.score().await.status, StatusCode::OK);
    let elsewhere = Caller { uri: caller.uri.replace("/score", "/scores"), ..caller };
    assert_eq!(elsewhere.score().await.status, StatusCode::NOT_FOUND);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_names_the_request_the_deployment_and_the_model_time() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&deployment("blue", 1, 20.0)).await;
    let ids = [("x-ms-client-request-id", "mine/1"), ("x-request-id", "mine")];
    let answer = caller.score_with(&ids).await;
    assert_eq!(answer.header("azureml-model-session"), "blue");
    assert_eq!(answer.header("x-ms-client-request-id"), "mine1");
    assert_eq!(answer.header("x-request-id").len(), 36, "{answer:?}");
    let model: f64 = answer.header("ms-azureml-model-time").parse().unwrap();
    let run: f64 = answer.header("x-ms-run-fn-exec-ms").parse().unwrap();
    assert!(run >= 19.9 && model >= run, "{answer:?}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seventeenth_of_four_by_two_is_refused() {
    let host = TestHost::start().await;
    let mut spec = deployment("blue", 2, 500.0);
    spec.request_settings.max_concurrent_requests_per_instance = NonZeroU32::new(4).unwrap();
    let caller = host.endpoint_with(&spec).await;
    let mut calls = JoinSet::new();
    for _ in 0..17 {
        let caller = caller.clone();
        calls.spawn(async move { caller.score().await });
    }
    let answers = calls.join_all().await;
    let refused: Vec<_> = answers.iter().filter(|each| each.status != StatusCode::OK).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused[0].header("ms-azureml-model-error-reason"), "too_many_pending_request");
    assert_eq!(refused[0].header("content-type"), "text/plain");
    assert_eq!(refused[0].body, "");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_and_waiting_share_one_timeout() {
    let host = TestHost::start().await;
    let mut spec = deployment("blue", 1, 400.0);
    spec.request_settings.request_timeout = Duration::from_millis(600);
    let caller = host.endpoint_with(&spec).await;
    let (first, second) = tokio::join!(caller.score(), caller.score());
    let mut answers = [first, second];
    answers.sort_by_key(|answer| answer.status);
    assert_eq!(answers[0].status, StatusCode::OK);
    assert_eq!(answers[1].status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(answers[1].body, "upstream request timeout");
    host.stop().await;
}

/// One that nobody waits for any more has the only slot: of two more one waits in vain, the other is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_timed_out_keeps_its_slot_until_the_instance_has_answered() {
    let host = TestHost::start().await;
    let mut spec = deployment("blue", 1, 5_000.0);
    spec.request_settings.request_timeout = Duration::from_millis(200);
    let caller = host.endpoint_with(&spec).await;
    assert_eq!(caller.score().await.status, StatusCode::REQUEST_TIMEOUT);
    let two = async || {
        let (first, second) = tokio::join!(caller.score(), caller.score());
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(two().await, [408, 429]);
    until("the instance has answered", || async { two().await == [408, 408] }).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_error_is_424_and_keeps_what_the_model_said() {
    let host = TestHost::start().await;
    let mut spec = deployment("blue", 1, 1.0);
    spec.synthetic.as_mut().unwrap().error_rate = 1.0;
    let caller = host.endpoint_with(&spec).await;
    let answer = caller.score().await;
    assert_eq!(answer.status, StatusCode::FAILED_DEPENDENCY);
    assert_eq!(answer.header("ms-azureml-model-error-statuscode"), "500");
    assert_eq!(answer.header("ms-azureml-model-error-reason"), "model_error");
    assert!(!answer.body.is_empty());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_divide_the_requests() {
    let host = TestHost::start().await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    for name in ["blue", "green"] {
        host.driver.create_deployment(&deployment(name, 1, 0.1), &mut |_| {}).await.unwrap();
    }
    host.driver.set_traffic("end", &traffic(&[("blue", 80), ("green", 20)])).await.unwrap();
    let caller = host.caller().await;
    let mut green = 0;
    for _ in 0..300 {
        let answer = caller.score().await;
        assert_eq!(answer.status, StatusCode::OK);
        green += u32::from(answer.header("azureml-model-session") == "green");
    }
    // 60 expected, standard deviation 7; the draws are seeded.
    assert!((32..=88).contains(&green), "{green}");
    let named = caller.score_with(&[("azureml-model-deployment", "green")]).await;
    assert_eq!(named.header("azureml-model-session"), "green");
    let unknown = caller.score_with(&[("azureml-model-deployment", "red")]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_dies_at_work_is_a_model_error() {
    let host = TestHost::start().await;
    let mut spec = deployment("blue", 1, 20_000.0);
    spec.request_settings.request_timeout = Duration::from_secs(30);
    let caller = host.endpoint_with(&spec).await;
    let asking = tokio::spawn(async move { caller.score().await });
    let pid = host.driver.show_deployment("end", "blue").await.unwrap().instances[0].pid.unwrap();
    // The request may not be there yet; then nobody is ready to take it.
    tokio::task::yield_now().await;
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    let answer = asking.await.unwrap();
    assert_eq!(answer.status, StatusCode::FAILED_DEPENDENCY);
    let why = (
        answer.header("ms-azureml-model-error-reason"),
        answer.header("ms-azureml-model-error-statuscode"),
    );
    assert!(matches!(why, ("model_error", "502") | ("model_not_ready", "503")), "{why:?}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_azures_limit_is_refused_however_it_comes() {
    let host = TestHost::start().await;
    let caller = host.endpoint_with(&deployment("blue", 1, 1.0)).await;
    let most = 1536 * 1024;
    assert_eq!(caller.ask(&" ".repeat(most)).await.status, StatusCode::OK);
    assert_eq!(caller.ask(&" ".repeat(most + 1)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let address = caller.uri.trim_start_matches("http://").trim_end_matches("/score");
    let stream = TcpStream::connect(address).await.unwrap();
    let (answer, mut request) = stream.into_split();
    let sending = tokio::spawn(async move {
        let key = caller.key.expose_secret();
        let head = "POST /score HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nauthorization: Bearer ";
        request.write_all(format!("{head}{key}\r\n\r\n").as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        // The gateway may close before it has all.
        for _ in 0..25 {
            let _ = request.write_all(chunk.as_bytes()).await;
        }
        request
    });
    let mut line = String::new();
    BufReader::new(answer).read_line(&mut line).await.unwrap();
    assert!(line.starts_with("HTTP/1.1 413 "), "{line}");
    drop(sending.await);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_requests_have_one_id_in_runs_with_one_seed() {
    let (first, second) = (TestHost::start().await, TestHost::start().await);
    let mut ids = Vec::new();
    for host in [&first, &second] {
        let caller = host.endpoint_with(&deployment("blue", 1, 1.0)).await;
        ids.push(caller.score().await.header("x-request-id").to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    first.stop().await;
    second.stop().await;
}
