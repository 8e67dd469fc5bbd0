//! Arduino boards in their bootloaders.

use std::time::Duration;

use flashwire_link::{Line, LineChange, Link, Settings};
use flashwire_protocol::stk500::{Command, Frame, Memory, Parameter};
use flashwire_sim::{ComplaintKind, SimLink};

const UNO: &str = "arduino-uno";
const NANO: &str = "arduino-nano-old";

/// In sync, and done.
const DONE: [u8; 2] = [0x14, 0x10];

const SILENCE: [u8; 0] = [];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A host at the loader's speed, when the loader has blinked and listens.
fn open(spec: &str) -> SimLink {
    let mut link = open_at_once(spec);
    link.pause(ms(400)).expect("a pause");
    link
}

fn open_at_once(spec: &str) -> SimLink {
    let mut link = SimLink::open(spec).expect("the bench opens");
    let baud = link.bench().board().expect("a board").model().kind.baud();
    link.configure(Settings::plain(baud)).expect("configured");
    link
}

/// What comes back within `time`.
fn heard(link: &mut SimLink, time: Duration) -> Vec<u8> {
    let mut heard = vec![0; 1000];
    let deadline = link.deadline(time);
    let count = link.recv_all(&mut heard, deadline).expect("a link");
    heard.truncate(count);
    heard
}

/// The answer to a command, within half a second.
fn ask(link: &mut SimLink, frame: &Frame) -> Vec<u8> {
    link.send(frame.as_bytes()).expect("sent");
    heard(link, ms(500))
}

fn kinds(link: &SimLink) -> Vec<ComplaintKind> {
    let complaints = link.bench().complaints().iter();
    complaints.map(|complaint| complaint.kind).collect()
}

fn runs_application(link: &SimLink) -> bool {
    link.bench().board().expect("a board").runs_application()
}

fn page() -> [u8; 128] {
    std::array::from_fn(|n| n as u8 ^ 0xA5)
}

#[test]
fn each_loader_says_who_it_is_and_on_which_chip() {
    for (bench, hardware, major, minor) in [(UNO, 3, 4, 4), (NANO, 2, 1, 16)] {
        let mut link = open(bench);
        assert_eq!(ask(&mut link, &Frame::get_sync()), DONE);
        for (parameter, value) in [
            (Parameter::HardwareVersion, hardware),
            (Parameter::SoftwareMajor, major),
            (Parameter::SoftwareMinor, minor),
        ] {
            let answer = ask(&mut link, &Frame::get_parameter(parameter));
            assert_eq!(answer, [0x14, value, 0x10], "{bench}");
        }
        let signature = ask(&mut link, &Frame::read_sign());
        assert_eq!(signature, [0x14, 0x1E, 0x95, 0x0F, 0x10]);
        assert_eq!(kinds(&link), []);
    }
    let mut link = open("arduino-uno,signature=1E9406");
    let signature = ask(&mut link, &Frame::read_sign());
    assert_eq!(signature, [0x14, 0x1E, 0x94, 0x06, 0x10]);
}

#[test]
fn a_page_is_erased_and_written_and_nothing_beside_it() {
    for bench in [UNO, NANO] {
        let mut link = open(bench);
        assert_eq!(ask(&mut link, &Frame::load_address(0x80)), DONE);
        let begun = link.now();
        let program = Frame::prog_page(Memory::Flash, &page()).expect("a page");
        link.send(program.as_bytes()).expect("sent");
        let mut answer = [0; 2];
        let deadline = link.deadline(ms(500));
        assert_eq!(link.recv_all(&mut answer, deadline).ok(), Some(2));
        assert_eq!(answer, DONE);
        // A page takes its time: 4.5 ms to write, and as much to erase where the data did not hide
        // it.
        assert!(link.now() - begun > ms(15), "{:?}", link.now() - begun);

        assert_eq!(ask(&mut link, &Frame::load_address(0x80)), DONE);
        let read = ask(
            &mut link,
            &Frame::read_page(Memory::Flash, 128).expect("a page"),
        );
        assert_eq!(read[1..129], page());
        let flash = link.bench().flash();
        assert_eq!(flash[0x100..0x180], page());
        let others = [&flash[..0x100], &flash[0x180..0x7800]].concat();
        assert!(others.iter().all(|&byte| byte == 0xFF));
        assert_eq!(kinds(&link), []);
    }
}

