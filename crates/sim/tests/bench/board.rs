//! What starts when: boot pin, reset lines, power, and programs in RAM that reset the chip.

use std::time::Duration;

use flashwire_link::{Line, Link};
use flashwire_protocol::stm32::{Command, Frame};
use flashwire_sim::ComplaintKind;
use flashwire_sim::stm32::ChipState;

use crate::host::{ACK, Host};

const FLASH: u32 = 0x0800_0000;
/// The first RAM that an F103's loader does not need.
const RAM: u32 = 0x2000_0200;

/// Stack pointer and reset vector of a program at the start of an F103's flash.
const VECTORS: [u8; 8] = [0x00, 0x50, 0x00, 0x20, 0x41, 0x01, 0x00, 0x08];

fn runs_from_flash(host: &Host) -> bool {
    matches!(host.state(), ChipState::Application(application) if application.vector_table == FLASH)
}

#[test]
fn with_boot0_low_the_program_in_flash_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("board.bin");
    std::fs::write(&image, VECTORS).expect("written");
    let image = image.display();
    let mut host = Host::open(&format!("stm32f103cb,boot0=low,image={image}"));
    assert!(runs_from_flash(&host));
    host.exchange(&[0x7F], &[]);
    let mut host = Host::open(&format!("stm32f103cb,boot0=high,image={image}"));
    host.exchange(&[0x7F], &[ACK]);
}

#[test]
fn with_boot0_low_and_nothing_in_flash_the_chip_crashes() {
    let host = Host::open("stm32f103cb,boot0=low");
    assert_eq!(host.state(), ChipState::Crashed);
    assert_eq!(host.complaints(), [ComplaintKind::Crashed]);
}

#[test]
fn a_virgin_chip_with_empty_check_boots_its_loader_until_power_goes() {
    let mut host = Host::open("stm32g071rb,boot0=low,wiring=dtr=nrst");
    // The port holds the chip in reset when it opens.
    assert_eq!(host.state(), ChipState::Reset);
    host.lines(&[(Line::Dtr, false)]);
    host.synchronise();
    assert_eq!(host.write(FLASH, &VECTORS), ACK);
    // The chip looks at its flash only when power comes on.
    host.lines(&[(Line::Dtr, true)]);
    host.lines(&[(Line::Dtr, false)]);
    host.synchronise();
    let now = host.now();
    host.link
        .bench_mut()
        .chip_mut()
        .expect("a chip")
        .power_on(now);
    assert!(runs_from_flash(&host));
}

#[test]
fn lines_reset_the_chip_into_its_loader_and_into_its_program() {
    let mut host = Host::open("stm32f103cb,wiring=dtr=nrst+rts=boot0");
    // Opening a port asserts both: in reset, BOOT0 low.
    assert_eq!(host.state(), ChipState::Reset);
    host.exchange(&[0x7F], &[]);
    host.lines(&[(Line::Rts, false)]);
    host.lines(&[(Line::Dtr, false)]);
    host.synchronise();
    assert_eq!(host.write(FLASH, &VECTORS), ACK);
    // BOOT0 is looked at when reset ends.
    host.lines(&[(Line::Rts, true)]);
    assert!(matches!(host.state(), ChipState::Loader { .. }));
    host.lines(&[(Line::Dtr, true)]);
    assert_eq!(host.state(), ChipState::Reset);
    host.lines(&[(Line::Dtr, false)]);
    assert!(runs_from_flash(&host));
    host.no_complaints();
}

#[test]
fn an_inverter_turns_a_line_round_and_a_break_can_reset_too() {
    let mut host = Host::open("stm32f103cb,wiring=rts=!nrst+brk=boot0");
    assert_eq!(host.state(), ChipState::LoaderUnsynchronised);
    host.lines(&[(Line::Rts, false)]);
    assert_eq!(host.state(), ChipState::Reset);
    host.lines(&[(Line::Break, true)]);
    host.lines(&[(Line::Rts, true)]);
    assert_eq!(host.state(), ChipState::Crashed);
}

#[test]
fn a_loader_that_has_just_been_reset_does_not_listen_yet() {
    let mut host = Host::open("stm32f407vg,wiring=dtr=nrst");
    host.lines(&[(Line::Dtr, false)]);
    // AN2606: 74 ms.
    host.exchange(&[0x7F], &[]);
    host.synchronise();
    host.no_complaints();
}

#[test]
fn a_reset_in_the_middle_of_an_answer_ends_it() {
    let mut host = Host::open("stm32f103cb,wiring=dtr=nrst");
    host.lines(&[(Line::Dtr, false)]);
    host.synchronise();
    host.command(Command::ReadMemory);
    assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
    host.link.send(&[0xFF, 0x00]).expect("sent");
    // An ACK and a hundred of 256 characters of 95.5 us.
    host.pause(Duration::from_micros(191 + 20 + 96 + 9550));
    host.lines(&[(Line::Dtr, true)]);
    let answer = host.answer(257);
    assert!((100..104).contains(&answer.len()), "{}", answer.len());
    host.lines(&[(Line::Dtr, false)]);
    host.synchronise();
}

