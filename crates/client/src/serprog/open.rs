//! Finding a programmer and asking what it can do.

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_link::Link;
use flashwire_protocol::serprog::extension::Capabilities;
use flashwire_protocol::serprog::{
    BusTypes, CommandMap, INTERFACE_VERSION, Opcode, ProgrammerName, Request, SYNC_ANSWER, U24,
};

use super::window::Window;
use super::{Client, Error, Identity, Options};

/// How many SYNCNOPs the test for pipelining sends in one write.
const TEST_SYNCNOPS: usize = 4;

/// How long their answers may take beyond the wire.
const TEST_WAIT: Duration = Duration::from_millis(100);

/// How long to wait for late answers before everything is asked again.
const SETTLE: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1500)];

/// Q_SERBUF of a programmer that does not tell: what flashrom assumes.
const DEFAULT_SERIAL_BUFFER: u16 = 16;

/// What has to be asked for everything else to make sense, and what may be asked besides.
const QUESTIONS: [Request; 6] = [
    Request::QPgmName,
    Request::QSerBuf,
    Request::QBusType,
    Request::QWrnMaxLen,
    Request::QRdnMaxLen,
    Request::XQuery,
];

/// What a programmer says of itself.
#[derive(PartialEq, Eq)]
struct Introduction {
    version: Option<u16>,
    commands: Option<CommandMap>,
    /// What it answered to [`QUESTIONS`]; `None` for what it does not have or refused.
    answers: [Option<Vec<u8>>; QUESTIONS.len()],
}

