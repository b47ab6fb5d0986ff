//! How a plan travels to another machine.

use std::num::NonZeroUsize;

use plimsoll_domain::schedule::{ArrivalProcess, Profile};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::LoadPlan;
use crate::request::form::RequestForm;
use crate::{Limits, TlsOptions};

/// A plan in the form in which it travels, **with the values of secret headers in the clear**.
///
/// A worker on another machine cannot send without them. Whoever serialises this answers for where
/// it goes: over an encrypted connection to a worker of one's own, never into a file, a log or a
/// report. Its `Debug` hides secrets, as the plan's does.
#[derive(Debug, Clone)]
pub struct WithSecrets(pub LoadPlan);

/// A [`LoadPlan`], for serde.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    url: String,
    tls: TlsOptions,
    requests: Vec<RequestForm>,
    profile: Profile,
    process: ArrivalProcess,
    seed: u64,
    limits: Limits,
    workers: Option<NonZeroUsize>,
    counted: plimsoll_domain::Limits,
    deployments: Vec<String>,
    turns: Vec<u16>,
}

impl Serialize for WithSecrets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = &self.0;
        if plan.trace.is_some() {
            let what = "a trace is read on the machine that sends, and does not travel";
            return Err(ser::Error::custom(what));
        }
        let form = Form {
            url: plan.url.clone(),
            tls: plan.tls.clone(),
            requests: plan.requests.iter().map(RequestForm::from).collect(),
            profile: plan.profile.clone(),
            process: plan.process,
            seed: plan.seed,
            limits: plan.limits.clone(),
            workers: plan.workers,
            counted: plan.counted.clone(),
            deployments: plan.deployments.clone(),
            turns: plan.turns.clone(),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WithSecrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Form::deserialize(deserializer)?;
        let requests: Result<Vec<_>, _> =
            form.requests.into_iter().map(TryInto::try_into).collect();
        Ok(Self(LoadPlan {
            url: form.url,
            tls: form.tls,
            requests: requests.map_err(de::Error::custom)?,
            profile: form.profile,
            trace: None,
            process: form.process,
            seed: form.seed,
            limits: form.limits,
            workers: form.workers,
            counted: form.counted,
            deployments: form.deployments,
            turns: form.turns,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use plimsoll_domain::schedule::{Stage, Trace};
    use plimsoll_domain::{Latency, Limit};
    use secrecy::SecretString;

    use super::*;
    use crate::{NamedRequest, Request};

    fn plan() -> LoadPlan {
        let key = SecretString::from("Bearer k3y");
        let bodies = vec![Bytes::from_static(b"{}"), Bytes::from_static(b"\xff\x00")];
        let score = Request::post(bodies).with_secret("authorization", &key).unwrap();
        let mut health = NamedRequest::new("health", Request::get());
        health.weight = 0.25;
        health.request.path = Some("/health".to_owned());
        let stage = Stage::ramp("up", 0.0, 50.0, Duration::from_secs(3)).as_warmup();
        let profile = Profile::new(vec![stage]);
        let limit = Limit { of: Latency::Response, at: Duration::from_millis(200) };
        let score = NamedRequest::new("score", score);
        LoadPlan {
            requests: vec![score.clone(), health],
            seed: u64::MAX,
            counted: plimsoll_domain::Limits::new([limit], Some(limit.at)),
            deployments: vec!["blue".to_owned()],
            turns: vec![1],
            ..LoadPlan::new("https://example.invalid/score?code=k3y", score, profile)
        }
    }

    #[test]
    fn a_plan_arrives_as_it_was_sent_and_is_never_printed_with_its_secrets() {
        let sent = WithSecrets(plan());
        let text = serde_json::to_string(&sent).unwrap();
        let WithSecrets(arrived) = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&WithSecrets(arrived.clone())).unwrap(), text);
        assert_eq!(arrived.requests[0].request.headers["authorization"], "Bearer k3y");
        assert_eq!(arrived.requests[0].request.bodies, plan().requests[0].request.bodies);
        assert!(text.contains("k3y"));
        for printed in [format!("{sent:?}"), format!("{arrived:?}")] {
            assert!(!printed.contains("k3y"), "{printed}");
        }
    }

    #[test]
    fn a_trace_does_not_travel() {
        let text = || -> std::io::Result<Box<dyn std::io::BufRead + Send>> {
            Ok(Box::new(&b"offset_s\n0\n1\n"[..]))
        };
        let trace = Some(Trace::check(std::sync::Arc::new(text)).unwrap());
        let error = serde_json::to_string(&WithSecrets(LoadPlan { trace, ..plan() })).unwrap_err();
        assert!(error.to_string().contains("does not travel"), "{error}");
    }

    #[test]
    fn what_http_does_not_allow_does_not_arrive() {
        let text = serde_json::to_string(&WithSecrets(plan())).unwrap();
        let broken = text.replace("Bearer k3y", "Bearer\\nk3y");
        let error = serde_json::from_str::<WithSecrets>(&broken).unwrap_err().to_string();
        assert!(error.contains("authorization") && !error.contains("k3y"), "{error}");
    }
}
