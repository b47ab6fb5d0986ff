//! Whether a scoring script is Python at all. `az` parses it before it sends anything, and so does
//! `check`, with the Python of this machine. It is parsed and never run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_document::{Problem, Problems, read_text};

/// Ends with this status, and says line, column and message, if the file is no Python.
const WRONG: i32 = 3;

/// Parses the file that it is given.
const PARSE: &str = "
import ast, sys
try:
    with open(sys.argv[1], 'rb') as script:
        ast.parse(script.read())
except SyntaxError as error:
    print(error.lineno or 1, error.offset or 1, error.msg, sep='\\n')
    sys.exit(3)
except ValueError as error:
    print(1, 1, error, sep='\\n')
    sys.exit(3)
";

/// Adds what is wrong with the scoring script of a deployment, if it is on this machine.
pub(in crate::commands) fn check(spec: &DeploymentSpec, problems: &mut Problems) {
    let Some(code) = &spec.code else { return };
    let Some(folder) = code.folder.here() else { return };
    let script = folder.join(&code.scoring_script);
    if let Some(problem) = parse(&script, OsStr::new("python3")) {
        problems.push(problem);
    }
}

fn parse(script: &Path, python: &OsStr) -> Option<Problem> {
    let file = script.display().to_string();
    let text = match read_text(script) {
        Ok(text) => text,
        Err(problem) => return Some(problem),
    };
    // Isolated, so that nothing beside the script is imported.
    let arguments = ["-I", "-S", "-B", "-c", PARSE];
    let ran = Command::new(python).args(arguments).arg(script).stdin(Stdio::null()).output();
    let unparsed = |why: &str| {
        let message = format!("the scoring script was not parsed: {why}");
        Some(Problem::of_file(&file, message).hint("az parses it before it sends anything").note())
    };
    match ran {
        Err(_) => unparsed("there is no `python3` here"),
        Ok(ran) if ran.status.success() => None,
        Ok(ran) if ran.status.code() == Some(WRONG) => {
            Some(problem(&file, &text, &String::from_utf8_lossy(&ran.stdout)))
        }
        Ok(_) => unparsed("`python3` could not do it"),
    }
}

/// From line, column and message, each on a line of its own.
fn problem(file: &str, text: &str, said: &str) -> Problem {
    let mut lines = said.lines();
    let mut number = || lines.next().and_then(|line| line.parse::<usize>().ok()).unwrap_or(1);
    let (line, column) = (number(), number());
    let message = lines.next().unwrap_or("invalid syntax");
    let start: usize = text.split_inclusive('\n').take(line - line.min(1)).map(str::len).sum();
    let row = text[start..].lines().next().unwrap_or_default();
    let within = row.char_indices().nth(column.saturating_sub(1)).map_or(row.len(), |(at, _)| at);
    let (file, source): (Arc<str>, Arc<str>) = (Arc::from(file), Arc::from(text));
    let place = start + within..start + row.len().max(within);
    let problem = Problem::new(&file, &source, place, format!("this is no Python: {message}"));
    problem.hint("az parses the scoring script, and refuses it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("score.py");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_script_that_is_no_python_is_shown_at_its_line() {
        let (_folder, path) = script("def init():\n    pass\n\ndef run(data:\n    return 1\n");
        let Some(problem) = parse(&path, OsStr::new("python3")) else { panic!("it is none") };
        if problem.message().contains("no `python3`") {
            println!("skipped: needs python3");
            return;
        }
        assert_eq!(problem.line(), 4, "{}", problem.message());
        assert!(problem.message().contains("no Python"), "{}", problem.message());
        let (_folder, path) = script("def init(): pass\ndef run(data): return data\n");
        assert_eq!(parse(&path, OsStr::new("python3")), None);
    }

    #[test]
    fn without_python_a_note_says_so() {
        let (_folder, path) = script("def init(:\n");
        let problem = parse(&path, OsStr::new("no-such-python")).unwrap();
        assert!(problem.message().contains("not parsed"), "{}", problem.message());
        assert_eq!(problem.severity(), plimsoll_document::Severity::Note);
    }

    #[test]
    fn places_are_counted_in_characters() {
        let problem = problem("score.py", "a\n# ö\nbad ü here\n", "3\n5\nwrong\n");
        assert_eq!((problem.line(), problem.column()), (3, 5));
    }
}
