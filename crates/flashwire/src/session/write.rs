//! Writing: what is checked, what is looked at, what is kept.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use flashwire_plan::{
    Current, EraseChoice, FlashDevice, Format, Geometry, Image, ImageError, Need, Options, Plan,
    Report, Segment, needs, plan, survey,
};

use super::{Device, Session, arduino, changed};
use crate::error::{Access, Error, Kept, Problem};
use crate::families;
use crate::files::{FileError, NewFile};
use crate::images::{self, Firmware};
use crate::watch::Watcher;

/// How to write a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// What is erased, kept and verified.
    pub plan: Options,
    /// What becomes of the old content.
    pub backup: BackupOptions,
    /// Somebody has erased all that the file covers, so that nobody needs to look first. Only with
    /// [`Options::verify`]: what was not erased after all is found by that alone.
    pub assume_erased: bool,
}

/// What becomes of the old content that is read before it is erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BackupOptions {
    /// It is not kept.
    #[default]
    None,
    /// What has to be read anyway is kept.
    WhatIsRead(Backup),
    /// The whole flash is read and kept.
    Everything(Backup),
}

/// Where a backup goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// Into this file; the extension decides the format.
    File(PathBuf),
    /// Into this folder, under a name made of the chip and this time stamp: as Intel HEX, or as a raw
    /// binary if it is all that a SPI NOR chip holds. The folder is made if it is not there.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// When: a piece of a file name, `2026-05-01-142233`.
        stamp: String,
    },
}

/// Something that was planned and can be carried out: see [`Session::execute`].
#[derive(Clone, Debug)]
pub struct Job {
    pub(super) plan: Plan,
    /// What is to be there at the end, if that is not nothing.
    image: Option<Image>,
    /// The file's, for messages.
    pub(super) name: String,
    backup: PlannedBackup,
}

/// What a job will keep of the old content.
#[derive(Clone, Debug)]
enum PlannedBackup {
    /// Nothing is lost.
    Nothing,
    /// Old content is lost, and the user does not want a copy.
    Dropped,
    /// What of this is not blank, there.
    Of {
        current: Current,
        /// Whether that is the content of the whole memory, which begins at address 0: then it is
        /// kept as it is, without addresses.
        is_whole: bool,
        erased: u8,
        place: Backup,
        chip: String,
    },
}

/// A job that was carried out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub report: Report,
    /// How long it took, on the link's clock.
    pub took: Duration,
    /// Where the old content is, if it was kept.
    pub backup: Option<PathBuf>,
}

impl Job {
    pub(super) fn of(plan: Plan, image: Option<Image>, name: &str) -> Self {
        Self {
            plan,
            image,
            name: name.to_owned(),
            backup: PlannedBackup::Nothing,
        }
    }

    /// What is written or compared, as messages call it; empty if the job only erases.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plan, to be shown.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is to be there at the end; `None` if the job only erases.
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// How many bytes of old content will be kept in a file.
    pub fn backup_bytes(&self) -> u64 {
        match &self.backup {
            PlannedBackup::Of {
                current, erased, ..
            } => worth_keeping(current, *erased)
                .map(|segment| segment.data.len() as u64)
                .sum(),
            _ => 0,
        }
    }

    /// Writes the backup.
    pub(super) fn keep(&self) -> Result<Kept, Error> {
        match &self.backup {
            PlannedBackup::Nothing => Ok(Kept::Nothing),
            PlannedBackup::Dropped => Ok(Kept::Dropped),
            PlannedBackup::Of {
                current,
                is_whole,
                erased,
                place,
                chip,
            } => {
                let extension = if *is_whole { "bin" } else { "hex" };
                let path = match place {
                    Backup::File(path) => path.clone(),
                    Backup::Folder { folder, stamp } => free_name(folder, chip, stamp, extension)?,
                };
                let format = images::output_format(&path, None);
                let file = NewFile::create(&path)?;
                if *is_whole && format == Format::Binary {
                    let pieces = current.contents().iter().map(|segment| &segment.data[..]);
                    file.commit(&pieces.collect::<Vec<_>>())?;
                } else {
                    let name = path.display().to_string();
                    let content = worth_keeping(current, *erased).cloned().collect();
                    let bytes = images::to_bytes(&images::of(content)?, format, *erased, &name)?;
                    file.commit(&[&bytes])?;
                }
                Ok(Kept::In(path))
            }
        }
    }
}

