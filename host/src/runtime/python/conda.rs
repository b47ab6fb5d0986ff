//! A conda file, read as what pip can install.
//!
//! Most conda packages have the same name on `PyPI`, so an environment that needs no more than those
//! is made with `venv` and pip, which are everywhere. What only conda has (compilers, CUDA, R, one
//! channel's build) is collected in [`Recipe::only_conda`]: reasons to need conda itself. Channels
//! mean nothing to pip.
//!
//! Limits: the names in [`ONLY_CONDA`] are the common ones; another that `PyPI` lacks makes pip fail,
//! and pip says which.

use std::collections::BTreeMap;

use plimsoll_document::{Document, Problem, Problems};
use plimsoll_document::{Node, Value};

use super::constraint::Constraint;

/// What serves the scoring script.
const SERVER: &str = "azureml-inference-server-http";

/// Packages that bring it.
const WITH_SERVER: [&str; 2] = [SERVER, "azureml-defaults"];

/// Another name on `PyPI`.
const RENAMED: [(&str, &str); 5] = [
    ("dask-core", "dask"),
    ("matplotlib-base", "matplotlib"),
    ("msgpack-python", "msgpack"),
    ("py-xgboost", "xgboost"),
    ("pytorch", "torch"),
];

/// Not on `PyPI`, or something else there.
const ONLY_CONDA: [&str; 22] = [
    "blas",
    "binutils",
    "c-compiler",
    "compilers",
    "cuda",
    "cuda-toolkit",
    "cudatoolkit",
    "cudnn",
    "cxx-compiler",
    "fortran-compiler",
    "gcc",
    "gxx",
    "llvm-openmp",
    "mpich",
    "nccl",
    "nomkl",
    "openblas",
    "openjdk",
    "openmp",
    "openmpi",
    "pytorch-cuda",
    "sysroot_linux-64",
];

/// What a conda file asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    /// Which interpreters may be used.
    pub(super) python: Constraint,
    /// Lines of a requirements file.
    pub(super) requirements: Vec<String>,
    /// Whether the inference server is not asked for and was added.
    pub(super) server_added: bool,
    /// Environment variables of the environment.
    pub(super) variables: BTreeMap<String, String>,
    /// Dependencies that pip cannot install.
    pub(super) only_conda: Problems,
}

/// The requirement that is added when the server is not asked for.
pub(super) fn server() -> &'static str {
    SERVER
}

/// Reads the text of a conda file.
///
/// # Errors
/// All that makes no sense in it.
pub(super) fn read(text: &str) -> Result<Recipe, Problems> {
    let document = Document::parse("conda file", text)?;
    let mut reader = Reader {
        document: &document,
        problems: document.flaws().clone(),
        recipe: Recipe {
            python: Constraint::default(),
            requirements: Vec::new(),
            server_added: false,
            variables: BTreeMap::new(),
            only_conda: Problems::new(),
        },
    };
    reader.dependencies();
    reader.variables();
    let Reader { mut recipe, problems, .. } = reader;
    let has_server = |line: &String| WITH_SERVER.contains(&canonical(line).as_str());
    if !recipe.requirements.iter().any(has_server) {
        recipe.requirements.push(SERVER.to_owned());
        recipe.server_added = true;
    }
    problems.or(Some(recipe))
}

struct Reader<'a> {
    document: &'a Document,
    problems: Problems,
    recipe: Recipe,
}

