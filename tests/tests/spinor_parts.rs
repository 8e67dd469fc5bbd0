//! The client's table of SPI NOR parts agrees with flashrom's definitions, as
//! `data/spi-nor-chips.csv` lists them (facts of flashrom 1.8.0-rc1, one row a definition).

use flashwire_client::spinor::{Part, Parts, ProbeMethod, Programming};

/// The columns of a row.
fn cells(line: &str) -> Vec<String> {
    // Quotes are only round whole cells.
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
}

/// Why a row has no entry.
fn is_left_out(row: &[String]) -> Option<&'static str> {
    let [_, model, _, _, kib, _, method, _, erases, ..] = row else {
        panic!("{row:?}");
    };
    match method.as_str() {
        _ if kib == "0" => Some("it stands for chips that nobody knows"),
        "AT45DB" => Some("pages of 264 bytes, commands of its own"),
        "EDI" => Some("a bus of its own"),
        _ if model == "AT26F004" => Some("flashrom cannot write it either"),
        "none" if erases.is_empty() => Some("a ROM"),
        _ if erases.starts_with("EMU") => Some("an EEPROM"),
        _ => None,
    }
}

/// An erase: instruction, whether it takes no address, runs of unit size and count.
type Eraser = (u8, bool, Vec<(u64, u64)>);

/// `D8:65536x16`, and `C7:chip` for what erases everything without an address.
fn erases(text: &str, size_bytes: u64) -> Vec<Eraser> {
    let run = |run: &str| -> (u64, u64) {
        let (size, count) = run.split_once('x').unwrap();
        (size.parse().unwrap(), count.parse().unwrap())
    };
    let eraser = |eraser: &str| {
        let (opcode, runs) = eraser.split_once(':').unwrap();
        let opcode = u8::from_str_radix(opcode, 16).unwrap();
        let runs: Vec<_> = runs.split('+').map(run).collect();
        // 60h, 62h and C7h take no address.
        let is_chip = runs == [(size_bytes, 1)] && [0x60, 0x62, 0xC7].contains(&opcode);
        (opcode, is_chip, runs)
    };
    text.split(';').map(eraser).collect()
}

/// What a row says of a part, to compare.
fn differences(row: &[String], part: &Part) -> Vec<String> {
    let [
        _,
        _,
        manufacturer,
        device,
        kib,
        page,
        method,
        _,
        erase_types,
        flags,
        min,
        max,
        probe,
        ..,
    ] = row
    else {
        panic!("{row:?}");
    };
    let flags: Vec<&str> = flags.split('|').collect();
    let has = |flag: &str| flags.contains(&flag);
    let size_bytes = kib.parse::<u64>().unwrap() * 1024;
    let programming = match method.as_str() {
        "AAI" => Programming::Words,
        "byte" => Programming::Bytes,
        _ => Programming::Pages {
            bytes: page.parse().unwrap(),
        },
    };
    let part_erases: Vec<_> = part
        .erases
        .iter()
        .map(|erase| {
            let runs: Vec<_> = erase
                .runs
                .iter()
                .map(|&(_, unit, count)| (unit, count))
                .collect();
            (erase.opcode, erase.is_chip, runs)
        })
        .collect();
    let method = match probe.as_str() {
        "RDID" | "RDID4" | "RDID_EXT6" => ProbeMethod::Rdid,
        "REMS" => ProbeMethod::Rems,
        "RES1" | "RES2" | "RES3" => ProbeMethod::Res,
        "AT25F_RDID15" => ProbeMethod::Rdid15,
        other => panic!("{other}"),
    };
    // Every id begins with what the row says, 7Fh continuations included.
    let mut id = Vec::new();
    for code in [hex(manufacturer), hex(device)] {
        let bytes = code.to_be_bytes();
        let lead = bytes.iter().take_while(|&&byte| byte == 0).count().min(3);
        id.extend(&bytes[lead..]);
    }
    let says_so = match method {
        ProbeMethod::Rdid => {
            id.resize(8, 0);
            part.has_id(&id) || probe == "RDID_EXT6"
        }
        _ => true,
    };
    let checks = [
        ("size", part.size_bytes == size_bytes),
        ("programming", part.programming == programming),
        ("erases", part_erases == erases(erase_types, size_bytes)),
        ("probe", part.probe == method),
        ("id", says_so),
        ("least voltage", part.voltage.min_mv.to_string() == *min),
        ("most voltage", part.voltage.max_mv.to_string() == *max),
        ("EWSR", part.ewsr == (has("WRSR_EWSR") && !has("WRSR_WREN"))),
        ("EN4B", part.en4b == has("4BA_B7")),
        ("WREN, EN4B", part.wren_en4b == has("4BA_WREN_B7")),
        (
            "extended address",
            part.extended_address == has("4BA_EAR_C5C8"),
        ),
        ("bank register", part.bank_register == has("4BA_EAR_1716")),
        ("READ4B", part.read_4b == has("4BA_READ13")),
        ("PP4B", part.program_4b == has("4BA_PP12")),
        ("WRSR2", part.own_sr2_write == has("WRSR2_31")),
        (
            "long WRSR",
            part.long_wrsr == (has("WRSR_EXT2") || has("WRSR_EXT3")),
        ),
    ];
    let wrong = checks.iter().filter(|(_, agrees)| !agrees);
    wrong.map(|(what, _)| (*what).to_owned()).collect()
}

#[test]
fn every_definition_has_an_entry_that_agrees_or_is_left_out_for_a_reason() {
    let table = include_str!("../data/spi-nor-chips.csv");
    let parts = Parts::built_in();
    let (mut found, mut left_out, mut wrong) = (0, 0, Vec::new());
    for row in table.lines().skip(1).map(cells) {
        if is_left_out(&row).is_some() {
            left_out += 1;
            continue;
        }
        let vendor = row[0].replace(',', "");
        let same_name: Vec<&Part> = parts
            .iter()
            .filter(|part| part.model == row[1] && part.vendor == vendor)
            .collect();
        let differences: Vec<_> = same_name
            .iter()
            .map(|part| differences(&row, part))
            .collect();
        if differences.iter().any(Vec::is_empty) {
            found += 1;
        } else {
            wrong.push(format!("{} {}: {differences:?}", row[0], row[1]));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((found, left_out), (484, 31));
    assert_eq!(parts.iter().count(), found);
}
