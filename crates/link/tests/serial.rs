//! Serial ports, on ptys: what a port has to do that is no hardware.
#![cfg(all(unix, feature = "os"))]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use flashwire_link::{Line, LineChange, Link, LinkError, Settings, serial};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::tcgetattr;

const SETTINGS: Settings = Settings::plain(115_200);

/// A pty: the end that plays the device, and the path that is opened as a port.
struct Pty {
    device: File,
    path: String,
}

fn pty() -> Pty {
    let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&device).unwrap();
    unlockpt(&device).unwrap();
    let path = ptsname(&device, Vec::new()).unwrap().into_string().unwrap();
    Pty {
        device: device.into(),
        path,
    }
}

/// A directory of its own, gone at the end of the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("flashwire-link-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn bytes_pass_unchanged_in_both_directions() {
    let mut pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let all: Vec<u8> = (0..=255).collect();

    link.send(&all).unwrap();
    let mut got = [0; 256];
    pty.device.read_exact(&mut got).unwrap();
    assert_eq!(got[..], all);

    pty.device.write_all(&all).unwrap();
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv_all(&mut got, deadline).unwrap(), 256);
    assert_eq!(got[..], all);
}

#[test]
fn a_symbolic_link_is_opened_as_given() {
    let directory = Directory::new("symlink");
    let mut pty = pty();
    let path = directory.file("board:1.0");
    symlink(&pty.path, &path).unwrap();

    let mut link = serial::open(&path, SETTINGS).unwrap();
    assert_eq!(link.name(), path);
    link.send(b"x").unwrap();
    let mut got = [0];
    pty.device.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"x");
}

#[test]
fn what_came_before_the_port_was_opened_is_dropped() {
    let mut pty = pty();
    // The first opening sets the terminal to raw, as a real port keeps it.
    drop(serial::open(&pty.path, SETTINGS).unwrap());
    pty.device.write_all(b"noise").unwrap();

    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    pty.device.write_all(b"y").unwrap();
    let mut got = [0; 16];
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
    assert_eq!(got[0], b'y');
}

#[test]
fn a_wait_ends_at_its_deadline_within_a_millisecond() {
    let pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let wait = ms(7);
    let mut least_late = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        let deadline = link.deadline(wait);
        assert_eq!(link.recv(&mut [0; 8], deadline).unwrap(), 0);
        let took = start.elapsed();
        assert!(took >= wait, "the wait ended after {took:?}");
        least_late = least_late.min(took - wait);
    }
    // The best of twenty: on a busy machine the others are the scheduler's.
    assert!(least_late < ms(1), "never less than {least_late:?} late");
}

#[test]
fn a_wait_ends_with_the_first_byte() {
    let mut pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let device = thread::spawn(move || {
        thread::sleep(ms(20));
        pty.device.write_all(&[0x79]).unwrap();
        pty
    });
    let start = Instant::now();
    let deadline = link.deadline(ms(10_000));
    assert_eq!(link.recv(&mut [0; 256], deadline).unwrap(), 1);
    assert!(start.elapsed() < ms(5_000));
    device.join().unwrap();
}

#[test]
fn what_has_arrived_is_returned_even_if_the_deadline_has_passed() {
    let mut pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let deadline = link.deadline(Duration::ZERO);
    pty.device.write_all(&[1, 2, 3]).unwrap();
    link.pause(ms(50)).unwrap();
    let mut got = [0; 2];
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 2);
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 0);
}

#[test]
fn discarded_input_never_comes() {
    let mut pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    pty.device.write_all(&[1; 100]).unwrap();
    link.pause(ms(50)).unwrap();
    // One byte is taken, so that the others are in the link's own buffer.
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv(&mut [0; 1], deadline).unwrap(), 1);
    pty.device.write_all(&[2; 100]).unwrap();
    link.pause(ms(50)).unwrap();

    link.discard_input().unwrap();
    pty.device.write_all(&[3]).unwrap();
    let mut got = [0; 256];
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
    assert_eq!(got[0], 3);
}

