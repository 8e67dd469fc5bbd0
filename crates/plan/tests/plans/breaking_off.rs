//! A run that is stopped, or whose link breaks, at any moment tells the truth about the target.

use std::ops::{ControlFlow, Range};

use flashwire_plan::{
    Cause, EraseUnit, Failure, FlashDevice, Geometry, Options, Phase, Plan, Report, RunError,
    TargetState, Tick, execute,
};

use crate::geometries::{f103, g0, nor_of};
use crate::memory::Memory;
use crate::{image, pattern, survey_and_plan};

/// Jobs that erase several units, program, keep something outside, and verify.
fn jobs() -> Vec<(Memory, Plan)> {
    let job = |mut memory: Memory, pieces: &[(u64, &[u8])]| {
        let plan = survey_and_plan(&mut memory, &image(pieces), &Options::default()).unwrap();
        assert!(plan.erase_units().len() > 1 && !plan.summary().kept.is_empty());
        (memory, plan)
    };
    let base = 0x0800_0000;
    vec![
        job(
            Memory::full(f103()),
            &[
                (base + 0x123, &pattern(0x500)),
                (base + 0x2000, &pattern(9)),
            ],
        ),
        job(Memory::full(g0()), &[(base + 0x7F0, &pattern(0x1020))]),
        job(
            Memory::full(nor_of(64 << 10)),
            &[(0x0FF0, &pattern(0x20)), (0x9001, &pattern(0x2000))],
        ),
    ]
}

/// Runs `plan`, stopping at an event.
fn stop_at(plan: &Plan, memory: &mut dyn FlashDevice, event: usize) -> Result<Report, RunError> {
    let mut seen = 0;
    let result = execute(plan, memory, &mut |_| {
        seen += 1;
        if seen > event {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(seen <= event + 1, "no event follows a Break");
    result
}

/// What must be true of a state, whatever happened.
fn check(state: &TargetState, plan: &Plan, before: &Memory, after: &Memory) {
    if !state.touched {
        assert_eq!(before.content, after.content, "untouched");
    }
    for unit in &state.erased {
        assert!(after.erased.contains(unit), "{unit:x?} was not erased");
    }
    let below = |range: &Range<u64>, end: u64| range.start..range.end.min(end).max(range.start);
    if let Some(end) = state.programmed_to {
        for range in plan.programs() {
            let range = below(range, end);
            assert_eq!(
                after.at(&range),
                &*plan.content(&range),
                "{range:x?} is not programmed"
            );
        }
    }
    if state.all_written {
        for range in plan.verifies() {
            assert_eq!(after.at(range), &*plan.content(range));
        }
        assert!(state.kept_lost.is_empty());
    }
    let kept = plan.summary().kept.iter();
    for kept in kept.filter(|kept| before.at(kept) != after.at(kept)) {
        for address in kept.clone() {
            let byte = address..address + 1;
            let lost = before.at(&byte) != after.at(&byte);
            let said = state.kept_lost.iter().any(|range| range.contains(&address));
            assert!(said || !lost, "{address:#x} is lost and was not said to be");
        }
    }
}

#[test]
fn a_stop_at_any_event_leaves_an_error_that_tells_the_truth() {
    for (before, plan) in jobs() {
        let mut phases = Vec::new();
        for event in 0.. {
            let mut memory = before.clone();
            let Err(error) = stop_at(&plan, &mut memory, event) else {
                break;
            };
            assert!(matches!(error.cause, Cause::Stopped), "{error}");
            phases.push(error.phase);
            let state = &error.state;
            check(state, &plan, &before, &memory);
            // A stop is clean: what is said to be done is all that is done.
            assert_eq!(state.erased, memory.erased);
            assert_eq!(state.touched, !memory.erased.is_empty());
            let last = memory.programs.last().map(|range| range.end);
            assert_eq!(state.programmed_to, last);
            assert_eq!(state.all_written, error.phase == Phase::Verifying);
            for range in &state.kept_lost {
                assert!(
                    after_erase(&memory, range),
                    "{range:x?} is said to be lost and is there"
                );
            }
        }
        assert_eq!(phases[0], Phase::Erasing);
        phases.dedup();
        assert_eq!(phases, [Phase::Erasing, Phase::Writing, Phase::Verifying]);
    }
}

fn after_erase(memory: &Memory, range: &Range<u64>) -> bool {
    memory
        .at(range)
        .iter()
        .all(|&byte| byte == memory.geometry.erased)
}

#[test]
fn a_stop_at_the_last_event_is_too_late() {
    for (before, plan) in jobs() {
        let mut events = 0;
        execute(&plan, &mut before.clone(), &mut |_| {
            events += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        let mut memory = Late {
            memory: before.clone(),
            calls: 0,
        };
        let mut seen = 0;
        let result = execute(&plan, &mut memory, &mut |_| {
            seen += 1;
            if seen == events {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(result.unwrap().verified);
    }
}

/// Finishes every call, whatever it is told.
struct Late {
    memory: Memory,
    calls: usize,
}

impl FlashDevice for Late {
    fn geometry(&self) -> &Geometry {
        &self.memory.geometry
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.calls += 1;
        self.memory.read(address, out, &mut deaf(tick))
    }

    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.calls += 1;
        self.memory.erase(units, &mut deaf(tick))
    }

    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        self.calls += 1;
        self.memory.program(address, data, &mut deaf(tick))
    }
}

/// Passes on what is done, and not the answer.
fn deaf(tick: &mut Tick<'_>) -> impl FnMut(u64) -> ControlFlow<()> {
    |bytes| {
        let _ = tick(bytes);
        ControlFlow::Continue(())
    }
}

#[test]
fn a_device_that_stops_late_is_not_called_again() {
    for (before, plan) in jobs() {
        let calls_until = |event: usize| {
            let mut device = Late {
                memory: before.clone(),
                calls: 0,
            };
            let result = stop_at(&plan, &mut device, event);
            (device.calls, result.is_err())
        };
        let mut calls_before = 0;
        for event in 0.. {
            let (calls, stopped) = calls_until(event);
            if !stopped {
                assert!(calls_before > 1, "there were several calls to stop between");
                break;
            }
            assert!(
                calls <= calls_before + 1,
                "event {event}: {calls_before} calls, then {calls}"
            );
            calls_before = calls;
        }
    }
}

#[test]
fn a_link_that_breaks_at_any_moment_leaves_an_error_that_tells_the_truth() {
    for (before, plan) in jobs() {
        for ticks in 0.. {
            let mut memory = before.clone();
            memory.breaks_after_ticks = Some(ticks);
            let Err(error) = execute(&plan, &mut memory, &mut crate::go_on) else {
                break;
            };
            assert!(matches!(error.cause, Cause::Device(_)), "{error}");
            assert!(error.state.touched);
            check(&error.state, &plan, &before, &memory);
        }
    }
}

#[test]
fn a_second_run_after_a_stop_at_any_event_writes_the_image() {
    let (before, plan) = jobs().swap_remove(0);
    let image = image(&[(0x0800_0123, &pattern(0x500)), (0x0800_2000, &pattern(9))]);
    for event in 0.. {
        let mut memory = before.clone();
        let stopped = stop_at(&plan, &mut memory, event).is_err();
        let options = Options {
            only_changed: true,
            ..Options::default()
        };
        let again = survey_and_plan(&mut memory, &image, &options).unwrap();
        execute(&again, &mut memory, &mut crate::go_on).unwrap();
        for segment in image.segments() {
            assert_eq!(memory.at(&segment.range()), segment.data);
        }
        if !stopped {
            break;
        }
    }
}
