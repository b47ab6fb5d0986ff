//! Exceptions of a scoring script, read from what the official inference server writes.
//!
//! The server answers a failed `run()` with a sentence that says nothing, and writes the traceback to its log: the
//! script's exceptions first, each after the one that it came of, then its own. Only tracebacks that the server
//! writes itself are read: what a script prints of an exception that it has handled is no failure.

use std::fmt;

/// Characters of an exception that are kept.
const LENGTH: usize = 500;

/// An exception that `run()` did not handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    /// As Python writes it: `KeyError: 'age'`.
    message: String,
    /// The innermost frame: `score.py, line 12, in run`.
    place: Option<String>,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message: String = self.message.chars().take(LENGTH).collect();
        match &self.place {
            Some(place) => write!(f, "{message} ({place})"),
            None => f.write_str(&message),
        }
    }
}

/// Reads one stream of output, line by line.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The line before said that a request failed.
    announced: bool,
    /// The line before said that `init()` failed: that is told with the start.
    init_failed: bool,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Outside,
    /// Within a traceback: the place of its last frame, and what was raised before.
    Inside(Option<String>, Option<Raised>),
    /// After one: another may follow.
    After(Raised),
}

impl Reader {
    /// Reads a line, and returns the exception that ended before it.
    pub(super) fn read(&mut self, line: &str) -> Option<Raised> {
        let announced =
            std::mem::replace(&mut self.announced, line.contains("Error handling request"));
        let in_init =
            std::mem::replace(&mut self.init_failed, line.contains("init function failed"));
        let heads = line.contains("Traceback (most recent call last):");
        let (next, found) = match std::mem::take(&mut self.state) {
            State::Outside => {
                let failed = line.contains("Encountered Exception") && !in_init || announced;
                let inside = heads && failed;
                (if inside { State::Inside(None, None) } else { State::Outside }, None)
            }
            State::Inside(_, before) if line.starts_with("  File \"") => {
                (State::Inside(place(line), before), None)
            }
            State::Inside(place, before) if line.starts_with(' ') || line.trim().is_empty() => {
                (State::Inside(place, before), None)
            }
            // The server's own, which only says that there was one.
            State::Inside(_, Some(before))
                if line.starts_with("azureml_inference_server_http.") =>
            {
                (State::Outside, Some(before))
            }
            State::Inside(place, _) => {
                (State::After(Raised { message: line.trim_end().to_owned(), place }), None)
            }
            State::After(raised) if heads => (State::Inside(None, Some(raised)), None),
            State::After(raised) if line.trim().is_empty() || line.contains(" above exception") => {
                (State::After(raised), None)
            }
            State::After(raised) => (State::Outside, Some(raised)),
        };
        self.state = next;
        found
    }

    /// The exception after which nothing was written.
    pub(super) fn end(self) -> Option<Raised> {
        match self.state {
            State::After(raised) => Some(raised),
            State::Outside | State::Inside(..) => None,
        }
    }
}

/// From `  File "/code/score.py", line 12, in run`.
fn place(line: &str) -> Option<String> {
    let (file, rest) = line.strip_prefix("  File \"")?.split_once('"')?;
    let file = file.rsplit('/').next().unwrap_or(file);
    Some(format!("{file}{}", rest.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1.5.1 writes it, with shortened paths.
    const FAILED_RUN: &str = r#"2026-11-28 03:16:36,934 E [15836] azmlinfsrv - Encountered Exception: Traceback (most recent call last):
  File "/env/azureml_inference_server_http/server/user_script.py", line 132, in invoke_run
    run_output = self._wrapped_user_run(**run_parameters, request_headers=dict(request.headers))
                 ^^^^^^^^^^^^^^^^^^^^^^
  File "/code/score.py", line 12, in run
    return row["age"]
           ~~~^^^^^^^
KeyError: 'age'
"#;
    const OWN: &str = r#"
The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/env/azureml_inference_server_http/server/routes.py", line 222, in handle_score
    timed_result = main_blueprint.user_script.invoke_run(request)
azureml_inference_server_http.server.user_script.UserScriptException: Caught an unhandled exception from the user script
2026-11-28 03:16:36,934 I [15836] azmlinfsrv - POST /score 500 1.062ms 92
"#;

    fn read(text: &str) -> Vec<String> {
        let mut reader = Reader::default();
        let mut found: Vec<_> = text.lines().filter_map(|line| reader.read(line)).collect();
        found.extend(reader.end());
        found.iter().map(Raised::to_string).collect()
    }

    #[test]
    fn the_scripts_exception_is_read_and_not_the_servers() {
        let expected = ["KeyError: 'age' (score.py, line 12, in run)"];
        assert_eq!(read(&format!("{FAILED_RUN}{OWN}")), expected);
        let chained = "\nDuring handling of the above exception, another exception occurred:\n\n\
                       Traceback (most recent call last):\n  File \"/code/score.py\", line 14, in run\n\
                       ValueError: no age";
        let both = read(&format!("{FAILED_RUN}{chained}\n{OWN}{FAILED_RUN}{OWN}"));
        assert_eq!(both, ["ValueError: no age (score.py, line 14, in run)", expected[0]]);
    }

    #[test]
    fn what_leaves_the_worker_is_read_from_gunicorns_own_log() {
        let text = "2026-11-28 03:16:36,979 E [15836] gunicorn.error - Error handling request /score\n\
                    Traceback (most recent call last):\n  File \"/code/score.py\", line 11, in run\n\
                    SystemExit: 4\n";
        assert_eq!(read(text), ["SystemExit: 4 (score.py, line 11, in run)"]);
    }

    #[test]
    fn what_a_script_prints_or_init_raises_is_no_failed_request() {
        let printed = "Traceback (most recent call last):\n  File \"/code/score.py\", line 4, in init\n\
                       ModuleNotFoundError: No module named 'nothing'\n";
        assert!(read(printed).is_empty());
        let init = "E [1] azmlinfsrv - User's init function failed\n\
                    E [1] azmlinfsrv - Encountered Exception Traceback (most recent call last):\n\
                    \x20 File \"/code/score.py\", line 4, in init\nSystemExit: 7\n";
        assert!(read(init).is_empty());
    }
}
