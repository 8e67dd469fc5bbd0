//! A flash memory that obeys its geometry to the letter, and refuses whatever a real one would
//! suffer in silence.

use std::ops::{ControlFlow, Range};

use flashwire_plan::{EraseUnit, Failure, FlashDevice, Geometry, Rewrite, Tick};

/// How many bytes it reads between two ticks.
const READ_TICK_BYTES: usize = 100;

#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) geometry: Geometry,
    /// The content of [`Geometry::range`], holes included.
    pub(crate) content: Vec<u8>,
    /// Which program units have been programmed since their erase.
    programmed: Vec<bool>,
    /// Whatever was erased.
    pub(crate) erased: Vec<EraseUnit>,
    /// Whatever was programmed, command by command.
    pub(crate) programs: Vec<Range<u64>>,
    /// Whatever was read.
    pub(crate) reads: Vec<Range<u64>>,
    /// Whatever was compared with [`FlashDevice::matches`].
    pub(crate) matches: Vec<Range<u64>>,
    /// How many ticks are left before the link breaks.
    pub(crate) breaks_after_ticks: Option<usize>,
    /// An address that keeps its erased value, whatever is programmed.
    pub(crate) stuck_at: Option<u64>,
}

impl Memory {
    pub(crate) fn blank(geometry: Geometry) -> Self {
        let len = (geometry.range.end - geometry.range.start) as usize;
        Self::with_content(geometry.clone(), vec![geometry.erased; len])
    }

    pub(crate) fn with_content(geometry: Geometry, content: Vec<u8>) -> Self {
        let unit = geometry.program.unit_bytes as usize;
        let blank = geometry.erased;
        let programmed = content
            .chunks(unit)
            .map(|unit| unit.iter().any(|byte| *byte != blank))
            .collect();
        Self {
            geometry,
            content,
            programmed,
            erased: Vec::new(),
            programs: Vec::new(),
            reads: Vec::new(),
            matches: Vec::new(),
            breaks_after_ticks: None,
            stuck_at: None,
        }
    }

    /// A memory with old content everywhere, different at every address.
    pub(crate) fn full(geometry: Geometry) -> Self {
        let len = (geometry.range.end - geometry.range.start) as usize;
        let content = (0..len)
            .map(|n| (n % 251 + n / 251 % 4) as u8 | 1)
            .collect();
        Self::with_content(geometry, content)
    }

    pub(crate) fn at(&self, range: &Range<u64>) -> &[u8] {
        let start = self.geometry.range.start;
        &self.content[(range.start - start) as usize..(range.end - start) as usize]
    }

    pub(crate) fn put(&mut self, address: u64, data: &[u8]) {
        let mut content = self.content.clone();
        let at = (address - self.geometry.range.start) as usize;
        content[at..at + data.len()].copy_from_slice(data);
        *self = Self::with_content(self.geometry.clone(), content);
    }

    fn check(&self, range: &Range<u64>) -> Result<(), Failure> {
        let inside = self.geometry.memory().iter().any(|memory| {
            memory.start <= range.start && range.end <= memory.end && range.start < range.end
        });
        if inside {
            Ok(())
        } else {
            Err(refuse(format!("{range:x?} is not all memory")))
        }
    }

    fn tick(&mut self, bytes: u64, tick: &mut Tick<'_>) -> Result<(), Failure> {
        if let Some(left) = &mut self.breaks_after_ticks {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Err(refuse("the link broke".into())),
            }
        }
        match tick(bytes) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Failure::Stopped),
        }
    }

    fn program_unit(&mut self, address: u64, data: &[u8]) -> Result<(), Failure> {
        let at = (address - self.geometry.range.start) as usize;
        let blank = self.geometry.erased;
        let old = &self.content[at..at + data.len()];
        let index = at / data.len();
        let allowed = match self.geometry.program.rewrite {
            Rewrite::Once => !self.programmed[index],
            Rewrite::Freely => true,
            Rewrite::OnlyToZero => {
                !self.programmed[index] || data.iter().all(|&byte| byte == !blank)
            }
            Rewrite::ClearBits => old.iter().zip(data).all(|(&old, &new)| match blank {
                0xFF => new & !old == 0,
                _ => old & !new == 0,
            }),
        };
        if !allowed {
            let message = format!("{address:#x} was programmed without an erase");
            return Err(refuse(message));
        }
        self.programmed[index] = true;
        self.content[at..at + data.len()].copy_from_slice(data);
        let stuck = self
            .stuck_at
            .filter(|&stuck| (address..address + data.len() as u64).contains(&stuck));
        if let Some(stuck) = stuck {
            self.content[(stuck - self.geometry.range.start) as usize] = blank;
        }
        Ok(())
    }
}

fn refuse(message: String) -> Failure {
    Failure::Device(message.into())
}

impl FlashDevice for Memory {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        let range = address..address + out.len() as u64;
        self.check(&range)?;
        self.reads.push(range.clone());
        out.copy_from_slice(self.at(&range));
        for piece in out.chunks(READ_TICK_BYTES) {
            self.tick(piece.len() as u64, tick)?;
        }
        Ok(())
    }

    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure> {
        for unit in units {
            let kind = &self.geometry.erase_kinds[unit.kind];
            if !kind.units(unit.kind).any(|known| known == *unit) {
                return Err(refuse(format!("there is no unit {unit:x?}")));
            }
            let start = self.geometry.range.start;
            let (from, to) = ((unit.start - start) as usize, (unit.end - start) as usize);
            self.content[from..to].fill(self.geometry.erased);
            let program_unit = self.geometry.program.unit_bytes as usize;
            self.programmed[from / program_unit..to / program_unit].fill(false);
            self.erased.push(unit.clone());
            self.tick(unit.bytes(), tick)?;
        }
        Ok(())
    }

    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        let range = address..address + data.len() as u64;
        self.check(&range)?;
        let unit = self.geometry.program.unit_bytes;
        if !address.is_multiple_of(unit) || !(data.len() as u64).is_multiple_of(unit) {
            return Err(refuse(format!("{range:x?} is not whole program units")));
        }
        for block in self.geometry.program.blocks(range) {
            self.programs.push(block.clone());
            for unit_start in (block.start..block.end).step_by(unit as usize) {
                let at = (unit_start - address) as usize;
                self.program_unit(unit_start, &data[at..at + unit as usize])?;
            }
            self.tick(block.end - block.start, tick)?;
        }
        Ok(())
    }

    fn matches(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<bool, Failure> {
        let range = address..address + expected.len() as u64;
        self.check(&range)?;
        self.matches.push(range.clone());
        self.tick(expected.len() as u64, tick)?;
        Ok(self.at(&range) == expected)
    }
}
