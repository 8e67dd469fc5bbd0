//! `flashwire spi-flash-programmer`: every command of the original's command line, on the sketch of
//! each edition, on our programmer, and where the original goes wrong.

use flashwire_tests::bench::noise;
use flashwire_tests::desk::{Desk, Ended};

const MIB: usize = 1 << 20;
const DONE: &str = "Done\n";
const CONNECTED: &str = "Connected to 'SPI Flash programmer v1.0'\n";

/// A chip of 1 MiB in a file, at one programmer or another.
struct Bench {
    desk: Desk,
    port: String,
}

impl Bench {
    fn open(programmer: &str, content: &[u8]) -> Self {
        let desk = Desk::new();
        let mut image = vec![0xFF; MIB];
        image[..content.len()].copy_from_slice(content);
        desk.put("chip.bin", image);
        let (programmer, keys) = programmer.split_once(',').unwrap_or((programmer, ""));
        Self {
            desk,
            port: format!("sim:{programmer}+w25q80bl,image=chip.bin,{keys}"),
        }
    }

    /// Runs the face with these words, separated by blanks.
    #[track_caller]
    fn run(&self, words: &str) -> Ended {
        let words = words.split_whitespace();
        let all: Vec<&str> = ["spi-flash-programmer", "-d", &self.port]
            .into_iter()
            .chain(words)
            .collect();
        self.desk.run(&all)
    }

    /// What it prints when it ends with 0.
    #[track_caller]
    fn says(&self, words: &str) -> String {
        let ended = self.run(words);
        ended.done();
        String::from_utf8(ended.out).unwrap()
    }

    fn chip(&self) -> Vec<u8> {
        self.desk.content("chip.bin")
    }
}

fn out(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.out).into_owned()
}

const PROGRAMMERS: [&str; 4] = [
    "nfd-sketch",
    "nfd-sketch,sketch=2019",
    "nfd-sketch,sketch=2018",
    "uno",
];

#[test]
fn a_part_is_read_written_compared_and_erased() {
    let (old, new) = (noise(0x8000, 1), noise(0x3000, 2));
    for programmer in PROGRAMMERS {
        let bench = Bench::open(programmer, &old);
        bench.desk.put("new.bin", &new);
        let said = bench.says("-l 0x700 -f read.bin --flash-offset 0x1100 read");
        assert_eq!(said, [CONNECTED, DONE].concat(), "{programmer}");
        assert!(bench.desk.content("read.bin") == old[0x1100..0x1800]);

        let said = bench.says("-l 8192 -f new.bin --flash-offset 8192 --file-offset 4096 write");
        assert_eq!(said, [CONNECTED, DONE].concat(), "{programmer}");
        let said = bench.says("erase -l 4096 --flash-offset 0x4000");
        assert_eq!(said, [CONNECTED, DONE].concat(), "{programmer}");
        let mut expected = old.clone();
        expected[0x2000..0x4000].copy_from_slice(&new[0x1000..]);
        expected[0x4000..0x5000].fill(0xFF);
        assert!(bench.chip()[..0x8000] == expected, "{programmer}");

        let job = "-f new.bin --flash-offset 0x2000 --file-offset 0x1000 -l 512 verify";
        let pages = "Page 0x00000020 OK\nPage 0x00000021 OK\n";
        assert_eq!(bench.says(job), [CONNECTED, pages, DONE].concat());
    }
}

#[test]
fn each_page_that_differs_is_named_and_the_exit_code_tells() {
    for programmer in PROGRAMMERS {
        let mut content = noise(0x800, 1);
        let bench = Bench::open(programmer, &content);
        content[0x2FF] ^= 1;
        content[0x700] ^= 0x80;
        bench.desk.put("new.bin", &content);
        let ended = bench.run("-f new.bin -l -1 verify");
        ended.with(3, "2 of 8 pages are not what the file holds");
        let page = |page| {
            let how = if [2, 7].contains(&page) {
                "invalid"
            } else {
                "OK"
            };
            format!("Page {page:#010x} {how}\n")
        };
        let pages: String = (0..8).map(page).collect();
        assert_eq!(out(&ended), [CONNECTED, &pages].concat(), "{programmer}");
    }
}

#[test]
fn minus_one_is_the_whole_file_or_the_rest_of_the_chip() {
    let old = noise(MIB, 1);
    let bench = Bench::open("nfd-sketch", &old);
    bench.desk.put("new.bin", noise(0x2000, 2));
    bench.says("-f new.bin -l -1 --file-offset 0x1000 write");
    assert!(bench.chip()[..0x1000] == noise(0x2000, 2)[0x1000..]);
    bench.says("-f tail.bin -l -1 --flash-offset 0xFF000 read");
    assert!(bench.desk.content("tail.bin") == old[0xF_F000..]);
    bench.says("-l -1 --flash-offset 0x80000 erase");
    assert!(bench.chip()[0x8_0000..].iter().all(|&byte| byte == 0xFF));
    assert!(bench.chip()[0x1000..0x8_0000] == old[0x1000..0x8_0000]);
    // How large the chip is nobody knows.
    let bench = Bench::open("nfd-sketch,sketch=2018", &old);
    let ended = bench.run("-l -1 erase");
    ended.with(2, "it is not known what the chip is, and so how large");
    assert!(bench.chip() == old);
}

