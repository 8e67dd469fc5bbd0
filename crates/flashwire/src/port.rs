//! Port strings: `[METHOD:]LINK`.
//!
//! A port string says how to talk (the method) and over what (the link). Only the prefixes known
//! here are split off; whatever is left is the system's own name of a port and is passed on as it
//! is, so that symlinks, ptys and `/dev/serial/by-path/...:1.0` work.
//!
//! What stands after `sim:` is read by the bench itself; see [`bench`](crate::bench).

use std::fmt;
use std::str::FromStr;

/// How to talk to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// The ROM bootloader of an STM32, over a UART (AN3155).
    #[default]
    Stm32,
}

impl Method {
    /// All methods, in the order in which messages list them.
    pub const ALL: [Self; 1] = [Self::Stm32];

    /// The method's word in a port string.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stm32 => "stm32",
        }
    }
}

/// Words that will become methods or links. Refused by name, so that they are not mistaken for the
/// first half of a path.
const RESERVED: [&str; 6] = ["stm32-i2c", "serprog", "nfd", "iap", "st-iap", "rfc2217"];

/// Over what to talk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A serial port, by the name that the system gives it.
    Serial(String),
    /// A raw TCP connection to a serial port server.
    Tcp {
        /// Host name or address; an IPv6 address without its brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A simulated bench: the text after `sim:`.
    Bench(String),
}

/// A parsed port string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// How to talk; `None` leaves it to the link's default.
    pub method: Option<Method>,
    /// Over what.
    pub place: Place,
}

/// Why a port string is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Nothing at all, or nothing after the method.
    #[error("`{0}` names no port")]
    Empty(String),
    /// A method or link that this version does not have.
    #[error("`{word}` is neither a method nor a link of this version")]
    Reserved {
        /// The word before the colon.
        word: String,
    },
    /// `tcp:` without a host and a port from 1 to 65535.
    #[error("`{0}` is not of the form tcp:HOST:PORT")]
    Tcp(String),
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let (method, link) = split_method(text);
        let place = match link.split_once(':') {
            Some(("sim", bench)) => Place::Bench(bench.to_owned()),
            Some(("tcp", rest)) => tcp(rest).ok_or_else(|| PortError::Tcp(link.to_owned()))?,
            Some((word, _)) if RESERVED.contains(&word) => {
                let word = word.to_owned();
                return Err(PortError::Reserved { word });
            }
            _ if link.is_empty() => return Err(PortError::Empty(text.to_owned())),
            _ => Place::Serial(link.to_owned()),
        };
        Ok(Self { method, place })
    }
}

fn split_method(text: &str) -> (Option<Method>, &str) {
    for method in Method::ALL {
        let rest = text.strip_prefix(method.word());
        if let Some(link) = rest.and_then(|r| r.strip_prefix(':')) {
            return (Some(method), link);
        }
    }
    (None, text)
}

/// `HOST:PORT` or `[IPV6]:PORT`.
fn tcp(text: &str) -> Option<Place> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host = match bare {
        Some(address) => address,
        None if host.contains([':', '/', '[', ']']) => return None,
        None => host,
    };
    let port = port.parse().ok().filter(|&p: &u16| p != 0)?;
    let host = host.to_owned();
    (!host.is_empty()).then_some(Place::Tcp { host, port })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(name) => f.write_str(name),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
            Self::Bench(bench) => write!(f, "sim:{bench}"),
        }
    }
}

impl fmt::Display for Port {
    /// The port string again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = self.method {
            write!(f, "{}:", method.word())?;
        }
        self.place.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn serial(name: &str) -> Port {
        let place = Place::Serial(name.to_owned());
        Port {
            method: None,
            place,
        }
    }

    #[test]
    fn names_of_the_system_are_taken_as_they_are() {
        for name in [
            "/dev/ttyUSB0",
            "COM5",
            r"\\.\COM12",
            "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0",
            "./sim",
            "stm32",
            "/tmp/tcp:1:2",
        ] {
            assert_eq!(name.parse(), Ok(serial(name)));
        }
    }

    #[test]
    fn a_method_before_any_link_is_split_off() {
        let port: Port = "stm32:/dev/ttyUSB0".parse().unwrap();
        assert_eq!(port.method, Some(Method::Stm32));
        assert_eq!(port.place, Place::Serial("/dev/ttyUSB0".to_owned()));
        let port: Port = "stm32:sim:stm32f103cb,image=a b.bin".parse().unwrap();
        assert_eq!(
            port.place,
            Place::Bench("stm32f103cb,image=a b.bin".to_owned())
        );
    }

    #[test]
    fn tcp_takes_names_and_both_kinds_of_address() {
        let tcp = |host: &str, port| Place::Tcp {
            host: host.to_owned(),
            port,
        };
        let place = |text: &str| text.parse::<Port>().map(|p| p.place);
        assert_eq!(place("tcp:lab:4000"), Ok(tcp("lab", 4000)));
        assert_eq!(place("tcp:127.0.0.1:1"), Ok(tcp("127.0.0.1", 1)));
        assert_eq!(place("tcp:[::1]:65535"), Ok(tcp("::1", 65535)));
        for bad in [
            "tcp:",
            "tcp:lab",
            "tcp:lab:",
            "tcp:lab:0",
            "tcp:lab:65536",
            "tcp::4000",
            "tcp://lab:4000",
            "tcp:::1:40",
            "tcp:[]:1",
        ] {
            assert_eq!(place(bad), Err(PortError::Tcp(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn nothing_is_no_port() {
        for text in ["", "stm32:"] {
            assert_eq!(text.parse::<Port>(), Err(PortError::Empty(text.to_owned())));
        }
    }

    #[test]
    fn a_word_of_another_version_is_refused_by_name() {
        let word = "serprog".to_owned();
        assert_eq!(
            "serprog:/dev/ttyACM0".parse::<Port>(),
            Err(PortError::Reserved { word })
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "(stm32:)?(tcp:)?[a-z0-9/:,=.\\[\\]]{0,16}") {
            if let Ok(port) = text.parse::<Port>() {
                prop_assert_eq!(port.to_string().parse(), Ok(port));
            }
        }
    }
}