impl Reader<'_> {
    fn dependencies(&mut self) {
        let document = self.document;
        let Some(Value::List(items)) = document.root().child("dependencies").map(|n| &n.value)
        else {
            self.wrong("/dependencies", "`dependencies` is no list", "list the packages there");
            return;
        };
        for (i, item) in items.iter().enumerate() {
            let at = format!("/dependencies/{i}");
            match (&item.value, item.child("pip").map(|pip| &pip.value)) {
                (Value::Text(text), _) => self.package(&at, text.trim()),
                (Value::Map(_), Some(Value::List(lines))) => self.pip(&format!("{at}/pip"), lines),
                _ => self.wrong(
                    &at,
                    "a dependency is a package, or `pip:` with a list",
                    "such as `numpy=1.26`",
                ),
            }
        }
    }

    fn pip(&mut self, at: &str, lines: &[Node]) {
        for (i, line) in lines.iter().enumerate() {
            let at = format!("{at}/{i}");
            let Value::Text(line) = &line.value else {
                self.wrong(&at, "this is no requirement", "such as `numpy==1.26.4`");
                continue;
            };
            if of_a_file(line.trim()) {
                self.wrong(
                    &at,
                    "this names a file that is not part of the environment",
                    "write the requirements themselves: Azure does not have that file either",
                );
            } else {
                self.recipe.requirements.push(line.trim().to_owned());
            }
        }
    }

    fn package(&mut self, at: &str, text: &str) {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let name = name.to_lowercase();
        if name.is_empty() || text.contains("::") {
            return self.only_conda(at, "pip knows no channels", "leave the channel out");
        }
        if only_conda(&name) {
            return self.only_conda(at, &format!("pip cannot install `{name}`"), "leave it out");
        }
        let Some(constraint) = Constraint::parse(rest) else {
            let hint = format!("write `{name}=1.2`, or give a range such as `{name}>=1.2,<2`");
            return self.only_conda(at, &format!("pip has no word for `{}`", rest.trim()), &hint);
        };
        if name == "python" {
            self.recipe.python = constraint;
            return;
        }
        let renamed = RENAMED.iter().find(|(conda, _)| *conda == name);
        let name = renamed.map_or(name.as_str(), |(_, pypi)| pypi);
        self.recipe.requirements.push(format!("{name}{constraint}"));
    }

    /// Set for the process, as by activating the environment.
    fn variables(&mut self) {
        let document = self.document;
        let Some(node) = document.root().child("variables") else { return };
        let Value::Map(members) = &node.value else {
            return self.wrong("/variables", "`variables` is no map", "`NAME: value` on each line");
        };
        for (name, _, value) in members {
            let value = match &value.value {
                Value::Text(text) => text.clone(),
                Value::Int(number) => number.to_string(),
                _ => {
                    let at = format!("/variables/{name}");
                    self.wrong(&at, "this is no text", "put it in quotes");
                    continue;
                }
            };
            self.recipe.variables.insert(name.clone(), value);
        }
    }

    fn wrong(&mut self, at: &str, message: &str, hint: &str) {
        self.problems.push(self.problem(at, message, hint));
    }

    fn only_conda(&mut self, at: &str, message: &str, hint: &str) {
        let hint = format!("{hint}, or install `micromamba`");
        let problem = self.problem(at, message, &hint);
        self.recipe.only_conda.push(problem);
    }

    fn problem(&self, at: &str, message: &str, hint: &str) -> Problem {
        self.document.problem_at(at, message).hint(hint)
    }
}

fn only_conda(name: &str) -> bool {
    let family = name.starts_with('_') || name.starts_with("r-");
    family || name.ends_with("-ng") || ONLY_CONDA.contains(&name)
}

/// `-r file`, `-c file`, `-e folder` and paths.
fn of_a_file(line: &str) -> bool {
    const OPTIONS: [&str; 6] = ["-r", "-c", "-e", "--requirement", "--constraint", "--editable"];
    OPTIONS.iter().any(|option| line.starts_with(option)) || line.starts_with(['.', '/'])
}

/// The name in a requirement, as `PyPI` compares names.
fn canonical(line: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = line.chars().take_while(legal).collect();
    name.to_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(dependencies: &str) -> Recipe {
        read(&format!("name: x\nchannels: [conda-forge]\ndependencies:\n{dependencies}")).unwrap()
    }

    #[test]
    fn the_articles_conda_file_becomes_requirements() {
        let recipe = recipe(
            "- python=3.11\n- numpy=1.21.2\n- pip=21.2.4\n- scikit-learn=0.24\n- scipy>=1.7\n- pip:\n  - azureml-defaults==1.38.0\n  - joblib==1.0.1\n",
        );
        let expected = [
            "numpy==1.21.2",
            "pip==21.2.4",
            "scikit-learn==0.24.*",
            "scipy>=1.7",
            "azureml-defaults==1.38.0",
            "joblib==1.0.1",
        ];
        assert_eq!(recipe.requirements, expected);
        assert_eq!(recipe.python.to_string(), "==3.11.*");
        assert!(!recipe.server_added && recipe.only_conda.is_empty());
    }

    #[test]
    fn the_server_is_added_when_nothing_brings_it() {
        let with = recipe("- pip:\n  - azureml_inference_server_http[x]>=1.4\n");
        assert!(!with.server_added);
        let without = recipe("- pytorch=2.5\n");
        assert!(without.server_added);
        assert_eq!(without.requirements, ["torch==2.5.*", "azureml-inference-server-http"]);
    }

    #[test]
    fn what_only_conda_has_is_named_all_at_once() {
        let recipe = recipe(
            "- cudatoolkit=11.3\n- numpy=1.21=py39_0\n- conda-forge::lightgbm\n- r-base\n- libgcc-ng\n- joblib\n",
        );
        assert_eq!(recipe.only_conda.len(), 5);
        let text = recipe.only_conda.to_string();
        for part in ["`cudatoolkit`", "`=1.21=py39_0`", "no channels", "`r-base`", "micromamba"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn what_no_one_can_install_is_an_error() {
        let problems = read(
            "dependencies:\n- 3\n- pip:\n  - -r requirements.txt\n  - ./mine.whl\nvariables:\n  A: [1]\n",
        );
        assert_eq!(problems.unwrap_err().len(), 4);
        assert!(read("name: x\n").is_err());
    }

    #[test]
    fn a_description_in_place_is_json_and_variables_are_kept() {
        let recipe = read(r#"{"dependencies": ["joblib"], "variables": {"A": "b", "N": 2}}"#);
        let recipe = recipe.unwrap();
        assert_eq!(recipe.requirements[0], "joblib");
        assert_eq!((recipe.variables["A"].as_str(), recipe.variables["N"].as_str()), ("b", "2"));
    }
}
