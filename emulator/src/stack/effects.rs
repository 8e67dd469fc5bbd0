//! Which registers an instruction writes: DDI 0403E, section A7.7.

use crate::cpu::instruction::{Address, Instruction, Reg};

/// What a call may leave changed: R0 to R3, R12 and the link register (IHI 0042, section 5.1).
const CALL_CLOBBERED: u16 = 0b0101_0000_0000_1111;

/// The registers that `instruction` writes, the base of an access included, one bit each. Of a
/// branch only the link register; of a call everything that the callee may leave changed.
pub(super) fn written(instruction: Instruction) -> u16 {
    use Instruction as I;
    match instruction {
        I::Alu { rd, .. }
        | I::Move { rd, .. }
        | I::MoveTop { rd, .. }
        | I::AddressOf { rd, .. }
        | I::ShiftByRegister { rd, .. }
        | I::Extend { rd, .. }
        | I::Reverse { rd, .. }
        | I::CountLeadingZeros { rd, .. }
        | I::Saturate { rd, .. }
        | I::BitFieldExtract { rd, .. }
        | I::BitFieldInsert { rd, .. }
        | I::Multiply { rd, .. }
        | I::MultiplyAdd { rd, .. }
        | I::Divide { rd, .. }
        | I::StoreExclusive { rd, .. }
        | I::ReadSpecial { rd, .. } => one(rd),
        I::MultiplyLong { lo, hi, .. } => one(lo) | one(hi),
        I::Load { rt, address, .. } => one(rt) | base(address),
        I::LoadDual {
            rt, rt2, address, ..
        } => one(rt) | one(rt2) | base(address),
        I::LoadUnprivileged { rt, .. } | I::LoadExclusive { rt, .. } => one(rt),
        I::Store { address, .. } | I::StoreDual { address, .. } => base(address),
        I::LoadMultiple {
            rn,
            list,
            write_back,
            ..
        } => list | if write_back { one(rn) } else { 0 },
        I::StoreMultiple { rn, write_back, .. } => {
            if write_back {
                one(rn)
            } else {
                0
            }
        }
        I::BranchLink { .. } | I::BranchLinkExchange { .. } => CALL_CLOBBERED,
        I::StoreUnprivileged { .. }
        | I::Compare { .. }
        | I::ClearExclusive
        | I::Branch { .. }
        | I::BranchIf { .. }
        | I::BranchExchange { .. }
        | I::MoveToPc { .. }
        | I::AddToPc { .. }
        | I::CompareBranch { .. }
        | I::TableBranch { .. }
        | I::IfThen { .. }
        | I::Supervisor
        | I::Breakpoint
        | I::ChangeState { .. }
        | I::WriteSpecial { .. }
        | I::Hint(_)
        | I::Barrier
        | I::Coprocessor
        | I::Undefined
        | I::Unpredictable => 0,
    }
}

fn one(register: Reg) -> u16 {
    1 << register.index()
}

fn base(address: Address) -> u16 {
    match address {
        Address::PreIndexed { rn, .. } | Address::PostIndexed { rn, .. } => one(rn),
        Address::Offset { .. } | Address::Register { .. } => 0,
    }
}
