//! What an endpoint is limited to, over all its deployments.

use std::num::NonZeroU32;
use std::time::Duration;

use hyper::{Method, StatusCode};
use plimsoll_domain::clock;
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::harness::{Caller, TestHost, deployment, endpoint, traffic, until};

/// An endpoint with these properties, and one deployment that takes all that comes.
async fn limited(host: &TestHost, properties: &[(&str, &str)]) -> Caller {
    let mut spec = endpoint();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    spec.properties = properties.iter().map(owned).collect();
    host.driver.create_endpoint(&spec).await.unwrap();
    let mut blue = deployment("blue", 1, 1.0);
    blue.request_settings.max_concurrent_requests_per_instance = NonZeroU32::new(100).unwrap();
    host.driver.create_deployment(&blue, &mut |_| {}).await.unwrap();
    host.driver.set_traffic("end", &traffic(&[("blue", 100)])).await.unwrap();
    host.caller().await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_a_second_than_the_limit_are_answered_429() {
    let host = TestHost::start().await;
    let caller = limited(&host, &[("plimsoll.requests_per_second", "5")]).await;
    let began = clock::now();
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let caller = caller.clone();
        calls.spawn(async move { caller.score().await });
    }
    let answers = calls.join_all().await;
    let (taken, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == StatusCode::OK);
    let most = 6.0 + 5.0 * clock::now().since(began).as_secs_f64();
    assert!(taken.len() >= 5 && taken.len() as f64 <= most, "{} of {most}", taken.len());
    for answer in refused {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(answer.body.contains("limit of requests per second"), "{answer:?}");
        assert_eq!(answer.header("ms-azureml-model-error-reason"), "", "no model was asked");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_limit_is_closed_at_once() {
    let host = TestHost::start().await;
    let caller = limited(&host, &[("plimsoll.active_connections", "2")]).await;
    let address = caller.uri.trim_start_matches("http://").trim_end_matches("/score");
    let connect = || async { TcpStream::connect(address).await.unwrap() };
    let is_closed = async |caller: &mut TcpStream| {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_millis(300), caller.read(&mut byte)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    };
    let (mut first, mut second) = (connect().await, connect().await);
    assert!(is_closed(&mut connect().await).await, "there is none for a third");
    assert!(!is_closed(&mut first).await && !is_closed(&mut second).await, "they stay");
    drop(first);
    until("there is room again", || async { !is_closed(&mut connect().await).await }).await;
    host.stop().await;
}

/// Sends a body of that size, and returns the whole answer as it came.
async fn raw_answer(caller: &Caller, size: usize) -> String {
    let address = caller.uri.trim_start_matches("http://").trim_end_matches("/score");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /score HTTP/1.1\r\nhost: a\r\nconnection: close, te\r\nte: trailers\r\ncontent-length: {size}\r\n\
         authorization: Bearer {}\r\n\r\n{}",
        caller.key.expose_secret(),
        " ".repeat(size)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_beyond_the_bandwidth_wait_and_the_trailers_say_how_long() {
    let host = TestHost::start().await;
    let caller = limited(&host, &[("plimsoll.bytes_per_second", "10000")]).await;
    let answer = raw_answer(&caller, 10).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("trailer"), "{answer}");
    let began = clock::now();
    let answer = raw_answer(&caller, 15_000).await;
    let took = clock::now().since(began);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let delay = |name: &str| -> u64 {
        let value = answer.lines().find_map(|line| line.strip_prefix(name)).expect("a trailer");
        value.trim_start_matches(':').trim().parse().unwrap()
    };
    let request = delay("ms-azureml-bandwidth-request-delay-ms");
    // What was there before has been made good, or not.
    assert!((400..=600).contains(&request), "{answer}");
    assert!(took >= Duration::from_millis(request), "{took:?}");
    delay("ms-azureml-bandwidth-response-delay-ms");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_changed_by_a_put_and_what_is_none_is_refused_by_name() {
    let host = TestHost::start().await;
    let caller = limited(&host, &[("plimsoll.requests_per_second", "1")]).await;
    caller.score().await;
    let put = |property: &str, value: &str| {
        let body = format!(
            r#"{{"location": "local", "properties": {{"authMode": "Key", "traffic": {{"blue": 100}},
                "properties": {{"{property}": "{value}"}}}}}}"#
        );
        let host = &host;
        async move { host.ask(Method::PUT, "/onlineEndpoints/end", &body).await }
    };
    let wrong = put("plimsoll.requests_per_minute", "1").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.body.contains("plimsoll.requests_per_second"), "{}", wrong.body);
    assert_eq!(put("plimsoll.requests_per_second", "unlimited").await.status, StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(caller.score().await.status, StatusCode::OK);
    }
    for metric in ["NewConnectionsPerSecond", "ConnectionsActive", "NetworkBytes"] {
        let path = format!(
            "/onlineEndpoints/end/providers/Microsoft.Insights/metrics?metricnames={metric}"
        );
        let answer = host.ask_with(Method::GET, &path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(answer.body.contains(metric), "{}", answer.body);
    }
    host.stop().await;
}