#[test]
fn a_reset_in_the_middle_of_an_erase_leaves_the_page_torn() {
    let mut host = Host::open("stm32f103cb,wiring=dtr=nrst");
    host.lines(&[(Line::Dtr, false)]);
    host.synchronise();
    for page in 0..3 {
        assert_eq!(host.write(FLASH + 1024 * page, &[0; 256]), ACK);
    }
    host.command(Command::Erase);
    let pages = Frame::erase(&[0, 1, 2]).expect("pages");
    host.link.send(pages.as_bytes()).expect("sent");
    // Into the second page of 30 ms.
    host.pause(Duration::from_millis(45));
    host.lines(&[(Line::Dtr, true)]);
    let flash = host.link.bench().flash();
    assert!(flash[..256].iter().all(|byte| *byte == 0xFF));
    let torn = &flash[1024..1280];
    assert!(torn.iter().any(|byte| *byte != 0xFF) && torn.iter().any(|byte| *byte != 0));
    assert!(flash[2048..2304].iter().all(|byte| *byte == 0));
}

#[test]
fn a_reset_in_the_middle_of_a_block_leaves_it_half_written() {
    let mut host = Host::open("stm32f103cb,wiring=dtr=nrst");
    host.lines(&[(Line::Dtr, false)]);
    host.synchronise();
    host.command(Command::WriteMemory);
    assert_eq!(host.frame(Frame::word(FLASH).as_bytes()), ACK);
    let block = Frame::data(&[0; 256]).expect("a block");
    host.link.send(block.as_bytes()).expect("sent");
    // 258 characters take 24.6 ms, programming 6.7.
    host.pause(Duration::from_millis(28));
    host.lines(&[(Line::Dtr, true)]);
    let written = host.link.bench().flash()[..256]
        .iter()
        .take_while(|byte| **byte == 0)
        .count();
    assert!((2..256).contains(&written), "{written}");
    assert!(
        host.link.bench().flash()[written..256]
            .iter()
            .all(|byte| *byte == 0xFF)
    );
}

/// A program in RAM: vectors with the stack pointer that stm32flash gives, then code at once.
fn start_in_ram(host: &mut Host, code: &[u16], words: &[u32]) {
    let mut program = 0x2000_2000u32.to_le_bytes().to_vec();
    program.extend((RAM + 9).to_le_bytes());
    program.extend(code.iter().flat_map(|code| code.to_le_bytes()));
    program.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    assert_eq!(host.write(RAM, &program), ACK);
    host.command(Command::Go);
    assert_eq!(host.frame(Frame::word(RAM).as_bytes()), ACK);
}

#[test]
fn a_program_in_ram_that_asks_for_a_system_reset_gets_it() {
    let mut host = Host::synchronised("stm32f103cb");
    // ldr r1, =AIRCR; ldr r2, =key | SYSRESETREQ; str r2, [r1]; b .
    let code = [0x4901, 0x4A02, 0x600A, 0xE7FE];
    start_in_ram(&mut host, &code, &[0xE000_ED0C, 0x05FA_0004]);
    assert_eq!(host.state(), ChipState::LoaderUnsynchronised);
    host.synchronise();
    host.no_complaints();
}

#[test]
fn a_program_in_ram_that_does_not_reset_runs() {
    let mut host = Host::synchronised("stm32f103cb");
    // The same without the key.
    let code = [0x4901, 0x4A02, 0x600A, 0xE7FE];
    start_in_ram(&mut host, &code, &[0xE000_ED0C, 0x0000_0004]);
    assert!(
        matches!(host.state(), ChipState::Application(application) if application.entry == RAM + 8)
    );
    host.exchange(&[0x7F], &[]);
}

#[test]
fn a_program_in_ram_may_compute_before_it_resets() {
    let mut host = Host::synchronised("stm32f103cb");
    let code = [
        0x2005, // movs r0, #5
        0x3801, // subs r0, #1
        0xD1FD, // bne to the subs
        0x4904, // ldr r1, =AIRCR
        0x4A04, // ldr r2, =value without its lowest byte
        0x2304, // movs r3, #4
        0x431A, // orrs r2, r3
        0x600A, // str r2, [r1]
        0xF3BF, 0x8F4F, // dsb
        0xE7FE, // b .
        0xBF00, // nop
    ];
    start_in_ram(&mut host, &code, &[0xE000_ED0C, 0x05FA_0000]);
    assert_eq!(host.state(), ChipState::LoaderUnsynchronised);
}

#[test]
fn launching_the_option_bytes_from_ram_is_like_switching_off() {
    let mut host = Host::synchronised("stm32f072rb");
    // movs r0, #0x20; lsls r0, r0, #8 (OBL_LAUNCH); ldr r1, =FLASH_CR; str r0, [r1]; b .; nop
    let code = [0x2020, 0x0200, 0x4901, 0x6008, 0xE7FE, 0xBF00];
    let mut program = 0x2000_4000u32.to_le_bytes().to_vec();
    program.extend((0x2000_1800u32 + 9).to_le_bytes());
    program.extend(code.iter().flat_map(|code: &u16| code.to_le_bytes()));
    program.extend(0x4002_2010u32.to_le_bytes());
    assert_eq!(host.write(0x2000_1800, &program), ACK);
    host.command(Command::Go);
    assert_eq!(host.frame(Frame::word(0x2000_1800).as_bytes()), ACK);
    assert_eq!(host.state(), ChipState::LoaderUnsynchronised);
    // Power was off and on: it listens at once.
    host.exchange(&[0x7F], &[ACK]);
}
