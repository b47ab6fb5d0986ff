//! Rules about Rust source: what it may name, and how long it may be.
//!
//! Works on tokens, so that comments and strings do not count.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{Finding, assert_tidy, repository};

const MAX_FILE_LINES: usize = 600;
const MAX_FUNCTION_LINES: usize = 70;

/// Tokens that may stand only in some files.
struct Ban {
    tokens: &'static [&'static str],
    /// Where they are allowed: beginnings of paths.
    except: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        tokens: &["Instant", ":", ":", "now"],
        except: &["domain/src/clock.rs"],
        why: "only domain/src/clock.rs reads a clock; pure code takes `now` as an argument",
    },
    Ban {
        tokens: &["SystemTime", ":", ":", "now"],
        except: &["domain/src/clock.rs"],
        why: "only domain/src/clock.rs reads a clock; pure code takes `now` as an argument",
    },
    Ban {
        tokens: &["unsafe"],
        except: &[],
        why: "no unsafe code has earned its place by a measurement",
    },
    Ban { tokens: &["todo", "!"], except: &[], why: "unfinished code is not landed" },
    Ban {
        tokens: &["unimplemented", "!"],
        except: &[],
        why: "what is not supported is refused with an error",
    },
    Ban {
        tokens: &["#", "[", "allow"],
        except: &[],
        why: "use #[expect(…, reason = \"…\")]: it says why, and goes when it is no longer needed",
    },
    Ban {
        tokens: &["#", "!", "[", "allow"],
        except: &[],
        why: "use #![expect(…, reason = \"…\")]: it says why, and goes when it is no longer needed",
    },
];

/// Crates that only some modules may name, so that each can be replaced in one place.
struct Fence {
    crates: &'static [&'static str],
    within: &'static [&'static str],
    why: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        crates: &["hyper", "hyper_util", "hyper_rustls"],
        within: &[
            "loadgen/src/connection",
            "loadgen/src/request",
            "loadgen/src/target",
            "deploy/src/arm",
            "host/src",
            "monitor/src/otlp",
        ],
        why: "HTTP lives in the generator's connections, the local host, the ARM client and the OTLP exporter",
    },
    Fence {
        crates: &[
            "opentelemetry",
            "opentelemetry_sdk",
            "opentelemetry_otlp",
            "opentelemetry_proto",
            "opentelemetry_http",
            "tonic",
        ],
        within: &["monitor/src/otlp"],
        why: "OpenTelemetry lives in the OTLP exporter",
    },
    Fence {
        crates: &["rten", "rten_onnx", "rten_tensor"],
        within: &["host/src/runtime/instance/model"],
        why: "models are run by the builtin runtime",
    },
    Fence {
        crates: &["granit_parser"],
        within: &["document/src/yaml"],
        why: "the YAML library's words never reach anybody",
    },
];

/// A token with its line.
struct Token {
    text: String,
    line: usize,
}

/// All the broken rules of one Rust file.
fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if path.ends_with("/mod.rs") {
        findings.push(Finding::new(
            path,
            1,
            "no mod.rs",
            "a module is foo.rs beside foo/, so that its name is on the tab",
        ));
    }
    let lines = text.lines().count();
    if lines > MAX_FILE_LINES {
        let rule = format!("{lines} lines, at most {MAX_FILE_LINES}");
        findings.push(Finding::new(path, MAX_FILE_LINES + 1, rule, "one idea per file: split it"));
    }
    let Ok(stream) = TokenStream::from_str(text) else {
        findings.push(Finding::new(path, 1, "not Rust", "the file cannot be read as tokens"));
        return findings;
    };
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    findings.extend(banned(path, &tokens));
    findings.extend(unreasoned(path, &tokens));
    findings.extend(over_the_fence(path, &tokens));
    findings.extend(long_functions(path, text));
    findings
}

fn banned(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in BANS.iter().filter(|ban| !ban.except.iter().any(|allowed| path.starts_with(allowed)))
    {
        for window in tokens.windows(ban.tokens.len()) {
            if window.iter().map(|token| token.text.as_str()).eq(ban.tokens.iter().copied()) {
                findings.push(Finding::new(
                    path,
                    window[0].line,
                    format!("no `{}`", ban.tokens.concat()),
                    ban.why,
                ));
            }
        }
    }
    findings
}

/// `#[expect(…)]` without a reason.
fn unreasoned(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, window) in tokens.windows(3).enumerate() {
        if window[0].text == "[" && window[1].text == "expect" && window[2].text == "(" {
            let inside = tokens[i..].iter().take_while(|token| token.text != "]");
            if !inside.into_iter().any(|token| token.text == "reason") {
                let why = "the next reader must know why the lint is wrong here";
                findings.push(Finding::new(
                    path,
                    window[1].line,
                    "an expected lint has a reason",
                    why,
                ));
            }
        }
    }
    findings
}

