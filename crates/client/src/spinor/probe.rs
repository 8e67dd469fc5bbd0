//! Asking a chip who it is.

use std::time::Duration;

use flashwire_protocol::spinor::sfdp::{
    Bfpt, Detection, DetectionAddress, Directory, FIRST_READ_BYTES, FourByteInstructions,
    SectorMap, TableId,
};
use flashwire_protocol::spinor::{AddressWidth, Head, instruction, status};

use super::definition::SelfDescription;
use super::{ControllerError, Definition, Error, Job, Part, Parts, ProbeMethod, SpiController};

/// How many bytes of RDID's answer are looked at: the longest id of the table.
const ID_BYTES: usize = 6;

/// How long a chip that is busy when it is met may go on: it was left in the middle of something.
const BUSY_AT_FIRST: Duration = Duration::from_secs(20);

/// Most rounds of questions until two in a row have the same answers.
const ROUNDS: u32 = 5;

/// Most of SFDP that is read, in bytes: far more than any chip has.
const MOST_SFDP_BYTES: u32 = 64 * 1024;

/// Everything that a chip answers to the instructions by which chips are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// RDID.
    pub rdid: Vec<u8>,
    /// REMS.
    pub rems: Vec<u8>,
    /// RES.
    pub res: Vec<u8>,
    /// 15h: RDID of AT25F parts, status register 3 of others.
    pub rdid15: Vec<u8>,
    /// Status register.
    pub status: Vec<u8>,
    /// SFDP from its start.
    pub sfdp: Vec<u8>,
}

/// What a chip is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it answered.
    pub answers: Answers,
    /// What is known of it.
    pub definition: Definition,
}

impl Answers {
    /// Asks for all of it, at once where the controller takes that.
    ///
    /// # Errors
    /// What the controller did.
    pub fn ask(controller: &mut dyn SpiController) -> Result<Self, Error> {
        let sfdp_bytes = FIRST_READ_BYTES.min(controller.limits().receive_bytes);
        // RES comes first: it wakes a chip from deep power-down.
        let questions = [
            (Head::of(instruction::RES).with_dummy(3), 2),
            (Head::of(instruction::RDSR), 1),
            (Head::of(instruction::RDID), ID_BYTES),
            (Head::at(instruction::REMS, 0, AddressWidth::Three), 2),
            (Head::of(instruction::RDSR3), 2),
            (sfdp_head(0), sfdp_bytes),
        ];
        let [res, status, rdid, rems, rdid15, sfdp] = ask_all(controller, &questions)?;
        Ok(Self {
            rdid,
            rems,
            res,
            rdid15,
            status,
            sfdp,
        })
    }

    /// Asks until two rounds agree: no answer carries a check value, and what is believed here
    /// decides what is erased later.
    fn ask_surely(controller: &mut dyn SpiController) -> Result<Self, Error> {
        let mut before = Self::ask(controller)?;
        for _ in 1..ROUNDS {
            if before.is_busy() {
                wait_until_ready(controller, "it was met", BUSY_AT_FIRST)?;
            }
            let answers = Self::ask(controller)?;
            if answers.agrees_with(&before) {
                return Ok(answers);
            }
            before = answers;
        }
        let again = Self::ask(controller)?;
        Err(Error::Unstable {
            first: before.rdid,
            second: again.rdid,
        })
    }

    /// Whether what matters is the same. What a chip does not answer floats, and may be anything.
    fn agrees_with(&self, other: &Self) -> bool {
        let tables = |answers: &Self| {
            let found = answers.sfdp.starts_with(b"SFDP");
            if found {
                answers.sfdp.clone()
            } else {
                Vec::new()
            }
        };
        self.rdid == other.rdid && tables(self) == tables(other)
    }

    fn all_are(&self, value: u8) -> bool {
        let answers = [&self.rdid, &self.rems, &self.res, &self.status, &self.sfdp];
        answers.into_iter().flatten().all(|&byte| byte == value)
    }

    fn is_busy(&self) -> bool {
        // All ones is nobody, not somebody busy.
        self.status
            .first()
            .is_some_and(|&byte| byte != 0xFF && byte & status::WIP != 0)
    }

