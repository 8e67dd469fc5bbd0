//! The instructions of a Cortex-M3, decoded.
//!
//! One value per thing the processor can do, not per encoding: `MOVS r0, #1` in 16 bits and
//! `MOV.W r0, #1` in 32 bits differ only in what they do to the flags. The [decoder](super::decode)
//! makes these values, `execute` carries them out. DDI 0403E ("ARMv7-M Architecture
//! Reference Manual"), section A7.7, rules what each of them means.

/// A core register, 0 to 15. 13 is the stack pointer in use, 14 the link register, and 15 reads as
/// the address of the instruction plus 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u8);

impl Reg {
    /// The stack pointer.
    pub const SP: Self = Self(13);
    /// The link register.
    pub const LR: Self = Self(14);
    /// The program counter.
    pub const PC: Self = Self(15);

    /// The register named by the low four bits of `bits`.
    #[inline]
    pub const fn new(bits: u32) -> Self {
        Self((bits & 15) as u8)
    }

    /// Its number, 0 to 15.
    #[inline]
    pub const fn index(self) -> usize {
        (self.0 & 15) as usize
    }

    /// Neither the stack pointer nor the program counter: what most 32-bit encodings demand.
    pub(super) const fn is_general(self) -> bool {
        !matches!(self.0, 13 | 15)
    }
}

/// Whether an instruction writes the condition flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flags {
    /// It leaves them alone.
    Keep,
    /// It sets them.
    Set,
    /// It sets them outside an IT block and leaves them alone inside one: most 16-bit encodings.
    SetOutsideIt,
}

/// A condition under which an instruction is executed (DDI 0403E, section A7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition(pub(super) u8);

/// How the second operand is shifted (DDI 0403E, section A7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Logical shift left, 0 to 31 (255 in the register forms).
    Lsl,
    /// Logical shift right, 1 to 32.
    Lsr,
    /// Arithmetic shift right, 1 to 32.
    Asr,
    /// Rotate right, 1 to 31.
    Ror,
    /// Rotate right by one through the carry.
    Rrx,
}

/// What an expanded immediate does to the carry flag (DDI 0403E, section A5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImmediateCarry {
    /// The carry stays as it is: the constant was not rotated.
    Unchanged,
    /// The carry becomes bit 31 of the constant: it was rotated.
    TopBit,
}

/// The flexible second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A constant.
    Immediate {
        /// Its value.
        value: u32,
        /// What it does to the carry of a logical operation that sets the flags.
        carry: ImmediateCarry,
    },
    /// A register, shifted by a constant.
    Register {
        /// The register.
        rm: Reg,
        /// How it is shifted.
        shift: Shift,
        /// By how many bits.
        amount: u8,
    },
}

impl Operand {
    /// A constant that leaves the carry alone.
    pub(super) const fn constant(value: u32) -> Self {
        Self::Immediate {
            value,
            carry: ImmediateCarry::Unchanged,
        }
    }

    /// A register as it is.
    pub(super) const fn register(rm: Reg) -> Self {
        Self::Register {
            rm,
            shift: Shift::Lsl,
            amount: 0,
        }
    }
}

/// An operation of two values that yields a third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alu {
    /// `rn & operand`
    And,
    /// `rn & !operand`
    Bic,
    /// `rn | operand`
    Orr,
    /// `rn | !operand`
    Orn,
    /// `rn ^ operand`
    Eor,
    /// `rn + operand`
    Add,
    /// `rn + operand + carry`
    Adc,
    /// `rn - operand`
    Sub,
    /// `rn - operand - !carry`
    Sbc,
    /// `operand - rn`
    Rsb,
}

/// An operation of two values of which only the flags are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Flags of `rn & operand`
    Tst,
    /// Flags of `rn ^ operand`
    Teq,
    /// Flags of `rn - operand`
    Cmp,
    /// Flags of `rn + operand`
    Cmn,
}

