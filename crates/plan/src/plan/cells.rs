//! The memory, cut wherever an erase unit begins or ends, and the choice of units to erase.

use std::ops::Range;

use crate::{EraseUnit, Geometry, ranges};

/// The smallest stretches that differ in what can be erased with them: where erase kinds overlap,
/// the units of the finest. A hole is a cell, too.
pub(super) struct Cells {
    /// Cell `n` goes from bound `n` to bound `n + 1`.
    bounds: Vec<u64>,
    /// All units of all kinds, in order of address.
    units: Vec<Unit>,
    /// For each cell, what covers it.
    reach: Vec<Reach>,
}

/// What a cell can be erased with, finest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// A unit that is not the whole memory.
    Fine,
    /// Only all of the memory at once.
    Whole,
    /// Nothing.
    None,
}

/// An erase unit and the cells it is made of.
struct Unit {
    unit: EraseUnit,
    cells: Range<usize>,
    whole: bool,
    nanos: u64,
}

/// What erasing or not erasing a cell means. Costs are times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// Cost of not erasing it; `None` if it must be erased.
    pub(super) leave: Option<u64>,
    /// Cost of erasing it beyond the erase itself: putting back what would be lost. `None` if it
    /// must not be erased.
    pub(super) erase: Option<u64>,
    /// Bytes of others that erasing it puts at risk: no reason for an erase of the whole memory,
    /// and a reason for the smaller of two units that cost the same.
    pub(super) foreign_bytes: u64,
}

impl Cells {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let mut bounds = vec![geometry.range.start, geometry.range.end];
        bounds.extend(
            geometry
                .holes
                .iter()
                .flat_map(|hole| [hole.start, hole.end]),
        );
        let fine_kinds = geometry.erase_kinds.iter().filter(|kind| !kind.whole);
        for run in fine_kinds.flat_map(|kind| &kind.runs) {
            bounds.extend((0..=run.count).map(|n| run.start + n * run.unit_bytes));
        }
        // Stable, because that is fast on what consists of a few ordered stretches.
        bounds.sort();
        bounds.dedup();

        let mut units = Vec::new();
        for (n, kind) in geometry.erase_kinds.iter().enumerate() {
            let at = |address| bounds.partition_point(|&bound| bound < address);
            for run in &kind.runs {
                let nanos = u64::try_from(run.time.as_nanos()).unwrap_or(u64::MAX);
                let mut first = at(run.start);
                for unit in run.units(n) {
                    let inside = bounds[first..]
                        .iter()
                        .take_while(|&&bound| bound < unit.end);
                    let past = first + inside.count();
                    units.push(Unit {
                        unit,
                        cells: first..past,
                        whole: kind.whole,
                        nanos,
                    });
                    first = past;
                }
            }
        }
        units.sort_by_key(|unit| unit.cells.start);

