//! The programmers on an Arduino Uno, ours and nfd's sketch, at the end of their wires in virtual
//! time.

use std::time::Duration;

use flashwire_link::{Line, LineChange, Link};
use flashwire_protocol::nfd::Request;
use flashwire_protocol::serprog::SYNC_ANSWER;
use flashwire_sim::{Complaint, ComplaintKind, SimLink, benches, method_of};

const HELLO: &str = ">SPI Flash programmer v1.0\r\n>";

/// Longer than the boot loader waits and the line has to be silent.
const BOOT: Duration = Duration::from_millis(1020);

/// Longest that any answer here may take.
const PATIENCE: Duration = Duration::from_secs(100);

/// An opened port behind which the firmware runs.
fn open(spec: &str) -> SimLink {
    let mut link = SimLink::open(spec).unwrap();
    link.pause(BOOT).unwrap();
    link
}

/// Sends in one go and takes so many bytes.
fn ask(link: &mut SimLink, sent: &[u8], count: usize) -> String {
    link.send(sent).unwrap();
    take(link, count)
}

fn take(link: &mut SimLink, count: usize) -> String {
    let mut answer = vec![0; count];
    let deadline = link.deadline(PATIENCE);
    let got = link.recv_all(&mut answer, deadline).unwrap();
    String::from_utf8_lossy(&answer[..got]).into_owned()
}

/// Sends, and takes what comes within a tenth of a second after the last byte.
fn say(link: &mut SimLink, sent: &[u8]) -> String {
    link.send(sent).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 64];
    loop {
        let deadline = link.deadline(Duration::from_millis(100));
        let count = link.recv(&mut buffer, deadline).unwrap();
        answer.extend(&buffer[..count]);
        if count == 0 {
            return String::from_utf8_lossy(&answer).into_owned();
        }
    }
}

fn pulse_dtr(link: &mut SimLink) {
    for on in [false, true] {
        let line = Line::Dtr;
        link.lines(&[LineChange { line, on }]).unwrap();
    }
}

fn time(link: &mut SimLink, job: impl FnOnce(&mut SimLink)) -> Duration {
    let start = link.now();
    job(link);
    link.now() - start
}

fn kinds(link: &SimLink) -> Vec<ComplaintKind> {
    let complaints = link.bench().complaints();
    complaints.iter().map(|complaint| complaint.kind).collect()
}

fn fill(page: &[u8; 256]) -> Vec<u8> {
    Request::fill(page).to_vec()
}

#[test]
fn benches_know_their_method() {
    assert_eq!(method_of("nfd-sketch+w25q80bv,sketch=2018"), Some("nfd"));
    assert_eq!(method_of("uno+w25q80bv"), Some("serprog"));
    let sketch = benches()
        .into_iter()
        .find(|bench| bench.name == "nfd-sketch+w25q80bv")
        .unwrap();
    assert_eq!(sketch.method, "nfd");
}

#[test]
fn opening_the_port_resets_the_board_into_its_boot_loader() {
    for bench in ["uno+w25q80bv", "nfd-sketch+w25q80bv"] {
        let mut link = SimLink::open(bench).unwrap();
        assert_eq!(say(&mut link, b">"), "", "{bench}: the boot loader has it");
        link.pause(BOOT).unwrap();
        assert_eq!(say(&mut link, b">"), HELLO, "{bench}");
        pulse_dtr(&mut link);
        assert_eq!(say(&mut link, b">"), "", "{bench}: again");
        link.pause(BOOT).unwrap();
        assert_eq!(say(&mut link, b">"), HELLO, "{bench}");
    }
    let mut link = SimLink::open("nfd-sketch+w25q80bv,boot-ms=0").unwrap();
    assert_eq!(say(&mut link, b">"), HELLO);
    assert_eq!(link.bench().complaints(), []);
}

#[test]
fn a_reset_in_the_middle_forgets_command_and_buffer_and_leaves_the_chip_at_it() {
    for bench in ["uno+w25q80bv", "nfd-sketch+w25q80bv"] {
        let mut link = open(bench);
        link.bench_mut()
            .programmer_mut()
            .unwrap()
            .chip_mut()
            .memory_mut()[..4096]
            .fill(0);
        say(&mut link, b">");
        link.send(b"k00000000").unwrap();
        link.pause(Duration::from_millis(20)).unwrap();
        pulse_dtr(&mut link);
        link.pause(BOOT).unwrap();
        assert_eq!(say(&mut link, b"h"), "h08A89683\r\n", "{bench}");
        assert!(
            link.bench().flash()[..4096]
                .iter()
                .all(|&cell| cell == 0xFF)
        );
        say(&mut link, b"k0000");
        pulse_dtr(&mut link);
        link.pause(BOOT).unwrap();
        assert_eq!(say(&mut link, b"0001>"), HELLO, "{bench}");
        assert_eq!(link.bench().complaints(), [], "{bench}");
    }
}