/// Reads of this thread so far, as the kernel counts them.
#[cfg(target_os = "linux")]
fn read_calls() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = counts.lines().find(|line| line.starts_with("syscr:"));
    line.unwrap()["syscr:".len()..].trim().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn taking_single_bytes_costs_no_system_call_each() {
    const COUNT: usize = 64 * 1024;

    let mut pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let device = thread::spawn(move || {
        let bytes: Vec<u8> = (0..COUNT).map(|index| index as u8).collect();
        pty.device.write_all(&bytes).unwrap();
        pty
    });
    // The terminal fills meanwhile, as it does when a burst arrives.
    link.pause(ms(20)).unwrap();

    let before = read_calls();
    for index in 0..COUNT {
        let mut byte = [0];
        let deadline = link.deadline(ms(2_000));
        assert_eq!(link.recv(&mut byte, deadline).unwrap(), 1);
        assert_eq!(byte[0], index as u8);
    }
    let calls = read_calls() - before;
    assert!(calls < COUNT as u64 / 32, "{calls} reads for {COUNT} bytes");
    device.join().unwrap();
}

#[test]
fn a_peer_that_reads_nothing_stalls_the_link_within_its_bound() {
    let pty = pty();
    let settings = Settings::plain(20_000_000);
    let mut link = serial::open(&pty.path, settings).unwrap();
    // More than the terminal takes.
    let bytes = vec![0; 512 * 1024];
    let bound = settings.wire_time(bytes.len()) * 2 + ms(1_000);
    let start = Instant::now();
    let result = link.send(&bytes);
    assert!(matches!(result, Err(LinkError::Stalled)), "{result:?}");
    let took = start.elapsed();
    assert!(
        took >= bound && took < bound + ms(1_000),
        "{took:?} for a bound of {bound:?}"
    );
}

#[test]
fn a_peer_that_closes_ends_the_link() {
    let pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    drop(pty.device);
    let deadline = link.deadline(ms(500));
    let result = link.recv(&mut [0; 8], deadline);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    let result = link.send(&[1]);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    let result = link.configure(Settings::plain(9600));
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    let result = link.lines(&[LineChange::new(Line::Dtr, true)]);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    let result = link.discard_input();
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
}

#[test]
fn a_peer_that_closes_ends_a_wait() {
    let pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let device = thread::spawn(move || {
        thread::sleep(ms(20));
        drop(pty.device);
    });
    let start = Instant::now();
    let deadline = link.deadline(ms(10_000));
    let result = link.recv(&mut [0; 8], deadline);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
    assert!(start.elapsed() < ms(5_000));
    device.join().unwrap();
}

#[test]
fn a_port_that_is_open_is_busy_until_it_is_closed() {
    let pty = pty();
    let link = serial::open(&pty.path, SETTINGS).unwrap();
    let second = serial::open(&pty.path, SETTINGS).map(drop);
    assert!(matches!(second, Err(LinkError::Busy)), "{second:?}");
    drop(link);
    serial::open(&pty.path, SETTINGS).unwrap();
}

#[test]
fn a_busy_port_keeps_its_settings() {
    let pty = pty();
    let _link = serial::open(&pty.path, Settings::plain(250_000)).unwrap();
    let second = serial::open(&pty.path, Settings::plain(9600)).map(drop);
    assert!(matches!(second, Err(LinkError::Busy)), "{second:?}");
    assert_eq!(tcgetattr(&pty.device).unwrap().output_speed(), 250_000);
}

/// Runs `act` as a user without any rights, if the tests run as root: the rights of one thread
/// are its own on Linux.
#[cfg(target_os = "linux")]
fn as_nobody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{Gid, Uid, set_thread_gid, set_thread_groups, set_thread_uid};

    thread::scope(|scope| {
        let nobody = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                set_thread_groups(&[]).unwrap();
                set_thread_gid(Gid::from_raw(65_534)).unwrap();
                set_thread_uid(Uid::from_raw(65_534)).unwrap();
            }
            act()
        });
        nobody.join().unwrap()
    })
}

