//! One function, followed along all its branches with what its registers are known to hold.
//!
//! A branch to another function is no call: that function goes on in this one's place, and is followed
//! as a part of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::cpu::decode;
use crate::cpu::instruction::{Address, Alu, Instruction, Operand, Reg, Shift, Width};

use super::StackError;
use super::call_graph::Call;
use super::code::Code;
use super::effects::written;

/// What is known of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    Constant(u32),
    /// Where the function is to return to.
    Return,
    /// An address on the stack.
    Stack(Depth),
}

/// How far below the stack pointer at the function's entry something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Depth {
    bytes: i32,
    /// It may also be less: the address was aligned.
    at_most: bool,
}

impl Depth {
    const ENTRY: Self = Self {
        bytes: 0,
        at_most: false,
    };

    fn deeper(self, bytes: i32) -> Self {
        Self {
            bytes: self.bytes + bytes,
            ..self
        }
    }

    /// The address with some of its low bits cleared, which are `mask`.
    fn aligned(self, mask: u32) -> Self {
        Self {
            bytes: self.bytes + mask as i32,
            at_most: true,
        }
    }
}

/// What is known before an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    registers: [Value; 16],
    /// How many instructions are still conditional: those of an IT block.
    conditional: u8,
}

impl State {
    fn at_entry() -> Self {
        let mut registers = [Value::Unknown; 16];
        registers[Reg::SP.index()] = Value::Stack(Depth::ENTRY);
        registers[Reg::LR.index()] = Value::Return;
        Self {
            registers,
            conditional: 0,
        }
    }

    fn get(&self, register: Reg) -> Value {
        self.registers[register.index()]
    }

    fn set(&mut self, register: Reg, value: Value) {
        self.registers[register.index()] = value;
    }

    /// The stack pointer; None if it is lost.
    fn depth(&self) -> Option<Depth> {
        match self.get(Reg::SP) {
            Value::Stack(depth) => Some(depth),
            _ => None,
        }
    }

    /// What holds here and there; None if the stack pointers differ.
    fn join(&self, other: &Self) -> Option<Self> {
        let mut joined = self.clone();
        for (value, other) in joined.registers.iter_mut().zip(other.registers) {
            *value = match (*value, other) {
                (value, other) if value == other => value,
                (Value::Stack(one), Value::Stack(two)) if one.bytes == two.bytes => {
                    Value::Stack(Depth {
                        at_most: true,
                        ..one
                    })
                }
                _ => Value::Unknown,
            };
        }
        // Nothing branches into an IT block: DDI 0403E, section A7.7.38.
        (joined.depth().is_some() && self.conditional == other.conditional).then_some(joined)
    }
}

/// Where a function goes after an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// On, or to all of these.
    To(Vec<u32>),
    /// It calls a function at this address and goes on.
    Call(u32),
    /// It calls a function that it was told of and goes on.
    CallIndirect,
    /// A function that it was told of goes on in its place.
    JumpIndirect,
    Return,
    /// Nothing follows: an exception that does not come back.
    End,
}

/// A call, or a jump into another function, of which it is not known where it leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) pc: u32,
    /// What is on the stack then.
    pub(super) bytes: u32,
}

/// What a function does.
#[derive(Clone, Debug, Default)]
pub(super) struct Walked {
    /// The most that it has on the stack itself.
    pub(super) bytes: u32,
    pub(super) calls: Vec<Call>,
    pub(super) indirect: Vec<Site>,
    /// Values that it makes, addresses of functions perhaps among them.
    pub(super) constants: BTreeSet<u32>,
    /// Whether it ever comes back.
    pub(super) returns: bool,
}

