//! The chip behind a programmer, as the planner and the executor want it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_plan::{
    Costs, EraseKind, EraseUnit, Failure, FlashDevice, Geometry, Mismatch, Program, Rewrite, Run,
    Tick,
};
use flashwire_protocol::nfd::{
    ADDRESS_END, CRC_DIGITS, DUMP_BYTES, FIXED_WAIT_MS, PAGE_BYTES, REGISTERS, Request,
    SECTOR_BYTES,
};
use flashwire_protocol::spinor::instruction;

use super::{Client, Error};
use crate::spinor::{self, Definition, Part, Parts, ProbeMethod, Programming, Timing, named};

/// How long an ATmega328P works on the CRC of a page, besides reading it: measured with the sketch
/// in a simulator, 62 KiB/s of pages in all.
const CRC_TIME: Duration = Duration::from_millis(4);

/// How long a sector of a chip takes of which nothing is known: what is usual, and so much that
/// twice of it is the patience of the sketch's own client, 3 s.
const ASSUMED_ERASE: Timing = Timing {
    typical: Duration::from_millis(60),
    maximum: Duration::from_millis(1500),
};

/// What a host can choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChipOptions {
    /// The part that it is: where several have one id, and for firmware that cannot ask.
    pub name: Option<String>,
    /// Whether a chip that nobody knows, or that could be several, is taken for what the sketch's own
    /// client takes every chip for: sectors of 4 KiB, pages of 256 bytes. Else it can only be read.
    pub assumed: bool,
}

/// What is known of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its JEDEC id, if the firmware can ask for it.
    pub id: Option<[u8; REGISTERS]>,
    /// What the table says of it; `None` if it is not known what it is.
    pub definition: Option<Definition>,
    /// Its manufacturer code. JEP106.
    pub(super) maker: Option<u8>,
    /// Why this firmware cannot change it.
    unsuitable: Option<&'static str>,
}

/// A chip behind a programmer.
///
/// Dropping it puts protection back that was lifted for the time being; [`close`](Self::close) does
/// the same and tells whether it worked.
pub struct Chip {
    pub(super) client: Client,
    identity: Identity,
    geometry: Geometry,
    /// How long a unit of each erase kind takes.
    pub(super) erase_times: Vec<Timing>,
    pub(super) program_time: Timing,
    /// CRCs of pages that were asked for and have not been changed since.
    pub(super) known: BTreeMap<u16, u32>,
    /// It is not known what it is, and taken for what the sketch's own client takes every chip for.
    assumed: bool,
    /// Protection that comes with the power has been lifted.
    writable: bool,
    /// What is protected again at the end.
    pub(super) protected_at_end: bool,
}

/// The id, and the rows of the table that the chip can be.
type Found<'a> = (Option<[u8; REGISTERS]>, Vec<&'a Part>);

/// Finds out what the chip can be: by its id, by name.
fn find<'a>(client: &mut Client, parts: &'a Parts, name: Option<&str>) -> Result<Found<'a>, Error> {
    let id = client.jedec_id()?;
    match id {
        Some([0xFF, 0xFF, 0xFF]) => return Err(spinor::Error::AllOnes.into()),
        Some([0x00, 0x00, 0x00]) => return Err(spinor::Error::AllZeros.into()),
        _ => {}
    }
    let by_id = id.map(|id| parts.answering(ProbeMethod::Rdid, &id));
    let rows = match (by_id, name) {
        (Some(rows), Some(name)) => named(&rows, parts, name, &id.unwrap_or_default())?,
        (Some(rows), None) => rows,
        (None, Some(name)) => {
            let rows = parts.called(name);
            if rows.is_empty() {
                let name = name.to_owned();
                return Err(spinor::Error::NoSuchPart { name }.into());
            }
            rows
        }
        (None, None) => Vec::new(),
    };
    Ok((id, rows))
}

/// Why the sketch's commands cannot change a chip, if they cannot.
fn unsuitable(definition: &Definition, rows: &[&Part]) -> Option<&'static str> {
    let in_pages = matches!(definition.programming,
        Programming::Pages { bytes } if bytes.is_multiple_of(PAGE_BYTES));
    if !in_pages {
        return Some("it is not programmed in pages of 256 bytes");
    }
    let ways = [sector_time(definition, rows), chip_time(rows)];
    if ways.iter().all(Option::is_none) {
        return Some("it knows neither of the firmware's erases, 20h and C7h");
    }
    None
}

