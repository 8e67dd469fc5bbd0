//! Programmers that speak serprog on the bench, at the end of their wires, in virtual time.

use std::time::Duration;

use flashwire_link::{Line, LineChange, Link};
use flashwire_protocol::serprog::extension::{Program, Range};
use flashwire_protocol::serprog::{ACK, NAK, Request, SYNC_ANSWER, U24};
use flashwire_sim::nor::PARTS;
use flashwire_sim::programmer::MODELS;
use flashwire_sim::{Bench, ComplaintKind, SimLink, benches};

/// Longest that any answer here may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than any board takes to start.
const BOOT: Duration = Duration::from_millis(1100);

fn open(spec: &str) -> SimLink {
    SimLink::open(spec).unwrap()
}

/// Sends in one go and takes so many bytes.
fn ask(link: &mut SimLink, sent: &[u8], count: usize) -> Vec<u8> {
    link.send(sent).unwrap();
    take(link, count)
}

fn take(link: &mut SimLink, count: usize) -> Vec<u8> {
    let mut answer = vec![0; count];
    let deadline = link.deadline(PATIENCE);
    let got = link.recv_all(&mut answer, deadline).unwrap();
    answer.truncate(got);
    answer
}

/// Whether nothing comes any more.
fn is_silent(link: &mut SimLink) -> bool {
    let deadline = link.deadline(Duration::from_millis(100));
    link.recv(&mut [0], deadline).unwrap() == 0
}

fn spi_op(data: &[u8], receive: u32) -> Vec<u8> {
    let request = Request::OSpiOp {
        send: U24::new(data.len() as u32).unwrap(),
        receive: U24::new(receive).unwrap(),
    };
    [request.encode().as_bytes(), data].concat()
}

fn set_clock(link: &mut SimLink, spi_hz: u32) {
    let command = Request::SSpiFreq { spi_hz }.encode();
    assert_eq!(ask(link, command.as_bytes(), 5)[0], ACK);
}

fn complaints(link: &SimLink) -> Vec<ComplaintKind> {
    link.bench()
        .complaints()
        .iter()
        .map(|complaint| complaint.kind)
        .collect()
}

#[test]
fn every_programmer_takes_every_chip() {
    let names: Vec<String> = benches().into_iter().map(|bench| bench.name).collect();
    for model in MODELS {
        for part in PARTS {
            let name = format!("{}+{}", model.name, part.name);
            assert!(names.contains(&name), "{name}");
        }
        let bench = Bench::open(&format!("{}+m25p80", model.name)).unwrap();
        assert!(bench.programmer().is_some() && bench.chip().is_none());
        assert_eq!(bench.flash(), [0xFF; 1 << 20]);
    }
    for wrong in [
        "serprog",
        "serprog+",
        "serprog+w25q64",
        "nobody+w25q64jv",
        "+m25p80",
    ] {
        let error = Bench::open(wrong).unwrap_err().to_string();
        assert!(error.contains("there is no bench"), "{wrong}: {error}");
    }
}

#[test]
fn every_programmer_answers_in_step_and_finds_its_chip() {
    for model in MODELS.iter().filter(|model| model.method() == "serprog") {
        let mut link = open(&format!("{}+w25q64jv", model.name));
        link.pause(BOOT).unwrap();
        assert_eq!(ask(&mut link, &[0x10], 2), SYNC_ANSWER, "{}", model.name);
        // As flashrom sends it: the opcode in one write, the rest in another.
        link.send(&[0x13]).unwrap();
        let rest = &spi_op(&[0x9F], 3)[1..];
        assert_eq!(
            ask(&mut link, rest, 4),
            [ACK, 0xEF, 0x40, 0x17],
            "{}",
            model.name
        );
        assert!(is_silent(&mut link));
        assert_eq!(complaints(&link), []);
    }
}

/// Bytes per second in the first half of a long read, with the time to the first byte taken off.
fn read_rate(spec: &str, spi_hz: u32) -> f64 {
    let mut link = open(spec);
    link.pause(BOOT).unwrap();
    set_clock(&mut link, spi_hz);
    let count = 100_000;
    assert_eq!(
        ask(&mut link, &spi_op(&[0x0B, 0, 0, 0, 0], count), 1),
        [ACK]
    );
    let start = link.now();
    let half = count / 2;
    assert_eq!(take(&mut link, half as usize).len(), half as usize);
    f64::from(half) / (link.now() - start).as_secs_f64()
}

