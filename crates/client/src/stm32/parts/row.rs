//! Reading a table of parts.

use std::ops::Range;

use flashwire_protocol::stm32::Command;

use super::{Family, LayoutError, Part, Quirk, csv};

/// Why a table of parts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct PartsError {
    /// Number of the line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: PartsErrorKind,
}

/// What is wrong with a line of a table of parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartsErrorKind {
    /// The first line names a column that there is not.
    #[error("there is no column \"{0}\"")]
    UnknownColumn(String),
    /// The first line does not name the one column that every table needs.
    #[error("the column \"product_id\" is missing")]
    NoProductId,
    /// A line has fewer or more fields than the first.
    #[error("{fields} fields where the first line names {columns}")]
    Fields {
        /// Fields on this line.
        fields: usize,
        /// Columns that the first line names.
        columns: usize,
    },
    /// A quote is opened and not closed.
    #[error("a quoted field does not end")]
    OpenQuote,
    /// A number was expected.
    #[error("{column}: \"{text}\" is no number")]
    Number {
        /// The column.
        column: &'static str,
        /// What stands there.
        text: String,
    },
    /// A range of addresses was expected.
    #[error("{column}: \"{text}\" is no range such as 0x20000000-0x20005000")]
    Range {
        /// The column.
        column: &'static str,
        /// What stands there.
        text: String,
    },
    /// An address so high that nothing fits behind it.
    #[error("{column}: 0x{address:08X} is no address of a chip")]
    Address {
        /// The column.
        column: &'static str,
        /// What stands there.
        address: u32,
    },
    /// The layout cannot be read.
    #[error("layout: {0}")]
    Layout(#[from] LayoutError),
    /// A quirk of an unknown name.
    #[error("quirks: there is no quirk \"{0}\"")]
    Quirk(String),
    /// Nothing can be programmed in such pieces.
    #[error("program_unit: {0} is no power of two from 1 to 256")]
    ProgramUnit(u32),
    /// The flash would reach past the end of the address space.
    #[error("flash_kib: {0} KiB do not fit behind flash_start")]
    FlashSize(u32),
}

/// Reads one field into a part.
type Column = fn(&mut Part, &str) -> Result<(), PartsErrorKind>;

/// The columns, by name.
const COLUMNS: [(&str, Column); 20] = [
    ("product_id", |part, text| {
        part.product_id = number("product_id", text)?;
        Ok(())
    }),
    ("family", |part, text| {
        part.family = Family::named(text);
        Ok(())
    }),
    ("name", |part, text| {
        part.name = text.to_owned();
        Ok(())
    }),
    ("flash_start", |part, text| {
        part.flash_start = address("flash_start", text)?;
        Ok(())
    }),
    ("flash_kib", |part, text| {
        part.flash_kib = Some(number("flash_kib", text)?);
        Ok(())
    }),
    ("layout", |part, text| {
        part.layout = Some(text.parse()?);
        Ok(())
    }),
    ("wrp_units", |part, text| {
        part.wrp_units = Some(number("wrp_units", text)?);
        Ok(())
    }),
    ("ram", |part, text| {
        part.ram = Some(range("ram", text)?);
        Ok(())
    }),
    ("option_bytes", |part, text| {
        part.option_bytes = Some(range("option_bytes", text)?);
        Ok(())
    }),
    ("system_memory", |part, text| {
        part.system_memory = Some(range("system_memory", text)?);
        Ok(())
    }),
    ("flash_size_at", |part, text| {
        part.flash_size_at = Some(address("flash_size_at", text)?);
        Ok(())
    }),
    ("unique_id_at", |part, text| {
        part.unique_id_at = Some(address("unique_id_at", text)?);
        Ok(())
    }),
    ("bootloader_id_at", |part, text| {
        part.bootloader_id_at = Some(address("bootloader_id_at", text)?);
        Ok(())
    }),
    ("bootloader_ids", |part, text| {
        let ids = text.split_whitespace();
        part.bootloader_ids = ids
            .map(|id| number("bootloader_ids", id))
            .collect::<Result<_, _>>()?;
        Ok(())
    }),
    ("program_unit", |part, text| {
        let unit: u32 = number("program_unit", text)?;
        if !unit.is_power_of_two() || unit > 256 {
            return Err(PartsErrorKind::ProgramUnit(unit));
        }
        part.program_unit = unit;
        Ok(())
    }),
    ("erased", |part, text| {
        part.erased = number("erased", text)?;
        Ok(())
    }),
    ("erase_command", |part, text| {
        let wrong = || PartsErrorKind::Number {
            column: "erase_command",
            text: text.to_owned(),
        };
        let code: u8 = number("erase_command", text)?;
        let command = Command::try_from(code).map_err(|_| wrong())?;
        if !matches!(command, Command::Erase | Command::ExtendedErase) {
            return Err(wrong());
        }
        part.erase_command = Some(command);
        Ok(())
    }),
    ("quirks", |part, text| {
        let named = |name: &str| Quirk::named(name).ok_or(PartsErrorKind::Quirk(name.to_owned()));
        part.quirks = text
            .split_whitespace()
            .map(named)
            .collect::<Result<_, _>>()?;
        Ok(())
    }),
    ("source", |part, text| {
        part.source = text.to_owned();
        Ok(())
    }),
    ("notes", |part, text| {
        part.notes = text.to_owned();
        Ok(())
    }),
];

