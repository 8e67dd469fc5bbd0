//! An opened target, and what is done to it: open, plan, run.
//!
//! A [`Session`] holds the link, the way into the target's bootloader and the target itself. What
//! changes a target goes in three steps that a caller can stand between: a plan is made (nothing is
//! changed), shown, and run. Everything that can be wrong with the input is found before a plan
//! exists.

mod arduino;
mod blocks;
mod info;
mod install;
mod memory;
mod nfd;
pub(crate) mod open;
mod options;
mod protection;
mod regions;
mod repeated;
mod spi;
mod write;

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::time::Duration;

use flashwire_client::{stk500, stm32};
use flashwire_link::reset::{self, Way};
use flashwire_link::{CancelFlag, Link};
use flashwire_plan::{Cause, Event, FlashDevice, Phase, Plan, RunError, plan_erase, plan_verify};
use flashwire_sim::SimLink;

pub use arduino::ArduinoInfo;
pub use info::{Info, Stm32Info};
pub use memory::Checksum;
pub use nfd::{PinOutput, parse_pin_output};
pub use open::{OpenOptions, Speed, reset_by_lines};
pub use protection::{Protection, WriteProtect};
pub use regions::{RegionContent, image_of_regions};
pub use repeated::Differing;
pub use spi::{SpiInfo, SpiOptions, SpiPart, SpiStatus, spi_parts};
pub use write::{Backup, BackupOptions, Job, Outcome, WriteOptions};

use crate::error::{Access, Aftermath, Error, Kept, Problem};
use crate::images::Firmware;
use crate::watch::{Reporter, Stage, Watcher};
use repeated::Repeated;

/// An opened target.
pub struct Session {
    /// The port string, as one would give it again.
    port: String,
    /// The link and its settings, for messages.
    link: String,
    clock: Rc<RefCell<dyn Link>>,
    bench: Option<Rc<RefCell<SimLink>>>,
    device: Device,
    /// The wiring that reached the bootloader; `None` if it answered by itself.
    way: Option<Way>,
    /// What is known of parts, for when the chip has to be identified again.
    parts: stm32::Parts,
    /// What is protected, once it has been asked.
    protection: Option<Protection>,
    /// Whether plans are made as if nothing were protected.
    past_protection: bool,
    cancel: CancelFlag,
    told_of_fall_back: bool,
}

/// What a session talks to: one variant a method.
enum Device {
    Stm32(Box<stm32::Target>),
    Spi(Box<spi::Spi>),
    Nfd(Box<nfd::Nfd>),
    Arduino(Box<stk500::Target>),
}

impl Device {
    fn flash(&mut self) -> &mut dyn FlashDevice {
        match self {
            Self::Stm32(target) => &mut **target,
            Self::Spi(spi) => &mut spi.chip,
            Self::Nfd(nfd) => &mut nfd.chip,
            Self::Arduino(board) => &mut **board,
        }
    }

    /// How often everything is read that is only looked at.
    fn readings(&self) -> u32 {
        match self {
            Self::Stm32(_) | Self::Arduino(_) => 1,
            Self::Spi(spi) => spi.repeat_read,
            Self::Nfd(nfd) => nfd.repeat_read,
        }
    }
}

impl Session {
    /// The link and its settings, as a person reads them: `/dev/ttyUSB0 (115200 8E1)`.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Time since the link was opened, on its own clock; virtual on a bench.
    pub fn now(&self) -> Duration {
        self.clock.borrow().now().since_open()
    }

    /// Whether time on this link is virtual.
    pub fn is_simulated(&self) -> bool {
        !self.clock.borrow().real_time()
    }

    /// All addresses of the flash.
    pub fn flash_range(&mut self) -> Range<u64> {
        self.device.flash().geometry().range.clone()
    }

    /// Reads `range`.
    ///
    /// # Errors
    /// The range is not all flash, the chip is protected, or the link failed.
    pub fn read(&mut self, range: Range<u64>, watcher: &mut dyn Watcher) -> Result<Vec<u8>, Error> {
        self.check_accessible(Access::Read)?;
        self.look(watcher, |device, on_event| {
            flashwire_plan::read_range(device, range, on_event)
        })
    }

    /// Only looks at the flash; more than once, if the user does not trust the wiring.
    fn look<T>(
        &mut self,
        watcher: &mut dyn Watcher,
        work: impl FnOnce(
            &mut dyn FlashDevice,
            &mut dyn FnMut(&Event) -> ControlFlow<()>,
        ) -> Result<T, RunError>,
    ) -> Result<T, Error> {
        let times = self.device.readings();
        let mut differing = Differing::default();
        let stage = Stage::single(Phase::Reading);
        let looked = self.watched(stage, watcher, |device, on_event| {
            if times <= 1 {
                return work(device, on_event);
            }
            let mut device = Repeated::new(device, times);
            let looked = work(&mut device, on_event);
            differing = device.differing;
            looked
        });
        if differing.bytes > 0 {
            return Err(self.on_port(Problem::Unsteady { differing, times }));
        }
        looked.map_err(|error| self.failed(error))
    }

