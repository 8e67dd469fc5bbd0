//! What the wire does to bytes, to the nanosecond.

use std::time::Duration;

use flashwire_link::{Instant, Line, Link, LinkError, Parity, Settings, StopBits};
use flashwire_protocol::stm32::{Command, Frame};
use flashwire_sim::stm32::{ChipState, part};
use flashwire_sim::{ComplaintKind, SimLink};

use crate::host::{ACK, Host, NACK};

const FLASH: u32 = 0x0800_0000;
const BAUD: u64 = 115_200;

/// So many bits at 115200 baud, in nanoseconds.
fn bits(count: u64) -> Duration {
    Duration::from_nanos(count * 1_000_000_000 / BAUD)
}

/// From the end of a frame to its answer.
fn turnaround(name: &str) -> Duration {
    part(name).expect("a part").loader.turnaround()
}

/// When the first byte arrives, counted from now.
fn first_byte(host: &mut Host) -> Duration {
    let before = host.now();
    let deadline = host.link.deadline(Duration::from_secs(100));
    let mut byte = [0];
    assert_eq!(host.link.recv(&mut byte, deadline).expect("a link"), 1);
    host.now() - before
}

#[test]
fn a_command_takes_its_characters_the_turnaround_and_its_answer() {
    let mut host = Host::synchronised("stm32f103cb");
    host.link.send(&[0x02, 0xFD]).expect("sent");
    // Two characters of 11 bits there, one back.
    let expected = bits(22) + turnaround("stm32f103cb") + bits(11);
    assert_eq!(first_byte(&mut host), expected);
    // ACK, count, two bytes of id, ACK: back to back.
    let before = host.now();
    let mut rest = [0; 4];
    let deadline = host.link.deadline(Duration::from_secs(1));
    host.link.recv_all(&mut rest, deadline).expect("a link");
    assert_eq!(host.now() - before, bits(55) - bits(11));
}

#[test]
fn latency_counts_once_each_way_and_the_timer_once_on_the_way_back() {
    let mut host = Host::synchronised("stm32f103cb,latency-us=500,timer-us=16000");
    host.link.send(&[0x02, 0xFD]).expect("sent");
    let wire = bits(22) + turnaround("stm32f103cb") + bits(11);
    let delays = Duration::from_micros(500 + 500 + 16_000);
    assert_eq!(first_byte(&mut host), wire + delays);
}

#[test]
fn what_is_under_way_does_not_hold_up_what_follows() {
    // 256 bytes of an answer take their wire time and one delay, not 256 delays.
    let time_of_read = |spec: &str| {
        let mut host = Host::synchronised(spec);
        host.command(Command::ReadMemory);
        assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
        let before = host.now();
        let length = Frame::byte_count(256).expect("a length");
        host.link.send(length.as_bytes()).expect("sent");
        let deadline = host.link.deadline(Duration::from_secs(10));
        let mut answer = [0; 257];
        let count = host.link.recv_all(&mut answer, deadline).expect("a link");
        assert_eq!(count, 257);
        host.now() - before
    };
    let plain = time_of_read("stm32f103cb");
    assert_eq!(plain, bits(22) + turnaround("stm32f103cb") + bits(257 * 11));
    let delayed = time_of_read("stm32f103cb,latency-us=20000,timer-us=5000");
    assert_eq!(delayed - plain, Duration::from_micros(45_000));
}

#[test]
fn a_block_takes_its_programming_time() {
    for (name, micros) in [
        // 128 half-words of 52.5 us.
        ("stm32f103cb", 6720),
        // 64 words of 16 us.
        ("stm32f407vg", 1024),
        // 32 double words of 85 us.
        ("stm32g071rb", 2720),
        // 2 half pages of 3.28 ms.
        ("stm32l152rb", 6560),
        // 8 flash words of 100 us.
        ("stm32h743zi", 800),
        // 16 quad words of 118 us.
        ("stm32u575zi", 1888),
    ] {
        let mut host = Host::synchronised(name);
        host.command(Command::WriteMemory);
        assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
        let block = Frame::data(&[0; 256]).expect("a block");
        host.link.send(block.as_bytes()).expect("sent");
        let wire = bits(258 * 11) + turnaround(name) + bits(11);
        assert_eq!(
            first_byte(&mut host),
            wire + Duration::from_micros(micros),
            "{name}"
        );
    }
}

