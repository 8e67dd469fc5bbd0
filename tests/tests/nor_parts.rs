//! The simulator's SPI NOR chips agree with flashrom's definitions, as `data/spi-nor-chips.csv`
//! lists them (facts of flashrom 1.8.0-rc1, one row a definition), or the difference is explained
//! here.

use flashwire_protocol::spinor::instruction as i;
use flashwire_sim::nor::{Erase, Ewsr, Extent, Features, PARTS, Part, Programming};

/// Every chip, and the model of its row.
const ROWS: [(&str, &str); 17] = [
    // Its own row is W25Q80.V in flashrom 1.3; the newer W25Q80RV shares id and geometry.
    ("w25q80bv", "W25Q80RV"),
    ("w25q80bl", "W25Q80RV"),
    ("w25q64jv", "W25Q64JV-.Q"),
    ("w25q128jv", "W25Q128.V"),
    ("w25q256fv", "W25Q256FV"),
    ("w25q512jv", "W25Q512JV"),
    ("mx25l3233f", "MX25L3233F/MX25L3273E"),
    ("mx25l6436e", "MX25L6436E/MX25L6445E/MX25L6465E"),
    ("mx25l25635f", "MX25L25635F/MX25L25645G"),
    ("n25q256a", "N25Q256..3E"),
    ("is25wp256", "IS25WP256"),
    ("at25ql128a", "AT25SL128A"),
    ("m25p80", "M25P80"),
    ("a25l80p", "A25L80P"),
    ("sst25vf512", "SST25VF512(A)"),
    ("sst25vf040b", "SST25VF040B"),
    ("sst25vf016b", "SST25VF016B"),
];

/// A row of the table.
struct Row<'a> {
    manufacturer: u32,
    device: u32,
    size_kib: usize,
    page_bytes: usize,
    write_method: &'a str,
    erases: Vec<(u8, Vec<(usize, usize)>)>,
    flags: Vec<&'a str>,
}

fn cells(line: &str) -> Vec<&str> {
    // Quotes are only round whole cells, and no cell holds a comma and a quote.
    let mut cells = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (cell, next) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (cell, next) = quoted.split_once('"').unwrap();
                (cell, next.strip_prefix(',').unwrap_or(next))
            }
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        cells.push(cell);
        rest = next;
    }
    cells
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
}

/// `20:4096x256;D8:4096x2+8192x1`.
fn erases(text: &str) -> Vec<(u8, Vec<(usize, usize)>)> {
    let run = |run: &str| {
        let (size, count) = run.split_once('x').unwrap();
        (size.parse().unwrap(), count.parse().unwrap())
    };
    text.split(';')
        .map(|eraser| {
            let (opcode, runs) = eraser.split_once(':').unwrap();
            let opcode = u8::from_str_radix(opcode, 16).unwrap();
            (opcode, runs.split('+').map(run).collect())
        })
        .collect()
}

fn row<'a>(table: &'a str, model: &str) -> Row<'a> {
    let line = table
        .lines()
        .map(cells)
        .find(|cells| cells.get(1) == Some(&model));
    let cells = line.unwrap_or_else(|| panic!("no row for {model}"));
    Row {
        manufacturer: hex(cells[2]),
        device: hex(cells[3]),
        size_kib: cells[4].parse().unwrap(),
        page_bytes: cells[5].parse().unwrap(),
        write_method: cells[6],
        erases: erases(cells[8]),
        flags: cells[9].split('|').collect(),
    }
}

/// An erase as the table writes it.
fn as_runs(erase: &Erase, part: &Part) -> Vec<(usize, usize)> {
    match erase.extent {
        Extent::Chip => vec![(part.size_bytes, 1)],
        Extent::Uniform(block) | Extent::UniformFourByte(block) => {
            vec![(block, part.size_bytes / block)]
        }
        Extent::Runs(runs) => runs.to_vec(),
    }
}