/// The original masks the wrong bits, and writes at 0.
#[test]
fn padding_fills_the_sectors_and_keeps_the_offset() {
    let old = noise(0x8000, 1);
    for programmer in PROGRAMMERS {
        let bench = Bench::open(programmer, &old);
        bench.desk.put("new.bin", b"0123456789");
        bench.says("-f new.bin -l 6 --file-offset 2 --flash-offset 0x3FFE --pad 0xA5 write");
        let mut expected = old.clone();
        expected[0x3000..0x5000].fill(0xA5);
        expected[0x3FFE..0x4004].copy_from_slice(b"234567");
        assert!(bench.chip()[..0x8000] == expected, "{programmer}");
        bench.says("-f new.bin -l -1 --flash-offset 0x1000 --pad 0 write");
        expected[0x1000..0x2000].fill(0);
        expected[0x1000..0x100A].copy_from_slice(b"0123456789");
        assert!(bench.chip()[..0x8000] == expected, "{programmer}");
    }
}

#[test]
fn registers_are_shown_as_the_original_shows_them() {
    for programmer in ["nfd-sketch", "uno"] {
        let bench = Bench::open(programmer, &[]);
        let id = "00000000: EF 40 14     \n";
        assert_eq!(bench.says("id-register"), [CONNECTED, id].concat());
        let status = bench.says("status-register");
        assert!(
            status.starts_with(&[CONNECTED, "00000000: 00 00 "].concat()),
            "{status}"
        );
    }
    let bench = Bench::open("nfd-sketch,sketch=2018", &[]);
    let ended = bench.run("id-register");
    ended.with(1, "the programmer's firmware is too old");
    assert!(bench.says("status-register").contains("00000000: 00"));
}

#[test]
fn protection_is_set_seen_and_lifted() {
    let free = "Configuration is unprotected\nFlash content is unprotected\nDone\n";
    let protected = "Configuration is unprotected\nFlash content is fully protected\nDone\n";
    for programmer in PROGRAMMERS {
        let bench = Bench::open(programmer, &noise(0x1000, 1));
        bench.desk.put("new.bin", noise(0x1000, 2));
        assert_eq!(bench.says("check-protection"), [CONNECTED, free].concat());
        assert_eq!(bench.says("enable-protection"), [CONNECTED, DONE].concat());
        let said = bench.says("check-protection");
        assert_eq!(said, [CONNECTED, protected].concat(), "{programmer}");
        for words in ["-f new.bin -l -1 write", "-l 4096 erase"] {
            let ended = bench.run(words);
            ended.with(4, "disable-protection lifts it");
            assert!(!out(&ended).contains(DONE), "{}", out(&ended));
        }
        assert!(bench.chip()[..0x1000] == noise(0x1000, 1), "{programmer}");
        assert_eq!(bench.says("disable-protection"), [CONNECTED, DONE].concat());
        bench.says("-f new.bin -l -1 write");
        assert!(bench.chip()[..0x1000] == noise(0x1000, 2), "{programmer}");
    }
}

/// The original ends with a NameError.
#[test]
fn a_locked_register_is_shown() {
    let bench = Bench::open("nfd-sketch", &[]);
    bench.says("enable-protection");
    // The bench keeps status registers as text.
    let state = String::from_utf8(bench.desk.content("chip.bin.state")).unwrap();
    let locked = state.replace("status: 1c 00", "status: 1c 01");
    assert_ne!(state, locked, "{state}");
    bench.desk.put("chip.bin.state", locked);
    let said = bench.says("check-protection");
    assert!(
        said.contains("Configuration is fully protected\n"),
        "{said}"
    );
}

#[test]
fn pins_are_set_and_io_is_the_chip_select_of_other_commands() {
    for programmer in ["nfd-sketch", "uno"] {
        let bench = Bench::open(programmer, &[]);
        assert_eq!(bench.says("set-cs-io --io 10"), CONNECTED);
        bench.says("set-output --io 7 --value 1");
        bench.says("set-output --io 0x07");
        let bench = Bench::open(&format!("{programmer},select-pin=9"), &[]);
        // The programmer did what it was told, whatever is at that pin.
        bench.says("set-cs-io --io 8");
        bench.run("id-register").with(5, "error[chip-all-ones]");
        assert!(bench.says("id-register --io 9").contains("EF 40 14"));
    }
    let bench = Bench::open("nfd-sketch,sketch=2018", &[]);
    let ended = bench.run("set-cs-io --io 10");
    ended.with(1, "the programmer's firmware is too old");
    let bench = Bench::open("nfd-sketch", &[]);
    bench.run("set-output").with(2, "required: --io");
}