fn over_the_fence(path: &str, tokens: &[Token]) -> Vec<Finding> {
    // Tests and benches may use what they like: nothing is built on them.
    if !path.contains("/src/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for fence in
        FENCES.iter().filter(|fence| !fence.within.iter().any(|allowed| path.starts_with(allowed)))
    {
        for token in tokens.iter().filter(|token| fence.crates.contains(&token.text.as_str())) {
            findings.push(Finding::new(
                path,
                token.line,
                format!("`{}` is not named here", token.text),
                fence.why,
            ));
        }
    }
    findings
}

fn long_functions(path: &str, text: &str) -> Vec<Finding> {
    let file = match syn::parse_file(text) {
        Ok(file) => file,
        Err(e) => {
            return vec![Finding::new(path, e.span().start().line, "not Rust", e.to_string())];
        }
    };
    let mut visitor = Functions { path, findings: Vec::new() };
    visitor.visit_file(&file);
    visitor.findings
}

struct Functions<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.span().start().line;
        let lines = body.span().end().line - first + 1;
        if lines > MAX_FUNCTION_LINES {
            let rule = format!(
                "function `{}` has {lines} lines, at most {MAX_FUNCTION_LINES}",
                signature.ident
            );
            self.findings.push(Finding::new(
                self.path,
                first,
                rule,
                "a function does one thing that fits on a screen",
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// The plain string literals of a Rust file, those in macros too.
pub(super) fn strings(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    flatten(TokenStream::from_str(text).unwrap_or_default(), &mut tokens);
    let inside = |token: Token| Some(token.text.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    tokens.into_iter().filter_map(inside).collect()
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.to_owned(), line });
                flatten(group.stream(), tokens);
                tokens
                    .push(Token { text: close.to_owned(), line: group.span_close().start().line });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}

#[test]
fn the_sources_keep_the_rules() {
    let findings: Vec<Finding> =
        repository::rust_files().iter().flat_map(|file| check(&file.path, &file.text)).collect();
    assert_tidy(&findings);
}

#[test]
fn bad_sources_are_found() {
    let cases = [
        ("deploy/src/a.rs", "fn f() {\n    std::time::Instant::now();\n}", 2, "no `Instant::now`"),
        (
            "deploy/src/a.rs",
            "use std::time::SystemTime;\nfn f() { SystemTime :: now(); }",
            2,
            "no `SystemTime::now`",
        ),
        ("deploy/src/a.rs", "fn f() {\n    g(|| unsafe { h() });\n}", 2, "no `unsafe`"),
        ("deploy/src/a.rs", "fn f() { todo!() }", 1, "no `todo!`"),
        ("deploy/src/a.rs", "fn f() { unimplemented!() }", 1, "no `unimplemented!`"),
        ("deploy/src/a.rs", "#[allow(dead_code)]\nfn f() {}", 1, "no `#[allow`"),
        ("deploy/src/a.rs", "#![allow(dead_code)]\nfn f() {}", 1, "no `#![allow`"),
        (
            "deploy/src/a.rs",
            "\n#[expect(dead_code)]\nfn f() {}",
            2,
            "an expected lint has a reason",
        ),
        ("deploy/src/spec.rs", "use hyper::Request;", 1, "`hyper` is not named here"),
        (
            "loadgen/src/lib.rs",
            "use {opentelemetry::KeyValue};",
            1,
            "`opentelemetry` is not named here",
        ),
        (
            "plimsoll/src/lib.rs",
            "fn f() { rten::Model::load_file(p); }",
            1,
            "`rten` is not named here",
        ),
        ("deploy/src/a/mod.rs", "", 1, "no mod.rs"),
    ];
    for (path, text, line, rule) in cases {
        let found: Vec<(usize, String)> =
            check(path, text).into_iter().map(|f| (f.line, f.rule)).collect();
        assert_eq!(found, [(line, rule.to_owned())], "in {text:?}");
    }
}

#[test]
fn good_sources_are_left_alone() {
    let cases = [
        ("domain/src/clock.rs", "fn f() { std::time::Instant::now(); }"),
        (
            "deploy/src/a.rs",
            "// Instant::now() and unsafe in a comment\nfn f() { let _ = \"todo!()\"; }",
        ),
        ("deploy/src/a.rs", "#[expect(dead_code, reason = \"shown\")]\nfn f() {}"),
        ("host/src/gateway.rs", "use hyper::Request;"),
        ("deploy/tests/it/arm.rs", "use hyper::Request;"),
    ];
    for (path, text) in cases {
        assert_eq!(check(path, text), [], "in {text:?}");
    }
}

#[test]
fn long_files_and_functions_are_found() {
    let body = "    g();\n".repeat(MAX_FUNCTION_LINES - 2);
    let fits = format!("fn f() {{\n{body}}}\n");
    assert_eq!(check("domain/src/a.rs", &fits), []);
    for text in [
        format!("fn f() {{\n    g();\n{body}}}\n"),
        format!("impl A {{ fn f() {{\n    g();\n{body}}} }}\n"),
        format!("trait A {{ fn f() {{\n    g();\n{body}}} }}\n"),
        format!("mod a {{ fn f() {{\n    g();\n{body}}} }}\n"),
    ] {
        let found = check("domain/src/a.rs", &text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].rule.contains("function `f` has 71 lines"), "{found:?}");
    }
    let long = "// a line\n".repeat(MAX_FILE_LINES + 1);
    assert!(check("domain/src/a.rs", &long)[0].rule.starts_with("601 lines"));
    assert_eq!(check("domain/src/a.rs", &"// a line\n".repeat(MAX_FILE_LINES)), []);
}
