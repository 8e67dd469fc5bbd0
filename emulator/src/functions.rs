//! Names for a profile: which function an instruction belongs to.

use std::collections::BTreeMap;

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian};
use object::{Object, ObjectSection, SymbolMap, SymbolMapName};

use crate::cpu::Spent;

/// Why a file tells no names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionsError {
    /// It is no ELF file, or a damaged one.
    #[error("the file has no symbols: {0}")]
    NoSymbols(#[from] object::Error),
    /// Its debug information is damaged.
    #[error("the debug information is wrong: {0}")]
    BadDebugInformation(#[from] addr2line::gimli::Error),
}

/// The functions of a program, by the debug information and symbols of its ELF file.
pub struct Functions<'a> {
    lines: Context<EndianSlice<'a, LittleEndian>>,
    symbols: SymbolMap<SymbolMapName<'a>>,
}

impl<'a> Functions<'a> {
    /// Reads the names out of an ELF file.
    ///
    /// # Errors
    /// [`FunctionsError`].
    pub fn parse(elf: &'a [u8]) -> Result<Self, FunctionsError> {
        let file = object::File::parse(elf)?;
        let dwarf = Dwarf::load(|section| {
            let section = file.section_by_name(section.name());
            let content = section.map_or(Ok(&[][..]), |section| section.data())?;
            Ok::<_, object::Error>(EndianSlice::new(content, LittleEndian))
        })?;
        Ok(Self {
            lines: Context::from_dwarf(dwarf)?,
            symbols: file.symbol_map(),
        })
    }

    /// The function that the instruction at `address` was written in: not one of a library that was
    /// inlined there.
    pub fn at(&self, address: u32) -> String {
        let address = u64::from(address);
        self.written_in(address)
            .or_else(|| Some(demangled(self.symbols.containing(address)?.name())))
            .unwrap_or_else(|| format!("{address:#010x}"))
    }

    fn written_in(&self, address: u64) -> Option<String> {
        let mut frames = self.lines.find_frames(address).skip_all_loads().ok()?;
        let mut name = None;
        while let Ok(Some(frame)) = frames.next() {
            let Some(function) = &frame.function else {
                continue;
            };
            name = Some(function.demangle().ok()?.into_owned());
            let file = frame.location.and_then(|location| location.file);
            if !file.is_some_and(is_of_a_library) {
                break;
            }
        }
        name
    }
}

fn demangled(symbol: &str) -> String {
    addr2line::demangle_auto(symbol.into(), None).into_owned()
}

/// Sources of the standard library (with or without its sources installed), and of what Cargo
/// fetched.
#[inline(never)]
fn is_of_a_library(file: &str) -> bool {
    ["/rustc/", "/rustlib/src/", "/registry/src/"]
        .iter()
        .any(|folder| file.contains(folder))
}

/// A table of what costs most: by function, or by address where there are no names. Cycles and
/// instructions are divided by `runs`.
pub fn cost_table(
    counts: &BTreeMap<u32, Spent>,
    functions: Option<&Functions<'_>>,
    runs: u64,
) -> String {
    let mut by_name: BTreeMap<String, Spent> = BTreeMap::new();
    for (&address, spent) in counts {
        let name = functions.map_or_else(
            || format!("{address:#010x}"),
            |functions| functions.at(address),
        );
        let sum = by_name.entry(name).or_default();
        sum.times += spent.times;
        sum.cycles += spent.cycles;
    }
    let mut rows: Vec<_> = by_name.into_iter().collect();
    rows.sort_by_key(|(_, spent)| std::cmp::Reverse(spent.cycles));
    let mut table = format!("{:>12} {:>12}  function\n", "cycles", "instructions");
    let runs = runs.max(1) as f64;
    for (name, spent) in rows {
        let (cycles, times) = (spent.cycles as f64 / runs, spent.times as f64 / runs);
        table += &format!("{cycles:>12.1} {times:>12.1}  {name}\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_function_is_found_by_an_address_in_it() {
        // The test itself is an ELF file with symbols.
        let elf = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let functions = Functions::parse(&elf).unwrap();
        let file = object::File::parse(&*elf).unwrap();
        let map = file.symbol_map();
        let ours = map
            .symbols()
            .iter()
            .find(|symbol| symbol.name().contains("is_of_a_library"))
            .expect("it is a symbol");
        let name = functions.at(u32::try_from(ours.address()).unwrap());
        assert!(name.ends_with("is_of_a_library"), "{name}");
    }

    #[test]
    fn what_is_no_elf_file_has_no_names() {
        assert!(matches!(
            Functions::parse(b":00000001FF"),
            Err(FunctionsError::NoSymbols(_))
        ));
    }

    #[test]
    fn the_table_begins_with_what_costs_most() {
        let spent = |times, cycles| Spent { times, cycles };
        let counts = BTreeMap::from([(0x10, spent(2, 4)), (0x12, spent(3, 30))]);
        let table = cost_table(&counts, None, 2);
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[1], ["15.0", "1.5", "0x00000012"]);
        assert_eq!(rows[2], ["2.0", "1.0", "0x00000010"]);
    }
}
