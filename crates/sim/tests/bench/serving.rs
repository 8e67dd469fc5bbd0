//! Benches in real time, as tools in other processes see them: on loopback and a pseudo-terminal.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flashwire_link::CancelFlag;
use flashwire_sim::Bench;
use flashwire_sim::serve::{Limits, Listen, ServeError, Server};
use flashwire_sim::stm32::ChipState;

const ACK: u8 = 0x79;

/// Nothing here takes longer, and nothing waits longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A server in a thread of its own; it ends with this.
pub(super) struct Served {
    pub(super) place: String,
    stop: CancelFlag,
    thread: Option<JoinHandle<Server>>,
}

impl Served {
    pub(super) fn open(spec: &str, listen: &str) -> Self {
        let listen: Listen = listen.parse().expect("a place");
        let mut server = Server::open(spec, &listen).expect("a server");
        let place = server.place();
        let stop = CancelFlag::new();
        let flag = stop.clone();
        let limits = Limits {
            idle: Some(PATIENCE),
            tools: None,
        };
        let thread = std::thread::spawn(move || {
            server.run(&flag, limits).expect("served");
            server
        });
        Self {
            place,
            stop,
            thread: Some(thread),
        }
    }

    pub(super) fn tcp(spec: &str) -> Self {
        Self::open(spec, "tcp:127.0.0.1:0")
    }