    /// The rows of the table that answer so.
    fn rows<'a>(&self, parts: &'a Parts) -> Vec<&'a Part> {
        let silent = |answer: &[u8]| {
            answer.iter().all(|&byte| byte == 0xFF) || answer.iter().all(|&byte| byte == 0)
        };
        let ways = [
            (ProbeMethod::Rdid, &self.rdid),
            (ProbeMethod::Rems, &self.rems),
            (ProbeMethod::Res, &self.res),
            (ProbeMethod::Rdid15, &self.rdid15),
        ];
        for (probe, answer) in ways {
            if silent(answer) {
                continue;
            }
            let found = parts.answering(probe, answer);
            // A chip that answers RDID is what RDID says, or unknown.
            if !found.is_empty() || probe == ProbeMethod::Rdid {
                return found;
            }
        }
        Vec::new()
    }
}

impl Identity {
    /// Finds out what the chip is: by its id, by what it says of itself, by the table. With a name
    /// that part is taken, if the chip can be one.
    ///
    /// # Errors
    /// [`Error::AllOnes`], [`Error::AllZeros`], [`Error::Unstable`] if there is none to talk to;
    /// [`Error::UnknownChip`], [`Error::Ambiguous`] if it is not known well enough;
    /// [`Error::NoSuchPart`], [`Error::OtherPart`] if the name does not fit.
    pub fn find(
        controller: &mut dyn SpiController,
        parts: &Parts,
        name: Option<&str>,
    ) -> Result<Self, Error> {
        let mut answers = Answers::ask_surely(controller)?;
        if answers.all_are(0xFF) {
            return Err(Error::AllOnes);
        }
        if answers.all_are(0x00) {
            return Err(Error::AllZeros);
        }
        let mut rows = answers.rows(parts);
        if let Some(name) = name {
            rows = named(&rows, parts, name, &answers.rdid)?;
        }
        let sfdp = read_sfdp(controller, &mut answers)?;
        let map = match &sfdp.map {
            Some(bytes) => map_in_force(controller, bytes)?,
            None => None,
        };
        let own = SelfDescription {
            bfpt: sfdp.bfpt,
            four_byte: sfdp.four_byte,
            map: map
                .zip(sfdp.map.as_deref())
                .and_then(|(id, bytes)| SectorMap::parse(bytes).ok()?.find(id)),
        };
        let definition = Definition::of(&answers.rdid, &own, &rows)?;
        Ok(Self {
            answers,
            definition,
        })
    }
}

/// Of the rows that fit the chip those that are called so.
pub(crate) fn named<'a>(
    rows: &[&'a Part],
    parts: &'a Parts,
    name: &str,
    id: &[u8],
) -> Result<Vec<&'a Part>, Error> {
    let fitting: Vec<&Part> = rows
        .iter()
        .copied()
        .filter(|part| part.is_called(name))
        .collect();
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    let name = name.to_owned();
    if parts.called(&name).is_empty() {
        Err(Error::NoSuchPart { name })
    } else {
        let id = id.to_vec();
        Err(Error::OtherPart { name, id })
    }
}

/// The tables of SFDP that are of use.
#[derive(Default)]
struct Tables {
    bfpt: Option<Bfpt>,
    four_byte: Option<FourByteInstructions>,
    map: Option<Vec<u8>>,
}

/// Reads on in SFDP as far as its tables go. A chip without SFDP, or with one that makes no sense,
/// has no tables.
fn read_sfdp(controller: &mut dyn SpiController, answers: &mut Answers) -> Result<Tables, Error> {
    let Ok(directory) = Directory::parse(&answers.sfdp) else {
        return Ok(Tables::default());
    };
    let reach = directory.reach_bytes().min(MOST_SFDP_BYTES) as usize;
    while answers.sfdp.len() < reach {
        let at = answers.sfdp.len();
        let count = (reach - at)
            .min(FIRST_READ_BYTES)
            .min(controller.limits().receive_bytes);
        let more = [(sfdp_head(at as u32), count); 2];
        let [first, second] = ask_all(controller, &more)?;
        if first != second {
            return Err(Error::Unstable { first, second });
        }
        answers.sfdp.extend(first);
    }
    let table = |id| directory.find(id).map(|header| header.slice(&answers.sfdp));
    Ok(Tables {
        bfpt: table(TableId::BFPT).and_then(|bytes| Bfpt::parse(bytes).ok()),
        four_byte: table(TableId::FOUR_BYTE)
            .and_then(|bytes| FourByteInstructions::parse(bytes).ok()),
        map: table(TableId::SECTOR_MAP).map(<[u8]>::to_vec),
    })
}