/// How long the chip's erase of 4 KiB by 20h takes, if it has that everywhere.
fn sector_time(definition: &Definition, rows: &[&Part]) -> Option<Timing> {
    let sector = SECTOR_BYTES as u64;
    let everywhere = [(0, sector, definition.size_bytes / sector)];
    common_time(rows, |erase| {
        !erase.is_chip && erase.opcode == instruction::SE && erase.runs == everywhere
    })
}

/// How long the chip's erase of everything by C7h takes, if it has that.
fn chip_time(rows: &[&Part]) -> Option<Timing> {
    common_time(rows, |erase| {
        erase.is_chip && erase.opcode == instruction::CE
    })
}

/// The time of an erase that all of these parts have.
fn common_time(rows: &[&Part], is_it: impl Fn(&spinor::Erase) -> bool) -> Option<Timing> {
    let times = rows.iter().map(|part| {
        let erase = part.erases.iter().find(|erase| is_it(erase));
        erase.map(|erase| erase.time)
    });
    let times: Option<Vec<Timing>> = times.collect();
    times?.into_iter().max_by_key(|time| time.maximum)
}

impl Chip {
    /// Finds out what chip is behind the programmer. One that nobody knows can be read.
    ///
    /// # Errors
    /// [`spinor::Error::AllOnes`], [`spinor::Error::AllZeros`], [`spinor::Error::Unstable`] if there
    /// is none to talk to; [`spinor::Error::Ambiguous`], [`spinor::Error::NoSuchPart`],
    /// [`spinor::Error::OtherPart`] if it is not known well enough.
    pub fn open(mut client: Client, parts: &Parts, options: &ChipOptions) -> Result<Self, Error> {
        let (id, rows) = find(&mut client, parts, options.name.as_deref())?;
        let definition = match &rows[..] {
            [] => None,
            rows => match Definition::from_table(&id.unwrap_or_default(), rows) {
                Err(spinor::Error::Ambiguous { .. }) if options.assumed => None,
                defined => Some(defined?),
            },
        };
        let known = definition.as_ref();
        let assumed = options.assumed && known.is_none();
        // Without an id, this is what tells whether there is a chip.
        if assumed && id.is_none() && client.status_registers()? == [0xFF; REGISTERS] {
            return Err(spinor::Error::AllOnes.into());
        }
        let (erase_kinds, erase_times) = match known {
            Some(known) => erases(known, &rows),
            None if assumed => assumed_erases(),
            None => (Vec::new(), Vec::new()),
        };
        let program_time = known.map_or(Timing::PAGE, |known| known.program_time);
        let size_bytes = known.map_or(ADDRESS_END, |known| known.size_bytes);
        let identity = Identity {
            id,
            maker: match id {
                Some([maker, ..]) => Some(maker),
                None => rows.first().and_then(|part| part.maker()),
            },
            unsuitable: known.and_then(|known| unsuitable(known, &rows)),
            definition,
        };
        let geometry = Geometry {
            range: 0..size_bytes,
            // Memory that the firmware has no addresses for.
            holes: Some(ADDRESS_END..size_bytes)
                .filter(|hole| !hole.is_empty())
                .into_iter()
                .collect(),
            erased: 0xFF,
            erase_kinds,
            program: Program {
                unit_bytes: 1,
                block_bytes: PAGE_BYTES as u64,
                rewrite: Rewrite::ClearBits,
            },
            costs: costs(&client, program_time),
        };
        Ok(Self {
            client,
            identity,
            geometry,
            erase_times,
            assumed,
            program_time,
            known: BTreeMap::new(),
            writable: false,
            protected_at_end: false,
        })
    }

    /// What is known of the chip.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The programmer, for everything that is not the chip's.
    pub fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Whether the chip can be erased and programmed by this firmware.
    ///
    /// # Errors
    /// [`Error::UnknownChip`], [`Error::Unsuitable`].
    pub fn check_changeable(&self) -> Result<(), Error> {
        match (&self.identity.definition, self.identity.unsuitable) {
            (None, _) if self.assumed => Ok(()),
            (None, _) => Err(Error::UnknownChip {
                id: self.identity.id,
            }),
            (Some(_), Some(reason)) => Err(Error::Unsuitable { reason }),
            (Some(_), None) => Ok(()),
        }
    }

    /// Puts protection back that was lifted for the time being.
    ///
    /// # Errors
    /// What the programmer did; [`Error::ProtectionStays`] if the chip does not take it.
    pub fn close(mut self) -> Result<(), Error> {
        self.protect_again()
    }

