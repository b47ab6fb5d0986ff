//! A deployment that is changed in place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hyper::StatusCode;
use plimsoll_deploy::arm::{ProvisioningState, Until};
use plimsoll_deploy::spec::ServiceTime;

use super::harness::{TestHost, deployment, is_alive, until};

#[tokio::test(flavor = "multi_thread")]
async fn callers_notice_nothing_of_a_change_in_place() {
    let host = TestHost::start().await;
    let mut blue = deployment("blue", 2, 5.0);
    let caller = host.endpoint_with(&blue).await;
    let before = host.driver.show_deployment("end", "blue").await.unwrap();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    // One more than there are slots, so that one waits whenever the others are served.
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (caller, stop) = (caller.clone(), Arc::clone(&stop));
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = caller.score().await;
                    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let more = |than: u32| {
        let answered = Arc::clone(&answered);
        move || {
            let answered = answered.load(Ordering::Relaxed);
            async move { answered > than + 20 }
        }
    };
    until("callers are served", more(0)).await;

    blue.synthetic.as_mut().unwrap().service_time = ServiceTime::Constant { ms: 1.0 };
    let mut lines = Vec::new();
    let mut told = |line| lines.push(line);
    let changed = host.driver.put_deployment(&blue, Until::Done, &mut told).await.unwrap();
    assert_eq!(changed.properties.provisioning_state, Some(ProvisioningState::Succeeded));
    assert!(lines.iter().any(|line| line.contains("1 new instances beside the 2")), "{lines:?}");
    let after = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!((after.ready(), after.desired), (2, 2));
    for old in &before.instances {
        assert!(!is_alive(old.pid.unwrap()), "{old:?} is drained and gone");
    }
    until("callers are served by the new ones", more(answered.load(Ordering::Relaxed))).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_brought_up_leaves_what_serves() {
    let host = TestHost::start().await;
    let mut blue = deployment("blue", 1, 1.0);
    let caller = host.endpoint_with(&blue).await;
    let before = host.driver.show_deployment("end", "blue").await.unwrap();
    // Never ready within its patience: it starts after a minute, and is asked for 40 ms.
    blue.synthetic.as_mut().unwrap().start_ms = 60_000.0;
    blue.readiness_probe.failure_threshold = 2;
    blue.liveness_probe.failure_threshold = 1000;
    let failed = host.driver.put_deployment(&blue, Until::Done, &mut |_| {}).await.unwrap_err();
    assert_eq!(failed.code(), Some("ResourceNotReady"), "{failed}");
    let after = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!(after.state, ProvisioningState::Failed);
    assert_eq!(after.instances, before.instances);
    assert_eq!(caller.score().await.status, StatusCode::OK);
    // To ask for what serves all the while is to go back.
    host.driver
        .put_deployment(&deployment("blue", 1, 1.0), Until::Done, &mut |_| {})
        .await
        .unwrap();
    let back = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!((back.state, &back.instances), (ProvisioningState::Succeeded, &before.instances));
    host.stop().await;
}
