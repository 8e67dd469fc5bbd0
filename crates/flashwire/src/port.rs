//! Port strings: `[METHOD:]LINK`.
//!
//! A port string says how to talk (the method) and over what (the link). Only the prefixes known
//! here are split off; whatever is left is the system's own name of a port and is passed on as it
//! is, so that symlinks, ptys and `/dev/serial/by-path/...:1.0` work.
//!
//! What stands after `sim:` is read by the bench itself; see [`bench`](crate::bench).
//!
//! Behind `serprog:` flashrom's own spelling is understood, too: `serprog:dev=/dev/ttyACM0:115200`,
//! `serprog:ip=HOST:PORT`, with `spispeed=` and `cs=` (flashrom(8), "serprog").

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::number;

/// How to talk to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// The ROM bootloader of an STM32, over a UART (AN3155).
    #[default]
    Stm32,
    /// The ROM bootloader of an STM32, over I2C (AN4221).
    Stm32I2c,
    /// A SPI programmer that speaks serprog, and the flash chip on its bus.
    Serprog,
    /// A SPI programmer that speaks the protocol of nfd's Arduino sketch, and the flash chip on its
    /// bus.
    Nfd,
    /// The bootloader of an Arduino board with an ATmega328P (AVR061).
    Stk500,
}

impl Method {
    /// All methods, in the order in which messages list them.
    pub const ALL: [Self; 5] = [
        Self::Stm32,
        Self::Stm32I2c,
        Self::Serprog,
        Self::Nfd,
        Self::Stk500,
    ];

    /// The method's word in a port string.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stm32 => "stm32",
            Self::Stm32I2c => "stm32-i2c",
            Self::Serprog => "serprog",
            Self::Nfd => "nfd",
            Self::Stk500 => "stk500",
        }
    }

    /// Whether it is one of SPI programmers.
    pub(crate) const fn is_of_a_programmer(self) -> bool {
        matches!(self, Self::Serprog | Self::Nfd)
    }
}

/// Words that will become methods or links. Refused by name, so that they are not mistaken for the
/// first half of a path.
const RESERVED: [&str; 3] = ["iap", "st-iap", "rfc2217"];

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
    /// A device on an I2C bus.
    I2c {
        /// The bus, by the name that the system gives it: `/dev/i2c-1`.
        bus: String,
        /// The device's address: seven bits.
        address: u8,
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
    /// What a port in flashrom's spelling says besides.
    pub said: Said,
}

/// What flashrom's spelling of a port can say besides the place. An option of the command line
/// stands above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Line speed, in bits per second.
    pub baud: Option<u32>,
    /// SPI clock, in Hz.
    pub spi_hz: Option<u32>,
    /// Chip select line.
    pub chip_select: Option<u8>,
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
    /// `stm32-i2c:` without a bus and an address.
    #[error(
        "`{0}` is not of the form BUS@ADDRESS, such as /dev/i2c-1@0x39 (0x{first:02x} to 0x{last:02x})",
        first = ADDRESSES.start(),
        last = ADDRESSES.end()
    )]
    I2c(String),
    /// A method that cannot be had over this link.
    #[error("there is no {method} over {place}")]
    Elsewhere {
        /// The method's word.
        method: &'static str,
        /// The link.
        place: String,
    },
    /// `tcp:` without a host and a port from 1 to 65535.
    #[error("`{0}` is not of the form tcp:HOST:PORT")]
    Tcp(String),
    /// Something behind `serprog:` that flashrom would not understand either.
    #[error("`{0}` is no parameter of serprog: dev=DEVICE[:BAUD], ip=HOST:PORT, spispeed=N, cs=N")]
    Parameter(String),
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let (method, link) = split_method(text);
        if method == Some(Method::Serprog) && is_flashroms(link) {
            return flashroms(link);
        }
        let place = match link.split_once(':') {
            Some(("sim", bench)) => Place::Bench(bench.to_owned()),
            Some(("tcp", _)) if method == Some(Method::Stm32I2c) => {
                return Err(PortError::Elsewhere {
                    method: Method::Stm32I2c.word(),
                    place: link.to_owned(),
                });
            }
            Some(("tcp", rest)) => tcp(rest).ok_or_else(|| PortError::Tcp(link.to_owned()))?,
            Some((word, _)) if RESERVED.contains(&word) => {
                let word = word.to_owned();
                return Err(PortError::Reserved { word });
            }
            _ if link.is_empty() => return Err(PortError::Empty(text.to_owned())),
            _ if method == Some(Method::Stm32I2c) => {
                i2c(link).ok_or_else(|| PortError::I2c(link.to_owned()))?
            }
            _ if method.is_none() && link.starts_with(I2C_BUSES) => {
                i2c(link).ok_or_else(|| PortError::I2c(link.to_owned()))?
            }
            _ => Place::Serial(link.to_owned()),
        };
        Ok(Self {
            method,
            place,
            said: Said::default(),
        })
    }
}

