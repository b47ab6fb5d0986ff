//! Local code and models are brought to the workspace's storage, and only what it does not have.

use super::Azure;
use crate::standing::files;

/// The files that the storage has, by the ends of their names, with what is in them.
fn stored(azure: &Azure, end: &str) -> Vec<String> {
    let all = files(azure.path().join("host")).into_iter();
    let named = all.filter(|(path, _)| path.to_string_lossy().ends_with(end));
    named.map(|(_, text)| text).collect()
}

#[test]
fn models_are_brought_once_and_again_when_they_are_others() {
    let azure = Azure::start();
    azure.write("m.onnx", "the first");
    let create =
        |version| azure.json(&["model", "create", "-n", "m", "-v", version, "-p", "m.onnx"]);
    let first = create("1");
    let address = first["path"].as_str().expect("an address");
    assert!(
        address.starts_with("azureml://subscriptions/") && address.ends_with("/m.onnx"),
        "{first:#}"
    );
    assert_eq!(stored(&azure, "m.onnx"), ["the first"]);
    assert_eq!(create("2")["path"], first["path"]);
    assert_eq!(stored(&azure, "m.onnx"), ["the first"], "it was there");
    azure.write("m.onnx", "the second");
    assert_ne!(create("3")["path"], first["path"]);
    assert_eq!(stored(&azure, "m.onnx").len(), 2);
    let taken = azure.run(&["model", "create", "-n", "m", "-v", "3", "-p", "m.onnx"]).must_exit(1);
    assert!(taken.stderr.contains("has this version already"), "{}", taken.text());
}

#[test]
fn code_is_brought_to_a_container_of_its_own_and_found_again() {
    let azure = Azure::start();
    std::fs::create_dir(azure.path().join("code")).expect("a new folder");
    azure.write("code/score.py", "def init():\n    pass\n\ndef run(data):\n    return data\n");
    azure.write(
        "blue.yml",
        "name: blue\nendpoint_name: shop\ncode_configuration: {code: code, scoring_script: score.py}\n\
         environment: {image: i, conda_file: {dependencies: [python=3.12]}}\n\
         instance_type: Standard_DS3_v2\ninstance_count: 1\n",
    );
    // Its endpoint is missing, which is told after the files were brought.
    for _ in 0..2 {
        let refused = azure.run(&["deployment", "create", "-f", "blue.yml"]).must_exit(1);
        assert!(refused.stderr.contains("endpoint `shop`"), "{}", refused.text());
        assert_eq!(stored(&azure, "code/score.py").len(), 1);
    }
    azure.write("code/score.py", "def init():\n    pass\n\ndef run(data):\n    return 2\n");
    azure.run(&["deployment", "create", "-f", "blue.yml"]).must_exit(1);
    assert_eq!(stored(&azure, "code/score.py").len(), 2);
    azure.write("code/.amlignore", "*.pyc");
    let refused = azure.run(&["deployment", "create", "-f", "blue.yml"]).must_exit(1);
    assert!(refused.stderr.contains(".amlignore"), "{}", refused.text());
    assert_eq!(azure.json(&["environment", "list"]).as_array().map(Vec::len), Some(1));
}