#[test]
fn without_a_command_for_a_second_the_application_starts() {
    for bench in [UNO, NANO] {
        let mut link = open(bench);
        assert_eq!(ask(&mut link, &Frame::get_sync()), DONE);
        link.pause(ms(450)).expect("a pause");
        assert!(!runs_application(&link), "{bench}");
        link.pause(ms(200)).expect("a pause");
        assert!(runs_application(&link), "{bench}");
        assert_eq!(ask(&mut link, &Frame::get_sync()), SILENCE);
    }
}

#[test]
fn the_edge_of_dtr_resets_and_nothing_else_does() {
    let mut link = open(UNO);
    link.pause(ms(2000)).expect("a pause");
    assert!(runs_application(&link));
    let set = |link: &mut SimLink, line, on| {
        link.lines(&[LineChange::new(line, on)]).expect("lines");
        link.pause(ms(1)).expect("a pause");
    };
    set(&mut link, Line::Dtr, true);
    set(&mut link, Line::Rts, false);
    set(&mut link, Line::Rts, true);
    set(&mut link, Line::Dtr, false);
    assert!(runs_application(&link));
    set(&mut link, Line::Dtr, true);
    assert!(!runs_application(&link));
    assert_eq!(ask(&mut link, &Frame::get_sync()), DONE);
}

#[test]
fn leaving_starts_the_application_where_the_loader_has_it_so() {
    let mut link = open(UNO);
    assert_eq!(ask(&mut link, &Frame::leave_prog_mode()), DONE);
    assert!(runs_application(&link), "16 ms by the watchdog");
    let mut link = open(NANO);
    assert_eq!(ask(&mut link, &Frame::leave_prog_mode()), DONE);
    assert!(!runs_application(&link), "it waits for its second");
}

#[test]
fn what_has_no_end_hangs_optiboot_and_is_counted_by_the_other() {
    let mut link = open(UNO);
    assert_eq!(ask(&mut link, &Frame::get_sync()), DONE);
    link.send(b"00").expect("sent");
    assert_eq!(heard(&mut link, ms(100)), SILENCE);
    assert!(runs_application(&link));
    assert_eq!(kinds(&link), [ComplaintKind::Malformed]);

    let mut link = open(NANO);
    assert_eq!(ask(&mut link, &Frame::get_sync()), DONE);
    for n in 0..4 {
        link.send(b"00").expect("sent");
        assert_eq!(heard(&mut link, ms(10)), SILENCE, "{n}");
    }
    assert_eq!(ask(&mut link, &Frame::get_sync()), DONE);
    link.send(b"00").expect("sent");
    link.pause(ms(10)).expect("a pause");
    assert!(runs_application(&link), "the fifth");
}

#[test]
fn while_it_blinks_there_is_room_for_three_characters() {
    let mut link = open_at_once(UNO);
    link.send(b"0 0").expect("sent");
    link.pause(ms(300)).expect("a pause");
    assert_eq!(kinds(&link), []);
    link.send(b" ").expect("sent");
    link.pause(ms(10)).expect("a pause");
    assert_eq!(kinds(&link), [ComplaintKind::Overrun]);
    // The third one is overwritten: what is left is a command, and an end without one.
    assert_eq!(heard(&mut link, ms(200)), DONE);
}

#[test]
fn the_boot_section_is_locked_and_a_half_page_is_told() {
    for (bench, boot_start) in [(UNO, 0x7E00), (NANO, 0x7800)] {
        let mut link = open(bench);
        let before = link.bench().flash().to_vec();
        ask(&mut link, &Frame::load_address(boot_start / 2));
        let program = Frame::prog_page(Memory::Flash, &page()).expect("a page");
        assert_eq!(ask(&mut link, &program), DONE);
        assert_eq!(link.bench().flash(), before);
        assert_eq!(kinds(&link), [ComplaintKind::Reserved], "{bench}");
        ask(&mut link, &Frame::load_address(0));
        let half = Frame::prog_page(Memory::Flash, &[0; 64]).expect("a block");
        assert_eq!(ask(&mut link, &half), DONE);
        assert_eq!(kinds(&link)[1..], [ComplaintKind::Misaligned], "{bench}");
    }
}

