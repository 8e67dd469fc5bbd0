//! TCP links, on the loopback interface.
#![cfg(feature = "os")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use flashwire_link::tcp::{self, TcpLink};
use flashwire_link::{Line, LineChange, Link, LinkError, Settings};

const SETTINGS: Settings = Settings::even(115_200);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A link and the device at its other end.
fn pair() -> (TcpLink, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let link = tcp::connect(&address, SETTINGS, ms(2_000)).unwrap();
    (link, listener.accept().unwrap().0)
}

#[test]
fn bytes_pass_unchanged_in_both_directions() {
    let (mut link, mut device) = pair();
    let all: Vec<u8> = (0..=255).collect();
    link.send(&all).unwrap();
    let mut got = [0; 256];
    device.read_exact(&mut got).unwrap();
    assert_eq!(got[..], all);

    device.write_all(&all).unwrap();
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv_all(&mut got, deadline).unwrap(), 256);
    assert_eq!(got[..], all);
}

#[test]
fn a_host_is_found_by_name_and_the_link_is_called_as_given() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let link = tcp::connect(&format!("localhost:{port}"), SETTINGS, ms(2_000)).unwrap();
    assert_eq!(link.name(), format!("tcp:localhost:{port}"));
    assert_eq!(link.settings(), SETTINGS);
}

#[test]
fn a_host_that_refuses_or_does_not_exist_is_an_error_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let start = Instant::now();
    match tcp::connect(&address, SETTINGS, ms(5_000)) {
        Err(LinkError::Io(error)) => {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        }
        other => panic!("{:?}", other.map(drop)),
    }
    let result = tcp::connect("no port in here", SETTINGS, ms(5_000)).map(drop);
    assert!(matches!(result, Err(LinkError::Io(_))), "{result:?}");
    assert!(start.elapsed() < ms(4_000));
}

#[test]
fn a_wait_ends_at_its_deadline() {
    let (mut link, _device) = pair();
    let mut least_late = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        let deadline = link.deadline(ms(7));
        assert_eq!(link.recv(&mut [0; 8], deadline).unwrap(), 0);
        let took = start.elapsed();
        assert!(took >= ms(7), "the wait ended after {took:?}");
        least_late = least_late.min(took - ms(7));
    }
    assert!(least_late < ms(2), "never less than {least_late:?} late");
}

#[test]
fn what_the_peer_sent_comes_before_the_end_of_the_link() {
    let (mut link, mut device) = pair();
    device.write_all(b"bye").unwrap();
    drop(device);
    let mut got = [0; 8];
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv_all(&mut got[..3], deadline).unwrap(), 3);
    let result = link.recv(&mut got, deadline);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
}

#[test]
fn a_peer_that_reads_nothing_stalls_the_link_within_its_bound() {
    let (mut link, _device) = pair();
    let settings = Settings::plain(400_000_000);
    link.configure(settings).unwrap();
    let bytes = vec![0; 16 << 20];
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
fn discarded_input_never_comes() {
    let (mut link, mut device) = pair();
    device.write_all(&[1; 10_000]).unwrap();
    thread::sleep(ms(50));
    let deadline = link.deadline(ms(500));
    assert_eq!(link.recv(&mut [0; 1], deadline).unwrap(), 1);
    link.discard_input().unwrap();
    device.write_all(&[2]).unwrap();
    let mut got = [0; 8];
    assert_eq!(link.recv(&mut got, deadline).unwrap(), 1);
    assert_eq!(got[0], 2);
}

#[test]
fn settings_are_kept_in_silence_and_lines_are_one_warning_each() {
    let (mut link, _device) = pair();
    link.configure(Settings::even(9600)).unwrap();
    assert_eq!(link.settings(), Settings::even(9600));
    assert!(link.take_warnings().is_empty());
    for _ in 0..2 {
        link.lines(&[LineChange::new(Line::Rts, true)]).unwrap();
    }
    assert_eq!(
        link.take_warnings(),
        ["the RTS line is not supported by this port"]
    );
}
