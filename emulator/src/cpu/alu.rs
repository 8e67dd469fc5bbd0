//! Arithmetic as the architecture's pseudocode defines it, free of any processor state.

use super::instruction::Shift;

/// `AddWithCarry`: the sum, its carry out and its signed overflow. DDI 0403E, section A2.2.1.
#[inline]
pub(super) fn add_with_carry(a: u32, b: u32, carry: bool) -> (u32, bool, bool) {
    let (partial, carry_a) = a.overflowing_add(b);
    let (sum, carry_b) = partial.overflowing_add(u32::from(carry));
    let overflow = (!(a ^ b) & (a ^ sum)) >> 31 != 0;
    (sum, carry_a | carry_b, overflow)
}

/// `Shift_C`: the shifted value and the carry out. `amount` is 0 to 255; by 0 nothing changes.
/// DDI 0403E, section A2.2.1.
#[inline]
pub(super) fn shift(kind: Shift, value: u32, amount: u32, carry: bool) -> (u32, bool) {
    if amount == 0 {
        return (value, carry);
    }
    match kind {
        Shift::Lsl if amount < 32 => (value << amount, value >> (32 - amount) & 1 != 0),
        Shift::Lsl => (0, amount == 32 && value & 1 != 0),
        Shift::Lsr if amount < 32 => (value >> amount, value >> (amount - 1) & 1 != 0),
        Shift::Lsr => (0, amount == 32 && value >> 31 != 0),
        Shift::Asr => {
            let signed = value as i32;
            let result = signed >> amount.min(31);
            (result as u32, signed >> (amount - 1).min(31) & 1 != 0)
        }
        Shift::Ror => {
            let result = value.rotate_right(amount & 31);
            (result, result >> 31 != 0)
        }
        Shift::Rrx => (u32::from(carry) << 31 | value >> 1, value & 1 != 0),
    }
}

/// `SignedSatQ`: `value` limited to `bits` (1 to 32) signed bits, and whether it had to be.
/// DDI 0403E, section A2.2.1.
pub(super) fn saturate_signed(value: i32, bits: u32) -> (i32, bool) {
    let max = ((1_i64 << (bits - 1)) - 1) as i32;
    let limited = value.clamp(-max - 1, max);
    (limited, limited != value)
}

/// `UnsignedSatQ`: `value` limited to `bits` (0 to 31) unsigned bits, and whether it had to be.
/// DDI 0403E, section A2.2.1.
pub(super) fn saturate_unsigned(value: i32, bits: u32) -> (u32, bool) {
    let max = ((1_u32 << bits) - 1) as i32;
    let limited = value.clamp(0, max);
    (limited as u32, limited != value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtraction_without_borrow_sets_the_carry() {
        assert_eq!(add_with_carry(5, !3, true), (2, true, false));
        assert_eq!(add_with_carry(3, !5, true), (0xffff_fffe, false, false));
    }

    #[test]
    fn overflow_is_a_sign_that_two_equal_signs_cannot_make() {
        assert_eq!(
            add_with_carry(0x7fff_ffff, 1, false),
            (0x8000_0000, false, true)
        );
        assert_eq!(
            add_with_carry(0x8000_0000, 0x8000_0000, false),
            (0, true, true)
        );
    }

    #[test]
    fn shifts_by_more_than_the_width_leave_nothing_but_the_sign() {
        assert_eq!(shift(Shift::Lsl, 1, 32, false), (0, true));
        assert_eq!(shift(Shift::Lsl, 1, 33, true), (0, false));
        assert_eq!(shift(Shift::Lsr, 0x8000_0000, 32, false), (0, true));
        assert_eq!(shift(Shift::Asr, 0x8000_0000, 200, false), (u32::MAX, true));
        assert_eq!(
            shift(Shift::Ror, 0x8000_0001, 32, false),
            (0x8000_0001, true)
        );
    }

    #[test]
    fn saturation_reports_that_it_happened() {
        assert_eq!(saturate_signed(128, 8), (127, true));
        assert_eq!(saturate_signed(-129, 8), (-128, true));
        assert_eq!(saturate_signed(i32::MIN, 32), (i32::MIN, false));
        assert_eq!(saturate_unsigned(-1, 5), (0, true));
        assert_eq!(saturate_unsigned(31, 5), (31, false));
        assert_eq!(saturate_unsigned(7, 0), (0, true));
    }
}
