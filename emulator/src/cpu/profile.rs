//! Where the cycles go: counted instruction by instruction, exactly.

use std::collections::BTreeMap;

/// What the instruction at an address has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How often it was executed.
    pub times: u64,
    /// Cycles.
    pub cycles: u64,
}

impl Spent {
    fn add(&mut self, other: Self) {
        self.times += other.times;
        self.cycles += other.cycles;
    }
}

/// How long the host waited: from the end of a packet until something was put up for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many packets were answered.
    pub answers: u64,
    /// Cycles of all of them.
    pub cycles: u64,
    /// Of the slowest.
    pub most_cycles: u64,
}

/// What was executed between a packet and its answer.
#[derive(Debug)]
struct Answering {
    request: u64,
    since: u64,
    executed: BTreeMap<u32, Spent>,
}

/// Counts of cycles by the address of the instruction that took them.
///
/// Besides all that was executed there is what was executed *while the host waited*: between the
/// last packet that it sent (on any endpoint but 0) and the moment at which an endpoint had something
/// for it. A packet that is followed by another one before its answer counts for nothing: it was part
/// of a longer message.
#[derive(Debug)]
pub struct Profile {
    since: u64,
    cycles: u64,
    executed: BTreeMap<u32, Spent>,
    while_waited_for: BTreeMap<u32, Spent>,
    latency: Latency,
    answering: Option<Answering>,
}

impl Profile {
    pub(super) fn new(cycle: u64) -> Self {
        Self {
            since: cycle,
            cycles: 0,
            executed: BTreeMap::new(),
            while_waited_for: BTreeMap::new(),
            latency: Latency::default(),
            answering: None,
        }
    }

    /// Notes the instruction at `pc`, which took the cycles from `begin` to `end`; after it,
    /// `request` is not answered yet.
    pub(super) fn note(&mut self, pc: u32, begin: u64, end: u64, request: Option<u64>) {
        let spent = Spent {
            times: 1,
            cycles: end - begin,
        };
        self.executed.entry(pc).or_default().add(spent);
        if self.answering.as_ref().map(|answering| answering.request) != request
            && let Some(request) = request
        {
            self.answering = Some(Answering {
                request,
                since: begin,
                executed: BTreeMap::new(),
            });
        }
        let Some(answering) = &mut self.answering else {
            return;
        };
        answering.executed.entry(pc).or_default().add(spent);
        if request.is_none()
            && let Some(answering) = self.answering.take()
        {
            for (pc, spent) in answering.executed {
                self.while_waited_for.entry(pc).or_default().add(spent);
            }
            let cycles = end - answering.since;
            self.latency.answers += 1;
            self.latency.cycles += cycles;
            self.latency.most_cycles = self.latency.most_cycles.max(cycles);
        }
    }

    pub(super) fn close(&mut self, cycle: u64) {
        self.cycles = cycle - self.since;
    }

    /// All cycles that passed. More than the instructions took: the core slept, entered interrupts, or
    /// waited for the flash.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// What was executed, by address.
    pub fn executed(&self) -> &BTreeMap<u32, Spent> {
        &self.executed
    }

    /// What was executed while the host waited, by address.
    pub fn while_waited_for(&self) -> &BTreeMap<u32, Spent> {
        &self.while_waited_for
    }

    /// How long the host waited.
    pub fn latency(&self) -> Latency {
        self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two instructions of one cycle each at 0x10 and 0x12, without a request.
    fn begun() -> Profile {
        let mut profile = Profile::new(100);
        profile.note(0x10, 100, 101, None);
        profile.note(0x12, 101, 102, None);
        profile
    }

    #[test]
    fn every_instruction_counts_and_the_rest_of_the_time_is_in_the_sum() {
        let mut profile = begun();
        profile.note(0x10, 110, 113, None);
        profile.close(120);
        let spent = |times, cycles| Spent { times, cycles };
        let expected = BTreeMap::from([(0x10, spent(2, 4)), (0x12, spent(1, 1))]);
        assert_eq!(profile.executed(), &expected);
        assert_eq!(profile.cycles(), 20);
        assert_eq!(profile.latency(), Latency::default());
        assert!(profile.while_waited_for().is_empty());
    }

    #[test]
    fn from_a_packet_to_its_answer_the_host_waits() {
        let mut profile = begun();
        profile.note(0x14, 102, 104, Some(1));
        profile.note(0x16, 104, 105, Some(1));
        profile.note(0x18, 105, 107, None);
        profile.note(0x1a, 107, 108, None);
        let waited: Vec<_> = profile.while_waited_for().keys().copied().collect();
        assert_eq!(waited, [0x14, 0x16, 0x18]);
        let latency = Latency {
            answers: 1,
            cycles: 5,
            most_cycles: 5,
        };
        assert_eq!(profile.latency(), latency);
    }

    #[test]
    fn only_the_last_packet_before_an_answer_counts() {
        let mut profile = begun();
        profile.note(0x14, 102, 110, Some(1));
        profile.note(0x16, 110, 111, Some(2));
        profile.note(0x18, 111, 113, None);
        assert!(!profile.while_waited_for().contains_key(&0x14));
        assert_eq!(profile.latency().most_cycles, 3);
    }
}