/// Follows the function at `entry`. `returns` tells of each function that it calls whether it comes
/// back: behind the call of one that does not there may be anything.
///
/// # Errors
/// [`StackError`] if something of it cannot be foreseen.
pub(super) fn walk(
    code: &Code,
    entry: u32,
    returns: &mut dyn FnMut(u32) -> Result<bool, StackError>,
) -> Result<Walked, StackError> {
    let mut before = BTreeMap::from([(entry, State::at_entry())]);
    let mut to_do = vec![entry];
    // Ends: a state only ever loses knowledge, and there is only so much of it.
    while let Some(pc) = to_do.pop() {
        let (instruction, size) = instruction_at(code, pc)?;
        let state = before[&pc].clone();
        let (next, after) = step(code, pc, size, instruction, &state)?;
        let on = pc.wrapping_add(size);
        let mut ways: Vec<(u32, State)> = match next {
            Next::To(targets) => targets
                .into_iter()
                .map(|target| (target, after.clone()))
                .collect(),
            Next::Call(to) if !returns(to)? => Vec::new(),
            Next::Call(_) | Next::CallIndirect => vec![(on, after.clone())],
            Next::Return | Next::JumpIndirect | Next::End => Vec::new(),
        };
        if state.conditional > 0 {
            let skipped = State {
                conditional: after.conditional,
                ..state
            };
            ways.push((on, skipped));
        }
        for (target, state) in ways {
            let joined = match before.get(&target) {
                None => state,
                Some(known) => {
                    let joined = known.join(&state);
                    let joined = joined.ok_or(StackError::Uneven { pc: target })?;
                    if joined == *known {
                        continue;
                    }
                    joined
                }
            };
            before.insert(target, joined);
            to_do.push(target);
        }
    }
    summary(code, &before)
}

/// What a function does, from what is known before each of its instructions.
fn summary(code: &Code, before: &BTreeMap<u32, State>) -> Result<Walked, StackError> {
    let mut walked = Walked::default();
    for (&pc, state) in before {
        let (instruction, size) = instruction_at(code, pc)?;
        let (next, after) = step(code, pc, size, instruction, state)?;
        let bytes = |state: &State| match state.depth() {
            Some(depth) => Ok(depth.bytes.max(0) as u32),
            None => Err(StackError::Unfollowed { pc }),
        };
        let now = bytes(&after)?;
        walked.bytes = walked.bytes.max(bytes(state)?).max(now);
        match next {
            Next::Call(to) => walked.calls.push(Call { to, bytes: now }),
            Next::CallIndirect => walked.indirect.push(Site { pc, bytes: now }),
            Next::JumpIndirect => {
                walked.indirect.push(Site { pc, bytes: now });
                walked.returns = true;
            }
            Next::Return => walked.returns = true,
            Next::To(_) | Next::End => {}
        }
        for value in after.registers {
            if let Value::Constant(value) = value {
                walked.constants.insert(value);
            }
        }
    }
    Ok(walked)
}

fn instruction_at(code: &Code, pc: u32) -> Result<(Instruction, u32), StackError> {
    let half = |address| {
        let half = code.half(address);
        half.ok_or(StackError::NoCode { address })
    };
    let first = half(pc)?;
    Ok(if decode::is_wide(first) {
        (decode::wide(first, half(pc.wrapping_add(2))?), 4)
    } else {
        (decode::narrow(first), 2)
    })
}

