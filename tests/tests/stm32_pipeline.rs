//! Saying more than one phase at once: how much it saves, and that it is never dangerous.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stm32::{Options, Pipeline, Target};
use flashwire_plan::image::Image;
use flashwire_plan::{FlashDevice, execute, needs, plan, survey};
use flashwire_protocol::stm32::Command;
use flashwire_tests::bench::{Bench, noise};

const START: u64 = 0x0800_0000;

fn nothing(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn with(pipeline: Pipeline) -> Options {
    Options {
        pipeline,
        ..Options::default()
    }
}

/// Writes and verifies an image as the tool does; the simulated time of all of it, from the
/// greeting on.
fn job(bench: &Bench, pipeline: Pipeline, data: &[u8], only_changed: bool) -> Duration {
    let before = bench.now();
    let mut target = bench.target(with(pipeline));
    let image = Image::from_binary(data.to_vec(), Some(START)).unwrap();
    let options = flashwire_plan::Options {
        only_changed,
        ..Default::default()
    };
    let on_event = &mut |_: &_| ControlFlow::Continue(());
    let needs = needs(target.geometry(), &image, &options).unwrap();
    let current = survey(&mut target, &needs, &image, on_event).unwrap();
    let plan = plan(target.geometry(), &image, &current, &options).unwrap();
    execute(&plan, &mut target, on_event).unwrap();
    assert_eq!(bench.flash()[..data.len()], *data);
    assert_eq!(bench.complaints(), [""; 0]);
    assert!(!target.loader_mut().pipeline_fell_back());
    bench.now() - before
}

/// What stm32flash 0.7 does for `-w -v`: every phase waits for its ACK, all pages are erased in one
/// list, every block is read back straight after it is written.
fn peer(spec: &str, len: usize) -> Duration {
    let data = vec![0x55; len];
    let bench = Bench::open(spec);
    let mut loader = bench.loader(with(Pipeline::Off));
    loader.synchronise().unwrap();
    loader.get_version().unwrap();
    loader.get().unwrap();
    loader.get_id().unwrap();
    let unit = bench.chip().part().flash.sectors[0].bytes as usize;
    let pages: Vec<u16> = (0..(data.len() / unit) as u16).collect();
    loader.erase(&pages, Duration::from_secs(60)).unwrap();
    for (n, block) in data.chunks(256).enumerate() {
        let address = START as u32 + n as u32 * 256;
        loader.write_memory(address, block).unwrap();
        let mut found = [0; 256];
        loader.read_memory(address, &mut found).unwrap();
        assert_eq!(found, *block);
    }
    bench.now()
}

/// A board with an old program on it, so that nothing is blank by luck.
fn used(spec: &str) -> Bench {
    let bench = Bench::open(spec);
    bench.fill_flash(&noise(64 * 1024, 2));
    bench
}

/// Two kinds of adapter: one that answers within a millisecond, and one with a latency timer of 16.
const QUICK: &str = "latency-us=500";
const TIMER: &str = "timer-us=16000";

#[test]
fn jobs_are_as_much_quicker_than_the_peers_as_promised() {
    let data = noise(64 * 1024, 1);
    let mut half = data.clone();
    half[32 * 1024..].fill(0xFF);
    let mut changed = noise(64 * 1024, 2);
    changed[0x8000..0x8800].copy_from_slice(&data[..0x800]);
    let table = [
        ("stm32f103cb", QUICK, Pipeline::Address, &data, false, 0.97),
        ("stm32f103cb", TIMER, Pipeline::Address, &data, false, 0.72),
        ("stm32f103cb", QUICK, Pipeline::Full, &data, false, 0.95),
        ("stm32f103cb", TIMER, Pipeline::Full, &data, false, 0.62),
        ("stm32f103cb", QUICK, Pipeline::Address, &half, false, 0.75),
        ("stm32g0b1re", QUICK, Pipeline::Address, &data, false, 0.60),
        ("stm32g0b1re", TIMER, Pipeline::Address, &data, false, 0.45),
        ("stm32g0b1re", QUICK, Pipeline::Address, &half, false, 0.35),
        (
            "stm32g0b1re",
            QUICK,
            Pipeline::Address,
            &changed,
            true,
            0.05,
        ),
        (
            "stm32g0b1re",
            TIMER,
            Pipeline::Address,
            &changed,
            true,
            0.05,
        ),
    ];
    for (part, line, pipeline, image, only_changed, promised) in table {
        let spec = format!("{part},{line}");
        let ours = job(&used(&spec), pipeline, image, only_changed).as_secs_f64();
        let theirs = peer(&spec, image.len()).as_secs_f64();
        let ratio = ours / theirs;
        println!("{spec} {pipeline:?} only changed {only_changed}: {ratio:.3} of {theirs:.2} s");
        assert!(
            ratio <= promised,
            "{spec} {pipeline:?}: {ratio:.3} > {promised}"
        );
    }
}

#[test]
fn lock_step_waits_for_every_acknowledgement() {
    let bench = Bench::open("stm32f103c8");
    let mut target = bench.target(with(Pipeline::Off));
    bench.take_sends();
    let data = noise(256, 3);
    target.program(START, &data, &mut nothing).unwrap();
    let sends: Vec<usize> = bench.take_sends().iter().map(Vec::len).collect();
    assert_eq!(sends, [2, 5, 258]);
    target.read(START, &mut [0; 256], &mut nothing).unwrap();
    let sends: Vec<usize> = bench.take_sends().iter().map(Vec::len).collect();
    assert_eq!(sends, [2, 5, 2]);
}

#[test]
fn address_phases_go_in_one_send_once_they_are_proved() {
    let bench = Bench::open("stm32f103c8");
    let mut target = bench.target(with(Pipeline::Address));
    bench.take_sends();
    target.program(START, &noise(512, 3), &mut nothing).unwrap();
    let sends: Vec<usize> = bench.take_sends().iter().map(Vec::len).collect();
    // The self-test: a read in lock-step, the same in one send. Then two blocks.
    assert_eq!(sends, [2, 5, 2, 9, 7, 258, 7, 258]);
    target.read(START, &mut [0; 512], &mut nothing).unwrap();
    let sends: Vec<usize> = bench.take_sends().iter().map(Vec::len).collect();
    assert_eq!(sends, [9, 9]);
    // An address that does not end in 00 could be taken for opcodes.
    target.read(START + 16, &mut [0; 16], &mut nothing).unwrap();
    let sends: Vec<usize> = bench.take_sends().iter().map(Vec::len).collect();
    assert_eq!(sends, [2, 5, 2]);
}

#[test]
fn data_goes_unasked_only_after_a_block_in_lock_step_and_without_opcodes_in_it() {
    let bench = Bench::open("stm32f103c8");
    let mut target = bench.target(with(Pipeline::Full));
    bench.take_sends();
    let mut data = vec![0x55; 4 * 256];
    // Readout Unprotect, which erases everything.
    data[2 * 256 + 100..][..2].copy_from_slice(&Command::ReadoutUnprotect.opcode());
    target.program(START, &data, &mut nothing).unwrap();
    let sends: Vec<usize> = bench.take_sends().iter().map(Vec::len).collect();
    // The self-test: reads, then a write to RAM in one send, read back. Then the blocks; in the
    // third there is a look for a refusal before the opcode goes out.
    assert_eq!(sends[..6], [2, 5, 2, 9, 25, 9]);
    assert_eq!(sends[6..], [7, 258, 265, 7, 101, 157, 265]);
    assert_eq!(bench.flash()[..data.len()], data);
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn a_slow_loader_is_not_pipelined_on_a_fast_line() {
    let bench = Bench::open("stm32f103c8,baud=460800");
    let mut target = bench.target(with(Pipeline::Full));
    target
        .program(START, &noise(1024, 4), &mut nothing)
        .unwrap();
    assert_eq!(target.loader_mut().pipeline(), Pipeline::Off);
    assert!(!target.loader_mut().pipeline_fell_back());
    assert_eq!(bench.complaints(), [""; 0]);
}

/// The bench's loaders overrun at high speeds, as some silicon may: the self-test finds it, or the
/// first block does, and the job ends well in lock-step.
#[test]
fn where_it_overruns_it_is_left_off() {
    for pipeline in [Pipeline::Address, Pipeline::Full] {
        let bench = Bench::open("stm32g071rb,baud=2000000,max-baud=2000000");
        let mut target = bench.target(with(pipeline));
        let data = noise(4096, 5);
        target.program(START, &data, &mut nothing).unwrap();
        assert_eq!(target.compare(START, &data, &mut nothing).unwrap(), None);
        assert_eq!(bench.flash()[..data.len()], data);
        assert_eq!(target.loader_mut().pipeline(), Pipeline::Off);
        assert!(target.loader_mut().pipeline_fell_back());
        assert!(!bench.complaints().is_empty(), "the bench did not overrun");
    }
}

/// A refused opcode with everything behind it already on its way: what follows is taken for
/// opcodes, and must do nothing.
#[test]
fn a_refusal_in_the_middle_of_a_burst_does_no_harm() {
    let mut data = noise(2048, 6);
    for (n, command) in Command::ALL.into_iter().enumerate() {
        data[n * 64 + 20..][..2].copy_from_slice(&command.opcode());
        data[n * 64 + 51..][..2].copy_from_slice(&command.opcode());
    }
    let clean = used("stm32f103c8");
    let mut target = clean.target(with(Pipeline::Full));
    erase_two(&mut target);
    clean.take_sends();
    target.program(START, &data, &mut nothing).unwrap();
    let sends = clean.take_sends();
    // Where each command begins: the first byte of each send that begins with an opcode.
    let mut at = 0;
    let mut opcodes = Vec::new();
    for send in &sends {
        if send.starts_with(&Command::WriteMemory.opcode()) {
            opcodes.push(at);
        }
        at += send.len() as u64;
    }
    assert!(opcodes.len() >= 8);
    for opcode in opcodes {
        for lost in [
            opcode..opcode + 1,
            opcode + 1..opcode + 2,
            opcode..opcode + 2,
        ] {
            let bench = used("stm32f103c8");
            let mut target = bench.target(with(Pipeline::Full));
            erase_two(&mut target);
            let outside = bench.flash()[2048..].to_vec();
            bench.lose(lost.clone());
            target.program(START, &data, &mut nothing).unwrap();
            assert_eq!(target.compare(START, &data, &mut nothing).unwrap(), None);
            assert_eq!(bench.flash()[..data.len()], data, "{lost:?}");
            assert!(
                bench.flash()[2048..] == outside,
                "{lost:?}: outside is damaged"
            );
            assert!(
                target.loader_mut().pipeline_fell_back() || opcodes_in_lock_step(&sends, &lost)
            );
        }
    }
}

fn erase_two(target: &mut Target) {
    let units: Vec<_> = target.geometry().erase_kinds[0].units(0).take(2).collect();
    target.erase(&units, &mut nothing).unwrap();
}

/// Whether what was lost belongs to a send of an opcode alone.
fn opcodes_in_lock_step(sends: &[Vec<u8>], lost: &std::ops::Range<u64>) -> bool {
    let mut at = 0;
    for send in sends {
        let end = at + send.len() as u64;
        if (at..end).contains(&lost.start) {
            return send.len() == 2;
        }
        at = end;
    }
    false
}