    pub(super) fn connect(&self) -> TcpStream {
        let address = self.place.strip_prefix("tcp:").expect("a TCP place");
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// Ends the server and returns it.
    pub(super) fn end(mut self) -> Server {
        self.stop.raise();
        let thread = self.thread.take().expect("still there");
        thread.join().expect("no panic")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.raise();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends bytes, and expects these.
#[track_caller]
fn exchange(port: &mut (impl Read + Write), sent: &[u8], answer: &[u8]) {
    port.write_all(sent).expect("sent");
    let mut got = vec![0; answer.len()];
    port.read_exact(&mut got).expect("an answer");
    assert_eq!(got, answer, "to {sent:02X?}");
}

const GET_ID: [u8; 2] = [0x02, 0xFD];
const ID: [u8; 5] = [ACK, 0x01, 0x04, 0x10, ACK];
const VECTORS: [u8; 8] = [0x00, 0x50, 0x00, 0x20, 0x41, 0x01, 0x00, 0x08];

/// Writes vectors to the start of flash.
fn write_vectors(port: &mut (impl Read + Write)) {
    exchange(port, &[0x31, 0xCE], &[ACK]);
    exchange(port, &[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
    let mut data = vec![7];
    data.extend(VECTORS);
    data.push(data.iter().fold(0, |sum, byte| sum ^ byte));
    exchange(port, &data, &[ACK]);
}

#[test]
fn a_tool_on_tcp_talks_to_the_loader_and_its_work_is_saved_when_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("board.bin");
    let served = Served::tcp(&format!("stm32f103cb,image={}", image.display()));
    let mut tool = served.connect();
    exchange(&mut tool, &[0x7F], &[ACK]);
    exchange(&mut tool, &GET_ID, &ID);
    write_vectors(&mut tool);
    assert!(!image.exists());
    drop(tool);
    let end = Instant::now() + PATIENCE;
    while !image.exists() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(std::fs::read(&image).expect("saved")[..8], VECTORS);
    assert_eq!(served.end().bench().complaints(), []);
}

#[cfg(unix)]
#[test]
fn a_tool_on_a_unix_socket_talks_to_a_uart_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("board");
    let served = Served::open("stm32f103cb", &format!("unix:{}", socket.display()));
    let mut tool = std::os::unix::net::UnixStream::connect(&socket).expect("connected");
    tool.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    exchange(&mut tool, &[0x7F], &[ACK]);
    exchange(&mut tool, &GET_ID, &ID);
    drop(tool);
    assert_eq!(served.end().bench().complaints(), []);
}

#[test]
fn a_tool_that_begins_with_0x7f_finds_a_fresh_loader_and_one_that_resumes_does_not() {
    let served = Served::tcp("stm32f103cb,baud=460800");
    for _ in 0..3 {
        exchange(&mut served.connect(), &[0x7F], &[ACK]);
        exchange(&mut served.connect(), &GET_ID, &ID);
    }
    // Even a running program is replaced by the loader, as by somebody's finger.
    let mut tool = served.connect();
    write_vectors(&mut tool);
    exchange(&mut tool, &[0x21, 0xDE], &[ACK]);
    exchange(&mut tool, &[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
    drop(tool);
    exchange(&mut served.connect(), &[0x7F], &[ACK]);
}

#[test]
fn without_a_finger_on_the_button_the_chip_stays_as_it_is() {
    let served = Served::tcp("stm32f103cb,button=none");
    let mut tool = served.connect();
    exchange(&mut tool, &[0x7F], &[ACK]);
    drop(tool);
    let mut tool = served.connect();
    // Synchronised already: half of a command, then a wrong one.
    exchange(&mut tool, &[0x7F, 0x7F], &[0x1F]);
}

#[test]
fn bytes_take_their_time_on_the_wire() {
    let served = Served::tcp("stm32f103cb,baud=115200,latency-us=2000");
    let mut tool = served.connect();
    exchange(&mut tool, &[0x7F], &[ACK]);
    // 268 characters of 95.5 us and three delays of 4 ms, four times.
    let least = Duration::from_micros(4 * (268 * 95 + 3 * 4000));
    let took: Vec<Duration> = (0..5).map(|_| time_of_four_blocks(&mut tool)).collect();
    assert!(
        took.iter().all(|took| *took >= least),
        "{took:?}, {least:?}"
    );
    // A machine under load is late, but not every time by a quarter.
    let best = took.iter().min().expect("five");
    assert!(*best < least * 5 / 4, "{took:?}, {least:?}");
}

fn time_of_four_blocks(tool: &mut TcpStream) -> Duration {
    let start = Instant::now();
    for _ in 0..4 {
        exchange(tool, &[0x11, 0xEE], &[ACK]);
        exchange(tool, &[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
        let mut answer = vec![0xFF; 257];
        answer[0] = ACK;
        exchange(tool, &[0xFF, 0x00], &answer);
    }
    start.elapsed()
}

#[test]
fn a_cut_ends_the_connection_and_the_next_tool_finds_a_whole_wire() {
    let served = Served::tcp("stm32f103cb,faults=cut@2:in");
    let mut tool = served.connect();
    exchange(&mut tool, &[0x7F], &[ACK]);
    tool.write_all(&GET_ID).expect("sent");
    let mut rest = Vec::new();
    tool.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, [ACK]);
    // Less than a person needs to plug it in again, and enough for the loader to end its answer.
    std::thread::sleep(Duration::from_millis(50));
    let mut tool = served.connect();
    exchange(&mut tool, &[0x7F], &[ACK]);
    exchange(&mut tool, &GET_ID, &ID);
}

#[test]
fn a_server_ends_after_so_many_tools_or_when_nobody_comes() {
    let listen: Listen = "tcp:127.0.0.1:0".parse().expect("a place");
    let mut server = Server::open("stm32f103cb", &listen).expect("a server");
    let limits = Limits {
        idle: Some(Duration::from_millis(50)),
        tools: None,
    };
    server.run(&CancelFlag::new(), limits).expect("served");
    let address = server.place();
    let tool = std::thread::spawn(move || {
        let address = address.strip_prefix("tcp:").expect("a TCP place");
        // One that only looks does not count.
        drop(TcpStream::connect(address).expect("connected"));
        exchange(
            &mut TcpStream::connect(address).expect("connected"),
            &[0x7F],
            &[ACK],
        );
    });
    let limits = Limits {
        idle: Some(PATIENCE),
        tools: Some(1),
    };
    server.run(&CancelFlag::new(), limits).expect("served");
    tool.join().expect("no panic");
    assert!(matches!(
        server.bench().chip().map(|chip| chip.state()),
        Some(ChipState::Loader { .. })
    ));
}

#[test]
fn places_that_cannot_be_are_refused() {
    for place in [
        "",
        "tcp:",
        "tcp:4000",
        "pty:",
        "unix:",
        "socket:/tmp/x",
        "/dev/ttyS0",
    ] {
        assert!(
            matches!(place.parse::<Listen>(), Err(ServeError::Place(_))),
            "{place}"
        );
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let listen: Listen = format!("tcp:{address}").parse().expect("a place");
    let error = Server::open("stm32f103cb", &listen)
        .expect_err("taken")
        .to_string();
    assert!(
        error.starts_with(&format!("cannot listen on tcp:{address}: ")),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
mod pty {
    use std::fs::{self, File, OpenOptions};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::path::{Path, PathBuf};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

    use super::*;

    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().expect("a folder"),
            }
        }

        fn link(&self) -> PathBuf {
            self.folder.path().join("port")
        }

        fn serve(&self, spec: &str) -> Served {
            Served::open(spec, &format!("pty:{}", self.link().display()))
        }
    }

    /// A terminal that nobody waits for longer than for a TCP port.
    struct Port(File);

    impl Read for Port {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let mut ports = [PollFd::new(&self.0, PollFlags::IN)];
            let patience = Timespec {
                tv_sec: PATIENCE.as_secs().cast_signed(),
                tv_nsec: 0,
            };
            if poll(&mut ports, Some(&patience))? == 0 {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            self.0.read(buffer)
        }
    }

    impl Write for Port {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            self.0.flush()
        }
    }

    fn open(link: &Path) -> Port {
        let port = OpenOptions::new().read(true).write(true).open(link);
        Port(port.expect("a port"))
    }

    /// Tells an event as the preload library does.
    fn tell(link: &Path, event: &str) {
        let name = format!(
            "flashwire-sim-test-{}-{}",
            std::process::id(),
            link.display()
        );
        let own = SocketAddr::from_abstract_name(name).expect("a name");
        let socket = UnixDatagram::bind_addr(&own).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut path = link.as_os_str().to_owned();
        path.push(".lines");
        socket.send_to(event.as_bytes(), path).expect("told");
        socket.recv(&mut [0; 8]).expect("an answer");
    }

    fn set_speed(port: &Port, baud: u32) {
        let mut settings = tcgetattr(&port.0).expect("a terminal");
        settings.set_speed(baud).expect("a speed");
        tcsetattr(&port.0, OptionalActions::Now, &settings).expect("set");
    }

    #[test]
    fn the_speed_of_the_wire_is_the_terminals() {
        let place = Place::new();
        let served = place.serve("stm32f103cb");
        let mut port = open(&place.link());
        set_speed(&port, 57_600);
        exchange(&mut port, &[0x7F], &[ACK]);
        exchange(&mut port, &GET_ID, &ID);
        drop(port);
        let server = served.end();
        let state = server.bench().chip().expect("a chip").state();
        assert!(
            matches!(state, ChipState::Loader { baud: 57_600, .. }),
            "{state:?}"
        );
        assert_eq!(server.bench().complaints(), []);
    }

    #[test]
    fn bytes_pass_as_they_are() {
        let place = Place::new();
        let _served = place.serve("stm32f103cb,flash-percent=0");
        let mut port = open(&place.link());
        set_speed(&port, 460_800);
        exchange(&mut port, &[0x7F], &[ACK]);
        exchange(&mut port, &[0x31, 0xCE], &[ACK]);
        exchange(&mut port, &[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
        let mut data = vec![0xFF];
        data.extend(0..=255u8);
        data.push(data.iter().fold(0, |sum, byte| sum ^ byte));
        exchange(&mut port, &data, &[ACK]);
        exchange(&mut port, &[0x11, 0xEE], &[ACK]);
        exchange(&mut port, &[0x08, 0x00, 0x00, 0x00, 0x08], &[ACK]);
        let mut answer = vec![ACK];
        answer.extend(0..=255u8);
        exchange(&mut port, &[0xFF, 0x00], &answer);
    }

    #[test]
    fn one_tool_after_the_other_opens_the_port() {
        let place = Place::new();
        let served = place.serve("stm32f103cb");
        for _ in 0..3 {
            exchange(&mut open(&place.link()), &[0x7F], &[ACK]);
            // As long as a person needs, and the server to notice.
            std::thread::sleep(Duration::from_millis(50));
        }
        exchange(&mut open(&place.link()), &GET_ID, &ID);
        assert_eq!(served.end().bench().complaints(), []);
    }

    #[test]
    fn lines_and_parity_are_what_the_tool_tells() {
        let place = Place::new();
        let served = place.serve("stm32f103cb,wiring=dtr=nrst+rts=boot0");
        let mut port = open(&place.link());
        tell(&place.link(), "settings 115200 8E1");
        tell(&place.link(), "lines dtr=1 rts=1");
        tell(&place.link(), "lines dtr=1 rts=0");
        tell(&place.link(), "lines dtr=0 rts=0");
        std::thread::sleep(Duration::from_millis(20));
        exchange(&mut port, &[0x7F], &[ACK]);
        exchange(&mut port, &GET_ID, &ID);
        // Without parity the second character of a frame begins too early.
        tell(&place.link(), "settings 115200 8N1");
        port.write_all(&GET_ID).expect("sent");
        std::thread::sleep(Duration::from_millis(20));
        tell(&place.link(), "something else");
        let server = served.end();
        assert!(!server.bench().complaints().is_empty());
    }

    #[test]
    fn the_link_and_the_socket_come_and_go_with_the_server() {
        let place = Place::new();
        std::os::unix::fs::symlink("/nowhere", place.link()).expect("an old link");
        let served = place.serve("stm32f103cb");
        assert_ne!(
            fs::read_link(place.link()).expect("a link"),
            Path::new("/nowhere")
        );
        assert!(place.folder.path().join("port.lines").exists());
        drop(served.end());
        assert!(fs::symlink_metadata(place.link()).is_err());
        assert!(!place.folder.path().join("port.lines").exists());
        fs::write(place.link(), "mine").expect("a file");
        let listen = Listen::Pty(place.link());
        let error = Server::open("stm32f103cb", &listen);
        assert!(matches!(error, Err(ServeError::InTheWay(_))));
        assert_eq!(fs::read(place.link()).expect("untouched"), b"mine");
    }

    #[test]
    fn a_cut_takes_the_terminal_away_and_puts_another_there() {
        let place = Place::new();
        let _served = place.serve("stm32f103cb,faults=cut@1:in");
        let mut port = open(&place.link());
        exchange(&mut port, &[0x7F], &[ACK]);
        let before = fs::read_link(place.link()).expect("a link");
        port.write_all(&GET_ID).expect("sent");
        // Whether a terminal that hangs up is an error or an end is the system's choice.
        assert!(matches!(port.read(&mut [0; 8]), Ok(0) | Err(_)));
        assert_ne!(fs::read_link(place.link()).expect("a link"), before);
        // Less than a person needs to plug it in again, and enough for the loader to end its answer.
        std::thread::sleep(Duration::from_millis(50));
        let mut port = open(&place.link());
        exchange(&mut port, &[0x7F], &[ACK]);
    }
}

#[test]
fn what_a_server_leaves_a_later_bench_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("board.bin");
    let spec = format!("stm32f103cb,image={}", image.display());
    let served = Served::tcp(&spec);
    let mut tool = served.connect();
    exchange(&mut tool, &[0x7F], &[ACK]);
    write_vectors(&mut tool);
    served.end().close().expect("saved");
    let bench = Bench::open(&spec).expect("a bench");
    assert_eq!(bench.flash()[..8], VECTORS);
}
