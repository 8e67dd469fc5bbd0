//! `flashwire firmware`: what is installed through a bootloader runs, and what cannot run is refused
//! before anything is erased.

use std::fs;

use flashwire::{OpenOptions, Session, doctor, firmware};
use flashwire_emulator::chip::Config;
use flashwire_emulator::host::HostConfig;
use flashwire_emulator::{Board, Image};
use flashwire_sim::nor;
use flashwire_tests::bench::noise;
use flashwire_tests::desk::Desk;
use flashwire_tests::programmer::{Build, Programmer};

/// The flash of a Blue Pill, in bytes.
const FLASH_BYTES: usize = 64 * 1024;

/// How much is read from the chip clipped to it, in bytes: many packets.
const READ_BYTES: usize = 4096;

const INSTALL: [&str; 3] = ["firmware", "install", "serprog-stm32f103"];

/// Serprog: ask for the programmer's name, and for nothing where it is understood by no accident.
const Q_PGMNAME: u8 = 0x03;
const SYNCNOP: u8 = 0x10;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;

/// A desk with a board that has something else in its flash, all of it.
fn desk_with_old_board() -> (Desk, Vec<u8>) {
    let desk = Desk::new();
    let old = noise(FLASH_BYTES, 103);
    desk.put("board.bin", &old);
    (desk, old)
}

fn install(desk: &Desk, port: &str, options: &[&str]) -> flashwire_tests::desk::Ended {
    desk.run(&[&INSTALL, &["-p", port][..], options].concat())
}

fn flash_chip() -> nor::Chip {
    let part = nor::find("w25q80bv").expect("a part of the bench");
    let mut chip = nor::Chip::new(part, nor::Options::default());
    let content = noise(READ_BYTES, 25);
    chip.memory_mut()[..READ_BYTES].copy_from_slice(&content);
    chip
}

/// The chip with this in its flash, as it is after a reset.
fn board(flash: &[u8]) -> Board {
    let config = Config {
        flash_bytes: FLASH_BYTES,
        ..Config::default()
    };
    let image = Image::parse_binary(flash, 0x0800_0000).expect("there is something in it");
    Board::new(config, HostConfig::default(), &image).expect("it fits")
}

/// Plugs the board in and uses it: name, synchronisation, and a read from the chip clipped to it that
/// takes many packets.
fn is_a_programmer(board: Board) {
    let mut programmer = Programmer::of(board, flash_chip());
    let name = programmer.exchange(&[Q_PGMNAME], 17).expect("an answer");
    assert_eq!(name, b"\x06flashwire-f103\0\0");
    let in_step = programmer.exchange(&[SYNCNOP], 2).expect("an answer");
    assert_eq!(in_step, [NAK, ACK]);
    let read = programmer.spi(&[0x03, 0, 0, 0], READ_BYTES);
    assert_eq!(read, noise(READ_BYTES, 25));
    assert_eq!(programmer.board.machine.resets(), 1, "resets");
    let complaints = programmer.board.machine.chip().complaints().iter();
    // What is sent is sent without looking at what comes in: an overrun, which the program clears.
    let unexpected = complaints.filter(|complaint| !complaint.text.contains("overrun"));
    let unexpected: Vec<String> = unexpected.map(ToString::to_string).collect();
    assert_eq!(unexpected, [""; 0], "complaints");
}

#[test]
fn what_is_installed_over_other_content_enumerates_and_speaks_serprog() {
    for name in ["serprog-stm32f103", "serprog-stm32f103-single-buffered"] {
        let (desk, old) = desk_with_old_board();
        let port = "sim:stm32f103c8,image=board.bin";
        desk.run(&["firmware", "install", name, "-p", port]).done();
        let flash = desk.content("board.bin");
        let image = firmware::find(name).unwrap().content;
        assert_eq!(flash[..image.len()], *image, "{name}");
        // What shares no page with it is as it was, and what shares one is written back.
        assert_eq!(flash[image.len()..], old[image.len()..], "{name}");
        is_a_programmer(board(&flash));
    }
}

