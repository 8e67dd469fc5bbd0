//! SFDP areas of real chips (`tests/sfdp/README.md` says where they were published) read to the
//! figures that their datasheets and their publishers' decoding give. Do not change a dump to make
//! a test pass.

use std::time::Duration;

use flashwire_protocol::spinor::AddressWidth;
use flashwire_protocol::spinor::sfdp::*;

/// The bytes of a dump: hexadecimal, with `ff*N` for N erased bytes.
fn dump(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .flat_map(|word| match word.strip_prefix("ff*") {
            Some(count) => vec![0xFF; count.parse().unwrap()],
            None => word
                .as_bytes()
                .chunks(2)
                .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
                .collect(),
        })
        .collect()
}

macro_rules! dump {
    ($name:literal) => {
        dump(include_str!(concat!("sfdp/", $name, ".hex")))
    };
}

fn basic(sfdp: &[u8]) -> Bfpt {
    let directory = Directory::parse(sfdp).unwrap();
    let header = directory.find(TableId::BFPT).unwrap();
    Bfpt::parse(header.slice(sfdp)).unwrap()
}

fn four_byte(sfdp: &[u8]) -> FourByteInstructions {
    let directory = Directory::parse(sfdp).unwrap();
    let header = directory.find(TableId::FOUR_BYTE).unwrap();
    FourByteInstructions::parse(header.slice(sfdp)).unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Opcode, size in bytes, and typical and longest time.
type Erase = (u8, u32, Option<(Duration, Duration)>);

fn erases(table: &Bfpt) -> Vec<Erase> {
    let types = table.erase_types().into_iter().flatten();
    types
        .map(|erase| {
            let timing = erase.timing.map(|timing| (timing.typical, timing.maximum));
            (erase.opcode, erase.size_bytes, timing)
        })
        .collect()
}

const K4: u32 = 4 << 10;
const K32: u32 = 32 << 10;
const K64: u32 = 64 << 10;

#[test]
fn is25wp256_is_a_32_mib_chip_with_three_erase_types() {
    let sfdp = dump!("is25wp256");
    let directory = Directory::parse(&sfdp).unwrap();
    assert_eq!((directory.major, directory.minor), (1, 6));
    assert_eq!(directory.headers().count(), 2);
    assert_eq!(directory.reach_bytes(), 0x70);

    let table = basic(&sfdp);
    assert_eq!(table.dword_count(), 16);
    assert_eq!(table.size_bytes(), 32 << 20);
    assert_eq!(
        erases(&table),
        [
            (0x20, K4, Some((ms(48), ms(384)))),
            (0x52, K32, Some((ms(160), ms(1280)))),
            (0xD8, K64, Some((ms(304), ms(2432)))),
        ]
    );
    assert_eq!(table.page_bytes(), Some(256));
    let program = table.page_program().unwrap();
    assert_eq!(program.typical, Duration::from_micros(200));
    assert_eq!(program.maximum, Duration::from_micros(1200));
    assert_eq!(table.chip_erase().unwrap().typical, Duration::from_secs(60));
    // A chip of 32 MiB that claims to have three address bytes only; dword 16 knows better.
    assert_eq!(table.addressing(), Addressing::Three);
    let enter = table.enter_four_byte().unwrap();
    assert_eq!(enter.0, 0xA9);
    assert!(enter.contains(EnterFourByte::EN4B));
    assert!(enter.contains(EnterFourByte::BANK_REGISTER));
    assert!(enter.contains(EnterFourByte::DEDICATED));
    assert!(!enter.contains(EnterFourByte::EXTENDED_ADDRESS));
    assert!(directory.find(TableId::FOUR_BYTE).is_none());
}

#[test]
fn at25ql128a_is_a_16_mib_chip() {
    let table = basic(&dump!("at25ql128a"));
    assert_eq!(table.size_bytes(), 16 << 20);
    assert_eq!(
        erases(&table),
        [
            (0x20, K4, Some((ms(64), ms(512)))),
            (0x52, K32, Some((ms(208), ms(1664)))),
            (0xD8, K64, Some((ms(352), ms(2816)))),
        ]
    );
    let program = table.page_program().unwrap();
    assert_eq!(program.typical, Duration::from_micros(640));
    assert_eq!(program.maximum, Duration::from_micros(6400));
    assert_eq!(table.chip_erase().unwrap().typical, Duration::from_secs(60));
    assert!(table.polls_status());
    assert!(table.soft_reset());
}

#[test]
fn n25q00_lists_its_erase_types_out_of_order_and_has_a_flag_status_register() {
    let sfdp = dump!("n25q00");
    let table = basic(&sfdp);
    assert_eq!(table.size_bytes(), 128 << 20);
    assert_eq!(
        erases(&table),
        [
            (0x20, K4, Some((ms(48), ms(480)))),
            (0xD8, K64, Some((ms(160), ms(1600)))),
            (0x52, K32, Some((ms(112), ms(1120)))),
        ]
    );
    let program = table.page_program().unwrap();
    assert_eq!(program.typical, Duration::from_micros(120));
    assert_eq!(program.maximum, Duration::from_micros(2880));
    assert_eq!(
        table.chip_erase().unwrap().typical,
        Duration::from_secs(128)
    );
    assert_eq!(table.dword(14), Some(0x5CD5_BDFB));
    assert!(table.polls_flag_status());
    assert_eq!(table.addressing(), Addressing::ThreeOrFour);

    let dedicated = four_byte(&sfdp);
    assert!(dedicated.is_complete());
    assert_eq!(dedicated.erase(0), Some(0x21));
    assert_eq!(dedicated.erase(1), Some(0xDC));
    assert_eq!(dedicated.erase(2), None);
}

#[test]
fn the_2_gbit_winbond_says_how_to_address_256_mib() {
    let sfdp = dump!("w25_2gbit");
    let table = basic(&sfdp);
    assert_eq!(table.size_bytes(), 256 << 20);
    assert_eq!(
        erases(&table),
        [
            (0x20, K4, Some((ms(64), ms(896)))),
            (0x52, K32, Some((ms(176), ms(2464)))),
            (0xD8, K64, Some((ms(224), ms(3136)))),
        ]
    );
    assert_eq!(
        table.page_program().unwrap().typical,
        Duration::from_micros(704)
    );
    assert_eq!(
        table.chip_erase().unwrap().typical,
        Duration::from_secs(192)
    );
    assert_eq!(table.enter_four_byte(), Some(EnterFourByte(0xA1)));
    // Two headers and no more: the third, with identifier 03, lies beyond the count.
    let directory = Directory::parse(&sfdp).unwrap();
    assert_eq!(directory.headers().count(), 2);

    let dedicated = four_byte(&sfdp);
    assert!(dedicated.read() && dedicated.fast_read() && dedicated.page_program());
    assert_eq!(dedicated.erase(0), Some(0x21));
    assert_eq!(dedicated.erase(1), None);
    assert_eq!(dedicated.erase(2), Some(0xDC));
    assert_eq!(dedicated.erase(3), None);
    assert_eq!(dedicated.erase(4), None);
}

#[test]
fn revision_1_0_has_nine_dwords_and_no_times() {
    let sfdp = dump!("mx25l3233f");
    let directory = Directory::parse(&sfdp).unwrap();
    assert_eq!((directory.major, directory.minor), (1, 0));
    let table = basic(&sfdp);
    assert_eq!(table.dword_count(), 9);
    assert_eq!(table.size_bytes(), 4 << 20);
    assert_eq!(
        erases(&table),
        [(0x20, K4, None), (0x52, K32, None), (0xD8, K64, None)]
    );
    assert!(table.has_page_buffer());
    assert_eq!(table.page_bytes(), None);
    assert_eq!(table.page_program(), None);
    assert_eq!(table.chip_erase(), None);
    assert_eq!(table.quad_enable(), None);
    assert_eq!(table.enter_four_byte(), None);
    assert!(table.polls_status());

    let large = basic(&dump!("w25q256fv"));
    assert_eq!(large.size_bytes(), 32 << 20);
    assert_eq!(large.addressing(), Addressing::ThreeOrFour);
    assert_eq!(large.addressing().at_power_up(), AddressWidth::Three);
    let macronix = basic(&dump!("mx25l25635f"));
    assert_eq!(macronix.size_bytes(), 32 << 20);
    assert_eq!(macronix.addressing(), Addressing::ThreeOrFour);
}

#[test]
fn w25q64jv_and_w25q128jv_differ_in_size_and_chip_erase_only() {
    let small = basic(&dump!("w25q64jv"));
    let large = basic(&dump!("w25q128jv"));
    assert_eq!(small.size_bytes(), 8 << 20);
    assert_eq!(large.size_bytes(), 16 << 20);
    for table in [&small, &large] {
        assert_eq!(
            erases(table),
            [
                (0x20, K4, Some((ms(64), ms(896)))),
                (0x52, K32, Some((ms(128), ms(1792)))),
                (0xD8, K64, Some((ms(160), ms(2240)))),
            ]
        );
        let page = table.page_program().unwrap();
        assert_eq!(page.typical, Duration::from_micros(704));
        assert_eq!(page.maximum, Duration::from_micros(4224));
        let first = table.first_byte_program().unwrap();
        assert_eq!(first.typical, Duration::from_micros(32));
        let further = table.further_byte_program().unwrap();
        assert_eq!(further.typical, Duration::from_micros(3));
        assert_eq!(
            table.quad_enable(),
            Some(QuadEnable::Sr2Bit1ShortWriteKeeps)
        );
        assert_eq!(table.exit_power_down(), Some(0xAB));
        assert!(table.soft_reset());
    }
    assert_eq!(small.chip_erase().unwrap().typical, Duration::from_secs(20));
    assert_eq!(large.chip_erase().unwrap().typical, Duration::from_secs(40));
}

#[test]
fn w25q512jv_and_mx66l1g45g_have_a_complete_set_of_4_byte_instructions() {
    let winbond = dump!("w25q512jv");
    assert_eq!(basic(&winbond).size_bytes(), 64 << 20);
    assert!(four_byte(&winbond).is_complete());
    assert_eq!(
        basic(&winbond)
            .exit_four_byte()
            .map(|exit| exit.contains(ExitFourByte::EX4B)),
        Some(true)
    );

    let macronix = dump!("mx66l1g45g");
    let table = basic(&macronix);
    assert_eq!(table.size_bytes(), 128 << 20);
    assert_eq!(table.quad_enable(), Some(QuadEnable::Sr1Bit6));
    let dedicated = four_byte(&macronix);
    assert!(dedicated.is_complete());
    assert_eq!(
        [0, 1, 2].map(|number| dedicated.erase(number)),
        [Some(0x21), Some(0x5C), Some(0xDC)]
    );
    // The area reaches beyond the first 256 bytes, the tables that matter do not.
    let directory = Directory::parse(&macronix[..FIRST_READ_BYTES]).unwrap();
    assert!(directory.reach_bytes() <= FIRST_READ_BYTES as u32);
    assert_eq!(directory.headers().count(), 3);
}

#[test]
fn a_chip_without_sfdp_is_told_by_what_it_answers() {
    for (silence, byte) in [(vec![0xFF; 256], 0xFF), (vec![0x00; 256], 0x00)] {
        assert_eq!(
            Directory::parse(&silence),
            Err(SfdpError::Signature([byte; 4]))
        );
    }
    assert_eq!(
        Directory::parse(b"SFDP"),
        Err(SfdpError::Truncated {
            found_bytes: 4,
            needed_bytes: 8
        })
    );
}

#[test]
fn a_broken_header_is_refused() {
    let good = dump!("w25q64jv");
    let broken = |index: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[index] = value;
        Directory::parse(&bytes)
    };
    assert_eq!(
        broken(5, 2),
        Err(SfdpError::Revision { major: 2, minor: 5 })
    );
    assert_eq!(broken(6, 0xFF), Err(SfdpError::HeaderCount(256)));
    assert_eq!(broken(6, 16), Err(SfdpError::HeaderCount(17)));
    assert_eq!(broken(8, 0x84), Err(SfdpError::NoBasicTable));
    let mut far = good.clone();
    far[12..15].fill(0xFF);
    assert_eq!(
        Directory::parse(&far),
        Err(SfdpError::Pointer {
            address: 0xFF_FFFF,
            length_bytes: 64
        })
    );
}

