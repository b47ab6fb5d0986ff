//! What `az` takes is taken, with a word where it does nothing or something else; what it refuses is
//! refused. Each line was held against azure-ai-ml 1.35.2.

use super::*;

const MANAGED: &str = "name: blue\nendpoint_name: my-endpoint\ninstance_type: Standard_DS3_v2\n";
const MODEL: &str = "model: azureml:m:1\n";

/// The file with these lines added is taken; what is said about it.
fn taken(base: &Path, file: &str) -> String {
    let (spec, problems) = deployment(base, file);
    assert!(spec.is_some() && problems.is_empty(), "{file}\n{problems}");
    problems.to_string()
}

/// The only error.
fn refused(base: &Path, file: &str) -> String {
    let (spec, problems) = deployment(base, file);
    assert_eq!((spec, problems.len()), (None, 1), "{file}\n{problems}");
    problems.to_string()
}

fn managed(more: &str) -> String {
    format!("{MANAGED}instance_count: 2\n{MODEL}{more}\n")
}

fn kubernetes(more: &str) -> String {
    format!("name: blue\nendpoint_name: my-endpoint\ntype: kubernetes\ninstance_count: 2\n{more}\n")
}

#[test]
fn what_az_shows_can_be_given_back() {
    let folder = folder();
    let shown = "id: /subscriptions/s\nprovisioning_state: Succeeded\n\
                 creation_context: {created_at: 2024-01-01, created_by: someone}";
    let said = taken(folder.path(), &managed(shown));
    assert!(said.contains("note: `id`, `provisioning_state`, `creation_context`"), "{said}");
    let (spec, problems) = endpoint(
        "name: my-endpoint\nkind: Managed\nlocation: westeurope\nopenapi_uri: https://x\n\
         scoring_uri: https://x\nprovisioning_state: Succeeded\nid: /subscriptions/s\n\
         identity: {type: SystemAssigned, principal_id: p, tenant_id: t}\nmirror_traffic: {}\n",
    );
    assert_eq!(spec.unwrap().azure.identity, Some(Identity::SystemAssigned));
    assert_eq!(problems.to_string().matches("note:").count(), 2, "{problems}");
    for more in ["resourceGroup: g", "kind: Managed"] {
        assert!(refused(folder.path(), &managed(more)).contains("unknown key"));
    }
}

#[test]
fn files_may_be_elsewhere() {
    let folder = folder();
    let script = "scoring_script: score.py}\nenvironment: azureml:e:1";
    let code = |place: &str| managed(&format!("code_configuration: {{code: '{place}', {script}"));
    for place in [
        "azureml:my-code:3",
        "azureml://registries/r/codes/c/versions/1",
        "/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/codes/c/versions/1",
    ] {
        taken(folder.path(), &code(place));
    }
    assert!(refused(folder.path(), &code("https://x/y.git")).contains("not on this machine"));
    let model =
        |path: &str| format!("{MANAGED}instance_count: 2\nmodel: {{path: '{path}', name: m}}\n");
    for path in [
        "azureml://datastores/d/paths/p/",
        "azureml://jobs/j/outputs/artifacts/paths/m/",
        "runs:/r/m",
        "https://x.blob.core.windows.net/c/m",
    ] {
        let (spec, _) = deployment(folder.path(), &model(path));
        let Some(Asset::Inline(model)) = spec.unwrap().model else { panic!("described in place") };
        assert_eq!((model.path.here(), model.name.as_deref()), (None, Some("m")), "{path}");
    }
    let nameless = model("runs:/r/m").replace(", name: m", "");
    assert!(refused(folder.path(), &nameless).contains("add `name` and `version`"));
    let registered = refused(folder.path(), &model("azureml:other:2"));
    assert!(registered.contains("write `model: azureml:other:2`"), "{registered}");
    let built = |path: &str| managed(&format!("environment: {{build: {{path: '{path}'}}}}"));
    taken(folder.path(), &built("https://x/y.git"));
    assert!(refused(folder.path(), &built("git@x:y.git")).contains("build context"));
}

