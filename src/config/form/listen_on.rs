//! Where to listen: an address and port, or a Unix socket.

use super::{
    address::Address,
    base::{Complaint, Form, quoted},
};
use schemars::{Schema, json_schema};
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use toml::de::DeValue;

/// The longest name of a Unix socket's file, in bytes.
const LONGEST: usize = 107;

/// Where callers reach Weir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    /// An address and port.
    Tcp(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Returns the address and port, if it has them.
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `"127.0.0.1:8080"`, or `"unix:/run/weir/weir.sock"`.
pub(in crate::config) struct ListenOn;

impl Form for ListenOn {
    type Value = ListenAddress;

    fn read(&self, value: &DeValue<'_>) -> Result<ListenAddress, Vec<Complaint>> {
        let Some(path) = value.as_str().and_then(|text| text.strip_prefix("unix:")) else {
            let is_path = value.as_str().is_some_and(|text| text.starts_with('/'));
            return Address.read(value).map(ListenAddress::Tcp).map_err(
                |complaints| match is_path {
                    true => {
                        let message = "a path is written with `unix:` before it".to_owned();
                        let example = "write it as in \"unix:/run/weir/weir.sock\"";
                        Complaint::new(message).suggest(example).into()
                    }
                    false => complaints,
                },
            );
        };
        let whole = Path::new(path);
        if !whole.is_absolute() || path.ends_with('/') {
            let message = format!("{} names no file by its whole path", quoted(path));
            let example = "write it as in \"unix:/run/weir/weir.sock\"";
            return Err(Complaint::new(message).suggest(example).into());
        }
        if path.len() > LONGEST {
            let message =
                format!("the path has {} bytes; a socket's has {LONGEST} at most", path.len());
            return Err(Complaint::new(message).suggest("name a shorter one").into());
        }
        Ok(ListenAddress::Unix(whole.into()))
    }

    fn write(&self, value: &ListenAddress) -> Option<toml::Value> {
        Some(value.to_string().into())
    }

    fn schema(&self) -> Schema {
        let socket = json_schema!({
            "type": "string",
            "pattern": "^unix:/.*[^/]$",
            "examples": ["unix:/run/weir/weir.sock"],
        });
        json_schema!({ "anyOf": [Address.schema(), socket] })
    }
}

/// The mode of a file, in octal digits: `"0660"`. Without one, the process's mask says it.
pub(in crate::config) struct FileMode;

impl Form for FileMode {
    type Value = Option<u32>;

    fn read(&self, value: &DeValue<'_>) -> Result<Option<u32>, Vec<Complaint>> {
        let wanted = "a file's mode in octal digits such as \"0660\"";
        let text = value.as_str().ok_or_else(|| Complaint::wrong_type(wanted, value))?;
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
        mode.map(Some).ok_or_else(|| {
            Complaint::new(format!("{} is no mode of a file", quoted(text)))
                .suggest("write three octal digits after a 0, as in \"0660\"")
                .into()
        })
    }

    fn write(&self, value: &Option<u32>) -> Option<toml::Value> {
        value.map(|mode| format!("{mode:04o}").into())
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "string", "pattern": "^0?[0-7]{3}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::base::tests::says, *};

    #[test]
    fn a_socket_is_named_by_its_whole_path() {
        let long = format!("unix:/{}", "x".repeat(LONGEST));
        let cases = [
            ("unix:/run/weir/weir.sock", "\"unix:/run/weir/weir.sock\""),
            ("127.0.0.1:8080", "\"127.0.0.1:8080\""),
            (
                "unix:weir.sock",
                "\"weir.sock\" names no file by its whole path \
                 (write it as in \"unix:/run/weir/weir.sock\")",
            ),
            (
                "unix:",
                "\"\" names no file by its whole path \
                 (write it as in \"unix:/run/weir/weir.sock\")",
            ),
            (
                long.as_str(),
                "the path has 108 bytes; a socket's has 107 at most (name a shorter one)",
            ),
            ("8080", "\"8080\" is not an address and port (write \"127.0.0.1:8080\")"),
        ];
        for (text, expected) in cases {
            assert_eq!(says(&ListenOn, text), expected);
        }
    }

    #[test]
    fn a_mode_is_octal() {
        let wrong = "is no mode of a file (write three octal digits after a 0, as in \"0660\")";
        for (text, expected) in [("0660", "\"0660\""), ("777", "\"0777\""), ("000", "\"0000\"")] {
            assert_eq!(says(&FileMode, text), expected);
        }
        for text in ["", "rw", "0680", "+660", "1777", "00660"] {
            assert_eq!(says(&FileMode, text), format!("\"{text}\" {wrong}"));
        }
    }
}
