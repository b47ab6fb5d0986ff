//! The driver against what answers as Azure does, and fails in every way that is documented: whatever is lost on the way,
//! nothing is done twice, nothing is left behind, and every error names the thing, the code, the request and what to do.

mod standin;

use std::num::NonZeroU32;

use plimsoll_deploy::arm::{ArmDriver, Container, Error, KeyType, Until, dry};
use plimsoll_deploy::spec::{Asset, AuthMode, AzureEndpoint, DeploymentSpec, EndpointSpec};
use secrecy::ExposeSecret;
use serde_json::json;

use standin::{Fault, Plan, StandIn};

const END: &str = "onlineEndpoints/end";
const BLUE: &str = "onlineEndpoints/end/deployments/blue";

fn endpoint() -> EndpointSpec {
    EndpointSpec {
        name: "end".to_owned(),
        description: None,
        tags: [("team".to_owned(), "pricing".to_owned())].into(),
        properties: [].into(),
        auth_mode: AuthMode::Key,
        traffic: [].into(),
        mirror_traffic: [].into(),
        azure: AzureEndpoint::default(),
    }
}

fn blue() -> DeploymentSpec {
    let mut spec = DeploymentSpec::new("blue", "end", "Standard_DS3_v2", NonZeroU32::MIN);
    spec.model = Some(Asset::Reference("azureml:prices:3".to_owned()));
    spec.environment = Some(Asset::Reference("azureml:sklearn:1".to_owned()));
    spec
}

/// The whole life of an endpoint.
async fn life(driver: &ArmDriver) -> Result<(), Error> {
    driver.create_endpoint(&endpoint()).await?;
    driver.create_deployment(&blue(), &mut |_| {}).await?;
    let shown = driver.set_traffic("end", &[("blue".to_owned(), 100)].into()).await?;
    assert_eq!(shown.traffic["blue"], 100);
    let keys = driver.credentials("end").await?;
    assert_eq!(keys.primary.expose_secret(), "k3y-one");
    driver.regenerate_key("end", KeyType::Primary, Until::Done).await?;
    let scaled = driver.scale("end", "blue", NonZeroU32::new(3).unwrap()).await?;
    assert_eq!(scaled.desired, 3);
    let log = driver.log_of("end", "blue", Container::InferenceServer, 10).await?;
    assert_eq!(log, "ready");
    driver.set_traffic("end", &[].into()).await?;
    driver.delete_deployment("end", "blue").await?;
    driver.delete_endpoint("end").await
}

/// What is done in it.
const LIFE: [&str; 8] = [
    "PUT onlineEndpoints/end",
    "PUT onlineEndpoints/end/deployments/blue",
    "PUT onlineEndpoints/end",
    "POST onlineEndpoints/end/regenerateKeys",
    "PATCH onlineEndpoints/end/deployments/blue",
    "PUT onlineEndpoints/end",
    "DELETE onlineEndpoints/end/deployments/blue",
    "DELETE onlineEndpoints/end",
];

const PAST: Fault = Fault::Throttle("Sun, 06 Nov 1994 08:49:37 GMT");