#[test]
fn of_two_basic_tables_the_newest_known_counts() {
    // Revision 1.0 first, as JESD216A wants it for old readers, then 1.5, then a 2.0 of the future.
    let header = |minor, major, pointer| [0x00, minor, major, 16, pointer, 0, 0, 0xFF];
    let mut bytes = vec![b'S', b'F', b'D', b'P', 5, 1, 2, 0xFF];
    for next in [header(0, 1, 0x40), header(5, 1, 0x80), header(0, 2, 0xC0)] {
        bytes.extend(next);
    }
    let directory = Directory::parse(&bytes).unwrap();
    assert_eq!(directory.find(TableId::BFPT).unwrap().address, 0x80);
}

#[test]
fn a_basic_table_of_intels_four_dwords_has_the_4_kib_erase_only() {
    let whole = dump!("w25q64jv");
    let table = Bfpt::parse(&whole[0x80..0x90]).unwrap();
    assert_eq!(erases(&table), [(0x20, K4, None)]);
    assert_eq!(table.size_bytes(), 8 << 20);
    assert!(matches!(
        Bfpt::parse(&whole[0x80..0x8F]),
        Err(SfdpError::Truncated { .. })
    ));
}

#[test]
fn a_size_above_4_gbit_is_a_power_of_two() {
    let mut bytes = dump!("w25q64jv")[0x80..0xC0].to_vec();
    bytes[4..8].copy_from_slice(&0x8000_0021u32.to_le_bytes());
    assert_eq!(Bfpt::parse(&bytes).unwrap().size_bytes(), 1 << 30);
    for nonsense in [0x8000_0002u32, 0x8000_0040, 0xFFFF_FFFF, 6] {
        bytes[4..8].copy_from_slice(&nonsense.to_le_bytes());
        assert_eq!(
            Bfpt::parse(&bytes),
            Err(SfdpError::Reserved {
                dword: 2,
                value: nonsense
            })
        );
    }
}