/// A rearrangement of the bytes or bits of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reverse {
    /// All four bytes.
    Rev,
    /// The bytes of each half-word.
    Rev16,
    /// The bytes of the low half-word, sign-extended.
    Revsh,
    /// All 32 bits.
    Rbit,
}

/// How many bytes an access moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One.
    Byte,
    /// Two.
    Half,
    /// Four.
    Word,
}

impl Width {
    /// The number of bytes: 1, 2 or 4.
    #[inline]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
        }
    }

    /// The bits of a register that the access moves.
    #[inline]
    pub const fn mask(self) -> u32 {
        match self {
            Self::Byte => 0xff,
            Self::Half => 0xffff,
            Self::Word => 0xffff_ffff,
        }
    }
}

/// Where a load or store finds its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// `[rn, #offset]`; with `rn` the program counter, from the word-aligned one.
    Offset {
        /// The base.
        rn: Reg,
        /// Bytes to add.
        offset: i16,
    },
    /// `[rn, #offset]!`: the base becomes the address.
    PreIndexed {
        /// The base.
        rn: Reg,
        /// Bytes to add.
        offset: i16,
    },
    /// `[rn], #offset`: the offset is added to the base afterwards.
    PostIndexed {
        /// The base.
        rn: Reg,
        /// Bytes to add.
        offset: i16,
    },
    /// `[rn, rm, LSL #shift]`
    Register {
        /// The base.
        rn: Reg,
        /// The index.
        rm: Reg,
        /// Bits by which the index is shifted left, 0 to 3.
        shift: u8,
    },
}