/// What goes wrong in each life, and is none the worse for it.
const CASES: [(&str, &[Plan]); 9] = [
    ("nothing", &[]),
    (
        "storms of 429",
        &[
            ("PUT", END, Fault::Throttle("0")),
            ("PUT", BLUE, Fault::Throttle("0")),
            ("DELETE", END, Fault::Throttle("0")),
            ("POST", "/listKeys", Fault::Throttle("0")),
            ("PUT", END, PAST),
            ("PUT", BLUE, PAST),
            ("DELETE", END, PAST),
            ("POST", "/listKeys", PAST),
            ("PUT", END, Fault::Throttle("0.01")),
            ("PUT", BLUE, Fault::Throttle("0.01")),
            ("DELETE", END, Fault::Throttle("0.01")),
            ("POST", "/listKeys", Fault::Throttle("0.01")),
        ],
    ),
    (
        "operations of others",
        &[
            ("PUT", BLUE, Fault::Refuse(409, "Conflict")),
            ("POST", "/regenerateKeys", Fault::Refuse(409, "Conflict")),
            ("PATCH", BLUE, Fault::Refuse(409, "Conflict")),
            ("DELETE", END, Fault::Refuse(409, "Conflict")),
        ],
    ),
    (
        "requests that never arrive",
        &[
            ("PUT", END, Fault::Lose),
            ("PUT", BLUE, Fault::Lose),
            ("PATCH", BLUE, Fault::Lose),
            ("DELETE", BLUE, Fault::Lose),
            ("POST", "/getLogs", Fault::Lose),
            ("GET", END, Fault::Lose),
        ],
    ),
    (
        "answers that are lost",
        &[
            ("PUT", END, Fault::LoseAnswer),
            ("PUT", BLUE, Fault::LoseAnswer),
            ("PUT", END, Fault::LoseAnswer),
            ("PATCH", BLUE, Fault::LoseAnswer),
            ("DELETE", BLUE, Fault::LoseAnswer),
            ("DELETE", END, Fault::LoseAnswer),
        ],
    ),
    (
        "errors after the deed",
        &[
            ("PUT", END, Fault::FailAfter(500)),
            ("PUT", BLUE, Fault::FailAfter(504)),
            ("PATCH", BLUE, Fault::FailAfter(503)),
            ("DELETE", END, Fault::FailAfter(500)),
        ],
    ),
    (
        "errors before it",
        &[
            ("PUT", END, Fault::Refuse(503, "ServerBusy")),
            ("PUT", BLUE, Fault::Refuse(500, "InternalServerError")),
            ("DELETE", END, Fault::Refuse(502, "BadGateway")),
            ("GET", END, Fault::Refuse(503, "ServerBusy")),
        ],
    ),
    (
        "tokens that expire",
        &[
            ("PUT", BLUE, Fault::Expire),
            ("GET", "mfeOperationsStatus/oe:1", Fault::Expire),
            ("GET", "mfeOperationsStatus/oe:2", Fault::Expire),
            ("DELETE", END, Fault::Expire),
        ],
    ),
    (
        "operations that vanish",
        &[
            ("PUT", END, Fault::ForgetOperation),
            ("PUT", BLUE, Fault::ForgetOperation),
            ("PATCH", BLUE, Fault::ForgetOperation),
            ("DELETE", END, Fault::ForgetOperation),
        ],
    ),
];

#[tokio::test]
async fn whatever_is_lost_on_the_way_nothing_is_done_twice_and_nothing_is_left() {
    for (name, plans) in CASES {
        let azure = StandIn::start(plans).await;
        life(&azure.driver())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}\n{:#?}", azure.asked()));
        assert_eq!(azure.unused(), [], "{name}: not all that was planned went wrong");
        assert_eq!(azure.done(), LIFE, "{name}");
        assert_eq!(azure.left(), [""; 0], "{name}");
    }
}

/// What every error must say, besides `more`.
fn check(error: &Error, what: &str, more: &[&str]) {
    let text = error.to_string();
    assert!(text.starts_with(what) && text.contains("(request "), "{text}");
    for more in more {
        assert!(text.contains(more), "`{more}` is not in: {text}");
    }
}

#[tokio::test]
async fn operations_that_fail_say_what_failed_and_what_to_do_and_nothing_stays() {
    let azure = StandIn::start(&[("PUT", BLUE, Fault::FailOperation("ImageBuildFailure"))]).await;
    let driver = azure.driver();
    driver.create_endpoint(&endpoint()).await.unwrap();
    let error = driver.create_deployment(&blue(), &mut |_| {}).await.unwrap_err();
    let what = "deployment `blue` of endpoint `end`: it did not work out (ImageBuildFailure)";
    check(&error, what, &["conda file", "(request request-"]);
    driver.delete_endpoint("end").await.unwrap();
    assert_eq!(azure.left(), [""; 0]);

    let azure = StandIn::start(&[("PUT", END, Fault::Hang)]).await;
    let error = azure.driver().create_endpoint(&endpoint()).await.unwrap_err();
    check(&error, "endpoint `end`: its operation was not done within 3s", &["it goes on in Azure"]);
    azure.driver().delete_endpoint("end").await.unwrap();
    assert_eq!(azure.left(), [""; 0]);
}

#[tokio::test]
async fn an_endpoint_that_was_half_deleted_is_deleted_again_and_one_that_cannot_be_is_told() {
    let fails: Plan = ("DELETE", END, Fault::FailOperation("ResourceNotReady"));
    let azure = StandIn::start(&[fails]).await;
    azure.driver().create_endpoint(&endpoint()).await.unwrap();
    azure.driver().delete_endpoint("end").await.unwrap();
    assert_eq!(azure.left(), [""; 0]);

    let azure = StandIn::start(&[fails, fails]).await;
    azure.driver().create_endpoint(&endpoint()).await.unwrap();
    let error = azure.driver().delete_endpoint("end").await.unwrap_err();
    check(&error, "endpoint `end`: ", &["(ResourceNotReady)"]);
    assert_eq!(azure.left(), [END], "it is there, and that was said");
}