#[test]
fn flash_times_are_scaled_on_request() {
    let time_of_erase = |percent: u32| {
        let mut host = Host::synchronised(&format!("stm32f103cb,flash-percent={percent}"));
        let before = host.now();
        assert_eq!(host.erase(&[0, 1, 2]), ACK);
        host.now() - before
    };
    // Three pages of 30 ms.
    let typical = time_of_erase(100);
    assert_eq!(typical - time_of_erase(0), Duration::from_millis(90));
    assert_eq!(time_of_erase(200) - typical, Duration::from_millis(90));
}

#[test]
fn a_minute_of_silence_costs_nothing_and_ends_on_the_nanosecond() {
    let mut host = Host::open("stm32f103cb");
    let start = std::time::Instant::now();
    let deadline = host.link.deadline(Duration::from_secs(3600));
    assert_eq!(host.link.recv(&mut [0; 8], deadline).expect("a link"), 0);
    assert_eq!(host.now(), Instant::from_open(Duration::from_secs(3600)));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn in_real_time_waits_take_as_long_as_they_say() {
    let mut link = SimLink::open("stm32f103cb,realtime").expect("a bench");
    assert!(link.real_time());
    let start = std::time::Instant::now();
    link.configure(Settings::even(115_200)).expect("configured");
    link.send(&[0x7F]).expect("sent");
    let deadline = link.deadline(Duration::from_secs(10));
    assert_eq!(link.recv(&mut [0; 8], deadline).expect("a link"), 1);
    link.pause(Duration::from_millis(30)).expect("a pause");
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert!(link.now() >= Instant::from_open(Duration::from_millis(30)));
}

#[test]
fn every_run_repeats_to_the_bit() {
    let run = || {
        let mut host = Host::synchronised("stm32f103cb,latency-us=137,seed=7,faults=delay@40");
        let mut seen = Vec::new();
        for page in 0..8u32 {
            let data: Vec<u8> = (0..256)
                .map(|index| (index as u8).wrapping_mul(31))
                .collect();
            host.write(FLASH + 256 * page, &data);
            seen.push((host.now(), host.read(FLASH + 256 * page, 256)));
        }
        (
            seen,
            host.chip().memory().uid(),
            host.read(0x2000_1000, 256),
        )
    };
    assert_eq!(run(), run());
    let other = Host::open("stm32f103cb,seed=8");
    assert_ne!(run().1, other.chip().memory().uid());
}

#[test]
fn frames_may_follow_each_other_across_an_acknowledge() {
    // While the loader sends its ACK one character waits in the receive register.
    for baud in [9600, 115_200, 460_800] {
        let mut host = Host::open("stm32f103cb");
        host.link
            .configure(Settings::even(baud))
            .expect("configured");
        host.exchange(&[0x7F], &[ACK]);
        let mut all = Command::ReadMemory.opcode().to_vec();
        all.extend(Frame::word(FLASH).as_bytes());
        all.extend(Frame::byte_count(4).expect("a length").as_bytes());
        host.exchange(&all, &[ACK, ACK, ACK, 0xFF, 0xFF, 0xFF, 0xFF]);
        host.no_complaints();
    }
}

#[test]
fn above_what_its_clock_allows_the_loader_loses_characters_of_coalesced_frames() {
    let mut host = Host::open("stm32f103cb,max-baud=921600");
    host.link
        .configure(Settings::even(921_600))
        .expect("configured");
    host.exchange(&[0x7F], &[ACK]);
    let mut all = Command::ReadMemory.opcode().to_vec();
    all.extend(Frame::word(FLASH).as_bytes());
    host.exchange(&all, &[ACK]);
    assert_eq!(host.complaints(), [ComplaintKind::Overrun]);
    // One frame at a time works.
    let mut host = Host::open("stm32f103cb,max-baud=921600");
    host.link
        .configure(Settings::even(921_600))
        .expect("configured");
    host.exchange(&[0x7F], &[ACK]);
    assert_eq!(host.read(FLASH, 4), Some(vec![0xFF; 4]));
    host.no_complaints();
}

#[test]
fn what_comes_while_flash_is_programmed_is_lost_but_for_one_byte() {
    let mut host = Host::synchronised("stm32f103cb");
    host.command(Command::WriteMemory);
    assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
    let mut sent = Frame::data(&[0; 256]).expect("a block").as_bytes().to_vec();
    sent.extend([0x02, 0xFD, 0x02, 0xFD]);
    host.exchange(&sent, &[ACK]);
    assert_eq!(host.complaints(), [ComplaintKind::Overrun]);
    // The byte that was kept is half of the next command.
    host.exchange(&[0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
}

#[test]
fn what_comes_while_the_loader_sends_a_block_is_lost_but_for_one_byte() {
    let mut host = Host::synchronised("stm32f103cb");
    host.command(Command::ReadMemory);
    assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
    host.link.send(&[0xFF, 0x00, 0x02, 0xFD]).expect("sent");
    assert_eq!(host.answer(257).len(), 257);
    assert_eq!(host.complaints(), [ComplaintKind::Overrun]);
}

#[test]
fn without_parity_single_characters_pass_and_frames_do_not() {
    let mut host = Host::open("stm32f103cb");
    host.link
        .configure(Settings::plain(115_200))
        .expect("configured");
    // The parity bit of 0x7F is a one, like the stop bit that stands in its place; so is that of
    // the answer.
    host.exchange(&[0x7F], &[ACK]);
    host.no_complaints();
    host.link.send(&[0x00, 0xFF]).expect("sent");
    assert_ne!(host.answer(15).first(), Some(&ACK));
    assert!(host.complaints().contains(&ComplaintKind::LineNoise));
}

#[test]
fn odd_parity_is_noticed_on_every_character() {
    let mut host = Host::synchronised("stm32f103cb");
    let odd = Settings {
        parity: Parity::Odd,
        stop_bits: StopBits::One,
        baud: 115_200,
    };
    host.link.configure(odd).expect("configured");
    // The loader looks at no error flag.
    host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
    assert_eq!(host.complaints(), [ComplaintKind::LineNoise; 2]);
}

#[test]
fn a_slower_host_hears_garbage_and_is_not_heard() {
    let mut host = Host::synchronised("stm32f103cb");
    host.link
        .configure(Settings::even(57_600))
        .expect("configured");
    host.link.send(&[0x02, 0xFD]).expect("sent");
    // Each of its characters is long enough for two of the loader's.
    let answer = host.answer(5);
    assert_ne!(answer, [ACK, 0x01, 0x04, 0x10, ACK]);
    assert!(host.complaints().contains(&ComplaintKind::LineNoise));
}

#[test]
fn a_speed_that_is_off_by_a_little_does_no_harm() {
    let mut host = Host::synchronised("stm32f103cb");
    for baud in [112_300, 118_200] {
        host.link
            .configure(Settings::even(baud))
            .expect("configured");
        host.exchange(&[0x02, 0xFD], &[ACK, 0x01, 0x04, 0x10, ACK]);
    }
    host.no_complaints();
}

#[test]
fn a_change_of_speed_waits_until_what_was_sent_has_left() {
    let mut host = Host::open("stm32f103cb");
    host.link.send(&[0x7F]).expect("sent");
    host.link
        .configure(Settings::even(9600))
        .expect("configured");
    assert_eq!(host.now(), Instant::from_open(bits(11)));
    host.link
        .configure(Settings::even(115_200))
        .expect("configured");
    assert_eq!(host.answer(1), [ACK]);
    assert!(matches!(
        host.state(),
        ChipState::Loader { baud: 115_200, .. }
    ));
}

#[test]
fn speeds_that_no_wire_has_are_refused() {
    let mut host = Host::open("stm32f103cb");
    for baud in [0, 20_000_001, u32::MAX] {
        let refused = host.link.configure(Settings::even(baud));
        assert!(matches!(refused, Err(LinkError::Unsupported(_))));
    }
    assert_eq!(host.link.settings(), Settings::even(115_200));
    host.link
        .configure(Settings::even(20_000_000))
        .expect("configured");
    host.exchange(&[0x7F, 0x00, 0xFF], &[]);
}

#[test]
fn a_break_is_a_zero_without_a_stop_bit() {
    let mut host = Host::synchronised("stm32f103cb");
    host.lines(&[(Line::Break, true)]);
    host.lines(&[(Line::Break, false)]);
    assert_eq!(host.complaints(), [ComplaintKind::LineNoise]);
    // Half of a Get.
    host.exchange(&[0xFF], &{
        let mut answer = vec![ACK, 11, 0x22];
        answer.extend([
            0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x43, 0x63, 0x73, 0x82, 0x92,
        ]);
        answer.push(ACK);
        answer
    });
}

/// What a Get ID answers, sent and received through a fault.
fn get_id_through(fault: &str) -> Result<Vec<u8>, LinkError> {
    let mut link = SimLink::open(&format!("stm32f103cb,faults={fault}")).expect("a bench");
    link.configure(Settings::even(115_200))?;
    let mut got = Vec::new();
    for sent in [&[0x7F][..], &[0x02, 0xFD]] {
        link.send(sent)?;
        let deadline = link.deadline(Duration::from_secs(1));
        let mut buffer = [0; 32];
        let count = link.recv_all(&mut buffer, deadline)?;
        got.extend(&buffer[..count]);
    }
    Ok(got)
}

#[test]
fn faults_happen_to_the_byte_they_name() {
    let id = [0x01, 0x04, 0x10, ACK];
    let whole = |first: &[u8]| [first, &id].concat();
    assert_eq!(get_id_through("drop@99").ok(), Some(whole(&[ACK, ACK])));
    // The loader takes 0x02 for its 0x7F: edges, nine bits apart.
    assert_eq!(get_id_through("drop@0:out").ok(), Some(vec![ACK]));
    assert_eq!(get_id_through("drop@2:out").ok(), Some(vec![ACK]));
    assert_eq!(get_id_through("drop@0:in").ok(), Some(whole(&[ACK])));
    assert_eq!(
        get_id_through("drop@3:in").ok(),
        Some(vec![ACK, ACK, 0x01, 0x10, ACK])
    );
    // Counted in both directions: 0x7F, its ACK, then the command.
    assert_eq!(get_id_through("drop@1").ok(), Some(whole(&[ACK])));
    assert_eq!(get_id_through("flip@2").ok(), Some(vec![ACK, NACK]));
    assert_eq!(
        get_id_through("flip@2:in").ok(),
        Some(vec![ACK, ACK, 0x00, 0x04, 0x10, ACK])
    );
    assert_eq!(
        get_id_through("dup@0:in").ok(),
        Some(whole(&[ACK, ACK, ACK]))
    );
    assert_eq!(
        get_id_through("dup@0:in+drop@1:out").ok(),
        Some(vec![ACK, ACK])
    );
    // 1.5 s late: after the second deadline, with everything behind it.
    assert_eq!(get_id_through("delay@1:in").ok(), Some(vec![ACK]));
}

#[test]
fn a_cut_ends_the_link_after_what_had_arrived() {
    assert!(matches!(
        get_id_through("cut@0:out"),
        Err(LinkError::Closed)
    ));
    let mut host = Host::synchronised("stm32f103cb,faults=cut@3:in");
    host.link.send(&[0x02, 0xFD]).expect("sent");
    let mut seen = Vec::<u8>::new();
    let deadline = host.link.deadline(Duration::from_secs(10));
    let end = loop {
        let mut byte = [0; 1];
        match host.link.recv(&mut byte, deadline) {
            Ok(count) => seen.extend(&byte[..count]),
            Err(error) => break error,
        }
    };
    assert_eq!(seen, [ACK, 0x01]);
    assert!(matches!(end, LinkError::Closed));
    assert!(matches!(host.link.send(&[0]), Err(LinkError::Closed)));
    assert!(matches!(host.link.lines(&[]), Err(LinkError::Closed)));
}