    /// Whether the status registers of a chip whose maker is not known may be asked for.
    pub(super) fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// Sees to it that a chip which protects itself at power-up can be written.
    pub(super) fn make_writable(&mut self) -> Result<(), Error> {
        self.check_changeable()?;
        let by_birth = self
            .identity
            .definition
            .as_ref()
            .is_some_and(|definition| definition.is_protected_by_birth);
        if by_birth && !self.writable {
            self.unprotect()?;
        }
        self.writable = true;
        Ok(())
    }
}

/// The ways to erase a chip: sectors, and everything if all of it can be reached.
fn erases(definition: &Definition, rows: &[&Part]) -> (Vec<EraseKind>, Vec<Timing>) {
    let size_bytes = definition.size_bytes;
    let reach = size_bytes.min(ADDRESS_END);
    let sectors = sector_time(definition, rows).map(|time| {
        (
            erase_kind("4K sector", SECTOR_BYTES as u64, reach, time),
            time,
        )
    });
    let whole = chip_time(rows)
        .filter(|_| reach == size_bytes)
        .map(|time| (erase_kind("chip", size_bytes, reach, time), time));
    sectors.into_iter().chain(whole).unzip()
}

/// The way to erase a chip of which nothing is known: sectors, as far as addresses reach.
fn assumed_erases() -> (Vec<EraseKind>, Vec<Timing>) {
    let sectors = erase_kind("4K sector", SECTOR_BYTES as u64, ADDRESS_END, ASSUMED_ERASE);
    (vec![sectors], vec![ASSUMED_ERASE])
}

fn erase_kind(name: &str, unit_bytes: u64, reach_bytes: u64, time: Timing) -> EraseKind {
    EraseKind {
        name: name.to_owned(),
        runs: vec![Run {
            start: 0,
            unit_bytes,
            count: reach_bytes / unit_bytes,
            time: time.typical + Duration::from_millis(FIXED_WAIT_MS),
        }],
        whole: unit_bytes == reach_bytes,
    }
}

/// What moving a page costs, for the planner: most of it is hexadecimal on the wire.
fn costs(client: &Client, program_time: Timing) -> Costs {
    /// Letter and page number.
    const COMMAND_BYTES: usize = 9;
    let wire = |count| client.link().settings().wire_time(count);
    let compare = CRC_TIME.max(wire(COMMAND_BYTES));
    let fixed = Duration::from_millis(FIXED_WAIT_MS);
    Costs {
        program_block: wire(Request::FILL_BYTES) + fixed + program_time.typical,
        read_block: wire(1 + CRC_DIGITS + DUMP_BYTES),
        compare_block: compare,
    }
}

/// The page that an address lies in.
pub(super) fn page_of(address: u64) -> Result<u16, Error> {
    u16::try_from(address / PAGE_BYTES as u64).map_err(|_| Error::BeyondReach { address })
}

impl FlashDevice for Chip {
    fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn read(&mut self, address: u64, out: &mut [u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        finish(self.read_range(address, out, tick))
    }

    fn erase(&mut self, units: &[EraseUnit], tick: &mut Tick<'_>) -> Result<(), Failure> {
        finish(self.erase_units(units, tick))
    }

    fn program(&mut self, address: u64, data: &[u8], tick: &mut Tick<'_>) -> Result<(), Failure> {
        finish(self.program_range(address, data, tick))
    }

    fn compare(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<Option<Mismatch>, Failure> {
        let mut worst = None;
        finish(self.compare_range(address, expected, &mut worst, tick))?;
        Ok(worst)
    }

    fn matches(
        &mut self,
        address: u64,
        expected: &[u8],
        tick: &mut Tick<'_>,
    ) -> Result<bool, Failure> {
        let mut same = false;
        finish(self.is_same(address, expected, &mut same, tick))?;
        Ok(same)
    }
}

/// How an operation ended, as the executor wants it.
fn finish(done: Result<ControlFlow<()>, Error>) -> Result<(), Failure> {
    match done {
        Ok(ControlFlow::Continue(())) => Ok(()),
        Ok(ControlFlow::Break(())) => Err(Failure::Stopped),
        Err(error) => Err(Failure::Device(Box::new(error))),
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        // There is nobody left to tell; `close` tells.
        let _ = self.protect_again();
    }
}

impl std::fmt::Debug for Chip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chip")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
