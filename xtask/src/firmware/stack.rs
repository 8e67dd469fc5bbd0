//! Whether the stack of a program can ever meet its variables.

mod avr;

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use flashwire_emulator::Image;
use flashwire_emulator::stack::{Code, EXCEPTION_FRAME_BYTES, bound};
use object::{Architecture, File, Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

/// Checks that the stack of a program stays within `budget_bytes` and within what its variables
/// leave of the RAM, and prints how deep it gets and where. `program` is what `bytes` are.
pub(super) fn keeps_to(bytes: &[u8], program: &File<'_>, budget_bytes: u64) -> Result<()> {
    match program.architecture() {
        Architecture::Arm => cortex_m_keeps_to(bytes, program, budget_bytes),
        Architecture::Avr => {
            let (deepest, free) = (avr::deepest(program)?, avr::free_bytes(program));
            println!("  {deepest} bytes of stack, {free} are free");
            fits(deepest, free, budget_bytes)
        }
        other => bail!("how deep the stack of a program for {other:?} gets is not known"),
    }
}

fn cortex_m_keeps_to(bytes: &[u8], program: &File<'_>, budget_bytes: u64) -> Result<()> {
    let code = Code::new(&Image::parse(bytes)?);
    let bound = bound(&code, &names(program))?;
    let variables = program.sections().filter(|section| {
        matches!(
            section.kind(),
            SectionKind::Data | SectionKind::UninitializedData
        )
    });
    let variables_end = variables
        .map(|section| section.address() + section.size())
        .max();
    let free_bytes = u64::from(bound.top).saturating_sub(variables_end.unwrap_or(0));
    let deepest_bytes = u64::from(bound.bytes());
    println!("  {deepest_bytes} bytes of stack, {free_bytes} are free");
    println!("    {}", bound.thread);
    for handler in &bound.handlers {
        println!("    exception {EXCEPTION_FRAME_BYTES} > {handler}");
    }
    fits(deepest_bytes, free_bytes, budget_bytes)
}

fn fits(deepest_bytes: u64, free_bytes: u64, budget_bytes: u64) -> Result<()> {
    ensure!(
        deepest_bytes <= free_bytes,
        "{deepest_bytes} bytes of stack, {free_bytes} are free"
    );
    ensure!(
        deepest_bytes <= budget_bytes,
        "{deepest_bytes} bytes of stack, {budget_bytes} are allowed"
    );
    Ok(())
}

/// Its functions by their addresses. Of several names the one that has a size: the others stand for
/// a handler that is not there.
fn names(program: &File<'_>) -> BTreeMap<u32, String> {
    let mut functions: Vec<_> = program
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text)
        .collect();
    functions.sort_by_key(|symbol| symbol.size());
    functions
        .into_iter()
        .filter_map(|symbol| {
            // Bit 0 says that it is Thumb code: IHI 0044, section 5.5.3.
            let address = u32::try_from(symbol.address()).ok()? & !1;
            Some((address, readable(symbol.name().ok()?)))
        })
        .collect()
}

/// The path of a function without its hash, from a symbol of Rust's older mangling.
fn readable(symbol: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = symbol.strip_prefix("_ZN").unwrap_or_default();
    while let Some(digits) = rest.find(|letter: char| !letter.is_ascii_digit()) {
        let Ok(length) = rest[..digits].parse::<usize>() else {
            break;
        };
        let Some((part, behind)) = rest[digits..].split_at_checked(length) else {
            break;
        };
        parts.push(part);
        rest = behind;
    }
    parts.pop();
    if parts.is_empty() {
        symbol.to_owned()
    } else {
        let mut name = parts.join("::");
        for (code, sign) in [
            ("_$", "$"),
            ("$LT$", "<"),
            ("$GT$", ">"),
            ("$u20$", " "),
            ("..", "::"),
        ] {
            name = name.replace(code, sign);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_read_as_people_write_them() {
        assert_eq!(
            readable(
                "_ZN16flashwire_device7serprog19Programmer$LT$B$GT$7execute17h286bf99ec1938f45E"
            ),
            "flashwire_device::serprog::Programmer<B>::execute"
        );
        assert_eq!(
            readable("_ZN29_$LT$a..B$u20$as$u20$c..D$GT$4read17h0123456789abcdefE"),
            "<a::B as c::D>::read"
        );
        assert_eq!(readable("HardFault_"), "HardFault_");
        assert_eq!(readable("_ZN99x"), "_ZN99x");
    }
}
