//! The tables by which a SPI NOR chip describes itself, as a broken or hostile chip would fill them.

#![no_main]

use std::hint::black_box;

use flashwire_protocol::spinor::sfdp::{Bfpt, Directory, FourByteInstructions, SectorMap, TableId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The tables by themselves: what a directory would lead to.
    look_at_tables(bytes, bytes, bytes);

    let Ok(directory) = Directory::parse(bytes) else {
        return;
    };
    black_box(directory.reach_bytes());
    let table = |id| {
        directory
            .find(id)
            .map_or(&[][..], |header| header.slice(bytes))
    };
    look_at_tables(
        table(TableId::BFPT),
        table(TableId::SECTOR_MAP),
        table(TableId::FOUR_BYTE),
    );
});

fn look_at_tables(basic: &[u8], sectors: &[u8], four_byte: &[u8]) {
    if let Ok(table) = Bfpt::parse(basic) {
        black_box((table.size_bytes(), table.addressing(), table.page_bytes()));
        black_box((
            table.erase_types(),
            table.chip_erase(),
            table.page_program(),
        ));
        black_box((table.first_byte_program(), table.further_byte_program()));
        black_box((table.volatile_status_enable(), table.has_page_buffer()));
        black_box((table.polls_status(), table.polls_flag_status()));
        black_box((
            table.exit_power_down(),
            table.quad_enable(),
            table.soft_reset(),
        ));
        black_box((table.enter_four_byte(), table.exit_four_byte()));
        for number in 0..=u8::MAX {
            black_box(table.dword(number));
        }
    }
    if let Ok(table) = SectorMap::parse(sectors) {
        table.detections().for_each(|detection| {
            black_box(detection);
        });
        for map in table.maps() {
            assert!(table.find(map.id).is_some());
            map.regions().for_each(|region| {
                black_box(region);
            });
        }
    }
    if let Ok(table) = FourByteInstructions::parse(four_byte) {
        for number in 0..=u8::MAX {
            black_box(table.erase(number));
        }
        black_box(table.is_complete());
    }
}