#[test]
fn a_long_read_runs_at_the_speed_of_the_wire_or_of_the_bus() {
    // 1.15 MB/s on the wire, 2.25 and 0.5625 on the bus: what is slower counts, and nothing is
    // added up.
    let rate = read_rate("serprog+w25q64jv", 18_000_000);
    assert!((1_120_000.0..1_160_000.0).contains(&rate), "{rate}");
    let rate = read_rate("serprog+w25q64jv", 4_500_000);
    assert!((550_000.0..564_000.0).contains(&rate), "{rate}");
    // 115200 baud as an ATmega328P makes it, 117647; ten bits a byte.
    let rate = read_rate("uno+w25q64jv", 8_000_000);
    assert!((11_700.0..11_770.0).contains(&rate), "{rate}");
}

#[test]
fn latency_delays_an_answer_and_does_not_slow_a_stream() {
    let ask_once = |spec: &str| {
        let mut link = open(spec);
        link.pause(Duration::from_millis(1)).unwrap();
        let start = link.now();
        assert_eq!(ask(&mut link, &[0x00], 1), [ACK]);
        link.now() - start
    };
    let direct = ask_once("serprog+w25q64jv");
    let distant = ask_once("serprog+w25q64jv,latency-us=500");
    assert_eq!(distant - direct, Duration::from_millis(1));
    assert!(direct < Duration::from_micros(50), "{direct:?}");
    let rate = read_rate("serprog+w25q64jv,latency-us=500", 18_000_000);
    assert!(rate > 1_120_000.0, "{rate}");
}

#[test]
fn pages_sent_ahead_are_programmed_by_the_extension_as_fast_as_the_chip_allows() {
    let mut link = open("serprog+w25q64jv");
    set_clock(&mut link, 18_000_000);
    let pages = 64;
    let start = link.now();
    for page in 0..pages {
        let head = [0x02, 0, page, 0];
        let data = [page; 256];
        let (header, check) = Program::frame(100, &head, &data).unwrap();
        let command = [header.as_bytes(), &head, &data, &check].concat();
        link.send(&command).unwrap();
    }
    assert_eq!(
        take(&mut link, usize::from(pages)),
        vec![ACK; usize::from(pages)]
    );
    let each = (link.now() - start) / u32::from(pages);
    // 0.4 ms for the chip, 0.116 ms to shift the page in.
    assert!(each < Duration::from_micros(545), "{each:?}");
    link.pause(Duration::from_millis(1)).unwrap();
    let expected: Vec<u8> = (0..pages).flat_map(|page| [page; 256]).collect();
    assert!(link.bench().flash()[..expected.len()] == expected);
    assert_eq!(complaints(&link), []);
}

#[test]
fn a_range_is_summed_up_at_the_speed_of_the_bus() {
    let mut link = open("serprog+w25q64jv");
    set_clock(&mut link, 18_000_000);
    let range = Range {
        head_bytes: 5,
        length: U24::new(1 << 20).unwrap(),
    };
    let command = [
        Request::XCrc(range).encode().as_bytes(),
        &[0x0B, 0, 0, 0, 0],
    ]
    .concat();
    let start = link.now();
    let answer = ask(&mut link, &command, 5);
    let took = link.now() - start;
    // CRC-32 of 1 MiB of 0xFF, by zlib.
    assert_eq!(
        answer,
        [&[ACK], 0x956B_AC74u32.to_le_bytes().as_slice()].concat()
    );
    assert!(took < Duration::from_millis(475), "{took:?}");
}

#[test]
fn without_extensions_it_is_a_plain_programmer() {
    let mut link = open("serprog+w25q64jv,extensions=off");
    assert_eq!(ask(&mut link, &[0x80], 1), [NAK]);
    let map = ask(&mut link, &[0x02], 33);
    assert_eq!(map[17], 0);
    let mut link = open("serprog+w25q64jv");
    assert_eq!(ask(&mut link, &[0x80], 8)[..5], [ACK, b'F', b'W', b'X', 1]);
}

