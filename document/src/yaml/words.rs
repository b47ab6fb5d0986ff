//! What is wrong with a text that is no YAML, in our words, with what to do about it.

use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};

use super::{DEEPEST, Flaw};

/// Nesting beyond the limit.
pub(super) fn too_deep(span: Range<usize>) -> Flaw {
    let message = format!("it is nested more than {DEEPEST} levels deep");
    Flaw { span, message, hint: None }
}

/// The place of an error and what it means.
pub(super) fn flaw(error: &ScanError, text: &str) -> Flaw {
    let mark = error.marker();
    let start = mark.byte_offset().unwrap_or_else(|| byte_of(text, mark.index()));
    let mut start = start.min(text.len());
    let kind = error.kind();
    if *kind == ErrorKind::RecursionLimitExceeded {
        return too_deep(start..start);
    }
    let tab = matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
            | ErrorKind::TabAtBlockScalarStart
    );
    if tab {
        // The library points at the value before it.
        start += text[start..].find('\t').unwrap_or(0);
    }
    if start == text.len() {
        // Behind the last line there is nothing to show.
        start = text.trim_end().len();
    }
    let (message, hint) = if tab {
        ("a tab stands where YAML wants spaces".to_owned(), "indent with spaces")
    } else {
        words(kind, &text[start..])
    };
    Flaw::new(start..start, format!("not valid YAML: {message}"), hint)
}

fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

const COLUMN: &str = "keys of one map begin in the same column, and so do the `-` of one list";
const QUOTES: &str = "put the whole value between quotes, if it is text";

fn words(kind: &ErrorKind, rest: &str) -> (String, &'static str) {
    use ErrorKind as Kind;
    let fixed = |text: &str, hint| (text.to_owned(), hint);
    match kind {
        Kind::UnclosedFlowCollection { open } => {
            (format!("`{open}` is never closed"), "close it, or quote the value if it is text")
        }
        Kind::UnexpectedEofFlowSequence => fixed("`[` is never closed", "add `]`"),
        Kind::UnexpectedEofFlowMapping | Kind::UnexpectedEofImplicitFlowMapping => {
            fixed("`{` is never closed", "add `}`")
        }
        Kind::ExpectedFlowMappingSeparator => {
            fixed("after `{`, a `,` or a `}` is missing before this", QUOTES)
        }
        Kind::ExpectedFlowSequenceSeparator => {
            fixed("after `[`, a `,` or a `]` is missing before this", QUOTES)
        }
        Kind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` is closed by `{close}`"), "close it with the bracket of its kind")
        }
        Kind::MisplacedFlowCollectionEnd => {
            fixed("a bracket is closed here that was never opened", QUOTES)
        }
        Kind::UnclosedQuotedScalar | Kind::DocumentIndicatorInQuotedScalar => {
            fixed("the quote is never closed", "close it in the same line")
        }
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => {
            fixed("there is something after the closing quote", "quote all of it, or nothing")
        }
        Kind::UnexpectedCharacter { character } => (cannot_start(*character), QUOTES),
        Kind::UnknownAnchor => {
            let end = rest.find([' ', '\n', ',', ']', '}']).unwrap_or(rest.len());
            let message = format!("`{}` stands for nothing that is above it", &rest[..end]);
            (message, "quote it, if it is text")
        }
        Kind::MissingAnchorOrAliasName => {
            fixed("`*` and `&` need a name behind them", "quote it, if it is text")
        }
        Kind::CommentNotSeparated => {
            fixed("a blank is missing before `#`", "quote the value, if the `#` belongs to it")
        }
        Kind::CommentInterceptedScalar => {
            fixed("a comment stands in the middle of a text", "move it above the text")
        }
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => {
            fixed("there is no `:` in this line, so that it is no key", "write `key: value`")
        }
        Kind::ExpectedNodeContent => {
            fixed("a value is missing here", "add it, or leave out the key")
        }
        other => shape(other, rest),
    }
}

/// Mistakes in indentation, in blocks of text, in escapes, and what nobody makes by hand.
fn shape(kind: &ErrorKind, rest: &str) -> (String, &'static str) {
    use ErrorKind as Kind;
    let fixed = |text: &str, hint| (text.to_owned(), hint);
    match kind {
        Kind::MappingValueNotAllowed
        | Kind::MappingKeyNotAllowed
        | Kind::InvalidColonPlacement
        | Kind::InvalidMappingValueWhitespace
        | Kind::FlowMappingValueAdjacentCollection => fixed(
            "a `:` stands where no key can be",
            "quote a value that has `: ` in it, and begin keys of one map in the same column",
        ),
        Kind::InvalidIndentation
        | Kind::ExpectedBlockMappingKey
        | Kind::ExpectedBlockSequenceEntry
        | Kind::BlockSequenceEntryNotAllowed
        | Kind::InvalidFlowScalarIndent
        | Kind::InvalidQuotedScalarIndent
        | Kind::InvalidBlockScalarIndent
        | Kind::UnexpectedEofBlockMapping
        | Kind::UnexpectedEofBlockSequence => {
            fixed("the indentation does not fit the lines above", COLUMN)
        }
        Kind::BlockEntryInFlowCollection
        | Kind::InvalidBlockEntryWhitespace
        | Kind::PlainScalarStartsWithDashFlowIndicator => {
            fixed("this `-` begins no entry of a list", QUOTES)
        }
        Kind::InvalidBlockScalarHeader | Kind::ZeroBlockScalarIndent => fixed(
            "`|` and `>` begin a text on the next line",
            "end the line behind them, or quote the value",
        ),
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidLowSurrogateHexEscape
        | Kind::InvalidLowSurrogate
        | Kind::MissingLowSurrogate
        | Kind::UnpairedLowSurrogate
        | Kind::InvalidUnicodeEscape => fixed(
            "between double quotes a `\\` begins an escape, and this one is not known",
            "write `\\\\`, or use single quotes",
        ),
        Kind::UndeclaredTagHandle
        | Kind::InvalidTagTerminator
        | Kind::MissingTagUri
        | Kind::UnclosedVerbatimTag
        | Kind::InvalidTagEscape
        | Kind::ExpectedTagBang
        | Kind::InvalidGlobalTagCharacter => {
            fixed("`!` begins a tag, and this one is not known", "quote it, if it is text")
        }
        Kind::BomInsideDocument => {
            fixed("a byte order mark stands in the middle of the file", "remove it")
        }
        _ if rest.starts_with('%') => (cannot_start('%'), QUOTES),
        _ => fixed("it stops making sense here", "look at this line and at the one above"),
    }
}

fn cannot_start(character: char) -> String {
    match character {
        '`' => "``` ` ``` cannot begin a value".to_owned(),
        other => format!("`{other}` cannot begin a value"),
    }
}
