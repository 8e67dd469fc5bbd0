//! What a program did that it hardly meant to do.

use std::fmt;

use crate::time::Time;

/// Something that silicon would let pass, or answer with silence or a fault, and that is a mistake
/// of the program nearly always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// When it happened first.
    pub first: Time,
    /// Address of the instruction; 0 if no instruction did it.
    pub pc: u32,
    /// What happened.
    pub text: String,
    /// How often.
    pub count: u64,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at pc {:#010x}: {}", self.first, self.pc, self.text)?;
        if self.count > 1 {
            write!(f, " ({} times)", self.count)?;
        }
        Ok(())
    }
}

/// How many different complaints are kept.
const LIMIT: usize = 100;

/// A list in which repetitions are counted.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Vec<Complaint>);

impl Complaints {
    pub(crate) fn add(&mut self, now: Time, pc: u32, text: &str) {
        let known = self
            .0
            .iter_mut()
            .find(|known| known.pc == pc && known.text == text);
        if let Some(known) = known {
            known.count += 1;
        } else if self.0.len() < LIMIT {
            self.0.push(Complaint {
                first: now,
                pc,
                text: text.to_string(),
                count: 1,
            });
        }
    }

    pub(crate) fn list(&self) -> &[Complaint] {
        &self.0
    }

    pub(crate) fn take(&mut self) -> Vec<Complaint> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_counted_and_the_list_is_bounded() {
        let mut complaints = Complaints::default();
        for number in 0..LIMIT as u32 + 10 {
            complaints.add(Time::ZERO, number, "text");
            complaints.add(Time::ZERO, number, "text");
        }
        assert_eq!(complaints.list().len(), LIMIT);
        assert_eq!(complaints.list()[3].count, 2);
    }
}
