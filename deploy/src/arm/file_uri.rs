//! Files on this machine as `file://` addresses, which is how the driver tells the local host
//! where a model or a code folder is.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The address of an absolute path.
pub fn from_path(path: &Path) -> String {
    let mut text = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The path of an address, or of an absolute path as it is; nothing if it is neither.
pub fn to_path(text: &str) -> Option<PathBuf> {
    let Some(encoded) = text.strip_prefix("file://") else {
        return text.starts_with('/').then(|| PathBuf::from(text));
    };
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
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
        for text in ["https://a/b", "file://relative", "file:///a%2", "azureml://a", ""] {
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
