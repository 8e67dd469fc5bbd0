//! What a chip is taken for.

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_client::serprog;
use flashwire_client::spinor::{
    Addressing, Chip, ControllerError, Error, Job, Limits, Options, Parts, SpiController,
};
use flashwire_link::{Instant, Link};
use flashwire_plan::FlashDevice;
use flashwire_protocol::spinor::instruction;
use flashwire_sim::nor::PARTS;
use flashwire_tests::bench::{Bench, noise};
use flashwire_tests::socket::{read, write};

/// A table without parts.
fn no_parts() -> Parts {
    Parts::parse("id,probe,vendor,model,kib,program,erases,features,min_mv,max_mv\n").unwrap()
}

fn open(bench: &Bench, parts: &Parts, name: Option<&str>) -> Result<Chip, Error> {
    let client = bench.serprog(serprog::Options::default()).unwrap();
    let options = Options {
        name: name.map(str::to_owned),
        ..Options::default()
    };
    Chip::open(Box::new(client), parts, options)
}

/// A bus on which something is wrong: whatever is asked, this comes back.
struct WrongBus<F> {
    answer: F,
    lengths: VecDeque<usize>,
    count: u32,
}

impl<F: FnMut(u32) -> u8> WrongBus<F> {
    fn new(answer: F) -> Box<Self> {
        Box::new(Self {
            answer,
            lengths: VecDeque::new(),
            count: 0,
        })
    }
}

impl<F: FnMut(u32) -> u8> SpiController for WrongBus<F> {
    fn limits(&self) -> Limits {
        Limits {
            send_bytes: 4096,
            receive_bytes: 4096,
            pipelined: true,
            program_bytes: None,
            range_bytes: None,
        }
    }

    fn spi_hz(&self) -> Option<u32> {
        None
    }

    fn round_trip(&self) -> Duration {
        Duration::ZERO
    }

