//! The table of parts.
//!
//! `parts.csv`, one row a definition; its facts are those of flashrom 1.8.0-rc1's definitions.
//! Columns: the bytes by which the part answers, `?` for any half byte; by which instruction;
//! vendor; model; size in KiB; bytes of a page, `byte` or `words`; erases as
//! `opcode:SIZExCOUNT+...` or `opcode:chip`; features; supply voltage from and to, in mV. What the
//! table does not have: AT45 parts (pages of 264 bytes, commands of their own), EEPROMs, ROMs.

use std::str::FromStr;

use super::{Erase, Programming, Timing};

/// The rows of the table, all of them.
const BUILT_IN: &str = include_str!("parts.csv");

/// By which instruction a part says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeMethod {
    /// RDID.
    Rdid,
    /// REMS: manufacturer and device.
    Rems,
    /// RES: one byte, or two from parts that answer it as REMS.
    Res,
    /// RDID of AT25F parts, 15h.
    Rdid15,
}

/// Supply voltage, in mV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voltage {
    /// Least.
    pub min_mv: u32,
    /// Most.
    pub max_mv: u32,
}

/// How a part comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PowerUp {
    /// With the protection that somebody gave it.
    AsLeft,
    /// With all protection bits set.
    Protected,
    /// With a lock on each block.
    Locked,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it answers: value and mask of each byte.
    id: Vec<(u8, u8)>,
    /// To which instruction.
    pub probe: ProbeMethod,
    /// Who makes it.
    pub vendor: String,
    /// Its name; several that differ in nothing are joined by `/`.
    pub model: String,
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// How it is programmed.
    pub programming: Programming,
    /// The ways to erase it.
    pub erases: Vec<Erase>,
    /// EWSR instead of WREN enables status writes.
    pub ewsr: bool,
    /// EN4B enters 4-byte mode.
    pub en4b: bool,
    /// The same after WREN.
    pub wren_en4b: bool,
    /// Extended address register.
    pub extended_address: bool,
    /// Bank register.
    pub bank_register: bool,
    /// READ with four address bytes.
    pub read_4b: bool,
    /// Page Program with four address bytes.
    pub program_4b: bool,
    /// Status register 2 is written by an instruction of its own.
    pub own_sr2_write: bool,
    /// WRSR writes two registers.
    pub long_wrsr: bool,
    /// Supply voltage.
    pub voltage: Voltage,
}

impl Part {
    /// Whether an answer begins with this part's id.
    pub fn has_id(&self, answer: &[u8]) -> bool {
        answer.len() >= self.id.len()
            && self
                .id
                .iter()
                .zip(answer)
                .all(|((value, mask), byte)| byte & mask == *value)
    }

    /// The manufacturer code, if it answers RDID.
    pub(crate) fn maker(&self) -> Option<u8> {
        let first = self.id.first().map(|(value, _)| *value);
        first.filter(|_| self.probe == ProbeMethod::Rdid)
    }

    /// How many bytes its id has: of two that fit, the longer one is right.
    pub fn id_bytes(&self) -> usize {
        self.id.len()
    }

    /// Whether it is called so: its whole name, or one of several, in any case.
    pub fn is_called(&self, name: &str) -> bool {
        let same = |own: &str| own.eq_ignore_ascii_case(name);
        same(&self.model) || self.model.split('/').any(same)
    }

    /// How it comes up protected, whatever was written before the power went.
    pub(super) fn power_up(&self) -> PowerUp {
        let named = |stems: &[&str]| stems.iter().any(|stem| self.model.starts_with(stem));
        match self.vendor.as_str() {
            // SST26VF064B, section 4.1: all blocks are locked until ULBPR.
            "SST" if named(&["SST26"]) => PowerUp::Locked,
            // SST25VF016B, table 3: BP0 to BP3 are set at power-up; ESMT's F25L copies it.
            "SST" | "ESMT" => PowerUp::Protected,
            // Those that take EWSR do as they do.
            _ if self.ewsr => PowerUp::Protected,
            // AT25DF321A, section 8.6: all sectors are protected at power-up, and a status write
            // with bits 5 to 2 clear unprotects all.
            "Atmel" if named(&["AT25DF", "AT25DL", "AT25DQ", "AT26DF"]) => PowerUp::Protected,
            _ => PowerUp::AsLeft,
        }
    }