fn each(check: impl Fn(&Part, &Row<'_>)) {
    let table = include_str!("../data/spi-nor-chips.csv");
    assert_eq!(ROWS.len(), PARTS.len());
    for part in PARTS {
        let (_, model) = ROWS.iter().find(|(name, _)| *name == part.name).unwrap();
        check(part, &row(table, model));
    }
}

#[test]
fn ids_are_the_same() {
    each(|part, row| {
        let expected = if part.identity.rdid.is_empty() {
            part.identity.rems.unwrap().to_vec()
        } else {
            part.identity.rdid.to_vec()
        };
        let width = |value: u32| if value > 0xFF { 2 } else { 1 };
        let known = [
            &row.manufacturer.to_be_bytes()[4 - width(row.manufacturer)..],
            &row.device.to_be_bytes()[4 - width(row.device)..],
        ]
        .concat();
        assert!(expected.starts_with(&known), "{}: {known:02X?}", part.name);
    });
}

#[test]
fn sizes_pages_and_ways_of_programming_are_the_same() {
    each(|part, row| {
        assert_eq!(part.size_bytes, row.size_kib * 1024, "{}", part.name);
        assert_eq!(row.page_bytes, 256, "{}", part.name);
        let method = match part.programming {
            Programming::Page { .. } => "page",
            Programming::Byte { words: true, .. } => "AAI",
            // flashrom does not use the auto address increment of single bytes.
            Programming::Byte { words: false, .. } => "byte",
        };
        assert_eq!(method, row.write_method, "{}", part.name);
    });
}

#[test]
fn erases_are_the_same() {
    each(|part, row| {
        for (opcode, runs) in &row.erases {
            let own = part.erases.iter().find(|erase| erase.opcode == *opcode);
            let own = own.unwrap_or_else(|| panic!("{} has no {opcode:02X}", part.name));
            assert_eq!(&as_runs(own, part), runs, "{} {opcode:02X}", part.name);
        }
        for erase in part.erases {
            let known = row.erases.iter().any(|(opcode, _)| *opcode == erase.opcode);
            assert!(
                known,
                "{} {:02X} is not known to flashrom",
                part.name, erase.opcode
            );
        }
    });
}

#[test]
fn four_byte_addressing_is_the_same() {
    each(|part, row| {
        let has = |flag: &str| row.flags.contains(&flag);
        let features = part.features;
        assert_eq!(
            features.has(Features::READ_4B),
            has("4BA_READ13"),
            "{}",
            part.name
        );
        assert_eq!(
            features.has(Features::PROGRAM_4B),
            has("4BA_PP12"),
            "{}",
            part.name
        );
        let enters = has("4BA_B7") || has("4BA_WREN_B7");
        assert_eq!(features.has(Features::EN4B), enters, "{}", part.name);
        // The W25Q256FV's datasheet wants no WREN before EN4B, and one before does no harm: flashrom
        // sends it.
        if features.has(Features::EN4B_WREN) {
            assert!(has("4BA_WREN_B7"), "{}", part.name);
        }
        let registers =
            features.has(Features::EXTENDED_ADDRESS) || features.has(Features::BANK_REGISTER);
        assert_eq!(
            registers,
            has("4BA_EAR_C5C8") || has("4BA_EAR_1716"),
            "{}",
            part.name
        );
    });
}

#[test]
fn status_writes_are_enabled_the_same_way() {
    each(|part, row| {
        let by_ewsr = part.status.ewsr == Ewsr::Enables;
        assert_eq!(by_ewsr, row.flags.contains(&"WRSR_EWSR"), "{}", part.name);
        let second = part
            .status
            .registers
            .get(1)
            .and_then(|register| register.write);
        // flashrom knows of no second register on some parts whose datasheets have one. The W25Q80BV
        // and BL are older than the part whose row stands for them.
        if row.flags.contains(&"WRSR2_31") && !part.name.starts_with("w25q80") {
            assert_eq!(second, Some(i::WRSR2), "{}", part.name);
        }
    });
}