/// What `instruction` makes of `state` if it is executed, and where it leads.
fn step(
    code: &Code,
    pc: u32,
    size: u32,
    instruction: Instruction,
    state: &State,
) -> Result<(Next, State), StackError> {
    use Instruction as I;
    let mut after = state.clone();
    after.conditional = state.conditional.saturating_sub(1);
    for register in 0..16 {
        if written(instruction) >> register & 1 != 0 {
            after.set(Reg::new(register), Value::Unknown);
        }
    }
    for (register, value) in results(code, pc, instruction, state) {
        after.set(register, value);
    }
    if after.depth().is_none() {
        return Err(StackError::Unfollowed { pc });
    }
    let on = pc.wrapping_add(size);
    let target = |offset: i32| pc.wrapping_add(4).wrapping_add_signed(offset);
    let next = match instruction {
        I::Branch { offset } => Next::To(vec![target(offset)]),
        I::BranchIf { offset, .. } => Next::To(vec![on, target(offset)]),
        I::CompareBranch { offset, .. } => Next::To(vec![on, target(i32::from(offset))]),
        I::BranchLink { offset } => Next::Call(target(offset)),
        I::BranchLinkExchange { rm } => match state.get(rm) {
            Value::Constant(address) => Next::Call(address & !1),
            _ => Next::CallIndirect,
        },
        I::BranchExchange { rm } | I::MoveToPc { rm } => match state.get(rm) {
            Value::Return => Next::Return,
            Value::Constant(address) => Next::To(vec![address & !1]),
            // Only BX says that it goes to a function: the other may choose from a table.
            _ if matches!(instruction, I::BranchExchange { .. }) => Next::JumpIndirect,
            _ => return Err(StackError::UnknownTarget { pc }),
        },
        I::Load { rt, address, .. } if rt == Reg::PC => match address {
            Address::PostIndexed { rn, .. } if rn == Reg::SP => Next::Return,
            _ => return Err(StackError::UnknownTarget { pc }),
        },
        I::LoadMultiple { rn, list, .. } if list >> 15 != 0 => {
            if rn != Reg::SP {
                return Err(StackError::UnknownTarget { pc });
            }
            Next::Return
        }
        I::TableBranch { width, rn, .. } if rn == Reg::PC => {
            Next::To(table(code, pc.wrapping_add(4), width)?)
        }
        I::TableBranch { .. } | I::AddToPc { .. } => return Err(StackError::UnknownTarget { pc }),
        I::IfThen { state } => {
            after.conditional = 4 - (state & 15).trailing_zeros().min(3) as u8;
            Next::To(vec![on])
        }
        I::Undefined => Next::End,
        I::Unpredictable | I::Coprocessor => return Err(StackError::NoInstruction { pc }),
        // MSP, PSP, and CONTROL, which chooses between them: DDI 0403E, section B5.1.1.
        I::WriteSpecial {
            special: 8 | 9 | 20,
            ..
        } => return Err(StackError::Unfollowed { pc }),
        _ => Next::To(vec![on]),
    };
    if next == Next::Return && after.depth() != Some(Depth::ENTRY) {
        return Err(StackError::Unbalanced { pc });
    }
    Ok((next, after))
}