/// The parts of those lines below the first for which `wanted` holds.
pub(super) fn parse(text: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Part>, PartsError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim_end()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (line, header) = lines.next().unwrap_or((1, ""));
    let columns = columns(header).map_err(|kind| PartsError { line, kind })?;
    lines
        .filter(|(_, line)| wanted(line))
        .map(|(line, text)| part(&columns, text).map_err(|kind| PartsError { line, kind }))
        .collect()
}

fn columns(header: &str) -> Result<Vec<Column>, PartsErrorKind> {
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    if !names.contains(&"product_id") {
        return Err(PartsErrorKind::NoProductId);
    }
    let column = |name: &&str| {
        let found = COLUMNS.iter().find(|(known, _)| known == name);
        found
            .map(|(_, column)| *column)
            .ok_or_else(|| PartsErrorKind::UnknownColumn((*name).to_owned()))
    };
    names.iter().map(column).collect()
}

fn part(columns: &[Column], line: &str) -> Result<Part, PartsErrorKind> {
    let fields = csv::fields(line).ok_or(PartsErrorKind::OpenQuote)?;
    if fields.len() != columns.len() {
        return Err(PartsErrorKind::Fields {
            fields: fields.len(),
            columns: columns.len(),
        });
    }
    let mut part = Part::generic(0);
    for (column, field) in columns.iter().zip(&fields) {
        let field = field.trim();
        if !field.is_empty() {
            column(&mut part, field)?;
        }
    }
    if part.product_id == 0 {
        return Err(PartsErrorKind::Number {
            column: "product_id",
            text: String::new(),
        });
    }
    let kib = part.flash_kib.unwrap_or(1);
    let fits = kib
        .checked_mul(1024)
        .is_some_and(|bytes| bytes > 0 && part.flash_start.checked_add(bytes).is_some());
    if !fits {
        return Err(PartsErrorKind::FlashSize(kib));
    }
    Ok(part)
}

/// A number: decimal, or hexadecimal after `0x`.
fn number<T: TryFrom<u32>>(column: &'static str, text: &str) -> Result<T, PartsErrorKind> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed
        .ok()
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| PartsErrorKind::Number {
            column,
            text: text.to_owned(),
        })
}

/// An address. The last page of the address space holds nothing on any chip, and leaving it out
/// leaves room to count on from any address.
fn address(column: &'static str, text: &str) -> Result<u32, PartsErrorKind> {
    let address = number(column, text)?;
    if address > LAST_ADDRESS {
        return Err(PartsErrorKind::Address { column, address });
    }
    Ok(address)
}

const LAST_ADDRESS: u32 = 0xFFFF_F000;

/// A range: first address, dash, end (exclusive).
fn range(column: &'static str, text: &str) -> Result<Range<u32>, PartsErrorKind> {
    let wrong = || PartsErrorKind::Range {
        column,
        text: text.to_owned(),
    };
    let (start, end) = text.split_once('-').ok_or_else(wrong)?;
    let start: u32 = number(column, start.trim()).map_err(|_| wrong())?;
    let end: u32 = number(column, end.trim()).map_err(|_| wrong())?;
    let right = start < end && end <= LAST_ADDRESS;
    right.then_some(start..end).ok_or_else(wrong)
}