    fn byte_time(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Instant {
        Instant::from_open(Duration::from_millis(u64::from(self.count)))
    }

    fn pause(&mut self, _: Duration) -> Result<(), ControllerError> {
        Ok(())
    }

    fn has_room_for(&self, _: &Job<'_>) -> bool {
        true
    }

    fn outstanding(&self) -> usize {
        self.lengths.len()
    }

    fn submit(&mut self, job: &Job<'_>) -> Result<(), ControllerError> {
        if let Job::Transfer { receive_bytes, .. } = job {
            self.lengths.push_back(*receive_bytes);
        }
        Ok(())
    }

    fn collect(&mut self, received: &mut [u8]) -> Result<(), ControllerError> {
        assert_eq!(self.lengths.pop_front(), Some(received.len()));
        for byte in received {
            self.count += 1;
            *byte = (self.answer)(self.count);
        }
        Ok(())
    }

    fn is_refusal(&self, _: &ControllerError) -> bool {
        false
    }

    fn may_pass(&self, _: &ControllerError) -> bool {
        false
    }

    fn confirm(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }

    fn release(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}

#[test]
fn every_chip_of_the_bench_is_known_by_name() {
    for part in PARTS {
        let bench = Bench::open(&format!("serprog+{}", part.name));
        let chip = bench.nor();
        let definition = chip.definition();
        let names = definition.names.join(", ");
        // The first of its name up to what differs between variants.
        let stem = match part.name {
            "w25q80bl" | "w25q80bv" => "W25Q80",
            "n25q256a" => "N25Q256",
            "w25q128jv" => "W25Q128",
            "at25ql128a" => "AT25SL128A",
            name => name,
        };
        let found = names.to_lowercase().contains(&stem.to_lowercase());
        assert!(found, "{}: {names}", part.name);
        assert_eq!(definition.has_sfdp, part.sfdp.is_some(), "{}", part.name);
        assert_eq!(definition.size_bytes, part.size_bytes as u64);
    }
}

/// Two parts share the id of W25Q80BV, which has no SFDP: what they have in common is used.
#[test]
fn twins_without_sfdp_are_named_and_used_by_what_they_have_in_common() {
    let parts = Parts::parse(
        "header\n\
         EF4014,rdid,Winbond,ONE,1024,256,20:4096x256;D8:65536x16;C7:chip,,2700,3600\n\
         EF4014,rdid,Winbond,TWO,1024,128,52:32768x32;D8:65536x16;C7:chip,,1700,2000\n",
    )
    .unwrap();
    let bench = Bench::open("serprog+w25q80bv");
    bench.fill_nor(&noise(0x2_0000, 1));
    let mut chip = open(&bench, &parts, None).unwrap();
    let definition = chip.definition();
    assert_eq!(definition.names, ["Winbond ONE", "Winbond TWO"]);
    assert_eq!(definition.voltage, None);
    assert_eq!(definition.page_bytes(), 128);
    let opcodes: Vec<u8> = definition.erases.iter().map(|erase| erase.opcode).collect();
    assert_eq!(opcodes, [instruction::BE, instruction::CE]);
    let data = noise(3000, 2);
    write(
        &mut chip,
        0x1_0010,
        &data,
        &flashwire_plan::Options::default(),
    )
    .unwrap();
    assert!(bench.flash()[0x1_0010..][..3000] == data);
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn a_twin_that_is_named_is_taken() {
    let parts = Parts::parse(
        "header\n\
         EF4014,rdid,Winbond,ONE,1024,256,20:4096x256;C7:chip,,2700,3600\n\
         EF4014,rdid,Winbond,TWO,1024,256,D8:65536x16;C7:chip,,1700,2000\n",
    )
    .unwrap();
    let bench = Bench::open("serprog+w25q80bv");
    let chip = open(&bench, &parts, Some("one")).unwrap();
    assert_eq!(chip.definition().names, ["Winbond ONE"]);
    assert_eq!(chip.definition().erases[0].opcode, instruction::SE);
}

#[test]
fn twins_of_different_size_are_ambiguous_unless_sfdp_tells() {
    let parts = Parts::parse(
        "header\n\
         EF4014,rdid,Winbond,SMALL,1024,256,20:4096x256;C7:chip,,2700,3600\n\
         EF4014,rdid,Winbond,LARGE,2048,256,20:4096x512;C7:chip,,2700,3600\n",
    )
    .unwrap();
    let mute = Bench::open("serprog+w25q80bv");
    match open(&mute, &parts, None) {
        Err(Error::Ambiguous { names }) => assert_eq!(names, ["Winbond SMALL", "Winbond LARGE"]),
        other => panic!("{other:?}"),
    }
    let speaking = Bench::open("serprog+w25q80bl");
    let chip = open(&speaking, &parts, None).unwrap();
    assert_eq!(chip.definition().names, ["Winbond SMALL"]);
}

#[test]
fn a_name_that_does_not_fit_is_refused() {
    let bench = Bench::open("serprog+w25q64jv");
    let parts = Parts::built_in();
    assert!(matches!(
        open(&bench, &parts, Some("W25Q99")),
        Err(Error::NoSuchPart { .. })
    ));
    match open(&bench, &parts, Some("M25P80")) {
        Err(Error::OtherPart { name, id }) => {
            assert_eq!(
                (name.as_str(), &id[..3]),
                ("M25P80", &[0xEF, 0x40, 0x17][..])
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chip_that_no_table_knows_works_by_its_sfdp() {
    for part in PARTS.iter().filter(|part| part.sfdp.is_some()) {
        let bench = Bench::open(&format!("serprog+{}", part.name));
        bench.fill_nor(&noise(0x2_0000, 1));
        let mut chip = open(&bench, &no_parts(), None).unwrap();
        assert!(chip.definition().names.is_empty());
        assert_eq!(chip.geometry().range.end, part.size_bytes as u64);
        let start = chip.geometry().range.end - 0x1_0800;
        let data = noise(0x900, 2);
        write(&mut chip, start, &data, &flashwire_plan::Options::default()).unwrap();
        assert!(
            bench.flash()[start as usize..][..0x900] == data,
            "{}",
            part.name
        );
        assert_eq!(bench.complaints(), [""; 0], "{}", part.name);
    }
}

#[test]
fn a_chip_that_neither_table_nor_sfdp_describes_is_unknown() {
    let bench = Bench::open("serprog+m25p80");
    match open(&bench, &no_parts(), None) {
        Err(Error::UnknownChip { id }) => assert_eq!(id[..3], [0x20, 0x20, 0x14]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_socket_and_a_line_held_low_and_a_loose_wire_are_told_apart() {
    let bench = Bench::open("serprog+w25q64jv");
    let now = bench.look().now();
    bench.nor_mut().set_connected(now, false);
    assert!(matches!(
        open(&bench, &Parts::built_in(), None),
        Err(Error::AllOnes)
    ));

    let parts = Parts::built_in();
    let low = Chip::open(WrongBus::new(|_| 0), &parts, Options::default());
    assert!(matches!(low, Err(Error::AllZeros)), "{low:?}");
    let mut state = 7u32;
    let loose = WrongBus::new(move |count| {
        state = state.wrapping_mul(1_664_525).wrapping_add(count);
        // Bit 0 clear: nobody is busy.
        (state >> 24) as u8 & !1
    });
    let loose = Chip::open(loose, &parts, Options::default());
    assert!(matches!(loose, Err(Error::Unstable { .. })), "{loose:?}");
}

#[test]
fn a_chip_that_was_left_busy_or_asleep_or_in_4_byte_mode_is_met_with_patience() {
    let content = noise(0x1000, 1);
    for name in ["w25q256fv", "mx25l25635f", "n25q256a"] {
        let bench = Bench::open(&format!("serprog+{name}"));
        bench.fill_nor(&content);
        let left_busy = {
            let now = bench.look().now();
            let mut chip = bench.nor_mut();
            chip.set_four_byte(true);
            for bytes in [&[instruction::WREN][..], &[instruction::SE, 1, 0, 0, 0]] {
                chip.select(now);
                for &byte in bytes {
                    chip.transfer(now, byte);
                }
                chip.deselect(now);
            }
            chip.is_busy(now)
        };
        assert!(left_busy, "{name}");
        let mut chip = bench.nor();
        assert!(read(&mut chip, 0..0x1000) == content, "{name}");
    }
}

#[test]
fn a_chip_with_a_table_of_four_byte_instructions_is_addressed_by_them() {
    for name in ["w25q512jv", "is25wp256"] {
        let chip = Bench::open(&format!("serprog+{name}")).nor();
        assert_eq!(
            chip.definition().addressing,
            Addressing::Dedicated,
            "{name}"
        );
    }
}

#[test]
fn finding_out_takes_less_than_60_ms_on_usb() {
    for latency_us in [125, 500] {
        let bench = Bench::open(&format!("serprog+w25q64jv,latency-us={latency_us}"));
        bench.nor();
        assert!(bench.now() < Duration::from_millis(60), "{:?}", bench.now());
    }
}