#[cfg(target_os = "linux")]
fn set_mode(path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_port_without_permission_is_denied() {
    let pty = pty();
    set_mode(&pty.path, 0o000);
    let result = as_nobody(|| serial::open(&pty.path, SETTINGS).map(drop));
    assert!(matches!(result, Err(LinkError::Denied)), "{result:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_port_is_busy_for_another_user_too() {
    let pty = pty();
    set_mode(&pty.path, 0o666);
    let _link = serial::open(&pty.path, SETTINGS).unwrap();
    let result = as_nobody(|| serial::open(&pty.path, SETTINGS).map(drop));
    assert!(matches!(result, Err(LinkError::Busy)), "{result:?}");
}

#[test]
fn what_is_no_port_is_refused_with_what_it_is() {
    let directory = Directory::new("kinds");
    let file = directory.file("file");
    fs::write(&file, b"").unwrap();
    let socket = directory.file("socket");
    let _listener = UnixListener::bind(&socket).unwrap();

    let mut kinds = vec![
        (directory.file(""), "directory"),
        (file, "regular file"),
        (socket, "socket"),
        (
            "/dev/null".to_owned(),
            if cfg!(target_os = "linux") {
                "mem"
            } else {
                "no terminal"
            },
        ),
    ];
    if cfg!(target_os = "linux") {
        kinds.push(("/dev/ptmx".to_owned(), "where ptys are made"));
        kinds.push(("/dev/tty".to_owned(), "terminal that this program runs in"));
    }
    if fs::metadata("/dev/loop0").is_ok() {
        kinds.push(("/dev/loop0".to_owned(), "block device"));
    }
    for (path, kind) in kinds {
        match serial::open(&path, SETTINGS) {
            Err(LinkError::NotAPort(what)) => assert!(what.contains(kind), "{path}: {what}"),
            other => panic!("{path}: {:?}", other.map(drop)),
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_fifo_is_refused_without_waiting_for_its_other_end() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let directory = Directory::new("fifo");
    let path = directory.file("fifo");
    mknodat(
        CWD,
        path.as_str(),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let start = Instant::now();
    let result = serial::open(&path, SETTINGS).map(drop);
    assert!(
        matches!(&result, Err(LinkError::NotAPort(what)) if what.contains("FIFO")),
        "{result:?}"
    );
    assert!(start.elapsed() < ms(1_000));
}

#[test]
fn a_port_that_is_missing_is_not_found() {
    let directory = Directory::new("missing");
    let dangling = directory.file("dangling");
    symlink(directory.file("unplugged"), &dangling).unwrap();
    let file = directory.file("file");
    fs::write(&file, b"").unwrap();
    for path in ["/dev/ttyNONE0", &dangling, &format!("{file}/tty"), ""] {
        let result = serial::open(path, SETTINGS).map(drop);
        assert!(
            matches!(result, Err(LinkError::NotFound)),
            "{path}: {result:?}"
        );
    }
}

#[test]
fn any_speed_is_set_and_can_be_changed() {
    let pty = pty();
    let mut link = serial::open(&pty.path, Settings::plain(74_880)).unwrap();
    let speed = || tcgetattr(&pty.device).unwrap().output_speed();
    assert_eq!(speed(), 74_880);
    link.configure(Settings::plain(4_500_000)).unwrap();
    assert_eq!(speed(), 4_500_000);
    assert_eq!(link.settings(), Settings::plain(4_500_000));
}

#[test]
#[cfg(target_os = "linux")]
fn parity_that_a_pty_drops_is_one_warning() {
    let pty = pty();
    let mut link = serial::open(&pty.path, Settings::even(115_200)).unwrap();
    assert_eq!(link.settings(), Settings::even(115_200));
    link.configure(Settings::even(57_600)).unwrap();
    assert_eq!(
        link.take_warnings(),
        ["even parity is not supported by this port"]
    );
    link.configure(Settings::even(9_600)).unwrap();
    assert!(link.take_warnings().is_empty());
}

#[test]
#[cfg(target_os = "linux")]
fn lines_that_a_pty_has_not_are_one_warning_each() {
    let pty = pty();
    let mut link = serial::open(&pty.path, SETTINGS).unwrap();
    let gpio = Line::Gpio {
        chip: "gpiochip0".to_owned(),
        line: "17".to_owned(),
    };
    for on in [true, false] {
        link.lines(&[
            LineChange::new(Line::Dtr, on),
            LineChange::new(Line::Rts, !on),
            LineChange::new(gpio.clone(), on),
        ])
        .unwrap();
        // A pty takes a break and does nothing.
        link.lines(&[LineChange::new(Line::Break, on)]).unwrap();
    }
    assert_eq!(
        link.take_warnings(),
        [
            "gpio:gpiochip0/17 is not supported by this port",
            "the DTR line is not supported by this port",
            "the RTS line is not supported by this port",
        ]
    );
    assert!(link.take_warnings().is_empty());
}