/// A flash in which nothing is.
fn blank(geometry: &Geometry) -> Current {
    let mut current = Current::new();
    for range in geometry.memory() {
        let bytes = (range.end - range.start) as usize;
        current.add_content(range.start, vec![geometry.erased; bytes]);
    }
    current
}

/// What of the content that was read is not blank.
fn worth_keeping(current: &Current, erased: u8) -> impl Iterator<Item = &Segment> {
    let is_blank = move |segment: &Segment| segment.data.iter().all(|&byte| byte == erased);
    let contents = current.contents().iter();
    contents.filter(move |segment| !is_blank(segment))
}

/// Whether all of a memory that begins at address 0 was read.
fn is_whole(current: &Current, flash: &Range<u64>) -> bool {
    let mut end = 0;
    let follows = |segment: &Segment| {
        let follows = segment.address == end;
        end = segment.range().end;
        follows
    };
    flash.start == 0 && current.contents().iter().all(follows) && end == flash.end
}

/// Most backups of one chip in one second.
const MOST_BACKUPS: u32 = 1000;

/// A name in `folder` that no file has; makes the folder.
fn free_name(folder: &Path, chip: &str, stamp: &str, extension: &str) -> Result<PathBuf, Error> {
    let unwritable = |source| FileError::Unwritable {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(unwritable)?;
    let name = |n: u32| match n {
        1 => format!("{chip}-{stamp}.{extension}"),
        _ => format!("{chip}-{stamp}-{n}.{extension}"),
    };
    let mut names = (1..=MOST_BACKUPS).map(|n| folder.join(name(n)));
    let free = names.find(|path| !path.exists());
    Ok(free.ok_or_else(|| unwritable(io::ErrorKind::AlreadyExists.into()))?)
}

impl Session {
    /// Plans the writing of `firmware`: checks that it is for this chip and fits, looks at the present
    /// content where that matters, and decides what to erase, write, keep and verify. Nothing is
    /// changed. `name` is the file's, for messages.
    ///
    /// # Errors
    /// What speaks against it: protection, a part whose erase units nobody knows, a file for
    /// another processor or family, content that does not fit; or the link failed.
    pub fn plan_write(
        &mut self,
        firmware: &Firmware,
        name: &str,
        options: &WriteOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<Job, Error> {
        self.check_writable(options.plan.erase == EraseChoice::All)?;
        self.check_frame()?;
        let refused = |error: Error| error.about(name);
        let image = self.fitting(firmware).map_err(refused)?;
        let geometry = self.device.flash().geometry().clone();
        let mut choice = options.plan;
        if let Device::Spi(_) | Device::Nfd(_) = &self.device {
            // Erasing is what takes time here, and wears the chip out: what is there already stays.
            choice.only_changed |= choice.erase == EraseChoice::Touched;
        }
        let mut needs =
            needs(&geometry, &image, &choice).map_err(|error| self.on_port(error).about(name))?;
        if matches!(options.backup, BackupOptions::Everything(_)) {
            needs = geometry.memory().into_iter().map(Need::read).collect();
        }
        let current = if self.read_protected() || options.assume_erased && options.plan.verify {
            // Taking the protection away, without which nothing can be written, erases everything.
            blank(&geometry)
        } else {
            self.look(watcher, |device, on_event| {
                survey(device, &needs, &image, on_event)
            })?
        };
        let plan = plan(&geometry, &image, &current, &choice)
            .map_err(|error| self.on_port(error).about(name))?;
        if !self.past_protection {
            self.check_unprotected(changed(&plan))
                .map_err(|error| error.about(name))?;
        }
        let backup = self.planned_backup(&plan, &current, &options.backup)?;
        Ok(Job {
            image: Some(image),
            plan,
            name: name.to_owned(),
            backup,
        })
    }

    /// Refuses to change a flash that is protected, or whose erase units nobody knows.
    pub(super) fn check_writable(&mut self, everything: bool) -> Result<(), Error> {
        if !self.past_protection {
            self.check_accessible(Access::Write)?;
        }
        self.check_voltage()?;
        if let Device::Nfd(nfd) = &self.device {
            nfd.check_changeable(everything)
                .map_err(|error| self.on_port(error))?;
        }
        let Device::Stm32(target) = &self.device else {
            return Ok(());
        };
        let kinds = &FlashDevice::geometry(&**target).erase_kinds;
        if !everything && kinds.iter().all(|kind| kind.whole) {
            let part = target.identity().part.name.clone();
            return Err(self.on_port(Problem::UnknownPart { part }));
        }
        Ok(())
    }

    /// Refuses to write through frames that hold no program unit.
    fn check_frame(&self) -> Result<(), Error> {
        let target = match &self.device {
            Device::Stm32(target) if !target.can_write() => target,
            _ => return Ok(()),
        };
        let unit_bytes = target.geometry().program.unit_bytes;
        Err(Problem::Usage(format!(
            "--frame: this flash is written in units of {unit_bytes} bytes, which need {} sent",
            unit_bytes + 2
        ))
        .into())
    }

    /// The image in `firmware` that is for this chip, with its addresses: a raw binary without one
    /// goes to the start of the flash.
    pub(super) fn fitting(&mut self, firmware: &Firmware) -> Result<Image, Error> {
        let target = match &self.device {
            Device::Stm32(target) => target,
            Device::Spi(_) | Device::Nfd(_) => return self.fitting_chip(firmware),
            Device::Arduino(board) => return arduino::fitting(board, firmware),
        };
        let part = &target.identity().part;
        let fits = |id: u32| families::is_for(id, part.family);
        let image = firmware.image_for(fits)?.filter(|image| {
            let families = image.families();
            families.is_empty() || families.iter().any(|&id| fits(id))
        });
        let Some(image) = image else {
            let families = firmware.families().iter().map(|&id| families::name(id));
            return Err(Problem::WrongFamily {
                families: families.collect::<Vec<_>>().join(", "),
                part: part.name.clone(),
            }
            .into());
        };
        if let Some(machine) = image
            .machine()
            .filter(|&machine| machine != families::ELF_ARM)
        {
            let machine = families::machine_name(machine);
            return Err(Problem::WrongMachine { machine }.into());
        }
        let geometry = self.device.flash().geometry();
        let unit_bytes = geometry.program.unit_bytes;
        if image.format() == Format::Binary && image.is_placed() {
            let address = image.range().start;
            if !address.is_multiple_of(unit_bytes) {
                return Err(Problem::UnalignedAddress {
                    address,
                    unit_bytes,
                }
                .into());
            }
        }
        Ok(image.place(geometry.range.start)?)
    }

    /// The same for a SPI NOR chip: a raw binary without an address is all of its content.
    fn fitting_chip(&mut self, firmware: &Firmware) -> Result<Image, Error> {
        let families = firmware.families();
        if !families.is_empty() {
            let families = families.iter().map(|&id| families::name(id));
            return Err(Problem::WrongFamily {
                families: families.collect::<Vec<_>>().join(", "),
                part: self.chip_part(),
            }
            .into());
        }
        let Some(image) = firmware.image_for(|_| true)? else {
            return Err(Problem::Image(ImageError::Empty).into());
        };
        let flash = self.flash_range();
        let (image_bytes, flash_bytes) = (image.total_bytes(), flash.end - flash.start);
        if let (Device::Nfd(nfd), false) = (&self.device, image.is_placed()) {
            // Whether it is as large as the chip nobody can tell.
            nfd.check_known().map_err(|error| self.on_port(error))?;
        }
        if !image.is_placed() && image_bytes != flash_bytes {
            return Err(Problem::ImageSize {
                image_bytes,
                flash_bytes,
            }
            .into());
        }
        Ok(image.place(flash.start)?)
    }

    /// What becomes of the old content that was read.
    fn planned_backup(
        &self,
        plan: &Plan,
        current: &Current,
        options: &BackupOptions,
    ) -> Result<PlannedBackup, Error> {
        let erased = plan.geometry().erased;
        if worth_keeping(current, erased).next().is_none() || plan.changes_nothing() {
            return Ok(PlannedBackup::Nothing);
        }
        let place = match options {
            BackupOptions::None => return Ok(PlannedBackup::Dropped),
            BackupOptions::WhatIsRead(place) | BackupOptions::Everything(place) => place.clone(),
        };
        Ok(PlannedBackup::Of {
            current: current.clone(),
            is_whole: is_whole(current, &plan.geometry().range),
            erased,
            place,
            chip: self.chip_file_name(),
        })
    }

    /// What to call this chip in a file name: part and unique id.
    fn chip_file_name(&self) -> String {
        let name = match &self.device {
            Device::Stm32(target) => {
                let identity = target.identity();
                let id = identity.unique_id.map(|id| format!("-{id}"));
                format!("{}{}", identity.part.name, id.unwrap_or_default())
            }
            Device::Spi(spi) => spi.file_name(),
            Device::Nfd(nfd) => nfd.file_name(),
            Device::Arduino(board) => format!("arduino-{}", board.loader().identity().part.name),
        };
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        name.chars().map(plain).collect()
    }
}