impl Client {
    /// Finds the programmer at the other end of an open link, asks what it can do, sets clock and
    /// chip select, and has it drive its pins. Takes a few round trips; a programmer that was left
    /// in the middle of a command takes longer.
    ///
    /// # Errors
    /// [`Error::NoAnswer`] and [`Error::WrongAnswer`] if there is no programmer;
    /// [`Error::Version`], [`Error::NoSpi`], [`Error::Unsupported`] if it is of no use.
    pub fn open(link: Box<dyn Link>, options: Options) -> Result<Self, Error> {
        let mut client = Self {
            link,
            options,
            identity: Identity {
                name: None,
                commands: CommandMap::EMPTY,
                serial_buffer_bytes: DEFAULT_SERIAL_BUFFER,
                max_send_bytes: U24::UNLIMITED,
                max_receive_bytes: U24::UNLIMITED,
                spi_hz: None,
                extensions: None,
                pipelined: false,
            },
            outstanding: VecDeque::new(),
            window: Window::new(DEFAULT_SERIAL_BUFFER),
            outbox: Vec::new(),
            inbox: VecDeque::new(),
            in_step: false,
            round_trip: Duration::MAX,
            is_set_up: false,
            pins_driven: false,
        };
        client.find()?;
        let mut tries = SETTLE.iter();
        loop {
            match client.introduce() {
                // On a wire with a latency beyond all measure an answer to the search may come late
                // and be taken for another one.
                // NoSpi may be a garbled S_BUSTYPE.
                Err(error) if error.may_pass() || matches!(error, Error::NoSpi) => {
                    let Some(&settle) = tries.next() else {
                        return Err(error);
                    };
                    client.link.pause(settle)?;
                    client.resynchronise()?;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(client),
            }
        }
    }

    fn introduce(&mut self) -> Result<(), Error> {
        self.identity.pipelined = self.takes_commands_ahead()?;
        // No answer carries a check value: what is believed here is believed to the end.
        let first = self.identify()?;
        let second = self.identify()?;
        if first != second {
            return Err(Error::OutOfStep);
        }
        self.accept(second)?;
        self.apply_options()?;
        self.is_set_up = true;
        Ok(())
    }

    /// Whether commands that come in one write are all answered.
    fn takes_commands_ahead(&mut self) -> Result<bool, Error> {
        let syncnops = [Opcode::SyncNop.code(); TEST_SYNCNOPS];
        self.link.send(&syncnops)?;
        let mut answers = [0; TEST_SYNCNOPS * SYNC_ANSWER.len()];
        let line = self.link.settings().wire_time(2 * answers.len());
        let deadline = self.link.deadline(TEST_WAIT + line);
        let count = self.link.recv_all(&mut answers, deadline)?;
        if count == answers.len() && answers.chunks(2).all(|answer| answer == SYNC_ANSWER) {
            return Ok(true);
        }
        if count != SYNC_ANSWER.len() || answers[..2] != SYNC_ANSWER {
            self.resynchronise()?;
        }
        Ok(false)
    }

    /// Asks for version, commands, limits and extensions.
    fn identify(&mut self) -> Result<Introduction, Error> {
        let [iface, commands] = self.ask_all([Request::QIface, Request::QCmdMap])?;
        let commands = chunk(commands).map(CommandMap::from_bytes);
        let plain = self.options.plain;
        let asked = QUESTIONS.map(|request| {
            let opcode = request.opcode();
            let has = commands.is_some_and(|commands| commands.has(opcode));
            (has && !(plain && opcode.is_extension())).then_some(request)
        });
        Ok(Introduction {
            version: chunk(iface).map(u16::from_le_bytes),
            commands,
            answers: self.ask_those(asked)?,
        })
    }

    /// Takes the programmer for what it says it is.
    fn accept(&mut self, introduction: Introduction) -> Result<(), Error> {
        let refused = |opcode| Error::Refused { opcode };
        match introduction.version {
            Some(INTERFACE_VERSION) => {}
            Some(version) => return Err(Error::Version { version }),
            None => return Err(refused(Opcode::QIface)),
        }
        let commands = introduction.commands;
        self.identity.commands = commands.ok_or(refused(Opcode::QCmdMap))?;
        self.need(Opcode::OSpiOp)?;
        let [
            name,
            serial_buffer,
            buses,
            max_send,
            max_receive,
            extensions,
        ] = introduction.answers;
        self.identity.name = chunk(name).map(ProgrammerName::from_bytes);
        if let Some(bytes) = chunk(serial_buffer).map(u16::from_le_bytes) {
            self.identity.serial_buffer_bytes = bytes;
        }
        let limit = |answer| chunk(answer).map(|bytes| U24::from_le_bytes(bytes).limit_bytes());
        self.identity.max_send_bytes = limit(max_send).unwrap_or(U24::UNLIMITED);
        self.identity.max_receive_bytes = limit(max_receive).unwrap_or(U24::UNLIMITED);
        self.identity.extensions = chunk(extensions).and_then(Capabilities::from_bytes);
        self.window = Window::new(self.identity.serial_buffer_bytes);
        let buses = chunk::<1>(buses).map(|[bits]| BusTypes::from_bits(bits));
        if buses.is_some_and(|buses| !buses.contains(BusTypes::SPI)) {
            return Err(Error::NoSpi);
        }
        if self.identity.commands.has(Opcode::SBusType) {
            let buses = BusTypes::SPI;
            match self.ask::<0>(Request::SBusType { buses }) {
                Err(Error::Refused { .. }) => return Err(Error::NoSpi),
                asked => asked.map(drop)?,
            }
        }
        Ok(())
    }

    /// Sets what the options want. Also after the programmer may have been reset.
    pub(super) fn apply_options(&mut self) -> Result<(), Error> {
        if let Some(spi_hz) = self.options.spi_hz {
            self.set_clock(spi_hz)?;
            self.options.spi_hz = Some(spi_hz);
        }
        if let Some(line) = self.options.chip_select {
            self.set_chip_select(line)?;
        }
        self.drive_pins()
    }

    /// Several questions at once, where the programmer takes that; `None` for each that it refused.
    fn ask_all<const N: usize>(
        &mut self,
        requests: [Request; N],
    ) -> Result<[Option<Vec<u8>>; N], Error> {
        self.ask_those(requests.map(Some))
    }

    /// As [`ask_all`](Self::ask_all); `None` is not asked.
    fn ask_those<const N: usize>(
        &mut self,
        requests: [Option<Request>; N],
    ) -> Result<[Option<Vec<u8>>; N], Error> {
        let mut answers = [const { None }; N];
        let mut take = |client: &mut Self, index: usize| -> Result<(), Error> {
            let Some(request) = requests[index] else {
                return Ok(());
            };
            let mut answer = vec![0; request.answer_bytes() as usize];
            match client.take(&mut answer) {
                Ok(()) => answers[index] = Some(answer),
                Err(Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
            Ok(())
        };
        for (index, request) in requests.iter().enumerate() {
            if let Some(request) = request {
                let answer_bytes = request.answer_bytes() as usize;
                self.send(&request.encode(), &[], answer_bytes, Duration::ZERO)?;
            }
            if !self.identity.pipelined {
                take(self, index)?;
            }
        }
        if self.identity.pipelined {
            for index in 0..N {
                take(self, index)?;
            }
        }
        Ok(answers)
    }
}

/// An answer of exactly `N` bytes.
fn chunk<const N: usize>(answer: Option<Vec<u8>>) -> Option<[u8; N]> {
    answer?.try_into().ok()
}