#[tokio::test]
async fn refusals_name_the_thing_the_code_the_request_and_the_remedy() {
    for (status, code, remedy) in [
        (401, "InvalidAuthenticationToken", "sign in again"),
        (403, "AuthorizationFailed", "AzureML Data Scientist"),
        (404, "ResourceGroupNotFound", "--resource-group"),
        (400, "OutOfQuota", "plimsoll quota"),
        (400, "BadArgument", "change what the message names"),
        (412, "PreconditionFailed", "somebody else changed it"),
    ] {
        let fault = Fault::Refuse(status, code);
        let azure = StandIn::start(&[("PUT", END, fault), ("PUT", END, fault)]).await;
        let error = azure.driver().create_endpoint(&endpoint()).await.unwrap_err();
        let status = format!("({code}, status {status})");
        check(&error, "endpoint `end`: it was told to ", &[&status, remedy, "(request request-"]);
        assert_eq!((azure.done(), azure.left()), (vec![], vec![]), "{code}");
    }
    let azure = StandIn::start(&[("POST", "/listKeys", Fault::Throttle("0")); 5]).await;
    let error = azure.driver().credentials("end").await.unwrap_err();
    check(&error, "endpoint `end`: ", &["(TooManyRequests, status 429)", "throttled"]);
    let azure = StandIn::start(&[("POST", "/listKeys", Fault::Throttle("3600"))]).await;
    let error = azure.driver().credentials("end").await.unwrap_err();
    check(&error, "endpoint `end`: ", &["(TooManyRequests, status 429)"]);
    assert_eq!(azure.asked().len(), 1, "an hour is not waited for");
    let azure = StandIn::start(&[("POST", "/regenerateKeys", Fault::LoseAnswer)]).await;
    let key = azure.driver().regenerate_key("end", KeyType::Primary, Until::Done).await;
    check(
        &key.unwrap_err(),
        "endpoint `end`: the control plane at",
        &["broke off", "look with `show`"],
    );
    assert_eq!(azure.done().len(), 1, "nobody knows whether it was done, so it is not done again");
}

#[tokio::test]
async fn what_azure_adds_survives_and_what_somebody_else_changes_meanwhile_too() {
    let azure = StandIn::start(&[]).await;
    let driver = azure.driver();
    driver.create_endpoint(&endpoint()).await.unwrap();
    let mut spec = endpoint();
    spec.tags = [("team".to_owned(), "risk".to_owned())].into();
    driver.update_endpoint(&spec, Until::Done, &mut |_| {}).await.unwrap();
    let kept = json!({ "since": "2026" });
    assert_eq!(azure.thing(END)["properties"]["addedByAzure"], kept);
    assert_eq!(azure.thing(END)["tags"], json!({ "team": "risk" }));
    driver.create_deployment(&blue(), &mut |_| {}).await.unwrap();
    let mut spec = blue();
    spec.instance_count = NonZeroU32::new(4).unwrap();
    spec.model = None;
    driver.update_deployment(&spec, Until::Done, &mut |_| {}).await.unwrap();
    let blue = azure.thing(BLUE);
    assert_eq!((&blue["properties"]["addedByAzure"], &blue["sku"]["capacity"]), (&kept, &json!(4)));
    assert!(blue["properties"].get("model").is_none(), "{blue}");

    azure.plan(("PUT", END, Fault::Refuse(412, "PreconditionFailed")));
    driver.set_traffic("end", &[("blue".to_owned(), 100)].into()).await.unwrap();
    assert_eq!(azure.thing(END)["properties"]["traffic"], json!({ "blue": 100 }));
    assert_eq!(azure.thing(END)["properties"]["addedByAzure"], kept);
}

/// The host of a token is Azure's alone, whatever an answer names.
#[tokio::test]
async fn no_secret_is_in_what_is_rehearsed_or_shown() {
    let azure = StandIn::start(&[]).await;
    let driver = azure.driver().rehearsing(dry::Reads::Sent);
    let mut spec = blue();
    spec.environment_variables.insert("KEY".to_owned(), "s3cret-variable".to_owned());
    driver.create_endpoint(&endpoint()).await.unwrap();
    driver.create_deployment(&spec, &mut |_| {}).await.unwrap();
    driver.set_traffic("end", &[("blue".to_owned(), 100)].into()).await.unwrap();
    driver.credentials("end").await.unwrap();
    driver.regenerate_key("end", KeyType::Primary, Until::Done).await.unwrap();
    driver.delete_endpoint("end").await.unwrap();
    assert_eq!(azure.done(), [""; 0], "nothing was done");
    let text: Vec<_> = driver.rehearsed().iter().map(ToString::to_string).collect();
    let text = format!("{}\n{driver:?}", text.join("\n"));
    for secret in ["token-0", "s3cret", "k3y-"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let changes = driver.rehearsed().into_iter().filter(|sent| sent.changes);
    let changes: Vec<_> = changes.map(|sent| sent.method).collect();
    assert_eq!(changes, ["PUT", "PUT", "PUT", "POST", "DELETE"]);
}