#[test]
fn a_reset_during_the_wait_before_an_erase_erases_nothing() {
    let mut link = open("nfd-sketch+w25q80bv");
    link.bench_mut()
        .programmer_mut()
        .unwrap()
        .chip_mut()
        .memory_mut()
        .fill(0);
    link.send(b"k00000000").unwrap();
    // The command has come after 0.8 ms; the instruction follows 10 ms later.
    link.pause(Duration::from_millis(5)).unwrap();
    pulse_dtr(&mut link);
    link.pause(BOOT).unwrap();
    assert!(link.bench().flash().iter().all(|&cell| cell == 0));
}

#[test]
fn the_first_command_decides_what_our_board_speaks() {
    let mut link = open("uno+w25q80bv");
    assert_eq!(say(&mut link, b"\n>"), HELLO);
    assert_eq!(say(&mut link, &[0x10, 0x00]), "");
    pulse_dtr(&mut link);
    link.pause(BOOT).unwrap();
    link.send(&[0x10]).unwrap();
    let mut answer = [0; 2];
    let deadline = link.deadline(PATIENCE);
    link.recv_all(&mut answer, deadline).unwrap();
    assert_eq!(answer, SYNC_ANSWER);
    assert_eq!(say(&mut link, b">n"), "\u{15}\u{15}");
    assert_eq!(link.bench().complaints(), []);
}

#[test]
fn both_boards_give_the_same_answers() {
    let full = fill(&std::array::from_fn(|index| index as u8));
    let full_upper = full.to_ascii_uppercase();
    let full_upper = [b"s", &full_upper[1..]].concat();
    let job: [&[u8]; 22] = [
        b"\r\n 0123456789abcdefABCDEFRWKL",
        b">",
        b"h",
        b"r00000000l",
        &full,
        b"w0000002A",
        b"r0000002a",
        b"k00000000",
        b"iyx",
        b"k0000g000",
        b"s0102\n",
        b"l",
        &full_upper,
        b"K00000000R00000000",
        b"r0000>>",
        b"k00\r\n",
        b"r0000000",
        b"0l",
        b"s0g\xFF\x00",
        b"h\r\nh\n",
        b"p",
        b"u",
    ];
    let mut ours = open("uno+w25q80bv");
    let mut sketch = open("nfd-sketch+w25q80bv");
    for command in job {
        let expected = say(&mut sketch, command);
        let got = say(&mut ours, command);
        assert_eq!(got, expected, "{}", command.escape_ascii());
    }
    assert!(ours.bench().flash() == sketch.bench().flash());
    assert_eq!(kinds(&ours), []);
    assert_eq!(kinds(&sketch), []);
}

#[test]
fn the_sketch_of_2018_is_silent_where_it_knows_nothing() {
    let mut link = open("nfd-sketch+w25q80bv,sketch=2018");
    assert_eq!(say(&mut link, b"i*09o0A11"), "");
    assert_eq!(say(&mut link, b">"), HELLO);
    let mut link = open("nfd-sketch+w25q80bv,sketch=2019");
    assert_eq!(say(&mut link, b"i*0Ao0811o0700"), "i03EF4014*oo");
    let pins: Vec<_> = link
        .bench()
        .programmer()
        .unwrap()
        .board()
        .driven_pins()
        .iter()
        .map(|(&pin, &level)| (pin, level))
        .collect();
    assert_eq!(pins, [(7, None), (8, Some(true))]);
}

#[test]
fn a_chip_at_another_pin_is_found_when_that_is_chosen_until_the_next_reset() {
    for bench in ["uno+w25q80bv", "nfd-sketch+w25q80bv"] {
        let mut link = open(&format!("{bench},select-pin=7"));
        assert_eq!(say(&mut link, b"i*07i"), "i03FFFFFF*i03EF4014", "{bench}");
        pulse_dtr(&mut link);
        link.pause(BOOT).unwrap();
        assert_eq!(say(&mut link, b"i"), "i03FFFFFF", "{bench}");
    }
}