/// As the bootloader's Go starts it: the clock comes from a PLL on the oscillator inside, and the
/// vector table is another's.
#[test]
fn it_runs_however_a_boot_loader_has_left_the_chip() {
    const STUB: u32 = 0x2000_2000;
    const VTOR: u32 = 0xE000_ED08;
    // Writes R6 to FLASH_ACR, R1 to RCC_CFGR and R2 to RCC_CR, waits for PLLRDY (bit 25), writes R3 to
    // RCC_CFGR, and goes to R4. ARMv7-M Architecture Reference Manual, A5.2.
    let stub: [u16; 8] = [
        0x602E, // str  r6, [r5, #0]
        0x6041, // str  r1, [r0, #4]
        0x6002, // str  r2, [r0, #0]
        0x6807, // ldr  r7, [r0, #0]
        0x01BF, // lsls r7, r7, #6
        0xD5FC, // bpl  back to the ldr
        0x6043, // str  r3, [r0, #4]
        0x4720, // bx   r4
    ];
    let image = firmware::find("serprog-stm32f103").unwrap().content;
    let word = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    let (stack, entry) = (word(0), word(4));

    let mut board = board(image);
    let at = (STUB - 0x2000_0000) as usize;
    let code: Vec<u8> = stub.iter().flat_map(|half| half.to_le_bytes()).collect();
    board.machine.chip_mut().sram_mut()[at..at + code.len()].copy_from_slice(&code);
    let cpu = board.machine.cpu_mut();
    assert!(cpu.write_private(VTOR, 0x2000_1000), "VTOR");
    let mut registers = cpu.registers();
    // RM0008 rev 21, sections 7.3.1, 7.3.2 and 3.4.1: half the inner oscillator by 12, APB1 halved, one
    // wait state.
    registers.r[0] = 0x4002_1000;
    registers.r[1] = 0x0028_0400;
    registers.r[2] = 0x0100_0083;
    registers.r[3] = 0x0028_0402;
    registers.r[4] = entry;
    registers.r[5] = 0x4002_2000;
    registers.r[6] = 0x11;
    registers.r[15] = STUB;
    registers.msp = stack;
    cpu.set_registers(&registers);
    is_a_programmer(board);
}

#[test]
fn a_part_that_it_is_not_for_is_left_as_it_is() {
    let desk = Desk::new();
    let old = noise(128 * 1024, 72);
    desk.put("board.bin", &old);
    for options in [&[][..], &["--unprotect", "--yes"], &["--dry-run"]] {
        install(&desk, "sim:stm32f072rb,image=board.bin", options).with(4, "error[firmware-chip]");
        assert_eq!(desk.content("board.bin"), old, "{options:?}");
    }
}

#[test]
fn a_board_that_runs_its_application_is_left_as_it_is_and_the_jumper_named() {
    let (desk, old) = desk_with_old_board();
    let port = "sim:stm32f103c8,image=board.bin,boot0=low";
    let ended = install(&desk, port, &[]);
    ended.with(5, "error[stm32-no-answer]");
    ended.with(5, "BOOT0 jumper to 1");
    assert_eq!(desk.content("board.bin"), old);
}

#[test]
fn a_programmer_that_runs_already_is_not_taken_for_a_bootloader() {
    let desk = Desk::new();
    install(&desk, "sim:serprog+w25q80bv,image=chip.bin", &[]).with(2, "error[firmware-port]");
    assert!(!desk.file("chip.bin").exists(), "the chip was touched");
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let (desk, old) = desk_with_old_board();
    let port = "sim:stm32f103c8,image=board.bin";
    let ended = install(&desk, port, &["--dry-run"]);
    let shown = String::from_utf8(ended.done().out.clone()).unwrap();
    let image = firmware::find(INSTALL[2]).unwrap().content;
    let pages = format!("{} pages", image.len().div_ceil(1024));
    assert!(shown.contains(&pages), "{shown}");
    assert!(!ended.err.contains("\nnow:"), "{}", ended.err);
    assert_eq!(desk.content("board.bin"), old);
}

#[test]
fn a_read_protected_board_is_refused_until_the_user_gives_its_content_up() {
    let (desk, _) = desk_with_old_board();
    let port = "sim:stm32f103c8,image=board.bin";
    desk.run(&["stm32", "protect", "-p", port]).done();
    install(&desk, port, &[]).with(4, "error[read-protected]");
    install(&desk, port, &["--unprotect"]).with(4, "error[no-consent]");
    install(&desk, port, &["--unprotect", "--yes"]).done();
    is_a_programmer(board(&desk.content("board.bin")));
}

#[test]
fn a_backup_of_the_whole_flash_is_what_was_there() {
    let (desk, old) = desk_with_old_board();
    let port = "sim:stm32f103c8,image=board.bin";
    install(&desk, port, &["--backup=old.bin"]).done();
    assert_eq!(desk.content("old.bin"), old);
}

#[test]
fn an_image_is_extracted_in_every_format_as_it_is() {
    let desk = Desk::new();
    for image in &firmware::ALL {
        for file in ["out.bin", "out.hex", "out.srec"] {
            desk.run(&["firmware", "extract", image.name, file]).done();
            let options = flashwire::images::LoadOptions::default();
            let loaded = flashwire::images::load(&desk.file(file), options).unwrap();
            let placed = loaded.place(image.chip.address()).unwrap();
            let extracted = placed.images().unwrap().remove(0);
            let [segment] = extracted.segments() else {
                panic!("{file}: one piece");
            };
            assert_eq!(segment.address, image.chip.address(), "{file}");
            assert_eq!(segment.data, image.content, "{file}");
        }
        let streamed = desk.run(&["firmware", "extract", image.name, "-"]);
        assert_eq!(streamed.done().out, image.content);
        desk.run(&["firmware", "extract", image.name]).done();
        assert!(desk.file(&format!("{}.hex", image.name)).exists());
    }
}