/// The parameters of flashrom that can come first, and by which its spelling is known.
const FLASHROMS: [&str; 4] = ["dev=", "ip=", "spispeed=", "cs="];

fn is_flashroms(link: &str) -> bool {
    FLASHROMS.iter().any(|key| link.starts_with(key))
}

/// `dev=DEVICE[:BAUD]` or `ip=HOST:PORT`, `spispeed=N`, `cs=N`, with commas between them: what
/// flashrom takes behind `-p serprog:`.
fn flashroms(text: &str) -> Result<Port, PortError> {
    let mut said = Said::default();
    let mut place = None;
    for parameter in text.split(',') {
        let wrong = || PortError::Parameter(parameter.to_owned());
        let (key, value) = parameter.split_once('=').ok_or_else(wrong)?;
        let fresh = match key {
            "dev" if is_device(value) => {
                let (device, baud) = split_baud(value);
                said.baud = baud;
                place.replace(Place::Serial(device.to_owned())).is_none()
            }
            "ip" => place.replace(tcp(value).ok_or_else(wrong)?).is_none(),
            "spispeed" => {
                let spi_hz = number::parse_hz(value).map_err(|_| wrong())?;
                said.spi_hz.replace(spi_hz).is_none()
            }
            "cs" => {
                let line = value.parse().map_err(|_| wrong())?;
                said.chip_select.replace(line).is_none()
            }
            _ => false,
        };
        if !fresh {
            return Err(wrong());
        }
    }
    let place = place.ok_or_else(|| PortError::Empty(format!("serprog:{text}")))?;
    Ok(Port {
        method: Some(Method::Serprog),
        place,
        said,
    })
}

/// Whether this can be the name of a device, and is nothing that stands for another place.
fn is_device(text: &str) -> bool {
    let word = text.split_once(':').map(|(word, _)| word);
    let is_other =
        word.is_some_and(|word| ["sim", "tcp"].contains(&word) || RESERVED.contains(&word));
    !text.is_empty() && !is_other && !is_flashroms(text)
}

/// The speed after the last colon, if there is one: device names hold colons, too.
fn split_baud(text: &str) -> (&str, Option<u32>) {
    let split = text.rsplit_once(':').and_then(|(device, baud)| {
        let baud = baud.parse().ok().filter(|&baud: &u32| baud > 0)?;
        (!device.is_empty()).then_some((device, Some(baud)))
    });
    split.unwrap_or((text, None))
}

/// How the names of I2C buses begin on Linux: `Documentation/i2c/dev-interface.rst`.
const I2C_BUSES: &str = "/dev/i2c-";

/// The addresses that devices have: what is below and above is reserved. The same ones as
/// i2cdetect's and stm32flash's; UM10204, section 3.1.12.
pub(crate) const ADDRESSES: RangeInclusive<u8> = 0x03..=0x77;