#[test]
fn nothing_is_done_that_is_not() {
    for programmer in PROGRAMMERS {
        let bench = Bench::open(&format!("{programmer},socket=empty"), &[]);
        bench.desk.put("new.bin", noise(0x1000, 1));
        for words in [
            "-l 4096 -f out.bin read",
            "-l 4096 -f new.bin write",
            "-l 4096 -f new.bin verify",
            "-l 4096 erase",
            "disable-protection",
            "status-register",
        ] {
            let ended = bench.run(words);
            ended.with(5, "error[chip-all-ones]");
            assert!(!out(&ended).contains(DONE), "{words}: {}", out(&ended));
        }
        assert!(!bench.desk.file("out.bin").exists(), "{programmer}");
    }
}

#[test]
fn what_is_wrong_is_said_before_the_port_is_opened() {
    let bench = Bench::open("nfd-sketch", &noise(0x1000, 1));
    bench.desk.put("new.bin", noise(100, 2));
    for (words, code, said) in [
        (
            "-f new.bin write",
            2,
            "File is not large enough to read 4194304 bytes",
        ),
        ("-f new.bin -l 4096 verify", 2, "File is not large enough"),
        (
            "-f new.bin -l -1 --file-offset 101 write",
            2,
            "File is not large enough",
        ),
        (
            "-f new.bin -l -1 write",
            2,
            "file size must be a multiple of the sector size 4096, use --pad",
        ),
        ("-f none.bin -l -1 write", 7, "there is no file none.bin"),
        (
            "-l 100 read",
            2,
            "length must be a multiple of the page size 256",
        ),
        ("--pad 300 write", 2, "pad must be in range"),
        ("-s 4096 write", 2, "invalid choice: '4096'"),
    ] {
        let ended = bench.run(words);
        ended.with(code, said);
        assert_eq!(out(&ended), "", "{words}");
    }
    // Four megabytes are more than this chip has; the file that was there stays.
    bench.desk.put("flash.bin", "old");
    let ended = bench.run("read");
    ended.with(4, "-l -1 ends at the end of the chip");
    assert_eq!(bench.desk.content("flash.bin"), b"old");
}

#[test]
fn a_port_that_is_none_and_a_board_that_is_silent_are_errors() {
    let desk = Desk::new();
    let run = |port: &str| desk.run(&["spi-flash-programmer", "-d", port, "id-register"]);
    run("/dev/no-such-port").with(6, "there is no port /dev/no-such-port");
    run("sim:uno+w25q80bl,boot-ms=60000").with(5, "error[nfd-no-answer]");
    // Any other port of flashwire will do.
    let ended = run("serprog:sim:uno+w25q80bl");
    ended.done();
    assert!(out(&ended).ends_with("EF 40 14     \n"), "{}", out(&ended));
}

#[test]
fn ports_are_listed_as_the_original_lists_them() {
    let desk = Desk::new();
    let ended = desk.run(&["spi-flash-programmer", "ports"]);
    ended.done();
    let said = out(&ended);
    let (first, rest) = said.split_once('\n').unwrap();
    assert_eq!(first, "Available COM ports:");
    let mut lines: Vec<&str> = rest.lines().collect();
    assert_eq!(lines.pop(), Some("Done"));
    for (number, line) in (1..).zip(lines) {
        assert!(line.starts_with(&format!("{number}: ")), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn it_goes_by_the_names_of_the_original() {
    let desk = Desk::new();
    for name in ["spi_flash_programmer_client.py", "spi-flash-programmer"] {
        let link = desk.file(name);
        std::os::unix::fs::symlink(flashwire_tests::built::flashwire(), &link).unwrap();
        let ended = flashwire_tests::desk::run(desk.program(&link).arg("-h"));
        ended.done();
        assert!(out(&ended).starts_with("usage: spi-flash-programmer [options] COMMAND"));
    }
}

/// Each byte of a job is lost, on the way out or on the way in: what is reported as done is done.
#[test]
fn what_is_reported_as_written_is_there_whatever_the_line_loses() {
    for programmer in ["nfd-sketch", "uno"] {
        let new = noise(0x1000, 2);
        for fault in (0..9600).step_by(397) {
            let keys = format!("{programmer},faults=drop@{fault}");
            let bench = Bench::open(&keys, &noise(0x1000, 1));
            bench.desk.put("new.bin", &new);
            let ended = bench.run("-f new.bin -l -1 write");
            let is_there = bench.chip()[..0x1000] == new;
            let says_so = ended.code == Some(0);
            assert_eq!(says_so, out(&ended).ends_with(DONE), "{fault}");
            assert!(
                is_there || !says_so,
                "{programmer}, byte {fault}: {}",
                ended.err
            );
        }
    }
}
