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

/// Sources of the standard library, and of what Cargo fetched.
fn is_of_a_library(file: &str) -> bool {
    file.starts_with("/rustc/") || file.contains("/registry/src/")
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
