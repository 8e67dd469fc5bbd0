//! The client's table of parts against the list that it was made from: every row of
//! `tests/data/stm32-devices.csv` is in it, and where a figure differs there is a reason.

use std::collections::BTreeSet;

use flashwire_client::stm32::{Part, Parts, Quirk};

const LIST: &str = include_str!("../data/stm32-devices.csv");

/// Where the table says something else than the list: product id, column, and why.
const REASONS: &[(u16, &str, &str)] = &[
    (0x9A8, "flags", "8N1 stands in the list's notes"),
    (0x9B0, "flags", "8N1 stands in the list's notes"),
];

/// The fields of a line; one in quotes may hold commas.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for sign in line.chars() {
        match sign {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            sign => fields.last_mut().unwrap().push(sign),
        }
    }
    fields
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// A range of addresses as text; nothing where an end is not known, or there is nothing between.
fn span(start: &str, end: &str, inclusive: bool) -> String {
    match (hex(start), hex(end)) {
        (Some(start), Some(end)) => {
            let end = end + u32::from(inclusive);
            if start < end {
                format!("{start:#x}-{end:#x}")
            } else {
                String::new()
            }
        }
        _ => String::new(),
    }
}

fn text<T: std::fmt::LowerHex>(value: Option<T>) -> String {
    value.map_or(String::new(), |value| format!("{value:#x}"))
}

/// What the list and the table say of a column, in the same words.
fn columns(row: &dyn Fn(&str) -> String, part: &Part) -> Vec<(&'static str, String, String)> {
    let range = |range: &Option<std::ops::Range<u32>>| {
        range
            .as_ref()
            .map_or(String::new(), |r| format!("{:#x}-{:#x}", r.start, r.end))
    };
    let address = |name: &str| text(hex(&row(name)));
    let layout = row("erase_layout(last repeats)");
    // "4K* (dual bank) / 8K* (single)": the first is how they are delivered.
    let layout = layout.split(" (").next().unwrap_or_default().to_owned();
    let ids = |text: &str| {
        let ids: BTreeSet<u8> = text
            .split_whitespace()
            .map(|id| hex(id).unwrap() as u8)
            .collect();
        ids
    };
    let known_ids: BTreeSet<u8> = Parts::built_in()
        .siblings(part.product_id)
        .iter()
        .flat_map(|part| part.bootloader_ids.clone())
        .collect();
    let known_flags = [
        ("NO_MASS_ERASE", Quirk::NoMassErase),
        ("PARITY_NONE", Quirk::NoParity),
        ("OBL_LAUNCH", Quirk::OblLaunch),
        ("PEMPTY", Quirk::Pempty),
    ];
    let flags = known_flags.iter().filter(|(_, quirk)| part.has(*quirk));
    let flags: Vec<&str> = flags.map(|(name, _)| *name).collect();
    vec![
        (
            "family",
            row("family").trim_end_matches('+').to_owned(),
            format!("{:?}", part.family).to_uppercase(),
        ),
        (
            "flash_start",
            address("flash_start"),
            if row("flash_start").is_empty() {
                String::new()
            } else {
                format!("{:#x}", part.flash_start)
            },
        ),
        (
            "flash_kib_max",
            row("flash_kib_max"),
            part.flash_kib.unwrap_or(0).to_string(),
        ),
        (
            "erase_layout",
            layout,
            part.layout
                .as_ref()
                .map_or(String::new(), ToString::to_string),
        ),
        (
            "pages_per_wrp_sector",
            row("pages_per_wrp_sector"),
            part.wrp_units.map_or(String::new(), |n| n.to_string()),
        ),
        (
            "sram",
            span(&row("sram_free_start"), &row("sram_end_excl"), false),
            range(&part.ram),
        ),
        (
            "optbytes",
            span(&row("optbytes_start"), &row("optbytes_end_incl"), true),
            range(&part.option_bytes),
        ),
        (
            "sysmem",
            span(&row("sysmem_start"), &row("sysmem_end_excl"), false),
            range(&part.system_memory),
        ),
        (
            "flash_size_reg",
            address("flash_size_reg"),
            text(part.flash_size_at),
        ),
        ("uid_addr", address("uid_addr"), text(part.unique_id_at)),
        (
            "bootloader_id_addr",
            address("bootloader_id_addr"),
            text(part.bootloader_id_at),
        ),
        (
            "bootloader_ids_known",
            format!("{:x?}", ids(&row("bootloader_ids_known"))),
            format!("{known_ids:x?}"),
        ),
        (
            "min_program_unit_bytes",
            row("min_program_unit_bytes"),
            if row("min_program_unit_bytes").is_empty() {
                String::new()
            } else {
                part.program_unit.to_string()
            },
        ),
        (
            "erased_value",
            address("erased_value"),
            format!("{:#x}", part.erased),
        ),
        (
            "erase_cmd_expected",
            address("erase_cmd_expected"),
            text(part.erase_command.map(|c| c.code())),
        ),
        ("flags", row("flags"), flags.join(" ")),
    ]
}

#[test]
fn every_row_of_the_list_is_in_the_table_or_the_difference_has_a_reason() {
    let mut lines = LIST.lines();
    let names = fields(lines.next().unwrap());
    let mut differences = Vec::new();
    let mut used = BTreeSet::new();
    let mut rows = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        rows += 1;
        let values = fields(line);
        assert_eq!(values.len(), names.len(), "{line}");
        let row = |name: &str| {
            let at = names.iter().position(|known| known == name);
            values[at.unwrap_or_else(|| panic!("no column {name}"))].clone()
        };
        let id = hex(&row("product_id")).unwrap() as u16;
        let Some(part) = Parts::built_in().find(id, None) else {
            differences.push(format!("{id:#05x} is not in the table"));
            continue;
        };
        for (column, listed, known) in columns(&row, &part) {
            if listed.eq_ignore_ascii_case(&known) {
                continue;
            }
            let reason = REASONS
                .iter()
                .position(|(r, c, _)| (*r, *c) == (id, column));
            match reason {
                Some(reason) => {
                    used.insert(reason);
                }
                None => differences.push(format!(
                    "{id:#05x} {column}: list {listed:?}, table {known:?}"
                )),
            }
        }
    }
    assert!(rows > 85, "{rows} rows");
    assert_eq!(differences, [""; 0]);
    // A reason for a difference that is no more would hide the next one.
    assert_eq!(used.len(), REASONS.len(), "reasons without a difference");
}

#[test]
fn the_table_has_no_part_that_the_list_does_not_have() {
    let listed: BTreeSet<u32> = LIST
        .lines()
        .skip(1)
        .filter_map(|line| hex(line.split(',').next()?))
        .collect();
    for part in Parts::built_in().all() {
        assert!(
            listed.contains(&u32::from(part.product_id)),
            "{}",
            part.name
        );
    }
}