/// Finds out which of a chip's layouts is in force.
fn map_in_force(controller: &mut dyn SpiController, bytes: &[u8]) -> Result<Option<u8>, Error> {
    let Ok(map) = SectorMap::parse(bytes) else {
        return Ok(None);
    };
    let mut id = 0u8;
    for detection in map.detections() {
        let [answer] = ask_all(controller, &[(detection_head(&detection), 1)])?;
        let bit = answer.first().is_some_and(|&byte| detection.bit(byte));
        id = id << 1 | u8::from(bit);
    }
    Ok(Some(id))
}

fn detection_head(detection: &Detection) -> Head {
    let head = match detection.address_width {
        DetectionAddress::None => Head::of(detection.opcode),
        DetectionAddress::Fixed(width) => Head::at(detection.opcode, detection.address, width),
        // Nothing has put the chip into 4-byte mode yet.
        DetectionAddress::Current => {
            Head::at(detection.opcode, detection.address, AddressWidth::Three)
        }
    };
    // Whole bytes of dummy clocks are all that a byte-wise bus can do; eight is the default of
    // chips that leave it open.
    head.with_dummy(detection.dummy_clocks.unwrap_or(8).div_ceil(8))
}

fn sfdp_head(address: u32) -> Head {
    Head::at(instruction::RDSFDP, address, AddressWidth::Three).with_dummy(1)
}

/// How often the same questions are asked again after a fault that may pass.
const TRIES: u32 = 3;

/// Several reads, sent ahead as far as the controller takes them, and sent again after a fault that
/// may pass.
pub(super) fn ask_all<const N: usize>(
    controller: &mut dyn SpiController,
    questions: &[(Head, usize); N],
) -> Result<[Vec<u8>; N], Error> {
    patiently(controller, |controller| {
        let answers = ask_once(controller, questions)?;
        // A byte too many in the last answer shows only now.
        controller.confirm()?;
        Ok(answers)
    })
}

/// Does what changes nothing, again after a fault that may pass.
fn patiently<T>(
    controller: &mut dyn SpiController,
    mut ask: impl FnMut(&mut dyn SpiController) -> Result<T, ControllerError>,
) -> Result<T, Error> {
    let mut tries = 0;
    loop {
        match ask(controller) {
            Err(error) if tries < TRIES && controller.may_pass(&error) => {
                tries += 1;
                controller.recover()?;
            }
            done => return Ok(done?),
        }
    }
}

fn ask_once<const N: usize>(
    controller: &mut dyn SpiController,
    questions: &[(Head, usize); N],
) -> Result<[Vec<u8>; N], ControllerError> {
    let mut answers = [const { Vec::new() }; N];
    let mut collected = 0;
    let mut collect = |controller: &mut dyn SpiController| -> Result<(), ControllerError> {
        let mut answer = vec![0; questions[collected].1];
        controller.collect(&mut answer)?;
        answers[collected] = answer;
        collected += 1;
        Ok(())
    };
    for (head, count) in questions {
        let job = Job::receive(head.as_bytes(), *count);
        while !controller.has_room_for(&job) {
            collect(controller)?;
        }
        controller.submit(&job)?;
    }
    while controller.outstanding() > 0 {
        collect(controller)?;
    }
    Ok(answers)
}

/// Status register 1.
pub(super) fn read_status(controller: &mut dyn SpiController) -> Result<u8, ControllerError> {
    let mut status = [0];
    controller.run(&Job::receive(&[instruction::RDSR], 1), &mut status)?;
    Ok(status[0])
}

/// Polls until the chip is ready.
pub(super) fn wait_until_ready(
    controller: &mut dyn SpiController,
    what: &str,
    most: Duration,
) -> Result<(), Error> {
    let start = controller.now();
    let mut pause = Duration::ZERO;
    loop {
        // An answer that comes late tells nothing of the time after the question.
        let waited = controller.now() - start;
        let status = patiently(controller, |controller| {
            let status = read_status(controller)?;
            if status & status::WIP == 0 {
                // One that is ready is believed only if nothing is missing and nothing left over.
                controller.confirm()?;
            }
            Ok(status)
        })?;
        if status & status::WIP == 0 {
            return Ok(());
        }
        if waited >= most {
            return Err(Error::still_busy(status, what.to_owned(), waited));
        }
        controller.pause(pause)?;
        // A hundredth of what has passed costs nothing and saves thousands of questions.
        pause = (waited / 100).min(Duration::from_millis(20));
    }
}