#[test]
fn the_sketch_hangs_without_a_chip_until_the_board_is_reset() {
    for command in [&b"w00000000"[..], b"k00000000", b"n", b"p", b"u"] {
        let mut link = open("nfd-sketch+w25q80bv,socket=empty");
        // `p` and `u` answer before they work.
        let first = if command.len() == 1 && command != b"n" {
            String::from_utf8_lossy(command).into_owned()
        } else {
            String::new()
        };
        assert_eq!(say(&mut link, command), first);
        link.pause(Duration::from_secs(1000)).unwrap();
        assert_eq!(say(&mut link, b"\n>"), "");
        assert_eq!(kinds(&link), []);
        link.send(&[b'>'; 80]).unwrap();
        link.pause(Duration::from_millis(100)).unwrap();
        assert!(kinds(&link).contains(&ComplaintKind::Overrun));
        pulse_dtr(&mut link);
        link.pause(BOOT).unwrap();
        assert_eq!(say(&mut link, b">"), HELLO);
    }
}

#[test]
fn without_a_chip_ours_says_so() {
    let mut link = open("uno+w25q80bv,socket=empty");
    assert_eq!(ask(&mut link, b"i", 9), "i03FFFFFF");
    let took = time(&mut link, |link| {
        assert_eq!(ask(link, b"k00000000", 1), "!");
    });
    // The original client gives up after three seconds.
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(say(&mut link, b">"), HELLO);
}

#[test]
fn what_comes_while_the_sketch_works_has_room_for_63_bytes() {
    for (ahead, lost) in [(62, 0), (80, 17)] {
        let mut link = open("nfd-sketch+w25q80bv");
        link.send(b"k00000000").unwrap();
        // Bytes that are no commands, then one that is, last of those that fit.
        let mut bytes = vec![b'\n'; ahead];
        bytes.insert(62, b'>');
        link.send(&bytes).unwrap();
        assert_eq!(say(&mut link, b""), format!("k{HELLO}"), "{ahead}");
        assert_eq!(
            kinds(&link),
            vec![ComplaintKind::Overrun; bytes.len() - 63],
            "{ahead}"
        );
        assert_eq!(bytes.len() - 63, if lost == 0 { 0 } else { lost + 1 });
    }
}

#[test]
fn nothing_is_heard_while_a_dump_goes_out_but_for_the_last_63_bytes() {
    let mut link = open("nfd-sketch+w25q80bv");
    link.send(&[b"l".as_slice(), &[b'\n'; 80]].concat())
        .unwrap();
    assert_eq!(take(&mut link, 515).len(), 515);
    assert_eq!(kinds(&link), vec![ComplaintKind::Overrun; 80 - 63]);
    // The last bytes of the dump go out while the next command is worked on.
    let mut link = open("nfd-sketch+w25q80bv");
    let both = time(&mut link, |link| {
        assert_eq!(ask(link, b"lr00000000", 524).len(), 524);
    });
    let dump = time(&mut link, |link| {
        assert_eq!(ask(link, b"l", 515).len(), 515)
    });
    // Nine characters more; the 2.5 ms of the command take no time of the line.
    let more = both - dump;
    assert!(more < Duration::from_micros(900), "{more:?}");
}

#[test]
fn numbers_wrap_in_the_sketch_and_the_bench_tells() {
    let mut link = open("nfd-sketch+w25q80bv");
    let chip = link.bench_mut().programmer_mut().unwrap().chip_mut();
    chip.memory_mut()[..4096].fill(0x5A);
    let page_0 = say(&mut link, b"r00000000");
    assert_eq!(say(&mut link, b"r00010000"), page_0);
    assert_eq!(say(&mut link, b"k00001000"), "k");
    assert_eq!(link.bench().flash()[0], 0xFF);
    let details: Vec<&str> = link
        .bench()
        .complaints()
        .iter()
        .map(|complaint: &Complaint| complaint.detail.as_str())
        .collect();
    assert_eq!(
        details,
        [
            "page 0x00010000 is taken for page 0x0",
            "sector 0x00001000 is taken for sector 0x0"
        ]
    );
}

#[test]
fn the_sketch_says_done_to_a_protected_chip() {
    let mut link = open("nfd-sketch+w25q64jv");
    let chip = link.bench_mut().programmer_mut().unwrap().chip_mut();
    chip.memory_mut().fill(0);
    chip.set_register(0, 0x1C);
    assert_eq!(say(&mut link, b"xk00000000w00000000"), "x0002kw");
    assert!(link.bench().flash().iter().all(|&cell| cell == 0));
    assert_eq!(
        kinds(&link),
        [ComplaintKind::Protected, ComplaintKind::Protected]
    );
    assert_eq!(say(&mut link, b"u"), "u");
    assert_eq!(say(&mut link, b"xk00000000"), "x0000k");
    assert_eq!(link.bench().flash()[0], 0xFF);
}