#[test]
fn keys_of_a_registered_model_do_nothing() {
    let folder = folder();
    let model = |more: &str| {
        format!("{MANAGED}instance_count: 2\nmodel: {{path: model, name: m, version: 1, {more}}}\n")
    };
    let said = taken(folder.path(), &model("stage: Test, datastore: d, flavors: {sklearn: {}}"));
    assert!(said.contains("`model.flavors`, `model.stage`, `model.datastore`"), "{said}");
    let said = taken(folder.path(), &model("id: x, job_name: j, latest_version: 2"));
    assert!(said.contains("printed by `az … show`"), "{said}");
    assert!(refused(folder.path(), &model("stag: Test")).contains("did you mean `stage`?"));
    let nameless = model("tags: {}").replace("name: m, ", "");
    assert!(refused(folder.path(), &nameless).contains("`version` is given, and no `name`"));
    let said = taken(folder.path(), &model("tags: {}").replace("version: 1,", "version: 1.10,"));
    assert!(said.contains("sends 1.1"), "{said}");
}

#[test]
fn limits_that_azure_raises_are_warnings() {
    let folder = folder();
    let said = taken(folder.path(), &format!("{MANAGED}{MODEL}instance_count: 51\n"));
    assert!(said.contains("warning:") && said.contains("raised on request"), "{said}");
    let timeout = "request_settings: {request_timeout_ms: 300000}\n";
    let said = taken(folder.path(), &managed(timeout));
    assert!(said.contains("for the deployment of a flow only"), "{said}");
    let flow =
        managed(&format!("{timeout}environment_variables: {{PROMPTFLOW_RUN_MODE: serving}}"));
    assert!(!taken(folder.path(), &flow).contains("flow only"));
    assert!(
        refused(folder.path(), &managed(&timeout.replace("300000", "300001"))).contains("300 s")
    );
}

#[test]
fn whole_numbers_may_be_written_in_many_ways() {
    let folder = folder();
    let count = |count: &str| format!("{MANAGED}{MODEL}instance_count: {count}\n");
    for plain in ["2.0", "'2'", "' 2 '", "'1_0'"] {
        assert_eq!(taken(folder.path(), &count(plain)), "", "{plain}");
    }
    for (odd, said) in [("2.5", "cuts `2.5` down to 2"), ("010", "reads `010` as 8")] {
        let text = taken(folder.path(), &count(odd));
        assert!(text.contains(said), "{text}");
    }
    for wrong in ["true", "'2.0'", "1e1", "many", "9999999999999999999999999999999999999999"] {
        refused(folder.path(), &count(wrong));
    }
}

#[test]
fn text_is_text_to_yaml_1_1() {
    let folder = folder();
    for wrong in [
        "description: 5",
        "description: no",
        "description: 2024-01-31",
        "data_collector: {collections: {a: {enabled: true}}}",
        "data_collector: {collections: {a: {enabled: 'yes'}}}",
        "data_collector: {collections: {a: {enabled: 'True'}}, request_logging: {capture_headers: [5]}}",
        "egress_public_network_access: off",
    ] {
        let text = refused(folder.path(), &managed(wrong));
        assert!(text.contains("quote") || text.contains("'True'"), "{text}");
    }
    for fine in [
        "description: '5'",
        "data_collector: {collections: {a: {enabled: 'true', data: 'azureml:d:1', client_id: c}}}",
        "data_collector: {collections: {a: {enabled: 'False'}}, sampling_rate: '0.5'}",
        "app_insights_enabled: yes",
        "private_network_connection: true",
    ] {
        taken(folder.path(), &managed(fine));
    }
    for missing in ["collections: {a: {}}", "sampling_rate: 0.5"] {
        let text = refused(folder.path(), &managed(&format!("data_collector: {{{missing}}}")));
        assert!(text.contains("is missing"), "{text}");
    }
}

#[test]
fn free_values_are_kept_with_a_word_on_what_az_sends() {
    let folder = folder();
    let said =
        taken(folder.path(), &managed("environment_variables: {A: on, B: 5, C: true, D: '1.10'}"));
    assert_eq!(said.matches("warning:").count(), 1, "{said}");
    assert!(said.contains("sends true; this machine takes `on`"), "{said}");
    let said = taken(folder.path(), &managed("tags: {build: $(Build.BuildId)}"));
    assert!(said.contains("`$(Build.BuildId)` looks like a placeholder"), "{said}");
}

