//! A bench on an I2C bus in real time: transfers as requests and answers on a socket.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use flashwire_sim::serve::{Listen, ServeError, Server};
use flashwire_sim::stm32::ChipState;

use super::serving::{PATIENCE, Served};

const ACK: u8 = 0x79;
const GET_VERSION: [u8; 2] = [0x01, 0xFE];

/// A tool on the bus.
struct Tool<S>(S);

impl<S: Read + Write> Tool<S> {
    /// A write; the whole answer to it, which is `answer` bytes long.
    #[track_caller]
    fn write(&mut self, address: u8, bytes: &[u8], answer: usize) -> Vec<u8> {
        let mut request = vec![0, address];
        request.extend((bytes.len() as u16).to_le_bytes());
        request.extend(bytes);
        self.ask(&request, answer)
    }

    /// A read of `count` bytes; the whole answer to it, which is `answer` bytes long.
    #[track_caller]
    fn read(&mut self, address: u8, count: u16, answer: usize) -> Vec<u8> {
        let [low, high] = count.to_le_bytes();
        self.ask(&[1, address, low, high], answer)
    }

    #[track_caller]
    fn ask(&mut self, request: &[u8], answer: usize) -> Vec<u8> {
        self.0.write_all(request).expect("sent");
        let mut bytes = vec![0; answer];
        self.0.read_exact(&mut bytes).expect("an answer");
        bytes
    }

    /// Get Version, as a tool says it on I2C.
    #[track_caller]
    fn get_version(&mut self) -> u8 {
        assert_eq!(self.write(0x4E, &GET_VERSION, 1), [0]);
        assert_eq!(self.read(0x4E, 1, 2), [0, ACK]);
        let version = self.read(0x4E, 1, 2)[1];
        assert_eq!(self.read(0x4E, 1, 2), [0, ACK]);
        version
    }
}

#[cfg(unix)]
#[test]
fn a_tool_on_a_unix_socket_talks_to_the_loader() {
    use std::os::unix::net::UnixStream;

    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("bus");
    // What a server that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    let place = format!("unix:{}", socket.display());
    let served = Served::open("stm32h743zi,bus=i2c", &place);
    assert_eq!(served.place, place);
    for _ in 0..2 {
        let stream = UnixStream::connect(&socket).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        assert_eq!(Tool(stream).get_version(), 0x11);
    }
    assert_eq!(served.end().bench().complaints(), []);
    assert!(!socket.exists());
}

#[cfg(unix)]
#[test]
fn a_file_in_the_way_of_a_socket_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("precious");
    std::fs::write(&path, "content").expect("written");
    let opened = Server::open("stm32h743zi,bus=i2c", &Listen::Unix(path.clone()));
    assert!(matches!(opened, Err(ServeError::NoSocket(_))));
    assert_eq!(std::fs::read(&path).expect("still there"), b"content");
}

#[test]
fn transfers_take_as_long_as_the_clock_of_the_bus_has_it() {
    let served = Served::tcp("stm32h743zi,bus=i2c,i2c-hz=1000");
    let mut tool = Tool(served.connect());
    let begun = Instant::now();
    assert_eq!(tool.get_version(), 0x11);
    // Four addresses and five bytes of nine clocks each; the first byte waits for nobody.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(9 * 9), "{took:?}");
}

#[test]
fn what_goes_wrong_on_the_bus_is_told() {
    let hold = "hold-limit-ms=20";
    let bytes = |fault: &str| format!("stm32h743zi,bus=i2c,{hold},faults={fault}");
    for (fault, answer) in [
        ("nak@0:out", &[1][..]),
        ("nak@1:out", &[2, 0, 0]),
        ("nak@2:out", &[2, 1, 0]),
        ("arb@1:out", &[3]),
        ("hold@2:out", &[4]),
    ] {
        let served = Served::tcp(&bytes(fault));
        let mut tool = Tool(served.connect());
        let told = tool.write(0x4E, &GET_VERSION, answer.len());
        assert_eq!(told, answer, "{fault}");
    }
    let served = Served::tcp("stm32h743zi,bus=i2c");
    let mut tool = Tool(served.connect());
    assert_eq!(tool.write(0x39, &[], 1), [1]);
    assert_eq!(tool.read(0x39, 5, 1), [1]);
}

#[test]
fn a_cut_bus_and_a_request_that_is_none_end_the_connection() {
    for (spec, request) in [
        (
            "stm32h743zi,bus=i2c,faults=cut@0:out",
            &[0, 0x4E, 2, 0, 1, 0xFE][..],
        ),
        ("stm32h743zi,bus=i2c", &[9, 0x4E, 2, 0]),
    ] {
        let served = Served::tcp(spec);
        let mut tool = served.connect();
        tool.write_all(request).expect("sent");
        let ended = match tool.read(&mut [0; 8]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        assert!(ended, "{spec}");
        // The next tool is served.
        assert_eq!(Tool(served.connect()).get_version(), 0x11, "{spec}");
    }
}

#[test]
fn a_tool_that_comes_after_go_finds_a_fresh_loader_unless_nobody_presses_the_button() {
    for (button, fresh) in [("sync", true), ("none", false)] {
        let served = Served::tcp(&format!("stm32h743zi,bus=i2c,button={button}"));
        let mut tool = Tool(served.connect());
        // Go to RAM, where no program is.
        assert_eq!(tool.write(0x4E, &[0x21, 0xDE], 1), [0]);
        assert_eq!(tool.read(0x4E, 1, 2), [0, ACK]);
        assert_eq!(tool.write(0x4E, &[0x24, 0, 0, 0, 0x24], 1), [0]);
        assert_eq!(tool.read(0x4E, 1, 2), [0, ACK]);
        drop(tool);

        let mut tool = Tool(served.connect());
        let answer = if fresh { &[0] } else { &[1] };
        assert_eq!(tool.write(0x4E, &GET_VERSION, 1), answer, "{button}");
        drop(tool);
        let server = served.end();
        let state = server.bench().chip().expect("a chip").state();
        assert_eq!(matches!(state, ChipState::Loader { .. }), fresh);
    }
}

#[test]
fn a_bus_has_no_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = Server::open(
        "stm32h743zi,bus=i2c",
        &Listen::Pty(folder.path().join("port")),
    );
    assert!(matches!(opened, Err(ServeError::OnABus)));
}
