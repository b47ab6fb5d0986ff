use std::collections::BTreeMap;

use super::*;

fn resolve(flag: Option<&str>, env: &[(&str, &str)]) -> Result<Option<Config>, Error> {
    let env: BTreeMap<_, _> = env.iter().copied().collect();
    Config::resolve(flag, &|name| env.get(name).map(|value| (*value).to_owned()))
}

fn config(flag: Option<&str>, env: &[(&str, &str)]) -> Config {
    resolve(flag, env).unwrap().unwrap()
}

fn refused(flag: Option<&str>, env: &[(&str, &str)]) -> String {
    resolve(flag, env).expect_err("must be refused").to_string()
}

#[test]
fn nothing_asked_nothing_exported() {
    assert!(resolve(None, &[]).unwrap().is_none());
    assert!(resolve(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
}

#[test]
fn the_standards_off_switches_win_over_every_endpoint() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4317");
    let own = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h:4317");
    let (metrics, logs) = (("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", " None "));
    let disabled = ("OTEL_SDK_DISABLED", "TRUE");
    for flag in [None, Some("http://flag:4317")] {
        for off in [&[disabled][..], &[metrics, logs]] {
            let env = [&[endpoint, own], off].concat();
            assert!(resolve(flag, &env).unwrap().is_none(), "{flag:?} {off:?}");
        }
        let only = config(flag, &[endpoint, own, metrics]);
        assert!(only.metrics.is_none() && only.logs.is_some(), "{flag:?}");
        let only = config(flag, &[endpoint, own, logs]);
        assert!(only.metrics.is_some() && only.logs.is_none(), "{flag:?}");
    }
    // What is set for a signal that is off is not looked at.
    let wrong = ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s");
    assert!(resolve(None, &[endpoint, disabled, wrong]).unwrap().is_none());
    // Nor are the switches when there is nothing to switch off.
    let elsewhere = ("OTEL_METRICS_EXPORTER", "prometheus");
    assert!(resolve(None, &[elsewhere, ("OTEL_SDK_DISABLED", "1")]).unwrap().is_none());
}

#[test]
fn what_is_switched_off_though_it_is_asked_for_is_told() {
    let off = |flag, env: &[(&str, &str)]| {
        Config::switched_off(flag, &|name| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let flag = Some("http://localhost:4317");
    let all = off(flag, &[("OTEL_SDK_DISABLED", "true")]).unwrap();
    assert!(all.ends_with("metrics and alerts, by OTEL_SDK_DISABLED=true"), "{all}");
    let some = off(flag, &[("OTEL_LOGS_EXPORTER", "none")]).unwrap();
    assert!(some.ends_with("alerts, by OTEL_LOGS_EXPORTER=none"), "{some}");
    assert_eq!(off(flag, &[]), None);
    assert_eq!(off(None, &[("OTEL_SDK_DISABLED", "true")]), None, "nobody has asked");
}

#[test]
fn an_exporter_that_is_selected_is_used() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4317");
    let on = [("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_LOGS_EXPORTER", "console, OTLP")];
    for env in [&[endpoint, ("OTEL_SDK_DISABLED", "false")][..], &[&[endpoint], &on[..]].concat()] {
        let both = config(None, env);
        assert!(both.metrics.is_some() && both.logs.is_some(), "{env:?}");
    }
}

#[test]
fn the_port_or_the_variable_decides_the_protocol() {
    let shown = |flag, env: &[(&str, &str)]| config(Some(flag), env).to_string();
    assert_eq!(
        shown("http://h:4317", &[]),
        "metrics to http://h:4317/ (gRPC), logs to http://h:4317/ (gRPC)"
    );
    assert_eq!(
        shown("https://h:4318/otel/", &[]),
        "metrics to https://h:4318/otel/v1/metrics (HTTP/protobuf), \
         logs to https://h:4318/otel/v1/logs (HTTP/protobuf)"
    );
    let grpc = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    assert!(shown("http://h:9000", &grpc).contains("metrics to http://h:9000/ (gRPC)"));
    let mixed = [("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf")];
    assert!(
        shown("http://h:4317", &mixed).ends_with("logs to http://h:4317/v1/logs (HTTP/protobuf)")
    );
}

#[test]
fn a_base_gets_the_path_and_a_signals_own_endpoint_is_used_as_it_is() {
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:4318"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://prometheus:9090/api/v1/otlp/v1/metrics"),
    ];
    let both = config(None, &env);
    let metrics = both.metrics.unwrap().endpoint;
    assert_eq!(metrics, "http://prometheus:9090/api/v1/otlp/v1/metrics");
    assert_eq!(both.logs.unwrap().endpoint, "http://base:4318/v1/logs");

    let only = config(None, &env[1..]);
    assert!(only.metrics.is_some() && only.logs.is_none());
    let flag = config(Some("http://flag:4318"), &env);
    assert_eq!(flag.metrics.unwrap().endpoint, "http://flag:4318/v1/metrics");
}

#[test]
fn settings_of_a_signal_win_over_the_general_ones() {
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret,x-tenant=a"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-tenant=b"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
        ("OTEL_SERVICE_NAME", "nightly"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=ml%2Cplatform, env = ci"),
    ];
    let config = config(None, &env);
    assert!(!format!("{config:?} {config}").contains("s3cret"));
    assert_eq!(config.temporality, Temporality::Delta);
    assert_eq!(config.interval, Duration::from_secs(1));
    assert_eq!(config.service_name.as_deref(), Some("nightly"));
    let attributes = [("team", "ml,platform"), ("env", "ci")].map(|(k, v)| (k.into(), v.into()));
    assert_eq!(config.attributes, attributes);
    let (metrics, logs) = (config.metrics.unwrap(), config.logs.unwrap());
    assert_eq!(metrics.headers["authorization"], "Bearer s3cret");
    assert_eq!((logs.headers.len(), &logs.headers["x-tenant"]), (1, &"b".parse().unwrap()));
    assert_eq!((metrics.timeout, metrics.gzip), (Duration::from_millis(2500), false));
    assert!(logs.gzip);
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318");
    let cases = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "`http/protobuf`"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift", "`grpc` or `http/protobuf`"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "above 0"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd", "`gzip` or `none`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization", "entry 1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", "`a b`"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem", "not supported"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both", "`delta`"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "explicit_bucket_histogram",
            "base2",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz", "entry 1"),
        ("OTEL_SDK_DISABLED", "yes", "`true`"),
        ("OTEL_METRICS_EXPORTER", "prometheus", "`otlp` or `none`"),
        ("OTEL_LOGS_EXPORTER", "none,otlp", "`otlp` or `none`"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-1", "milliseconds"),
    ];
    for (name, value, hint) in cases {
        let message = refused(None, &[on, (name, value)]);
        assert!(message.contains(name), "{name}: {message}");
        assert!(message.contains(hint), "{name}: {message}");
    }
    let secret = refused(None, &[on, ("OTEL_EXPORTER_OTLP_HEADERS", "key=s3cr\u{7}et")]);
    assert!(!secret.contains("s3cr"), "{secret}");
}

#[test]
fn endpoints_that_cannot_work_are_refused() {
    for (url, hint) in [
        ("localhost:4317", "scheme"),
        ("ftp://h:21", "scheme"),
        ("http://u:s3cret@h:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("http://h:4317/collector", "path"),
        ("http://h:4318/v1/metrics", "appended"),
        ("http://h:4318/?a=b", "query"),
        ("not a url", "URL"),
    ] {
        let message = refused(Some(url), &[]);
        assert!(message.contains("--otlp") && message.contains(hint), "{url}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
}