#[test]
fn opening_the_port_anew_ends_a_half_sent_command() {
    let mut link = open("serprog+w25q64jv");
    link.send(&spi_op(&[0x02; 200], 0)[..100]).unwrap();
    link.pause(Duration::from_millis(10)).unwrap();
    for on in [false, true] {
        link.lines(&[LineChange {
            line: Line::Dtr,
            on,
        }])
        .unwrap();
    }
    link.pause(Duration::from_millis(10)).unwrap();
    assert_eq!(ask(&mut link, &[0x10], 2), SYNC_ANSWER);
    // Without it the programmer still waits for the rest.
    let mut link = open("serprog+w25q64jv");
    link.send(&spi_op(&[0x02; 200], 0)[..100]).unwrap();
    link.pause(Duration::from_secs(100)).unwrap();
    link.send(&[0x10]).unwrap();
    assert!(is_silent(&mut link));
}

#[test]
fn a_lost_byte_on_the_wire_is_lost_and_a_stuck_command_is_filled_up() {
    let mut link = open("serprog+w25q64jv,faults=drop@8");
    link.send(&spi_op(&[0x9F, 1, 2, 3], 0)).unwrap();
    assert!(is_silent(&mut link));
    link.send(&[0]).unwrap();
    assert_eq!(take(&mut link, 1), [ACK]);
    assert_eq!(ask(&mut link, &[0x10], 2), SYNC_ANSWER);
}

#[test]
fn a_chip_pulled_out_reads_as_a_floating_line() {
    let mut link = open("serprog+w25q64jv");
    let now = link.now();
    link.bench_mut()
        .programmer_mut()
        .unwrap()
        .chip_mut()
        .set_connected(now, false);
    assert_eq!(
        ask(&mut link, &spi_op(&[0x9F], 3), 4),
        [ACK, 0xFF, 0xFF, 0xFF]
    );
}

#[test]
fn more_than_a_uart_can_hold_is_lost_and_held_against_the_host() {
    // The clock of 125 kHz takes 64 us a byte, the wire at 1 Mbaud brings one every 10.
    let stream = spi_op(&[0x77; 256], 0).repeat(4);
    let mut link = open("uno+w25q64jv,baud=1000000");
    link.pause(BOOT).unwrap();
    set_clock(&mut link, 125_000);
    link.send(&stream).unwrap();
    link.pause(PATIENCE).unwrap();
    assert!(complaints(&link).contains(&ComplaintKind::Overrun));
    // At the speed it is made for nothing is.
    let mut link = open("uno+w25q64jv,baud=1000000");
    link.pause(BOOT).unwrap();
    assert_eq!(ask(&mut link, &stream, 4), [ACK; 4]);
    assert_eq!(complaints(&link), []);
}

#[test]
fn what_a_chip_holds_against_its_host_is_told_by_the_bench() {
    let mut link = open("serprog+w25q64jv");
    ask(&mut link, &spi_op(&[0x06, 0x00], 0), 1);
    assert_eq!(complaints(&link), [ComplaintKind::Malformed]);
    let text = link.bench().complaints()[0].to_string();
    assert!(
        text.ends_with("06h: went on for 2 bytes, 1 is the limit"),
        "{text}"
    );
}

