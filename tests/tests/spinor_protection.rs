//! Block protection: seen, lifted, put back.

use std::ops::ControlFlow;

use flashwire_plan::{FlashDevice, Options};
use flashwire_sim::nor::{PARTS, Part};
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::write;

/// Parts that anybody can protect: SST parts come up protected, which is nobody's decision.
fn protectable() -> impl Iterator<Item = &'static Part> {
    let lasting = |part: &&Part| !part.status.is_volatile;
    PARTS
        .iter()
        .filter(lasting)
        .filter(|part| !part.protection.levels.is_empty())
}

/// A bench whose chip protects everything by its lowest three level bits, and has QE set where it
/// has one.
fn protected(part: &Part) -> Bench {
    let bench = Bench::open(&format!("serprog+{}", part.name));
    bench.fill_nor(&noise(0x1000, 1));
    bench.nor_mut().set_register(0, 0x1C);
    if part.status.registers.len() > 1 {
        let writable = part.status.registers[1].writable;
        bench.nor_mut().set_register(1, 0x02 & writable);
    }
    bench
}

#[test]
fn protection_is_seen_lifted_and_put_back_with_everything_else_as_it_was() {
    for part in protectable() {
        let bench = protected(part);
        let before = bench.nor_mut().registers().to_vec();
        let mut chip = bench.nor();
        assert!(chip.protection().unwrap().is_on(), "{}", part.name);
        let saved = chip.unprotect().unwrap().unwrap();
        assert!(!chip.protection().unwrap().is_on(), "{}", part.name);
        let lifted = bench.nor_mut().registers().to_vec();
        assert_eq!(lifted[0] & 0x1C, 0, "{}", part.name);
        assert_eq!(lifted[1..], before[1..], "{}", part.name);
        assert!(chip.unprotect().unwrap().is_none(), "{}", part.name);
        chip.restore_status(saved).unwrap();
        assert_eq!(bench.nor_mut().registers(), before, "{}", part.name);
        assert_eq!(bench.complaints(), [""; 0], "{}", part.name);
    }
}

#[test]
fn a_protected_chip_is_written_after_lifting_and_protected_again_at_the_end() {
    for part in protectable() {
        let bench = protected(part);
        let before = bench.nor_mut().registers().to_vec();
        let mut chip = bench.nor();
        assert!(chip.unprotect_until_closed().unwrap());
        let data = noise(500, 2);
        write(&mut chip, 0x100, &data, &Options::default()).unwrap();
        assert!(bench.flash()[0x100..][..500] == data, "{}", part.name);
        chip.close().unwrap();
        assert_eq!(bench.nor_mut().registers(), before, "{}", part.name);
        assert_eq!(bench.complaints(), [""; 0], "{}", part.name);
    }
}

#[test]
fn protection_comes_back_even_if_the_job_breaks_off_in_the_middle() {
    let bench = protected(protectable().next().unwrap());
    let before = bench.nor_mut().registers().to_vec();
    let mut chip = bench.nor();
    chip.unprotect_until_closed().unwrap();
    let stop = &mut |_| ControlFlow::Break(());
    assert!(chip.program(0x2000, &noise(4096, 2), stop).is_err());
    drop(chip);
    assert_eq!(bench.nor_mut().registers(), before);
    assert!(!bench.programmer().board().outputs());
}

#[test]
fn a_chip_that_is_protected_does_not_change_and_the_verify_says_so() {
    let bench = protected(protectable().next().unwrap());
    let mut chip = bench.nor();
    let before = bench.flash();
    let written = write(&mut chip, 0x100, &noise(500, 2), &Options::default());
    assert!(written.is_err());
    assert!(bench.flash() == before);
}

#[test]
fn everything_can_be_protected_on_request() {
    for part in protectable() {
        let bench = Bench::open(&format!("serprog+{}", part.name));
        let mut chip = bench.nor();
        assert!(!chip.protection().unwrap().is_on(), "{}", part.name);
        chip.protect().unwrap();
        assert!(chip.protection().unwrap().is_on(), "{}", part.name);
        let registers = bench.nor_mut().registers().to_vec();
        let range = part.protection.range(&registers, part.size_bytes);
        assert_eq!(range, 0..part.size_bytes, "{}", part.name);
        assert_eq!(bench.complaints(), [""; 0], "{}", part.name);
    }
}

/// SST25VF parts protect themselves at each power-up; nobody has to ask for that to be lifted.
#[test]
fn a_chip_that_comes_up_protected_is_simply_written() {
    for part in PARTS.iter().filter(|part| part.status.is_volatile) {
        let bench = Bench::open(&format!("serprog+{}", part.name));
        let mut chip = bench.nor();
        let data = noise(40, 2);
        write(&mut chip, 0x100, &data, &Options::default()).unwrap();
        assert!(bench.flash()[0x100..][..40] == data, "{}", part.name);
        assert_eq!(bench.complaints(), [""; 0], "{}", part.name);
    }
}