/// The registers of which more is known after `instruction` than that they were written.
fn results(code: &Code, pc: u32, instruction: Instruction, state: &State) -> Vec<(Reg, Value)> {
    use Instruction as I;
    match instruction {
        I::Alu {
            op,
            rd,
            rn,
            operand: Operand::Immediate { value, .. },
            ..
        } => match (op, state.get(rn)) {
            (Alu::Add, Value::Stack(depth)) => {
                vec![(rd, Value::Stack(depth.deeper(-(value as i32))))]
            }
            (Alu::Sub, Value::Stack(depth)) => vec![(rd, Value::Stack(depth.deeper(value as i32)))],
            (Alu::Bic, Value::Stack(depth)) if is_low_mask(value) => {
                vec![(rd, Value::Stack(depth.aligned(value)))]
            }
            (Alu::And, Value::Stack(depth)) if is_low_mask(!value) => {
                vec![(rd, Value::Stack(depth.aligned(!value)))]
            }
            _ => Vec::new(),
        },
        I::BitFieldInsert {
            rd,
            rn: None,
            lsb: 0,
            width,
        } => match state.get(rd) {
            Value::Stack(depth) if width < 16 => {
                vec![(rd, Value::Stack(depth.aligned((1 << width) - 1)))]
            }
            _ => Vec::new(),
        },
        I::Move {
            rd,
            operand,
            invert: false,
            ..
        } => match operand {
            Operand::Immediate { value, .. } => vec![(rd, Value::Constant(value))],
            Operand::Register {
                rm,
                shift: Shift::Lsl,
                amount: 0,
            } => vec![(rd, state.get(rm))],
            Operand::Register { .. } => Vec::new(),
        },
        I::MoveTop { rd, value } => match state.get(rd) {
            Value::Constant(low) => {
                let value = low & 0xffff | u32::from(value) << 16;
                vec![(rd, Value::Constant(value))]
            }
            _ => Vec::new(),
        },
        I::AddressOf { rd, offset } => {
            let base = pc.wrapping_add(4) & !3;
            let value = base.wrapping_add_signed(i32::from(offset));
            vec![(rd, Value::Constant(value))]
        }
        I::Load {
            width, rt, address, ..
        } => {
            let loaded = match address {
                Address::Offset { rn, offset } if rn == Reg::PC && width == Width::Word => {
                    let base = pc.wrapping_add(4) & !3;
                    let word = code.word(base.wrapping_add_signed(i32::from(offset)));
                    word.map(|word| (rt, Value::Constant(word)))
                }
                _ => from_stack(address).then_some((rt, Value::Return)),
            };
            // Only the link register was saved for returning.
            let loaded = loaded.filter(|&(rt, value)| value != Value::Return || rt == Reg::LR);
            moved(state, address).into_iter().chain(loaded).collect()
        }
        I::LoadDual { address, .. } | I::Store { address, .. } | I::StoreDual { address, .. } => {
            moved(state, address).into_iter().collect()
        }
        I::LoadMultiple {
            rn,
            list,
            write_back,
            before,
        } => {
            let mut known = Vec::new();
            if write_back && let Value::Stack(depth) = state.get(rn) {
                let bytes = 4 * list.count_ones() as i32;
                let bytes = if before { bytes } else { -bytes };
                known.push((rn, Value::Stack(depth.deeper(bytes))));
            }
            if rn == Reg::SP && list >> 14 & 1 != 0 {
                known.push((Reg::LR, Value::Return));
            }
            known
        }
        I::StoreMultiple {
            rn,
            list,
            write_back: true,
            before,
        } => match state.get(rn) {
            Value::Stack(depth) => {
                let bytes = 4 * list.count_ones() as i32;
                let bytes = if before { bytes } else { -bytes };
                vec![(rn, Value::Stack(depth.deeper(bytes)))]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Whether an access is one of the stack by its own pointer.
fn from_stack(address: Address) -> bool {
    match address {
        Address::Offset { rn, .. }
        | Address::PreIndexed { rn, .. }
        | Address::PostIndexed { rn, .. } => rn == Reg::SP,
        Address::Register { .. } => false,
    }
}

/// The base register of an access, if it becomes another address on the stack.
fn moved(state: &State, address: Address) -> Option<(Reg, Value)> {
    match address {
        Address::PreIndexed { rn, offset } | Address::PostIndexed { rn, offset } => {
            match state.get(rn) {
                Value::Stack(depth) => Some((rn, Value::Stack(depth.deeper(-i32::from(offset))))),
                _ => None,
            }
        }
        Address::Offset { .. } | Address::Register { .. } => None,
    }
}

/// Whether these are some of the lowest bits, without gaps, and not too many for an alignment.
fn is_low_mask(mask: u32) -> bool {
    mask < 0x1_0000 && mask & mask.wrapping_add(1) == 0
}

/// Where a table behind TBB or TBH leads. It ends where the first of its targets begins: what would
/// be read beyond is code.
fn table(code: &Code, table: u32, width: Width) -> Result<Vec<u32>, StackError> {
    let step = width.bytes();
    let (mut targets, mut entry, mut end) = (Vec::new(), table, u32::MAX);
    while entry < end {
        let half = code
            .half(entry & !1)
            .ok_or(StackError::NoCode { address: entry })?;
        let offset = match width {
            Width::Byte if entry & 1 != 0 => half >> 8,
            Width::Byte => half & 0xff,
            _ => half,
        };
        // Zero is the byte that fills a table of odd length: no code begins in the table.
        if offset != 0 {
            let target = table + 2 * u32::from(offset);
            end = end.min(target);
            targets.push(target);
        }
        entry += step;
    }
    Ok(targets)
}
