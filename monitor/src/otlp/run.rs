//! Who runs: what every export says about the run.

use std::time::SystemTime;

use opentelemetry::KeyValue;

/// The run, as receivers are to know it.
#[derive(Debug, Clone)]
pub struct Run {
    /// Distinguishes this run from every other: `service.instance.id` and `plimsoll.run.id`.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// plimsoll's version.
    pub version: String,
    /// The wall-clock time of the run's first due time: times in snapshots count from here.
    pub started: SystemTime,
    /// The requests' method.
    pub method: String,
    /// The host that the requests go to.
    pub server_address: String,
    /// The port that the requests go to.
    pub server_port: u16,
    /// More resource attributes.
    pub extra: Vec<(String, String)>,
}

impl Run {
    /// The resource's attributes. The environment's own come last and win.
    pub(super) fn resource(
        &self,
        service_name: Option<&str>,
        environment: &[(String, String)],
    ) -> Vec<(String, String)> {
        let mut attributes: Vec<(String, String)> = Vec::new();
        let mut set = |key: &str, value: &str| {
            attributes.retain(|(known, _)| known != key);
            attributes.push((key.to_owned(), value.to_owned()));
        };
        set("service.name", "plimsoll");
        set("service.version", &self.version);
        set("service.instance.id", &self.id);
        set("plimsoll.run.id", &self.id);
        set("plimsoll.scenario", &self.scenario);
        self.extra.iter().chain(environment).for_each(|(key, value)| set(key, value));
        if let Some(name) = service_name {
            set("service.name", name);
        }
        attributes
    }

    /// What the conventions require of `http.client.request.duration`.
    pub(super) fn convention_attributes(&self) -> Vec<KeyValue> {
        vec![
            KeyValue::new("http.request.method", self.method.clone()),
            KeyValue::new("server.address", self.server_address.clone()),
            KeyValue::new("server.port", i64::from(self.server_port)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_attributes_win() {
        let run = Run {
            id: "r1".to_owned(),
            scenario: "quickstart".to_owned(),
            version: "0.1.0".to_owned(),
            started: SystemTime::UNIX_EPOCH,
            method: "POST".to_owned(),
            server_address: "127.0.0.1".to_owned(),
            server_port: 80,
            extra: vec![("plimsoll.endpoint".to_owned(), "blue".to_owned())],
        };
        let environment = [("service.name".to_owned(), "a".to_owned())];
        let find = |attributes: Vec<(String, String)>, key: &str| {
            let found: Vec<_> = attributes.into_iter().filter(|(k, _)| k == key).collect();
            assert_eq!(found.len(), 1, "{key}");
            found[0].1.clone()
        };
        assert_eq!(find(run.resource(None, &[]), "service.name"), "plimsoll");
        assert_eq!(find(run.resource(None, &environment), "service.name"), "a");
        assert_eq!(find(run.resource(Some("b"), &environment), "service.name"), "b");
        assert_eq!(find(run.resource(None, &[]), "plimsoll.endpoint"), "blue");
        assert_eq!(find(run.resource(None, &[]), "service.instance.id"), "r1");
    }
}