#[test]
fn kubernetes_takes_amounts_as_text_and_no_registry() {
    let folder = folder();
    let with = |more: &str| kubernetes(&format!("model: {{path: model}}\n{more}"));
    for fine in [
        "resources: {limits: {cpu: '2', memory: 4Gi}}",
        "resources: {requests: {cpu: '1'}}",
        "resources: {requests: {cpu: '1', memory: 1Gi, gpu: '1'}, limits: {nvidia.com/gpu: '1'}}",
        "resources: {limits: {memory: 1Ei, cpu: 1E}}",
        "resources: {}",
    ] {
        taken(folder.path(), &with(fine));
    }
    for (wrong, said) in [
        ("resources: {requests: {cpu: 1}}", "quote it: '1'"),
        ("resources: {limits: {cpu: lots}}", "no amount"),
        ("scale_settings: {type: target-utilization}", "did you mean `target_utilization`?"),
        ("private_network_connection: true", "managed deployments only"),
    ] {
        let text = refused(folder.path(), &with(wrong));
        assert!(text.contains(said), "{text}");
    }
    for wrong in [
        "model: azureml://registries/r/models/m/versions/1",
        "model: azureml:m:1\nenvironment: azureml://registries/r/environments/e/versions/1",
    ] {
        assert!(refused(folder.path(), &kubernetes(wrong)).contains("registry"));
    }
    let capital = with("").replace("type: kubernetes", "type: Kubernetes");
    assert!(refused(folder.path(), &capital).contains("in small letters"));
}

#[test]
fn words_are_spelt_as_az_spells_them() {
    let mode = |mode: &str| endpoint(&format!("name: my-endpoint\nauth_mode: {mode}\n"));
    for (spelling, meant) in [("AMLToken", AuthMode::AmlToken), ("KEY", AuthMode::Key)] {
        assert_eq!(mode(spelling).0.unwrap().auth_mode, meant);
    }
    let (_, problems) = mode("aml-token");
    assert!(problems.to_string().contains("did you mean `aml_token`?"), "{problems}");
}

#[test]
fn an_identity_is_a_map_with_an_arm_id() {
    let with = |identities: &str| {
        let identity = format!("{{type: user_assigned, user_assigned_identities: {identities}}}");
        endpoint(&format!("name: my-endpoint\nidentity: {identity}\n"))
    };
    let (spec, problems) = with("[{resource_id: /subscriptions/x, client_id: c, principal_id: p}]");
    assert_eq!(problems.to_string(), "");
    let identity = Some(Identity::UserAssigned("/subscriptions/x".to_owned()));
    assert_eq!(spec.unwrap().azure.identity, identity);
    let (spec, problems) = with("[{client_id: c}]");
    assert!(spec.is_some() && problems.to_string().contains("no `resource_id`"), "{problems}");
    let (spec, problems) = with("[/subscriptions/x]");
    assert!(spec.is_none(), "az refuses a bare id");
    assert!(problems.to_string().contains("write `resource_id: /subscriptions/x`"), "{problems}");
}

#[test]
fn a_template_is_told_once_at_each_place() {
    let folder = folder();
    let text = "name: blue\nendpoint_name: {{ENDPOINT}}\ninstance_type: ${SIZE}\n\
                instance_count: <count>\nmodel: azureml:$(MODEL):1\ndescription: about {{ENDPOINT}}\n";
    let (_, problems) = deployment(folder.path(), text);
    assert_eq!(problems.len(), 4, "{problems}");
    for placeholder in ["`{{ENDPOINT}}`", "`${SIZE}`", "`<count>`", "`$(MODEL)`"] {
        let said = format!("{placeholder} is a placeholder");
        assert!(problems.to_string().contains(&said), "{said}: {problems}");
    }
}

#[test]
fn names_are_asked_for_with_the_flag_that_gives_them() {
    let (_, problems) =
        deployment(Path::new("."), &format!("{MODEL}instance_count: 1\ninstance_typ: x\n"));
    let text = problems.to_string();
    assert!(text.contains("--name") && text.contains("--endpoint-name"), "{text}");
    assert_eq!(problems.len(), 3, "a wrong key is not also missing: {text}");
}