#[test]
fn a_reset_before_a_page_is_written_leaves_it_erased() {
    let mut link = open(UNO);
    ask(&mut link, &Frame::load_address(0));
    let program = Frame::prog_page(Memory::Flash, &page()).expect("a page");
    assert_eq!(ask(&mut link, &program), DONE);
    assert_eq!(link.bench().flash()[..128], page());
    ask(&mut link, &Frame::load_address(0));
    link.send(&program.as_bytes()[..100]).expect("sent");
    link.pause(ms(20)).expect("a pause");
    link.lines(&[LineChange::new(Line::Dtr, false)])
        .expect("lines");
    link.lines(&[LineChange::new(Line::Dtr, true)])
        .expect("lines");
    link.pause(ms(1)).expect("a pause");
    assert_eq!(link.bench().flash()[..128], [0xFF; 128]);
    assert_eq!(kinds(&link), [ComplaintKind::Interrupted]);
}

#[test]
fn what_a_host_may_say_besides_is_taken_as_the_sources_have_it() {
    // The lengths are what matters: a loader that took one wrong would not be in step any more.
    let set_device = [&[0x42][..], &[0; 20], b" "].concat();
    let set_device_ext = [&[0x45][..], &[5, 4, 0xD7, 0xC2, 0], b" "].concat();
    for bench in [UNO, NANO] {
        let mut link = open(bench);
        for command in [&set_device, &set_device_ext] {
            link.send(command).expect("sent");
            assert_eq!(heard(&mut link, ms(500)), DONE, "{bench}");
        }
        let erase = Frame::plain(Command::ChipErase).expect("no arguments");
        assert_eq!(ask(&mut link, &erase), DONE);
        assert!(link.bench().flash()[..0x7800].iter().all(|&b| b == 0xFF));
    }
    let mut link = open(NANO);
    let sign_on = Frame::plain(Command::GetSignOn).expect("no arguments");
    assert_eq!(ask(&mut link, &sign_on), b"\x14AVR ISP\x10");
    // Read Signature Byte 1, in the chip's own words.
    link.send(&[0x56, 0x30, 0x00, 0x01, 0x00, 0x20])
        .expect("sent");
    assert_eq!(heard(&mut link, ms(500)), [0x14, 0x95, 0x10]);
    assert_eq!(kinds(&link), []);
}

#[test]
fn what_is_in_the_flash_is_our_programmer_or_silent() {
    const SYNCNOP: &[u8] = &[0x10];
    for (bench, answer) in [
        (UNO, &[0x15, 0x06][..]),
        ("arduino-uno,application=none", &[]),
    ] {
        let mut link = open(bench);
        link.pause(ms(1500)).expect("a pause");
        link.send(SYNCNOP).expect("sent");
        assert_eq!(heard(&mut link, ms(500)), SILENCE, "a blank board");

        let mut link = open(bench);
        ask(&mut link, &Frame::load_address(0));
        let program = Frame::prog_page(Memory::Flash, &page()).expect("a page");
        ask(&mut link, &program);
        ask(&mut link, &Frame::leave_prog_mode());
        link.send(SYNCNOP).expect("sent");
        assert_eq!(heard(&mut link, ms(500)), answer, "{bench}");
        assert_eq!(kinds(&link), []);
    }
}

#[test]
fn the_flash_outlives_the_bench() {
    let folder = tempfile::tempdir().expect("there is room");
    let image = folder.path().join("uno.bin");
    let spec = format!("arduino-uno,image={}", image.display());
    let mut link = open(&spec);
    ask(&mut link, &Frame::load_address(0x40));
    let program = Frame::prog_page(Memory::Flash, &page()).expect("a page");
    assert_eq!(ask(&mut link, &program), DONE);
    link.close().expect("the files are written");
    let content = std::fs::read(&image).expect("a file");
    assert_eq!(content.len(), 0x8000);
    assert_eq!(content[0x80..0x100], page());
    assert_eq!(open(&spec).bench().flash(), content);
    let other = format!("arduino-nano-old,image={}", image.display());
    let error = SimLink::open(&other).expect_err("another board's file");
    assert!(error.to_string().contains("arduino-uno"), "{error}");
}