        let mut reach = vec![Reach::None; bounds.len() - 1];
        for unit in &units {
            let by = if unit.whole {
                Reach::Whole
            } else {
                Reach::Fine
            };
            reach[unit.cells.clone()]
                .iter_mut()
                .for_each(|reach| *reach = by.min(*reach));
        }
        Self {
            bounds,
            units,
            reach,
        }
    }

    /// The addresses of each cell, and what covers it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<u64>, Reach)> {
        self.bounds
            .windows(2)
            .map(|pair| pair[0]..pair[1])
            .zip(self.reach.iter().copied())
    }

    /// The cells that begin in `area`.
    pub(super) fn within(&self, area: &Range<u64>) -> impl Iterator<Item = (Range<u64>, Reach)> {
        let at = |address| self.bounds.partition_point(|&bound| bound < address);
        let (first, past) = (at(area.start), at(area.end).min(self.reach.len()));
        (first..past).map(|n| (self.bounds[n]..self.bounds[n + 1], self.reach[n]))
    }

    /// The smallest range around `range` that begins and ends with cells.
    pub(super) fn around(&self, range: &Range<u64>) -> Range<u64> {
        let before = self.bounds.partition_point(|&bound| bound <= range.start);
        let after = self.bounds.partition_point(|&bound| bound < range.end);
        let bound = |at: usize| self.bounds[at.min(self.bounds.len() - 1)];
        bound(before.saturating_sub(1))..bound(after)
    }

    /// The units that together cost least, none overlapping another, so that every cell that must
    /// be erased is and none that must not be is; or the first stretch that prevents it.
    ///
    /// `fates` has one entry for each cell. The whole memory is erased at once only if no foreign
    /// byte is in it.
    pub(super) fn choose(&self, fates: &[Cell]) -> Result<Vec<EraseUnit>, Range<u64>> {
        let sums = Sums::new(fates);
        let mut best: Vec<Option<Step>> = vec![None; self.bounds.len()];
        best[0] = Some(Step {
            cost: Cost::default(),
            unit: None,
        });
        let mut next_unit = 0;
        for cell in 0..fates.len() {
            let first_unit = next_unit;
            let begin_here = self.units[first_unit..]
                .iter()
                .take_while(|u| u.cells.start == cell);
            next_unit += begin_here.count();
            let Some(Step { cost, .. }) = best[cell] else {
                continue;
            };
            if let Some(leave) = fates[cell].leave {
                let cost = cost.plus(leave, 0, 0);
                improve(&mut best[cell + 1], Step { cost, unit: None });
            }
            for (n, unit) in self.units[first_unit..next_unit].iter().enumerate() {
                let foreign_bytes = sums.foreign_bytes(&unit.cells);
                if sums.forbidden(&unit.cells) || unit.whole && foreign_bytes > 0 {
                    continue;
                }
                let nanos = unit.nanos.saturating_add(sums.nanos(&unit.cells));
                let cost = cost.plus(nanos, foreign_bytes, 1);
                let step = Step {
                    cost,
                    unit: Some(first_unit + n),
                };
                improve(&mut best[unit.cells.end], step);
            }
        }
        self.walk_back(&best)
            .ok_or_else(|| self.obstacle(fates, &sums))
    }

    /// The units on the way to the last bound, if there is a way.
    fn walk_back(&self, best: &[Option<Step>]) -> Option<Vec<EraseUnit>> {
        let mut chosen = Vec::new();
        let mut at = best.len() - 1;
        while at > 0 {
            match best[at]?.unit {
                Some(n) => {
                    chosen.push(self.units[n].unit.clone());
                    at = self.units[n].cells.start;
                }
                None => at -= 1,
            }
        }
        chosen.reverse();
        Some(chosen)
    }

    /// The first cell that must be erased and cannot be, joined with those that follow it.
    fn obstacle(&self, fates: &[Cell], sums: &Sums) -> Range<u64> {
        let mut possible = vec![false; fates.len()];
        let usable = |unit: &&Unit| {
            !(sums.forbidden(&unit.cells) || unit.whole && sums.foreign_bytes(&unit.cells) > 0)
        };
        for unit in self.units.iter().filter(usable) {
            possible[unit.cells.clone()].fill(true);
        }
        let must = |n: &usize| fates[*n].leave.is_none();
        let stuck: Vec<_> = (0..fates.len())
            .filter(must)
            .filter(|&n| !possible[n])
            .map(|n| self.bounds[n]..self.bounds[n + 1])
            .collect();
        let stuck = if stuck.is_empty() {
            // Each can be erased, but not all without overlap: kinds that do not nest.
            (0..fates.len())
                .filter(must)
                .map(|n| self.bounds[n]..self.bounds[n + 1])
                .collect()
        } else {
            stuck
        };
        ranges::normalise(stuck)
            .into_iter()
            .next()
            .unwrap_or_default()
    }
}

/// The best way to reach a bound.
#[derive(Clone, Copy)]
struct Step {
    cost: Cost,
    /// The unit that ends here, if the last cell was not left alone.
    unit: Option<usize>,
}

/// Compared in this order.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    nanos: u64,
    foreign_bytes: u64,
    units: u64,
}

impl Cost {
    fn plus(self, nanos: u64, foreign_bytes: u64, units: u64) -> Self {
        Self {
            nanos: self.nanos.saturating_add(nanos),
            foreign_bytes: self.foreign_bytes + foreign_bytes,
            units: self.units + units,
        }
    }
}

fn improve(best: &mut Option<Step>, step: Step) {
    if best.is_none_or(|best| step.cost < best.cost) {
        *best = Some(step);
    }
}

/// Sums over the cells before each bound.
struct Sums(Vec<(u64, u64, usize)>);

impl Sums {
    fn new(fates: &[Cell]) -> Self {
        let mut sum = (0_u64, 0_u64, 0_usize);
        let mut sums = Vec::with_capacity(fates.len() + 1);
        sums.push(sum);
        for fate in fates {
            sum.0 = sum.0.saturating_add(fate.erase.unwrap_or(0));
            sum.1 += fate.foreign_bytes;
            sum.2 += usize::from(fate.erase.is_none());
            sums.push(sum);
        }
        Self(sums)
    }

    fn nanos(&self, cells: &Range<usize>) -> u64 {
        self.0[cells.end].0 - self.0[cells.start].0
    }

    fn foreign_bytes(&self, cells: &Range<usize>) -> u64 {
        self.0[cells.end].1 - self.0[cells.start].1
    }

    fn forbidden(&self, cells: &Range<usize>) -> bool {
        self.0[cells.end].2 > self.0[cells.start].2
    }
}
