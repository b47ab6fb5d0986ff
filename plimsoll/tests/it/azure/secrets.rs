//! No token is in anything that others can read: answers, logs, dry runs, files, arguments of processes.

use super::{Azure, BLUE};
use crate::standing::files;

#[test]
fn no_token_is_in_any_log_dry_run_file_or_argument() {
    let azure = Azure::start();
    azure.write("blue.yml", BLUE);
    azure.write(
        "far.yml",
        "name: far\nendpoint_name: shop\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n\
         model: azureml:m:1\nenvironment: azureml:e:1\nenvironment_variables: {KEY: s3cret-variable}\n",
    );
    let mut told = String::new();
    let create = ["endpoint", "create", "-n", "shop"];
    for words in [
        &[create.as_slice(), &["--dry-run"]].concat()[..],
        &create,
        &["deployment", "create", "-f", "far.yml", "--dry-run"],
        &["endpoint", "get-credentials", "-n", "shop", "--dry-run"],
        &["endpoint", "regenerate-keys", "-n", "shop", "--dry-run"],
        &["endpoint", "show", "-n", "nothing"],
        &["endpoint", "delete", "-n", "shop", "--yes"],
    ] {
        let ran = azure.run(words);
        told += &ran.text();
    }
    assert!(
        told.contains("Authorization: Bearer <hidden>") && told.contains("\"KEY\": \"<hidden>\"")
    );
    assert!(!told.contains("s3cret-variable"), "{told}");
    let asked = std::fs::read_to_string(azure.path().join("az-asked")).expect("az was asked");
    assert!(
        asked.starts_with(
            "account get-access-token --output json --resource https://management.azure.com"
        ),
        "{asked}"
    );
    let of_processes =
        std::fs::read_to_string(azure.path().join("az-parent")).expect("az was asked");
    assert!(of_processes.contains("plimsoll"), "{of_processes}");
    for (from, text) in
        [("output", &told), ("az's arguments", &asked), ("our arguments", &of_processes)]
    {
        assert!(!text.contains(&azure.token), "the token is in {from}");
    }
    // The host and the stand-in of the Azure CLI know it; nobody else has written it.
    let own = [
        azure.path().join("host"),
        azure.path().join("bin"),
        azure.user.state().join("host/host.json"),
    ];
    let written = files(azure.path().to_owned()).into_iter().chain(azure.user.kept());
    let mut seen = 0;
    for (path, text) in written.filter(|(path, _)| !own.iter().any(|own| path.starts_with(own))) {
        assert!(!text.contains(&azure.token), "the token is in {}", path.display());
        seen += 1;
    }
    assert!(seen > 3, "only {seen} files were looked at");
}