    /// Plans the comparison of the flash with `firmware`; `name` is the file's, for messages.
    ///
    /// # Errors
    /// The chip is protected, or the image is not for it.
    pub fn plan_verify(&mut self, firmware: &Firmware, name: &str) -> Result<Job, Error> {
        self.check_accessible(Access::Read)?;
        let image = self.fitting(firmware).map_err(|error| error.about(name))?;
        let geometry = self.device.flash().geometry().clone();
        let plan = plan_verify(&geometry, &image);
        let plan = plan.map_err(|error| self.on_port(error).about(name))?;
        Ok(Job::of(plan, Some(image), name))
    }

    /// Plans the erasing of `range`, or of everything.
    ///
    /// # Errors
    /// The range is not made of whole erase units, or some of it is protected.
    pub fn plan_erase(&mut self, range: Option<Range<u64>>, verify: bool) -> Result<Job, Error> {
        self.check_writable(range.is_none())?;
        let geometry = self.device.flash().geometry().clone();
        let plan = plan_erase(&geometry, range, verify);
        let plan = plan.map_err(|error| self.on_port(error))?;
        if !self.past_protection {
            self.check_unprotected(changed(&plan))?;
        }
        Ok(Job::of(plan, None, ""))
    }

    /// Starts the program whose vector table stands at `address` (by default the start of the
    /// flash). The session ends with it.
    ///
    /// With no address given and lines that reset the chip, it is reset into its application, as if
    /// it had been powered on; else the bootloader jumps.
    ///
    /// # Errors
    /// The bootloader refused, or the link failed.
    pub fn run(&mut self, address: Option<u64>) -> Result<Started, Error> {
        if let Device::Arduino(_) = &self.device {
            return self.start_sketch(address);
        }
        if address.is_none() && self.leave_by_lines()? {
            return Ok(Started::Reset);
        }
        let address = address.unwrap_or_else(|| self.flash_range().start);
        let target = self.stm32()?;
        let go = u32::try_from(address).map_err(|_| {
            let what = format!("address {address:#x} is beyond what an STM32 has");
            Error::from(Problem::Usage(what))
        })?;
        target
            .loader_mut()
            .go(go)
            .map_err(|error| self.on_port(error))?;
        Ok(Started::Jumped(address))
    }

    /// Resets the chip: into its application by the lines, where the way there is known; else by a
    /// few instructions that the bootloader writes to RAM and starts, and then BOOT0 decides what
    /// runs. The session ends with it.
    ///
    /// # Errors
    /// No line is known to reset it, and its bootloader leaves no RAM for a program; or the link
    /// failed.
    pub fn reset(&mut self) -> Result<Started, Error> {
        if let Device::Arduino(_) = &self.device {
            return self.start_sketch(None);
        }
        self.stm32()?;
        if self.leave_by_lines()? {
            return Ok(Started::Reset);
        }
        self.reset_by_program()?;
        Ok(Started::ResetByProgram)
    }

    /// Resets the chip by a few instructions in RAM, whatever lines are known. BOOT0 decides what
    /// runs then. The session ends with it.
    ///
    /// # Errors
    /// As [`reset`](Self::reset); the flash is read protected.
    pub fn reset_by_program(&mut self) -> Result<(), Error> {
        self.check_accessible(Access::Write)?;
        let target = self.stm32()?;
        let Some(program) = target.identity().reset_program() else {
            return Err(Problem::NoResetLine.into());
        };
        let done = target.loader_mut().reset_by_program(&program);
        done.map_err(|error| self.on_port(error))
    }

    /// Ends the session; on a bench, writes its files.
    ///
    /// # Errors
    /// The bench's files cannot be written, or a chip cannot be left as it was found.
    pub fn close(self) -> Result<(), Error> {
        let Self {
            port,
            link,
            device,
            clock,
            bench,
            ..
        } = self;
        let ended = match device {
            Device::Stm32(_) => Ok(()),
            Device::Spi(spi) => spi.close(),
            Device::Nfd(nfd) => nfd.close(),
            Device::Arduino(mut board) => arduino::leave(&mut board),
        };
        drop(clock);
        open::close_bench(bench)?;
        ended.map_err(|problem| Error::from(problem).on(port, link))
    }

    /// Resets the chip into its application, if the way there is known.
    fn leave_by_lines(&mut self) -> Result<bool, Error> {
        let Some(leave) = self.way.as_ref().and_then(|way| way.leave.clone()) else {
            return Ok(false);
        };
        let link = self.stm32()?.loader_mut().link_mut();
        reset::run(link, &leave).map_err(|error| self.on_port(error))?;
        Ok(true)
    }

