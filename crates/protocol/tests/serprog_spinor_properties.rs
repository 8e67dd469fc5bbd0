//! No bytes make a decoder of serprog or of SFDP panic or run for ever.

use flashwire_protocol::serprog::{Opcode, Request};
use flashwire_protocol::spinor::sfdp::*;
use proptest::prelude::*;

/// Everything that a table of basic parameters can be asked.
fn ask(table: &Bfpt) -> usize {
    let mut known = table.erase_types().into_iter().flatten().count();
    known += usize::from(table.chip_erase().is_some());
    known += usize::from(table.page_program().is_some());
    known += usize::from(table.first_byte_program().is_some());
    known += usize::from(table.further_byte_program().is_some());
    known += usize::from(table.quad_enable().is_some());
    known += usize::from(table.exit_power_down().is_some());
    known += usize::from(table.volatile_status_enable().is_some());
    known += usize::from(table.polls_flag_status());
    known += (0..=u8::MAX)
        .filter_map(|number| table.dword(number))
        .count();
    known
}

proptest! {
    #[test]
    fn a_directory_of_noise_is_read_or_refused(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        signed in any::<bool>(),
    ) {
        let mut bytes = noise;
        if signed && bytes.len() >= 8 {
            bytes[..4].copy_from_slice(b"SFDP");
            bytes[5] = 1;
            bytes[6] &= 0x0F;
        }
        if let Ok(directory) = Directory::parse(&bytes) {
            for header in directory.headers() {
                prop_assert!(header.slice(&bytes).len() <= bytes.len());
            }
            prop_assert!(directory.find(TableId::BFPT).is_some());
            prop_assert!(directory.reach_bytes() <= 1 << 24);
        }
    }

    #[test]
    fn a_basic_table_of_noise_is_read_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        if let Ok(table) = Bfpt::parse(&bytes) {
            prop_assert!(table.size_bytes() > 0);
            prop_assert!(ask(&table) >= usize::from(table.dword_count()));
        }
    }

    #[test]
    fn a_sector_map_of_noise_is_read_or_refused(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kinds in any::<u8>(),
    ) {
        // Noise alone rarely gets past the first descriptor.
        for (index, chunk) in bytes.chunks_mut(8).enumerate() {
            chunk[0] = if index < usize::from(kinds % 4) { 0 } else { 3 };
            if let Some(regions) = chunk.get_mut(2) {
                *regions &= 0x3F;
            }
        }
        if let Ok(map) = SectorMap::parse(&bytes) {
            let regions: usize = map.maps().map(|map| map.regions().count()).sum();
            prop_assert!(regions >= 1);
            prop_assert!(map.detections().count() <= bytes.len() / 8);
        }
        if let Ok(instructions) = FourByteInstructions::parse(&bytes) {
            prop_assert_eq!(instructions.erase(4), None);
        }
    }

    #[test]
    fn every_command_that_can_be_read_is_sent_the_same(
        code in any::<u8>(),
        fields in any::<[u8; Request::LONGEST_FIELDS]>(),
    ) {
        let Ok(opcode) = Opcode::try_from(code) else { return Ok(()) };
        let request = Request::decode(opcode, &fields).unwrap();
        let header = request.encode();
        let length = usize::from(opcode.field_bytes());
        prop_assert_eq!(header.as_bytes()[0], code);
        if opcode == Opcode::SPinState {
            // Any value but 0 means the same.
            prop_assert_eq!(header.as_bytes()[1], u8::from(fields[0] != 0));
        } else {
            prop_assert_eq!(&header.as_bytes()[1..], &fields[..length]);
        }
    }
}