#[test]
fn content_and_status_registers_last_between_runs() {
    let folder = std::env::temp_dir().join(format!("flashwire-nor-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let image = folder.join("chip.bin");
    let spec = format!("serprog+w25q80bl,image={}", image.display());
    let mut link = open(&spec);
    for command in [
        vec![0x06],
        vec![0x02, 0, 0, 0, 1, 2, 3],
        vec![0x06],
        vec![0x01, 0x04, 0x02],
    ] {
        assert_eq!(ask(&mut link, &spi_op(&command, 0), 1), [ACK]);
        link.pause(Duration::from_millis(20)).unwrap();
    }
    // An erase that the host does not wait for ends while the bench is closed.
    link.send(&[spi_op(&[0x06], 0), spi_op(&[0x20, 0, 0x10, 0], 0)].concat())
        .unwrap();
    link.close().unwrap();
    let content = std::fs::read(&image).unwrap();
    assert_eq!(content.len(), 1 << 20);
    assert_eq!(content[..4], [1, 2, 3, 0xFF]);
    let mut link = open(&spec);
    assert_eq!(ask(&mut link, &spi_op(&[0x05], 1), 2), [ACK, 0x04]);
    assert_eq!(ask(&mut link, &spi_op(&[0x35], 1), 2), [ACK, 0x02]);
    drop(link);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn one_command_a_packet_means_no_more_than_that() {
    let mut link = open("picoprog+w25q64jv");
    // Four in one write, one answer.
    link.send(&[0x10; 4]).unwrap();
    assert_eq!(take(&mut link, 2), SYNC_ANSWER);
    assert!(is_silent(&mut link));
    // Parameters in the packet of their opcode are dropped: it waits for them.
    link.send(&[0x12, 0x08]).unwrap();
    assert!(is_silent(&mut link));
    assert_eq!(ask(&mut link, &[0x08], 1), [ACK]);
    // And only SPI alone is a bus that it knows.
    link.send(&[0x12]).unwrap();
    assert_eq!(ask(&mut link, &[0x0F], 1), [NAK]);
}

#[test]
fn hydrafw_leaves_nop_and_unknown_commands_unanswered_and_does_not_drain() {
    let mut link = open("hydrafw+w25q64jv");
    link.send(&[0x00, 0x15, 0x80]).unwrap();
    assert!(is_silent(&mut link));
    assert_eq!(ask(&mut link, &[0x10], 2), SYNC_ANSWER);
    // The data of what it refused is taken for commands: here for SYNCNOPs.
    let answer = ask(&mut link, &spi_op(&[0x10; 4097], 0), 1 + 2 * 4097);
    assert_eq!(answer[..5], [NAK, NAK, ACK, NAK, ACK]);
    assert_eq!(answer.len(), 1 + 2 * 4097);
}

#[test]
fn a_buffer_of_256_bytes_is_overrun_by_flashroms_pages() {
    let mut link = open("opensensor-pico+w25q64jv");
    assert_eq!(ask(&mut link, &[0x08], 4), [ACK, 0, 1, 0]);
    assert_eq!(ask(&mut link, &spi_op(&[0x02; 256], 0), 1), [ACK]);
    assert_eq!(complaints(&link), []);
    link.send(&spi_op(&[0x02; 260], 0)).unwrap();
    assert!(is_silent(&mut link));
    assert_eq!(complaints(&link), [ComplaintKind::Limit]);
    link.send(&[0x10]).unwrap();
    assert!(is_silent(&mut link), "it is dead");
    let now = link.now();
    link.bench_mut().programmer_mut().unwrap().power_cycle(now);
    assert_eq!(ask(&mut link, &[0x10], 2), SYNC_ANSWER);
}

#[test]
fn delays_of_an_operation_buffer_run_on_the_device() {
    let mut link = open("frser-duino+w25q64jv");
    let delay = Request::ODelay { delay_us: 20_000 }.encode();
    assert_eq!(ask(&mut link, &[0x0B], 1), [ACK]);
    assert_eq!(ask(&mut link, delay.as_bytes(), 1), [ACK]);
    let start = link.now();
    assert_eq!(ask(&mut link, &[0x0F], 1), [ACK]);
    let took = link.now() - start;
    assert!(
        took >= Duration::from_millis(20) && took < Duration::from_millis(21),
        "{took:?}"
    );
}

#[test]
fn every_run_repeats_to_the_bit() {
    let run = || {
        let mut link = open("serprog+w25q64jv,chip-times=spread,seed=9,latency-us=125");
        let mut times = Vec::new();
        for page in 0..50u8 {
            let pp = [&[0x02, 0, page, 0], [page; 256].as_slice()].concat();
            link.send(&[spi_op(&[0x06], 0), spi_op(&pp, 0)].concat())
                .unwrap();
            assert_eq!(take(&mut link, 2), [ACK, ACK]);
            while ask(&mut link, &spi_op(&[0x05], 1), 2)[1] & 1 != 0 {}
            times.push(link.now());
        }
        times
    };
    assert_eq!(run(), run());
}
