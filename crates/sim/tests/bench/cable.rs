//! Cables that are not as they should be, and an application that talks.

use std::time::Duration;

use flashwire_link::{Link, Settings};
use flashwire_sim::SimLink;

use crate::host::{ACK, Host};

/// What a host hears within `time`.
fn heard(link: &mut SimLink, time: Duration) -> Vec<u8> {
    let mut heard = vec![0; 1000];
    let deadline = link.deadline(time);
    let count = link.recv_all(&mut heard, deadline).expect("a link");
    heard.truncate(count);
    heard
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_loop_gives_back_what_is_sent_and_nothing_else() {
    let mut host = Host::open("stm32f103cb,cable=loop");
    host.exchange(&[0x7F], &[0x7F]);
    host.exchange(b"any \x00\xFF", b"any \x00\xFF");
}

#[test]
fn an_open_cable_is_silent() {
    let mut host = Host::open("stm32f103cb,cable=open");
    host.exchange(&[0x7F], &[]);
}

#[test]
fn a_low_line_is_one_zero_each_time_that_the_receiver_starts() {
    let mut host = Host::open("stm32f103cb,cable=low");
    assert_eq!(heard(&mut host.link, SECOND), [0, 0], "opened and set up");
    host.exchange(&[0x7F], &[]);
    host.link.configure(Settings::plain(9600)).expect("set up");
    assert_eq!(heard(&mut host.link, SECOND), [0]);
}

#[test]
fn without_parity_the_greeting_works_and_no_command_does() {
    // 0x7F and ACK have an odd number of ones: their parity bit is high, as the idle line.
    let mut host = Host::open("stm32f103cb,cable=plain");
    host.exchange(&[0x7F], &[ACK]);
    host.link.send(&[0x00, 0xFF]).expect("sent");
    assert_ne!(host.answer(15).first(), Some(&ACK));
}

#[test]
fn an_application_talks_at_its_own_speed() {
    let folder = tempfile::tempdir().expect("there is room");
    let image = folder.path().join("app.bin");
    // Stack pointer and reset vector.
    let vectors = [0x2000_1000_u32, 0x0800_0101];
    let program: Vec<u8> = vectors.into_iter().flat_map(u32::to_le_bytes).collect();
    std::fs::write(&image, program).expect("there is room");
    let keys = format!("image={},says=tick,says-baud=9600", image.display());

    let open = |boot0: &str| {
        let spec = format!("stm32f103cb,boot0={boot0},{keys}");
        let mut link = SimLink::open(&spec).expect("the bench opens");
        link.configure(Settings::plain(9600)).expect("set up");
        link
    };
    let heard_9600 = heard(&mut open("low"), SECOND);
    assert!(
        heard_9600.starts_with(b"tick\r\ntick\r\n"),
        "{heard_9600:02X?}"
    );
    // Ten times a second, and what a line takes.
    assert_eq!(heard_9600.len() / 6, 10);
    assert!(
        heard(&mut open("high"), SECOND).is_empty(),
        "the loader runs"
    );
}
