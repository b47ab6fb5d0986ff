//! Files on this machine as `file://` addresses, which is how the driver tells the local host
//! where a model or a code folder is.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// All but the slash and what RFC 3986 never encodes.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The address of an absolute path.
pub fn from_path(path: &Path) -> String {
    format!("file://{}", percent_encode(path.as_os_str().as_bytes(), ENCODED))
}

/// The path of an address, or of an absolute path as it is; nothing if it is neither.
pub fn to_path(text: &str) -> Option<PathBuf> {
    // RFC 8089 names this machine in two ways: by nothing, and by `localhost`.
    let rest = text.strip_prefix("file://localhost").filter(|rest| rest.starts_with('/'));
    let bytes = match rest.or_else(|| text.strip_prefix("file://")) {
        Some(encoded) => percent_decode_str(encoded).collect(),
        None => text.into(),
    };
    let path = PathBuf::from(OsString::from_vec(bytes));
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_addresses_are_not_paths() {
        assert_eq!(to_path("/models/m.onnx"), Some(PathBuf::from("/models/m.onnx")));
        assert_eq!(to_path("file://localhost/a%20b"), Some(PathBuf::from("/a b")));
        for text in ["file://localhosts/a", "https://a/b", "file://relative", "azureml://a", ""] {
            assert_eq!(to_path(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_path_comes_back(name in "[ -~äß]{1,20}") {
            let path = PathBuf::from(format!("/{name}"));
            prop_assert_eq!(to_path(&from_path(&path)), Some(path));
        }
    }
}