/// Counts how often it is asked, and says no.
#[derive(Default)]
struct Asked(u32);

impl flashwire::Watcher for Asked {
    fn ask_for_bootloader(&mut self, _link: &str) -> bool {
        self.0 += 1;
        false
    }
}

#[test]
fn the_user_is_asked_for_the_jumper_where_nothing_answers_and_only_there() {
    let asked = |bench: &str, ask| {
        let mut options = OpenOptions::new(bench.parse().unwrap());
        options.ask = ask;
        let mut asked = Asked::default();
        let code = Session::open(options, &mut asked).map_err(|error| error.hint().code);
        (asked.0, code.err().unwrap_or("opened"))
    };
    let silent = "sim:stm32f103c8,boot0=low";
    assert_eq!(asked(silent, true), (1, "stm32-no-answer"));
    assert_eq!(asked(silent, false), (0, "stm32-no-answer"));
    // Where something else is heard, pressing buttons helps nobody.
    let looped = "sim:stm32f103c8,cable=loop";
    assert_eq!(asked(looped, true), (0, "stm32-echo"));
    assert_eq!(asked("sim:stm32f103c8", true), (0, "opened"));
}

/// The number of an attribute of an SVG element: `cy="292"`.
fn number(element: &str, attribute: &str) -> u32 {
    let start = element.find(&format!(" {attribute}=\"")).expect(attribute);
    let value = element[start..].split('"').nth(1).expect("a value");
    value.parse().expect("a number")
}

/// Follows each wire of the drawing from the pad that it leaves to the leg that it reaches.
#[test]
fn the_drawing_wires_the_pins_that_the_firmware_uses() {
    let drawing = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/images/programmer-stm32f103-chip.svg"
    );
    let drawing = fs::read_to_string(drawing).unwrap();
    let named = |name: &str| {
        let line = drawing
            .lines()
            .find(|line| line.ends_with(&format!(">{name}</text>")));
        line.unwrap_or_else(|| panic!("{name} is not in the drawing"))
    };
    // The port of the chip selects, SCK, MISO and MOSI: firmware/stm32f103/serprog/src/spi_board.rs.
    for (pad, leg) in [
        ("A4", "1  /CS"),
        ("A6", "2  DO (IO1)"),
        ("A5", "CLK  6"),
        ("A7", "DI (IO0)  5"),
        ("G", "4  GND"),
        ("3.3", "/HOLD (IO3)  7"),
    ] {
        let pads = drawing.lines().filter(|line| {
            let is_right = line.contains("class=\"pad\" cx=\"242\"");
            is_right && line.ends_with(&format!(">{pad}</text>"))
        });
        let from = pads.map(|line| number(line, "cy")).next().expect(pad);
        let leg_at = number(named(leg), "y") + 6;
        let wire = drawing
            .lines()
            .find(|line| line.contains(&format!(" d=\"M242 {from} ")))
            .unwrap_or_else(|| panic!("no wire leaves {pad}"));
        // `M242 292 H390 V470 H803 V416 H784`: the height at which it ends is the last one named.
        let path = wire.split('"').nth(3).expect("a path");
        let last = path.rsplit(' ').find_map(|step| step.strip_prefix('V'));
        let to = last.map_or(from, |height| height.parse().expect("a height"));
        assert_eq!(to, leg_at, "{pad} to {leg}: {path}");
        let on_the_left = leg.starts_with(|c: char| c.is_ascii_digit());
        let end = if on_the_left { " H536" } else { " H784" };
        assert!(path.ends_with(end), "{pad} to {leg}: {path}");
    }
}

/// The udev rules are made of ids that are written down once more; here they meet what the image says.
#[test]
fn the_udev_rules_know_the_programmer_by_what_it_says_of_itself() {
    let build = Build::DoubleBuffered;
    let programmer = Programmer::new(
        build,
        Config::default(),
        HostConfig::default(),
        flash_chip(),
    );
    let descriptors = &programmer.device.descriptors;
    let (vendor, product) = (descriptors.vendor(), descriptors.product());
    let rule =
        format!("ATTRS{{idVendor}}==\"{vendor:04x}\", ATTRS{{idProduct}}==\"{product:04x}\"");
    assert!(doctor::udev_rules().contains(&rule), "{rule}");
    // The page names them for those who write rules of their own.
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/programmer-stm32f103.md"
    );
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains(&format!("{vendor:04x}:{product:04x}")),
        "{page}"
    );
}
