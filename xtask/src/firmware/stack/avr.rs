//! How deep the stack of a program for an AVR gets, from its machine code: what each function pushes
//! and calls. Opcodes are those of the "AVR Instruction Set Manual" (DS40002198).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use object::{File, Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

/// A call leaves its return address, in bytes: two on parts with up to 128 KiB of flash.
const RETURN_BYTES: u64 = 2;

/// What a function does to the stack.
#[derive(Debug, Default, PartialEq, Eq)]
struct Function {
    /// Registers that it saves and variables that it keeps there, in bytes.
    own_bytes: u64,
    /// Addresses of what it calls.
    calls: Vec<u64>,
    /// Addresses of what it goes on as.
    jumps: Vec<u64>,
}

/// Most bytes on the stack at a time: those of `main` and what it calls, and of the interrupt, which
/// is handled in the vector table and can come at any moment.
pub(super) fn deepest(program: &File<'_>) -> Result<u64> {
    let text = program.section_by_name(".text").context("no .text")?;
    let code = text.data()?;
    let base = text.address();
    let mut starts = BTreeMap::new();
    for symbol in program.symbols() {
        let is_code = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown);
        if is_code && symbol.section_index() == Some(text.index()) {
            let names: &mut Vec<_> = starts.entry(symbol.address()).or_default();
            names.push(symbol.name()?.to_owned());
        }
    }
    let ends = starts.keys().skip(1).copied();
    let ends: Vec<_> = ends.chain([base + code.len() as u64]).collect();
    let mut functions = BTreeMap::new();
    for (&start, end) in starts.keys().zip(ends) {
        let bytes = code.get((start - base) as usize..(end - base) as usize);
        functions.insert(
            start,
            function(start, bytes.context("a symbol lies outside")?)?,
        );
    }
    let named = |wanted: &dyn Fn(&str) -> bool| {
        let mut found = starts
            .iter()
            .filter(|(_, names)| names.iter().any(|name| wanted(name)));
        found.next().map(|(address, _)| *address)
    };
    let main = named(&|name| name.ends_with("4main")).context("no main")?;
    let vectors = named(&|name| name == "__vectors").context("no vectors")?;
    // Beside `main`, which it jumps to, only the handler in it pushes anything.
    let handler_bytes: u64 = functions
        .range(vectors..main)
        .take_while(|(start, _)| **start < VECTORS_END)
        .map(|(_, function)| function.own_bytes)
        .sum();
    Ok(depth(&functions, main, 0)? + RETURN_BYTES + handler_bytes)
}

/// Where the vector table of an ATmega328P ends, with room for the handler that begins at its last
/// vectors.
const VECTORS_END: u64 = 0x80;

fn depth(functions: &BTreeMap<u64, Function>, address: u64, level: usize) -> Result<u64> {
    ensure!(level < functions.len(), "{address:#x} calls itself");
    // Code may go on in the middle of what a symbol begins: then it is that symbol's.
    let (_, function) = functions
        .range(..=address)
        .next_back()
        .with_context(|| format!("nothing is at {address:#x}"))?;
    let mut deepest = 0;
    for &callee in &function.calls {
        deepest = deepest.max(RETURN_BYTES + depth(functions, callee, level + 1)?);
    }
    for &next in &function.jumps {
        deepest = deepest.max(depth(functions, next, level + 1)?);
    }
    Ok(function.own_bytes + deepest)
}