#[test]
fn unprotecting_answers_first_and_the_second_register_is_not_written() {
    let mut link = open("nfd-sketch+w25q64jv");
    let chip = link.bench_mut().programmer_mut().unwrap().chip_mut();
    chip.set_register(0, 0x1C);
    chip.set_register(1, 0x40);
    let answered = time(&mut link, |link| assert_eq!(ask(link, b"u", 1), "u"));
    assert!(answered < Duration::from_millis(1), "{answered:?}");
    let worked = time(&mut link, |link| {
        assert_eq!(ask(link, b"y", 9), "y03004060", "CMP stays");
    });
    assert!(worked > Duration::from_millis(19), "{worked:?}");
}

#[test]
fn pages_and_sectors_take_what_the_sketch_waits_and_the_chip_takes() {
    let mut link = open("nfd-sketch+w25q64jv");
    let program = time(&mut link, |link| {
        assert_eq!(ask(link, b"w00000000", 1), "w");
    });
    // 0.9 ms of characters, 10 ms and 1 ms of waits, 0.7 ms of bus; the chip is ready by then.
    let expected = Duration::from_micros(12_300)..Duration::from_micros(12_700);
    assert!(expected.contains(&program), "{program:?}");
    let erase = time(&mut link, |link| {
        assert_eq!(ask(link, b"k00000001", 1), "k");
    });
    // 0.9 ms, 10 ms, 45 ms of chip.
    let expected = Duration::from_micros(55_700)..Duration::from_micros(56_100);
    assert!(expected.contains(&erase), "{erase:?}");
}

/// KiB a second for a page that takes so long.
fn kib_per_second(page: Duration) -> f64 {
    0.25 / page.as_secs_f64()
}

/// What the original sketch showed in simavr.
#[test]
fn rates_are_those_of_the_original() {
    let mut link = open("nfd-sketch+w25q64jv");
    let pages = 64_u16;
    let checked = time(&mut link, |link| {
        for page in 0..pages {
            let request = Request::read_page(page);
            assert_eq!(ask(link, request.as_bytes(), 9).len(), 9);
        }
    });
    let rate = kib_per_second(checked / pages.into());
    assert!((60.0..64.0).contains(&rate), "62 KiB/s of CRCs: {rate:.1}");

    // Four reads ahead, so that the sketch never waits.
    let mut asked = 0..pages;
    let mut ask_next = |link: &mut SimLink| {
        if let Some(page) = asked.next() {
            let request = [Request::read_page(page).as_bytes(), b"l"].concat();
            link.send(&request).unwrap();
        }
    };
    let read = time(&mut link, |link| {
        (0..4).for_each(|_| ask_next(link));
        for _ in 0..pages {
            let answer = take(link, 9 + 515);
            assert!(answer.ends_with("FF\r\n"), "{answer}");
            ask_next(link);
        }
    });
    let rate = kib_per_second(read / pages.into());
    assert!(
        (5.5..5.65).contains(&rate),
        "5.6 KiB/s of hexadecimal: {rate:.2}"
    );

    let written = time(&mut link, |link| {
        for page in 0..pages {
            if page % 16 == 0 {
                let request = Request::erase_sector(page / 16).unwrap();
                assert_eq!(ask(link, request.as_bytes(), 1), "k");
            }
            let mut job = fill(&[page as u8; 256]);
            job.extend(Request::program_page(page).as_bytes());
            job.extend(Request::read_page(page).as_bytes());
            assert_eq!(ask(link, &job, 19).len(), 19);
        }
    });
    let rate = kib_per_second(written / pages.into());
    assert!((3.6..4.0).contains(&rate), "3.8 KiB/s written: {rate:.2}");
    assert_eq!(link.bench().complaints(), []);
}

#[test]
fn a_chip_erase_is_answered_when_it_is_done() {
    for bench in ["uno+w25q80bv", "nfd-sketch+w25q80bv"] {
        let mut link = open(bench);
        let chip = link.bench_mut().programmer_mut().unwrap().chip_mut();
        chip.memory_mut().fill(0);
        say(&mut link, b">");
        let took = time(&mut link, |link| assert_eq!(ask(link, b"n", 1), "n"));
        assert!(took > Duration::from_secs(1), "{bench}: {took:?}");
        assert!(link.bench().flash().iter().all(|&cell| cell == 0xFF));
    }
}

#[test]
fn faults_and_speeds_are_those_of_every_bench() {
    let mut link = open("nfd-sketch+w25q80bv,faults=drop@1:out");
    assert_eq!(say(&mut link, b"r00000000"), "");
    assert_eq!(say(&mut link, b"\n"), "!");
    assert_eq!(say(&mut link, b">"), HELLO);
    // Built for another speed; the divider of 250000 is exact.
    let mut link = open("nfd-sketch+w25q80bv,baud=250000");
    assert_eq!(say(&mut link, b">"), HELLO);
    assert_eq!(link.bench().complaints(), []);
}