    /// Vendor and model.
    pub fn name(&self) -> String {
        format!("{} {}", self.vendor, self.model)
    }
}

/// A line of a table that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PartsError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    rows: Vec<Part>,
}

impl Parts {
    /// The table that is built in.
    pub fn built_in() -> Self {
        // A test reads all of it.
        Self::parse(BUILT_IN).unwrap_or(Self { rows: Vec::new() })
    }

    /// Reads a table.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, PartsError> {
        let rows = text
            .lines()
            .enumerate()
            .skip(1)
            .map(|(index, line)| {
                row(line).map_err(|what| PartsError {
                    line: index + 1,
                    what,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { rows })
    }

    /// All parts.
    pub fn iter(&self) -> impl Iterator<Item = &Part> {
        self.rows.iter()
    }

    /// The parts that answer so, of those with longer ids only those.
    pub fn answering(&self, probe: ProbeMethod, answer: &[u8]) -> Vec<&Part> {
        let fits = |part: &&Part| part.probe == probe && part.has_id(answer);
        let found: Vec<&Part> = self.rows.iter().filter(fits).collect();
        let longest = found.iter().map(|part| part.id_bytes()).max().unwrap_or(0);
        found
            .into_iter()
            .filter(|part| part.id_bytes() == longest)
            .collect()
    }

    /// The parts that are called so.
    pub fn called(&self, name: &str) -> Vec<&Part> {
        self.rows
            .iter()
            .filter(|part| part.is_called(name))
            .collect()
    }
}

fn row(line: &str) -> Result<Part, String> {
    let cells: Vec<&str> = line.split(',').collect();
    let [
        id,
        probe,
        vendor,
        model,
        kib,
        program,
        erases,
        features,
        min_mv,
        max_mv,
    ] = cells[..]
    else {
        return Err(format!("{} cells instead of 10", cells.len()));
    };
    let size_bytes = number::<u64>(kib)? * 1024;
    let has = |feature: &str| features.split('|').any(|own| own == feature);
    Ok(Part {
        id: id_pattern(id)?,
        probe: match probe {
            "rdid" => ProbeMethod::Rdid,
            "rems" => ProbeMethod::Rems,
            "res" => ProbeMethod::Res,
            "rdid15" => ProbeMethod::Rdid15,
            _ => return Err(format!("\"{probe}\" is no instruction")),
        },
        vendor: vendor.to_owned(),
        model: model.to_owned(),
        size_bytes,
        programming: match program {
            "byte" => Programming::Bytes,
            "words" => Programming::Words,
            bytes => Programming::Pages {
                bytes: number(bytes)?,
            },
        },
        erases: erases
            .split(';')
            .map(|text| erase(text, size_bytes))
            .collect::<Result<_, _>>()?,
        ewsr: has("ewsr"),
        en4b: has("en4b"),
        wren_en4b: has("wren-en4b"),
        extended_address: has("ear"),
        bank_register: has("bank"),
        read_4b: has("read4b"),
        program_4b: has("pp4b"),
        own_sr2_write: has("sr2"),
        long_wrsr: has("wrsr2"),
        voltage: Voltage {
            min_mv: number(min_mv)?,
            max_mv: number(max_mv)?,
        },
    })
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no number"))
}

/// Hexadecimal digits, `?` for any.
fn id_pattern(text: &str) -> Result<Vec<(u8, u8)>, String> {
    let nibbles: Option<Vec<(u8, u8)>> = text
        .chars()
        .map(|digit| match digit {
            '?' => Some((0, 0)),
            digit => digit.to_digit(16).map(|value| (value as u8, 0xF)),
        })
        .collect();
    match nibbles {
        Some(nibbles) if !nibbles.is_empty() && nibbles.len().is_multiple_of(2) => Ok(nibbles
            .chunks(2)
            .map(|pair| (pair[0].0 << 4 | pair[1].0, pair[0].1 << 4 | pair[1].1))
            .collect()),
        _ => Err(format!("\"{text}\" is no id")),
    }
}

/// `D8:4096x2+8192x1` or `C7:chip`.
fn erase(text: &str, size_bytes: u64) -> Result<Erase, String> {
    let wrong = || format!("\"{text}\" is no erase");
    let (opcode, extent) = text.split_once(':').ok_or_else(wrong)?;
    let opcode = u8::from_str_radix(opcode, 16).map_err(|_| wrong())?;
    if extent == "chip" {
        return Ok(Erase::chip(opcode, size_bytes));
    }
    let mut start = 0;
    let mut runs = Vec::new();
    for run in extent.split('+') {
        let (unit, count) = run.split_once('x').ok_or_else(wrong)?;
        let (unit, count): (u64, u64) = (number(unit)?, number(count)?);
        runs.push((start, unit, count));
        start += unit * count;
    }
    if start != size_bytes {
        return Err(format!("\"{text}\" erases {start} bytes of {size_bytes}"));
    }
    let largest = runs.iter().map(|(_, unit, _)| *unit).max().unwrap_or(0);
    Ok(Erase {
        opcode,
        is_chip: false,
        runs,
        time: Timing::of_erase(largest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_read_to_its_last_row() {
        let parts = Parts::parse(BUILT_IN).unwrap();
        assert_eq!(parts.iter().count() + 1, BUILT_IN.lines().count());
        assert!(parts.iter().count() > 450);
        assert_eq!(Parts::built_in(), parts);
    }

    #[test]
    fn the_longest_id_that_fits_is_right() {
        let parts = Parts::built_in();
        let names = |answer: &[u8]| -> Vec<String> {
            let found = parts.answering(ProbeMethod::Rdid, answer);
            found.iter().map(|part| part.model.clone()).collect()
        };
        assert_eq!(
            names(&[0x01, 0x02, 0x19, 0x4D, 0x01, 0x80]),
            ["S25FL256S Small Sectors"]
        );
        assert_eq!(
            names(&[0x01, 0x02, 0x19, 0x4D, 0x02, 0x80]),
            ["S25FL256S......0"]
        );
        assert_eq!(
            names(&[0xEF, 0x40, 0x17, 0, 0, 0]),
            ["W25Q64BV/W25Q64CV/W25Q64FV", "W25Q64JV-.Q"]
        );
        assert_eq!(names(&[0x7F, 0x37, 0x20, 0x14, 0, 0]), ["A25L80P"]);
        assert_eq!(names(&[0x12, 0x34, 0x56]), [""; 0]);
        assert_eq!(names(&[0xEF]), [""; 0]);
    }

    #[test]
    fn a_part_is_found_by_any_of_its_names() {
        let parts = Parts::built_in();
        assert_eq!(parts.called("w25q64fv").len(), 1);
        assert_eq!(parts.called("W25Q64BV/W25Q64CV/W25Q64FV").len(), 1);
        assert!(parts.called("W25Q64").is_empty());
    }

    #[test]
    fn wrong_lines_are_told_with_their_number() {
        let refused = |line: &str| Parts::parse(&format!("header\n{line}")).unwrap_err();
        assert_eq!(refused("a,b").line, 2);
        let good = "EF4017,rdid,W,X,64,256,20:4096x16;C7:chip,,2700,3600";
        assert!(Parts::parse(&format!("header\n{good}")).is_ok());
        for (from, to) in [
            ("EF4017", "EF401"),
            ("EF4017", "EG4017"),
            ("rdid", "cfi"),
            (",64,", ",x,"),
            (",256,", ",page,"),
            ("4096x16", "4096x15"),
            ("20:", "2G:"),
            ("C7:chip", "C7"),
            ("2700", "low"),
        ] {
            let error = refused(&good.replacen(from, to, 1));
            assert_eq!(error.line, 2, "{to}: {error}");
        }
    }
}