    /// Carries out what was planned.
    ///
    /// # Errors
    /// Some of what is to be changed is protected; what went wrong, and in which state the flash is
    /// now.
    pub fn execute(&mut self, job: &Job, watcher: &mut dyn Watcher) -> Result<Outcome, Error> {
        if !job.plan.changes_nothing() {
            self.check_accessible(Access::Write)?;
            self.check_unprotected(changed(&job.plan))
                .map_err(|error| error.about_file(&job.name))?;
        }
        let kept = job.keep()?;
        let began = self.now();
        let stage = Stage::of(&job.plan);
        let done = self.watched(stage, watcher, |device, on_event| {
            flashwire_plan::execute(&job.plan, device, on_event)
        });
        let took = self.now().saturating_sub(began);
        match done {
            Ok(report) => Ok(Outcome {
                report,
                took,
                backup: kept.file().map(ToOwned::to_owned),
            }),
            Err(error) => Err(self.failed_job(error, job, kept)),
        }
    }

    /// Runs `work` on the flash, telling `watcher` how far it is and stopping when the session is
    /// cancelled.
    fn watched<T>(
        &mut self,
        stage: Stage,
        watcher: &mut dyn Watcher,
        work: impl FnOnce(
            &mut dyn FlashDevice,
            &mut dyn FnMut(&Event) -> ControlFlow<()>,
        ) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let clock = Rc::clone(&self.clock);
        let now = || clock.borrow().now().since_open();
        let cancel = self.cancel.clone();
        let mut reporter = Reporter::new(stage, watcher, &now);
        let done = work(self.device.flash(), &mut |event| {
            reporter.tell(event);
            if cancel.is_raised() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        self.pass_on_warnings(watcher);
        if let Device::Stm32(target) = &mut self.device
            && target.loader_mut().pipeline_fell_back()
            && !self.told_of_fall_back
        {
            self.told_of_fall_back = true;
            watcher.note("commands do not run ahead of their answers any more: one went wrong");
        }
        done
    }

    /// Passes on what the port could not do.
    fn pass_on_warnings(&mut self, watcher: &mut dyn Watcher) {
        let warnings = match &mut self.device {
            Device::Stm32(target) => target.loader_mut().link_mut().take_warnings(),
            Device::Spi(_) | Device::Nfd(_) | Device::Arduino(_) => {
                self.clock.borrow_mut().take_warnings()
            }
        };
        warnings.iter().for_each(|warning| watcher.warn(warning));
    }

    /// Whether the flash refuses to be read.
    fn read_protected(&self) -> bool {
        match &self.device {
            Device::Stm32(target) => target.identity().read_protected,
            Device::Spi(_) | Device::Nfd(_) | Device::Arduino(_) => false,
        }
    }

    /// An error on this session's port.
    fn on_port(&self, problem: impl Into<Problem>) -> Error {
        let problem = match (&self.device, problem.into()) {
            (Device::Nfd(nfd), Problem::Plan(error)) => nfd.explained(error),
            (_, problem) => problem,
        };
        Error::from(problem).on(self.port.clone(), self.link.clone())
    }

    /// A run that only looked ended early.
    fn failed(&self, error: RunError) -> Error {
        let refused = matches!(error.cause, Cause::Refused(_));
        let failed = self.on_port(Problem::from_cause(error.cause, false));
        if refused {
            failed
        } else {
            failed.during(error.phase.to_string())
        }
    }

    /// A run that carried out a plan ended early.
    fn failed_job(&self, error: RunError, job: &Job, kept: Kept) -> Error {
        let RunError {
            phase,
            cause,
            state,
        } = error;
        let plan = &job.plan;
        let differs = matches!(cause, Cause::Mismatch(_));
        let problem = Problem::from_cause(cause, !plan.changes_nothing());
        let error = self.on_port(problem);
        if plan.changes_nothing() {
            return if differs {
                error.about(&job.name)
            } else {
                error
            };
        }
        let aftermath = Aftermath {
            state: *state,
            planned_units: plan.erase_units().len(),
            only_erasing: plan.programs().is_empty(),
            differs,
            kept,
        };
        let error = error.leaving(aftermath);
        if differs {
            error
        } else {
            error.during(phase.to_string())
        }
    }
}

/// What a plan erases and programs.
fn changed(plan: &Plan) -> Vec<Range<u64>> {
    let erased = plan.erase_units().iter().map(|unit| unit.range());
    let mut changed: Vec<Range<u64>> = erased.chain(plan.programs().iter().cloned()).collect();
    changed.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in changed {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// How an application was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// By a reset through the port's lines.
    Reset,
    /// By a reset that a program in RAM asked for; what runs is decided by BOOT0.
    ResetByProgram,
    /// By the bootloader, which was told to leave.
    Left,
    /// By a jump of the bootloader, to this vector table.
    Jumped(u64),
}