/// `BUS@ADDRESS`.
fn i2c(text: &str) -> Option<Place> {
    let (bus, address) = text.rsplit_once('@')?;
    let address = number::parse(address).ok()?;
    let address = u8::try_from(address).ok().filter(|a| ADDRESSES.contains(a));
    let bus = bus.to_owned();
    address
        .filter(|_| !bus.is_empty())
        .map(|address| Place::I2c { bus, address })
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
            Self::I2c { bus, address } => write!(f, "{bus}@0x{address:02x}"),
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
        if self.said == Said::default() {
            return self.place.fmt(f);
        }
        let Said {
            baud,
            spi_hz,
            chip_select,
        } = self.said;
        match &self.place {
            Place::Serial(name) => write!(f, "dev={name}")?,
            place => write!(f, "ip={}", place.to_string().trim_start_matches("tcp:"))?,
        }
        if let Some(baud) = baud {
            write!(f, ":{baud}")?;
        }
        if let Some(spi_hz) = spi_hz {
            write!(f, ",spispeed={spi_hz}")?;
        }
        if let Some(line) = chip_select {
            write!(f, ",cs={line}")?;
        }
        Ok(())
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
            said: Said::default(),
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
        let port: Port = "nfd:/dev/ttyUSB0".parse().unwrap();
        assert_eq!(port.method, Some(Method::Nfd));
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
    fn a_bus_needs_an_address_that_devices_have() {
        let bus = |address| Place::I2c {
            bus: "/dev/i2c-1".to_owned(),
            address,
        };
        for (text, method) in [
            ("stm32-i2c:/dev/i2c-1@0x39", Some(Method::Stm32I2c)),
            ("stm32-i2c:/dev/i2c-1@57", Some(Method::Stm32I2c)),
            ("/dev/i2c-1@0x39", None),
        ] {
            let port: Port = text.parse().unwrap();
            assert_eq!((port.method, port.place), (method, bus(0x39)), "{text}");
        }
        for bad in [
            "/dev/i2c-1",
            "/dev/i2c-1@",
            "/dev/i2c-1@0x02",
            "/dev/i2c-1@0x78",
            "@0x39",
        ] {
            let error = format!("stm32-i2c:{bad}").parse::<Port>();
            assert_eq!(error, Err(PortError::I2c(bad.to_owned())), "{bad}");
        }
        assert!(matches!(
            "stm32-i2c:tcp:lab:4000".parse::<Port>(),
            Err(PortError::Elsewhere { .. })
        ));
        assert!(matches!(
            "/dev/i2c-1".parse::<Port>(),
            Err(PortError::I2c(_))
        ));
        let bench: Port = "stm32-i2c:sim:stm32h743zi,bus=i2c".parse().unwrap();
        assert_eq!(bench.method, Some(Method::Stm32I2c));
    }

    #[test]
    fn nothing_is_no_port() {
        for text in ["", "stm32:"] {
            assert_eq!(text.parse::<Port>(), Err(PortError::Empty(text.to_owned())));
        }
    }

    #[test]
    fn a_word_of_another_version_is_refused_by_name() {
        let word = "iap".to_owned();
        assert_eq!(
            "iap:/dev/ttyACM0".parse::<Port>(),
            Err(PortError::Reserved { word })
        );
    }

    #[test]
    fn flashroms_spelling_is_understood() {
        let port = |text: &str| text.parse::<Port>().unwrap();
        let plain = port("serprog:dev=/dev/ttyACM0");
        assert_eq!(plain, port("serprog:/dev/ttyACM0"));
        assert_eq!(plain.to_string(), "serprog:/dev/ttyACM0");
        assert_eq!(port("serprog:ip=lab:4000"), port("serprog:tcp:lab:4000"));

        let all = port("serprog:dev=/dev/ttyUSB0:2000000,spispeed=8M,cs=1");
        assert_eq!(all.place, Place::Serial("/dev/ttyUSB0".to_owned()));
        assert_eq!(
            all.said,
            Said {
                baud: Some(2_000_000),
                spi_hz: Some(8_000_000),
                chip_select: Some(1)
            }
        );
        assert_eq!(
            all.to_string(),
            "serprog:dev=/dev/ttyUSB0:2000000,spispeed=8000000,cs=1"
        );
        let network = port("serprog:spispeed=500k,ip=[::1]:4000");
        assert_eq!(network.to_string(), "serprog:ip=[::1]:4000,spispeed=500000");
    }

    #[test]
    fn colons_of_a_device_are_no_speed() {
        let name = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0";
        let port: Port = format!("serprog:dev={name}").parse().unwrap();
        assert_eq!(port.place, Place::Serial(name.to_owned()));
        assert_eq!(port.said, Said::default());
    }

    #[test]
    fn what_flashrom_would_not_understand_is_named() {
        let error = |text: &str| text.parse::<Port>().unwrap_err();
        for (text, wrong) in [
            ("serprog:dev=", "dev="),
            ("serprog:dev=a,dev=b", "dev=b"),
            ("serprog:dev=a,ip=b:1", "ip=b:1"),
            ("serprog:ip=lab", "ip=lab"),
            ("serprog:dev=a,spispeed=fast", "spispeed=fast"),
            ("serprog:dev=a,cs=256", "cs=256"),
            (
                "serprog:dev=sim:serprog+w25q64jv",
                "dev=sim:serprog+w25q64jv",
            ),
            ("serprog:dev=a,", ""),
            ("serprog:dev=a,speed=1", "speed=1"),
        ] {
            assert_eq!(
                error(text),
                PortError::Parameter(wrong.to_owned()),
                "{text}"
            );
        }
        let nowhere = "serprog:spispeed=1M".to_owned();
        assert_eq!(error(&nowhere), PortError::Empty(nowhere.clone()));
        // Without the method it is somebody's file name.
        assert_eq!("dev=a".parse::<Port>(), Ok(serial("dev=a")));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "((stm32|stm32-i2c|serprog|nfd):)?((tcp|sim):|(dev|ip)=)?[a-z0-9/:.@\\[\\]]{0,16}(,(spispeed|cs)=[0-9kM]{1,3}){0,2}") {
            if let Ok(port) = text.parse::<Port>() {
                prop_assert_eq!(port.to_string().parse(), Ok(port));
            }
        }
    }
}