/// A hint to the processor (DDI 0403E, section A7.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Nothing: NOP, YIELD, DBG, the preloads, and the hints that nobody has given a meaning yet.
    Nop,
    /// Sleep until an event.
    WaitForEvent,
    /// Sleep until an interrupt.
    WaitForInterrupt,
    /// Send an event.
    SendEvent,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// AND, BIC, ORR, ORN, EOR, ADD, ADC, SUB, SBC, RSB
    Alu {
        /// The operation.
        op: Alu,
        /// What happens to the flags.
        flags: Flags,
        /// Destination, never the program counter.
        rd: Reg,
        /// First operand.
        rn: Reg,
        /// Second operand.
        operand: Operand,
    },
    /// MOV, MVN, and the shifts by a constant
    Move {
        /// What happens to the flags.
        flags: Flags,
        /// Destination, never the program counter.
        rd: Reg,
        /// The value.
        operand: Operand,
        /// Whether it is complemented (MVN).
        invert: bool,
    },
    /// MOVT: the upper half of `rd`
    MoveTop {
        /// Destination.
        rd: Reg,
        /// The new upper half.
        value: u16,
    },
    /// ADR: `rd` becomes the word-aligned program counter plus `offset`
    AddressOf {
        /// Destination.
        rd: Reg,
        /// Bytes to add.
        offset: i16,
    },
    /// TST, TEQ, CMP, CMN
    Compare {
        /// The operation.
        op: Compare,
        /// First operand.
        rn: Reg,
        /// Second operand.
        operand: Operand,
    },
    /// LSL, LSR, ASR, ROR by a register
    ShiftByRegister {
        /// Which of them.
        shift: Shift,
        /// What happens to the flags.
        flags: Flags,
        /// Destination.
        rd: Reg,
        /// What is shifted.
        rn: Reg,
        /// By how much: the low byte of this register.
        rm: Reg,
    },
    /// SXTB, SXTH, UXTB, UXTH
    Extend {
        /// Byte or half-word.
        width: Width,
        /// Whether the sign is extended.
        signed: bool,
        /// Destination.
        rd: Reg,
        /// Source.
        rm: Reg,
        /// Bits by which the source is rotated right first: 0, 8, 16 or 24.
        rotate: u8,
    },
    /// REV, REV16, REVSH, RBIT
    Reverse {
        /// Which of them.
        op: Reverse,
        /// Destination.
        rd: Reg,
        /// Source.
        rm: Reg,
    },
    /// CLZ
    CountLeadingZeros {
        /// Destination.
        rd: Reg,
        /// Source.
        rm: Reg,
    },
    /// SSAT, USAT
    Saturate {
        /// Whether the range is that of signed numbers.
        signed: bool,
        /// Destination.
        rd: Reg,
        /// Source.
        rn: Reg,
        /// Width of the range: 1 to 32 bits signed, 0 to 31 unsigned.
        bits: u8,
        /// How the source is shifted first: left or arithmetically right.
        shift: Shift,
        /// By how much.
        amount: u8,
    },
    /// SBFX, UBFX
    BitFieldExtract {
        /// Whether the field's sign is extended.
        signed: bool,
        /// Destination.
        rd: Reg,
        /// Source.
        rn: Reg,
        /// Lowest bit of the field.
        lsb: u8,
        /// Its width, 1 to 32.
        width: u8,
    },
    /// BFI; BFC without a source
    BitFieldInsert {
        /// Destination.
        rd: Reg,
        /// Source; without one the field is cleared.
        rn: Option<Reg>,
        /// Lowest bit of the field.
        lsb: u8,
        /// Its width, 1 to 32.
        width: u8,
    },
    /// MUL
    Multiply {
        /// What happens to N and Z.
        flags: Flags,
        /// Destination.
        rd: Reg,
        /// First factor.
        rn: Reg,
        /// Second factor.
        rm: Reg,
    },
    /// MLA, MLS
    MultiplyAdd {
        /// Whether the product is subtracted (MLS).
        subtract: bool,
        /// Destination.
        rd: Reg,
        /// First factor.
        rn: Reg,
        /// Second factor.
        rm: Reg,
        /// What the product is added to or subtracted from.
        ra: Reg,
    },
    /// SMULL, UMULL, SMLAL, UMLAL
    MultiplyLong {
        /// Whether the factors are signed.
        signed: bool,
        /// Whether the product is added to the destination.
        accumulate: bool,
        /// Low word of the destination.
        lo: Reg,
        /// High word of the destination.
        hi: Reg,
        /// First factor.
        rn: Reg,
        /// Second factor.
        rm: Reg,
    },
    /// SDIV, UDIV
    Divide {
        /// Whether the numbers are signed.
        signed: bool,
        /// Destination.
        rd: Reg,
        /// Dividend.
        rn: Reg,
        /// Divisor.
        rm: Reg,
    },

    /// LDR, LDRB, LDRH, LDRSB, LDRSH, and their unprivileged forms
    Load {
        /// How many bytes.
        width: Width,
        /// Whether the sign is extended.
        signed: bool,
        /// Destination; the program counter is a branch.
        rt: Reg,
        /// From where.
        address: Address,
    },
    /// STR, STRB, STRH, and their unprivileged forms
    Store {
        /// How many bytes.
        width: Width,
        /// Source.
        rt: Reg,
        /// Where to.
        address: Address,
    },
    /// LDRT, LDRBT, LDRHT, LDRSBT, LDRSHT: `[rn, #offset]` as unprivileged code would
    LoadUnprivileged {
        /// How many bytes.
        width: Width,
        /// Whether the sign is extended.
        signed: bool,
        /// Destination.
        rt: Reg,
        /// The base.
        rn: Reg,
        /// Bytes to add.
        offset: u8,
    },
    /// STRT, STRBT, STRHT: `[rn, #offset]` as unprivileged code would
    StoreUnprivileged {
        /// How many bytes.
        width: Width,
        /// Source.
        rt: Reg,
        /// The base.
        rn: Reg,
        /// Bytes to add.
        offset: u8,
    },
    /// LDRD
    LoadDual {
        /// First destination.
        rt: Reg,
        /// Second destination.
        rt2: Reg,
        /// From where.
        address: Address,
    },
    /// STRD
    StoreDual {
        /// First source.
        rt: Reg,
        /// Second source.
        rt2: Reg,
        /// Where to.
        address: Address,
    },
    /// LDM, LDMDB, POP
    LoadMultiple {
        /// The base.
        rn: Reg,
        /// One bit per register.
        list: u16,
        /// Whether the base moves.
        write_back: bool,
        /// Whether the registers lie below the base (DB) instead of above (IA).
        before: bool,
    },
    /// STM, STMDB, PUSH
    StoreMultiple {
        /// The base.
        rn: Reg,
        /// One bit per register.
        list: u16,
        /// Whether the base moves.
        write_back: bool,
        /// Whether the registers go below the base (DB) instead of above (IA).
        before: bool,
    },
    /// LDREX, LDREXB, LDREXH
    LoadExclusive {
        /// How many bytes.
        width: Width,
        /// Destination.
        rt: Reg,
        /// The base.
        rn: Reg,
        /// Bytes to add.
        offset: u16,
    },
    /// STREX, STREXB, STREXH
    StoreExclusive {
        /// How many bytes.
        width: Width,
        /// 0 if it was stored, 1 if not.
        rd: Reg,
        /// Source.
        rt: Reg,
        /// The base.
        rn: Reg,
        /// Bytes to add.
        offset: u16,
    },
    /// CLREX
    ClearExclusive,

    /// B: to the program counter plus `offset`
    Branch {
        /// Bytes from the instruction's address plus 4.
        offset: i32,
    },
    /// B under a condition
    BranchIf {
        /// The condition.
        condition: Condition,
        /// Bytes from the instruction's address plus 4.
        offset: i32,
    },
    /// BL
    BranchLink {
        /// Bytes from the instruction's address plus 4.
        offset: i32,
    },
    /// BX
    BranchExchange {
        /// The target.
        rm: Reg,
    },
    /// BLX
    BranchLinkExchange {
        /// The target.
        rm: Reg,
    },
    /// `MOV pc, rm`
    MoveToPc {
        /// The target.
        rm: Reg,
    },
    /// `ADD pc, rm`
    AddToPc {
        /// Bytes to add.
        rm: Reg,
    },
    /// CBZ, CBNZ
    CompareBranch {
        /// Branch if the register is not zero (CBNZ) instead of if it is (CBZ).
        nonzero: bool,
        /// The register.
        rn: Reg,
        /// Bytes from the instruction's address plus 4.
        offset: u8,
    },
    /// TBB, TBH
    TableBranch {
        /// Byte or half-word entries.
        width: Width,
        /// The table.
        rn: Reg,
        /// The index.
        rm: Reg,
    },
    /// IT: the next one to four instructions are conditional
    IfThen {
        /// What ITSTATE becomes.
        state: u8,
    },

    /// SVC
    Supervisor,
    /// BKPT
    Breakpoint,
    /// CPSIE, CPSID
    ChangeState {
        /// Whether the masks are set (CPSID) or cleared (CPSIE).
        disable: bool,
        /// Whether PRIMASK changes.
        primask: bool,
        /// Whether FAULTMASK changes.
        faultmask: bool,
    },
    /// MRS
    ReadSpecial {
        /// Destination.
        rd: Reg,
        /// Which special register (DDI 0403E, section B5.1.1).
        special: u8,
    },
    /// MSR
    WriteSpecial {
        /// Source.
        rn: Reg,
        /// Which special register (DDI 0403E, section B5.1.1).
        special: u8,
    },
    /// NOP, YIELD, WFE, WFI, SEV, DBG, PLD, PLI
    Hint(Hint),
    /// DMB, DSB, ISB
    Barrier,
    /// An instruction of a coprocessor; a Cortex-M3 has none
    Coprocessor,
    /// UDF, and everything that the architecture defines to be undefined
    Undefined,
    /// An encoding of which the architecture says that it is UNPREDICTABLE
    Unpredictable,
}
