//! What the host is told to be slow at, or to fail with.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_deploy::arm::ProvisioningState;
use plimsoll_domain::clock;
use plimsoll_host::Rehearsal;

use super::harness::{TestHost, deployment, endpoint};

#[tokio::test(flavor = "multi_thread")]
async fn images_and_machines_take_the_time_that_they_are_told() {
    let (image_build, provisioning) = (Duration::from_millis(400), Duration::from_millis(600));
    let host =
        TestHost::start_rehearsing(Rehearsal { image_build, provisioning, ..Rehearsal::default() })
            .await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    let (began, mut lines) = (clock::now(), Vec::new());
    let blue = deployment("blue", 2, 1.0);
    host.driver.create_deployment(&blue, &mut |line| lines.push(line)).await.unwrap();
    assert!(clock::now().since(began) >= image_build + provisioning);
    assert!(lines.iter().any(|line| line.contains("building the image takes 400ms")), "{lines:?}");
    let began = clock::now();
    host.driver.scale("end", "blue", NonZeroU32::new(3).unwrap()).await.unwrap();
    assert!(clock::now().since(began) >= provisioning, "each instance waits for its own");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scaling_whose_instance_fails_leaves_what_was_there() {
    let host = TestHost::start_rehearsing(Rehearsal {
        failing_instance: NonZeroU32::new(2),
        ..Rehearsal::default()
    })
    .await;
    host.driver.create_endpoint(&endpoint()).await.unwrap();
    host.driver.create_deployment(&deployment("blue", 1, 1.0), &mut |_| {}).await.unwrap();
    let two = NonZeroU32::new(2).unwrap();
    let error = host.driver.scale("end", "blue", two).await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotReady"));
    assert!(error.to_string().contains("instance number 2 of each deployment fails"), "{error}");
    let shown = host.driver.show_deployment("end", "blue").await.unwrap();
    assert_eq!((shown.state, shown.desired, shown.ready()), (ProvisioningState::Failed, 1, 1));
    let shown = host.driver.scale("end", "blue", two).await.unwrap();
    assert_eq!((shown.state, shown.ready()), (ProvisioningState::Succeeded, 2), "the third does");
    host.stop().await;
}