/// A sector map like that of S25FS-S parts, composed by hand from JESD216B section 6.5: two
/// detections and two maps.
fn sector_map() -> Vec<u8> {
    let dwords: [u32; 10] = [
        // Read any register (65h) at 0x800004, current address length, variable latency, bit 3.
        0x08_FF_65_00,
        0x0080_0004,
        // The same at 0x800002, three address bytes, eight clocks, bit 2; the last detection.
        0x04_48_65_01,
        0x0080_0002,
        // Map 0: one region of 16 MiB, erase type 3.
        0x00_00_00_02,
        0x00FF_FF04,
        // Map 2: 32 KiB by 4 KiB, 32 KiB as a block, the rest by 64 KiB; the last map.
        0x00_02_02_03,
        0x0000_7F01,
        0x0000_7F04,
        0x00FE_FF06,
    ];
    dwords.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_sector_map_tells_how_to_find_the_map_in_force_and_what_it_says() {
    let bytes = sector_map();
    let table = SectorMap::parse(&bytes).unwrap();
    let detections: Vec<_> = table.detections().collect();
    assert_eq!(
        detections,
        [
            Detection {
                opcode: 0x65,
                address_width: DetectionAddress::Current,
                address: 0x80_0004,
                dummy_clocks: None,
                mask: 0x08,
            },
            Detection {
                opcode: 0x65,
                address_width: DetectionAddress::Fixed(AddressWidth::Three),
                address: 0x80_0002,
                dummy_clocks: Some(8),
                mask: 0x04,
            },
        ]
    );
    assert!(detections[0].bit(0x0F) && !detections[0].bit(0xF7));
    assert_eq!(table.maps().map(|map| map.id).collect::<Vec<_>>(), [0, 2]);
    let regions: Vec<_> = table.find(2).unwrap().regions().collect();
    assert_eq!(
        regions,
        [
            Region {
                size_bytes: 32 << 10,
                erase_types: 0b0001
            },
            Region {
                size_bytes: 32 << 10,
                erase_types: 0b0100
            },
            Region {
                size_bytes: (16 << 20) - (64 << 10),
                erase_types: 0b0110
            },
        ]
    );
    assert_eq!(table.find(1), None);
}

#[test]
fn a_sector_map_that_runs_beyond_its_end_is_refused() {
    let bytes = sector_map();
    for length in 0..bytes.len() {
        let parsed = SectorMap::parse(&bytes[..length]);
        assert!(
            matches!(parsed, Err(SfdpError::Truncated { .. })),
            "{length}"
        );
    }
}