/// Reads one function, which lies at `start`.
fn function(start: u64, bytes: &[u8]) -> Result<Function> {
    const PUSH: u16 = 0x920F;
    const ICALL: u16 = 0x9509;
    const IN_YL_SPL: u16 = 0xB7CD;
    const IN_YH_SPH: u16 = 0xB7DE;

    let end = start + bytes.len() as u64;
    let words: Vec<_> = bytes
        .chunks_exact(2)
        .map(|word| u16::from_le_bytes([word[0], word[1]]))
        .collect();
    let mut function = Function::default();
    let mut index = 0;
    while let Some(&word) = words.get(index) {
        let next = words.get(index + 1).copied().unwrap_or_default();
        let after = start + 2 * index as u64 + 2;
        index += 1;
        let relative = i64::from(((word << 4) as i16) >> 4) * 2;
        let relative = after.checked_add_signed(relative).unwrap_or_default();
        let absolute = 2 * u64::from(next);
        match word {
            ICALL => bail!("a call to an address that is computed, before {after:#x}"),
            IN_YL_SPL if next == IN_YH_SPH => {
                function.own_bytes += frame_bytes(words.get(index + 1..).unwrap_or_default())
                    .with_context(|| format!("a frame of unknown size before {after:#x}"))?;
            }
            _ if word & 0xFE0F == PUSH => function.own_bytes += 1,
            // CALL and JMP, with the address in a second word.
            _ if word & 0xFE0E == 0x940E => {
                function.calls.push(absolute);
                index += 1;
            }
            _ if word & 0xFE0E == 0x940C => {
                if !(start..end).contains(&absolute) {
                    function.jumps.push(absolute);
                }
                index += 1;
            }
            // LDS and STS, the same.
            _ if word & 0xFC0F == 0x9000 => index += 1,
            // RCALL: to the next instruction it only makes room.
            _ if word & 0xF000 == 0xD000 && relative == after => {
                function.own_bytes += RETURN_BYTES;
            }
            _ if word & 0xF000 == 0xD000 => function.calls.push(relative),
            // RJMP.
            _ if word & 0xF000 == 0xC000 && !(start..end).contains(&relative) => {
                function.jumps.push(relative);
            }
            _ => {}
        }
    }
    Ok(function)
}

/// What is taken from the frame pointer after the stack pointer was copied to it: by SBIW, or by SUBI
/// and SBCI.
fn frame_bytes(words: &[u16]) -> Option<u64> {
    let immediate = |word: u16| u64::from(word >> 4 & 0xF0 | word & 0x0F);
    let (&first, rest) = words.split_first()?;
    if first & 0xFF30 == 0x9720 {
        return Some(u64::from(first >> 2 & 0x30 | first & 0x0F));
    }
    let second = *rest.first()?;
    let is_pair = first & 0xF0F0 == 0x50C0 && second & 0xF0F0 == 0x40D0;
    is_pair.then(|| immediate(first) | immediate(second) << 8)
}

/// How much of the RAM is left to the stack, which begins at its end.
pub(super) fn free_bytes(program: &File<'_>) -> u64 {
    const RAM_END: u64 = 0x80_0900;
    let variables = program.sections().filter(|section| {
        let kind = section.kind();
        matches!(kind, SectionKind::Data | SectionKind::UninitializedData)
    });
    let end = variables.map(|section| section.address() + section.size());
    RAM_END.saturating_sub(end.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn registers_frames_and_calls_are_counted() {
        // push r16; in r28, SPL; in r29, SPH; sbiw r28, 0x21; rcall .+0; sts 0x920F; call 0x100;
        // rcall .-4; rjmp 0x200
        let words = [
            0x930F, 0xB7CD, 0xB7DE, 0x97A1, 0xD000, 0x9300, 0x920F, 0x940E, 0x0080, 0xDFFE, 0xC0F5,
        ];
        let expected = Function {
            own_bytes: 1 + 0x21 + 2,
            calls: vec![0x100, 0x10],
            jumps: vec![0x200],
        };
        assert_eq!(function(0, &code(&words)).unwrap(), expected);
    }

    #[test]
    fn large_frames_have_two_halves() {
        // subi r28, 0x91; sbci r29, 0x04
        assert_eq!(frame_bytes(&[0x59C1, 0x40D4]), Some(0x491));
        assert_eq!(frame_bytes(&[0x0000, 0x40D4]), None);
    }

    #[test]
    fn what_calls_itself_has_no_bound() {
        // rcall to itself
        let functions = BTreeMap::from([(0, function(0, &code(&[0xDFFF])).unwrap())]);
        assert!(depth(&functions, 0, 0).is_err());
    }
}
