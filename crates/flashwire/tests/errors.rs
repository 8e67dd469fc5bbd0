//! Every error, rendered: none is without a code, a sentence and something to try, and what they
//! say is looked at as a whole in `errors.txt`.
//!
//! `FLASHWIRE_UPDATE=1 cargo test -p flashwire --test errors` writes that file anew.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use flashwire::config::Config;
use flashwire::error::{Access, Aftermath, Kept, hint};
use flashwire::files::FileError;
use flashwire::port::PortError;
use flashwire::{Differing, Error, Exit, Parts, Problem, ResetSpec};
use flashwire_client::serprog::Opcode;
use flashwire_client::stm32::{self, Command, OptionsError, Phase, Reading, SectorsError, Step};
use flashwire_client::{nfd, serprog, spinor, stk500};
use flashwire_link::{BusFault, LinkError};
use flashwire_plan::image::{Place, WriteError};
use flashwire_plan::{
    EraseUnit, Format, ImageError, Layout, LayoutError, Mismatch, PlanError, TargetState,
};
use flashwire_sim::serve::ServeError;
use flashwire_sim::{BenchError, StorageError};

const PORT: &str = "/dev/ttyUSB0";

fn open(link: &str, source: LinkError) -> Error {
    let link = link.to_owned();
    Problem::Open { link, source }.into()
}

fn on_port(problem: impl Into<Problem>) -> Error {
    Error::from(problem.into()).on(PORT, "/dev/ttyUSB0 (115200 8E1)")
}

const BUS: &str = "/dev/i2c-1@0x39";

fn open_bus(source: LinkError) -> Error {
    let link = BUS.to_owned();
    Problem::OpenBus { link, source }.into()
}

fn on_bus(error: stm32::Error) -> Error {
    Error::from(error).on(format!("stm32-i2c:{BUS}"), BUS)
}

fn bus_fault(fault: BusFault) -> stm32::Error {
    let step = step(Command::NoStretchErase, Phase::Pages);
    stm32::Error::Bus { step, fault }
}

fn refused() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

fn step(command: Command, phase: Phase) -> Step {
    let address = Some(0x0800_4000);
    Step {
        command,
        phase,
        address,
    }
}

/// Errors of programmers with nfd's sketch, at least one for each code.
fn nfd_samples() -> Vec<Error> {
    let nfd = |error: nfd::Error| {
        Error::from(Problem::from(error)).on("nfd:/dev/ttyUSB0", "/dev/ttyUSB0 (115200 8N1)")
    };
    let seconds = Duration::from_secs;
    vec![
        nfd(nfd::Error::NoAnswer { waited: seconds(6) }),
        nfd(nfd::Error::WrongAnswer {
            sample: vec![0x15, 0x15],
        }),
        nfd(nfd::Error::Unsupported {
            command: nfd::Command::ChipSelect,
        }),
        nfd(nfd::Error::PinTaken { pin: 13 }),
        Error::from(Problem::NoRawSpi).on("nfd:/dev/ttyUSB0", "/dev/ttyUSB0 (115200 8N1)"),
        nfd(nfd::Error::Timeout {
            command: nfd::Command::Dump,
            received: 17,
            expected: 515,
            waited: seconds(1),
        })
        .during("reading"),
        nfd(nfd::Error::LostSync).during("reading"),
        nfd(nfd::Error::Checksum {
            command: nfd::Command::Fill,
        })
        .during("writing"),
        nfd(nfd::Error::Hung {
            command: nfd::Command::EraseSector,
            waited: seconds(8),
        })
        .during("erasing"),
        nfd(nfd::Error::BeyondReach {
            address: 0x100_0000,
        }),
        nfd(nfd::Error::Unsuitable {
            reason: "it is not programmed in pages of 256 bytes",
        }),
        nfd(nfd::Error::UnknownChip { id: None }),
        nfd(nfd::Error::UnknownChip {
            id: Some([0xEF, 0x99, 0x17]),
        }),
        nfd(nfd::Error::Ignored {
            what: "erased",
            address: 0x1000,
        })
        .during("erasing"),
        nfd(nfd::Error::ProtectionStays {
            registers: [0x20, 0x40, 0x00],
        }),
        nfd(nfd::Error::ProtectionUnknown),
    ]
}

/// Errors of Arduino boards, at least one for each code.
fn arduino_samples() -> Vec<Error> {
    let on_port = |problem: Problem| {
        Error::from(problem).on("stk500:/dev/ttyUSB0", "/dev/ttyUSB0 (57600 8N1)")
    };
    let loader = |error: stk500::Error| on_port(error.into());
    let wrong = |reading, sample: &[u8]| {
        loader(stk500::Error::WrongAnswer {
            baud: 115_200,
            reading,
            sample: sample.to_vec(),
        })
    };
    vec![
        loader(stk500::Error::NoAnswer {
            bauds: vec![115_200, 57_600],
            tries: 12,
            waited: Duration::from_secs(7),
        }),
        wrong(stk500::Reading::Babble, b"21.5 C\r\n"),
        wrong(stk500::Reading::Garbage, &[0xFE, 0x80]),
        wrong(stk500::Reading::Refusals, &[0x15; 6]),
        wrong(stk500::Reading::Echo, b"0 0 "),
        wrong(stk500::Reading::LineLow, &[0]),
        loader(stk500::Error::OtherPart {
            signature: stk500::Signature([0x1E, 0x94, 0x06]),
        }),
        loader(stk500::Error::Isp),
        loader(stk500::Error::Timeout {
            command: stk500::Command::ProgPage,
            address: Some(0x0080),
            received: 0,
            expected: 2,
            waited: Duration::from_millis(412),
        })
        .during("writing"),
        on_port(Problem::BootSection {
            end: 0x8000,
            flash_end: 0x7800,
        })
        .about("dump.hex"),
    ]
}

/// Errors of SPI NOR chips and their programmers, at least one for each code.
fn spi_samples() -> Vec<Error> {
    let on_port = |problem: Problem| {
        Error::from(problem).on("serprog:/dev/ttyACM0", "/dev/ttyACM0 (115200 8N1)")
    };
    let serprog = |error: serprog::Error| on_port(error.into());
    let chip = |error: spinor::Error| on_port(error.into());
    let layout = |error: LayoutError| Error::from(error);
    let id = || vec![0xEF, 0x40, 0x17];
    let names = ["Winbond W25X10", "Winbond W25X10L"];
    vec![
        Problem::from(PortError::Parameter("speed=1".to_owned())).into(),
        serprog(serprog::Error::NoAnswer {
            waited: Duration::from_secs(3),
        }),
        serprog(serprog::Error::WrongAnswer {
            sample: b"\r\n> ".to_vec(),
        }),
        serprog(serprog::Error::Version { version: 2 }),
        serprog(serprog::Error::NoSpi),
        serprog(serprog::Error::Unsupported {
            opcode: Opcode::SSpiCs,
        }),
        serprog(serprog::Error::Timeout {
            opcode: Opcode::OSpiOp,
            received: 12,
            expected: 4097,
            waited: Duration::from_secs(2),
        })
        .during("writing"),
        serprog(serprog::Error::OutOfStep).during("reading"),
        chip(spinor::Error::AllOnes),
        chip(spinor::Error::AllZeros),
        chip(spinor::Error::Unstable {
            first: id(),
            second: vec![0xEF, 0x40, 0x07],
        }),
        chip(spinor::Error::UnknownChip { id: id() }),
        chip(spinor::Error::Ambiguous {
            names: names.map(str::to_owned).to_vec(),
        }),
        chip(spinor::Error::NoSuchPart {
            name: "W25Q46".to_owned(),
        }),
        chip(spinor::Error::OtherPart {
            name: "W25Q80.V".to_owned(),
            id: id(),
        }),
        chip(spinor::Error::StaysBusy {
            what: "an erase at 0x00010000".to_owned(),
            waited: Duration::from_secs(5),
        })
        .during("erasing"),
        chip(spinor::Error::Gone).during("writing"),
        chip(spinor::Error::Damaged {
            address: 0x1_0000,
            wanted: 0x55,
            found: 0x51,
        })
        .during("writing"),
        chip(spinor::Error::StatusLocked {
            wanted: 0,
            found: 0x9C,
        }),
        on_port(Problem::ChipProtected).about("bios.bin"),
        on_port(Problem::LowVoltage {
            part: "Winbond W25Q64JW".to_owned(),
            volts: "1.7 to 1.95 V".to_owned(),
            model: "W25Q64JW".to_owned(),
        }),
        on_port(Problem::Unsteady {
            differing: Differing {
                places: vec![0x100..0x101, 0x8000..0x8004],
                bytes: 900,
            },
            times: 3,
        })
        .during("reading"),
        on_port(Problem::ImageSize {
            image_bytes: 4 << 20,
            flash_bytes: 8 << 20,
        })
        .about("bios.bin"),
        on_port(Problem::ImageSize {
            image_bytes: 16 << 20,
            flash_bytes: 8 << 20,
        })
        .about("bios.bin"),
        on_port(Problem::RegionSize {
            region: "bios".to_owned(),
            address: 0x50_0000,
            region_bytes: 3 << 20,
            file_bytes: 1 << 20,
        })
        .about("bios.bin"),
        layout(
            Layout::parse(b"0:fff fd")
                .unwrap()
                .select(&["bios"])
                .unwrap_err(),
        ),
        layout(
            Layout::parse(b"0:fff a")
                .unwrap()
                .check_fits(16)
                .unwrap_err(),
        ),
        layout(Layout::from_descriptor(&[]).unwrap_err()),
        layout(Layout::parse(b"0:fff fd\nbios").unwrap_err()).about("layout.txt"),
    ]
}

/// At least one error for each code.
fn samples() -> Vec<Error> {
    let mut samples = stm32_samples();
    samples.extend(nfd_samples());
    samples.extend(spi_samples());
    samples.extend(arduino_samples());
    samples
}

/// Errors of everything else, at least one for each code.
fn stm32_samples() -> Vec<Error> {
    let path = || PathBuf::from("app.bin");
    let name = || "app.bin".to_owned();
    let first_sector = 0x0800_0000..0x0800_1000;
    let mismatch = Mismatch {
        address: 0x0800_0123,
        expected: 0x12,
        found: 0xFF,
        count: 300,
    };
    vec![
        Problem::Usage("`7` is no baud rate: 300 to 20000000, or max".to_owned()).into(),
        Problem::NoPort.into(),
        Problem::from(PortError::Tcp("tcp:lab".to_owned())).into(),
        Problem::from(PortError::Reserved {
            word: "nfd".to_owned(),
        })
        .into(),
        Problem::from(PortError::I2c("/dev/i2c-1".to_owned())).into(),
        Problem::from(PortError::Elsewhere {
            method: "stm32-i2c",
            place: "tcp:lab:4000".to_owned(),
        })
        .into(),
        Problem::from(PortError::Empty("stm32:".to_owned())).into(),
        Problem::from(BenchError::Repeated("image".to_owned())).into(),
        Problem::from(ResetSpec::parse("dtr=boot1").unwrap_err()).into(),
        Problem::Config {
            path: "flashwire.toml".into(),
            source: Config::parse("\nbuad = 1").unwrap_err(),
        }
        .into(),
        Error::from(ImageError::HasAddresses {
            format: Format::Elf,
            own: 0x0800_0000,
            given: 0x0800_4000,
        })
        .about("app.elf"),
        Problem::from(FileError::Unwritable {
            path: path(),
            source: refused(),
        })
        .into(),
        Problem::StandardOutput(io::ErrorKind::StorageFull.into()).into(),
        Error::from(WriteError::Format {
            format: Format::Elf,
        })
        .about("out.elf"),
        open(PORT, LinkError::NotFound),
        open(PORT, LinkError::Busy),
        open(PORT, LinkError::Denied),
        open(
            "/dev/null",
            LinkError::NotAPort("it is a device".to_owned()),
        ),
        open(PORT, LinkError::Unsupported("4000000 baud".to_owned())),
        open(PORT, LinkError::Io(io::ErrorKind::OutOfMemory.into())),
        open("tcp:lab:4000", LinkError::NotFound),
        open(
            "tcp:lab:4000",
            LinkError::Io(io::ErrorKind::ConnectionRefused.into()),
        ),
        open_bus(LinkError::NotFound),
        open_bus(LinkError::Busy),
        open_bus(LinkError::Denied),
        open_bus(LinkError::NotABus(
            "its controller does SMBus only".to_owned(),
        )),
        Problem::from(ServeError::Place("tcp".to_owned())).into(),
        on_bus(stm32::Error::NoDevice {
            waited: Duration::from_millis(510),
        }),
        on_bus(bus_fault(BusFault::ClockHeld)).during("erasing"),
        on_bus(bus_fault(BusFault::ArbitrationLost)).during("erasing"),
        on_bus(stm32::Error::Unresponsive {
            waited: Duration::from_millis(5600),
            last: Box::new(bus_fault(BusFault::ClockHeld)),
        })
        .during("erasing"),
        on_bus(stm32::Error::Unresponsive {
            waited: Duration::from_millis(5600),
            last: Box::new(bus_fault(BusFault::NoDevice)),
        }),
        on_bus(stm32::Error::Busy {
            step: step(Command::NoStretchErase, Phase::Pages),
            waited: Duration::from_secs(4),
        })
        .during("erasing"),
        on_port(stm32::Error::NoAnswer {
            tries: 2,
            waited: Duration::from_secs(1),
        }),
        on_port(stm32::Error::WrongAnswer {
            reading: Reading::Babble,
            sample: b"\r\n> ".to_vec(),
        }),
        on_port(stm32::Error::WrongAnswer {
            reading: Reading::Garbage,
            sample: vec![0xFE, 0x9E],
        }),
        on_port(stm32::Error::WrongAnswer {
            reading: Reading::Echo,
            sample: vec![0x7F, 0x7F],
        }),
        on_port(stm32::Error::WrongAnswer {
            reading: Reading::LineLow,
            sample: vec![0; 4],
        }),
        on_port(stm32::Error::Nack {
            step: step(Command::WriteMemory, Phase::Data),
        })
        .during("writing"),
        on_port(stm32::Error::Unsupported {
            command: Command::Go,
        }),
        on_port(stm32::Error::Timeout {
            step: step(Command::ReadMemory, Phase::Answer),
            received: 100,
            expected: 256,
            waited: Duration::from_millis(1024),
        })
        .during("verifying"),
        on_port(stm32::Error::LostSync { sent: 2054 }),
        on_port(stm32::Error::Unexpected {
            step: step(Command::Erase, Phase::Pages),
            byte: 0x55,
        })
        .during("erasing"),
        on_port(stm32::Error::Malformed {
            command: Command::GetId,
            answer: vec![1, 2],
        }),
        on_port(stm32::Error::Unsteady {
            command: Command::Get,
            tries: 5,
        }),
        on_port(stm32::Error::Damaged {
            address: 0x0800_4000,
            expected: 1,
            found: 0,
        })
        .during("writing"),
        on_port(stm32::Error::NoSpeed),
        on_port(LinkError::Closed).during("writing"),
        on_port(LinkError::Stalled).during("writing"),
        on_port(LinkError::Line {
            line: "gpio:gpiochip0/17".to_owned(),
            why: "spi0 CS0 has it".to_owned(),
        }),
        on_port(LinkError::Io(io::ErrorKind::BrokenPipe.into())),
        on_port(Problem::ReadProtected {
            access: Access::Read,
        }),
        on_port(Problem::ReadProtected {
            access: Access::Write,
        }),
        on_port(Problem::WriteProtected {
            ranges: vec![first_sector.clone()],
        }),
        on_port(Problem::WriteProtected {
            ranges: vec![first_sector, 0x0800_4000..0x0802_0000],
        }),
        on_port(Problem::NoConsent {
            what: "the chip is read protected (RDP); removing that erases its whole flash"
                .to_owned(),
        }),
        on_port(Problem::NotTaken {
            what: "write protection",
        }),
        on_port(Problem::NotBack {
            done: "the read protection is removed".to_owned(),
            source: stm32::Error::NotSynchronised,
        }),
        on_port(Problem::NotResumed {
            source: stm32::Error::LostSync { sent: 2054 },
        }),
        on_port(Problem::Sectors {
            part: "STM32H74xxx/75xxx".to_owned(),
            source: SectorsError::Unknown,
        }),
        on_port(Problem::Sectors {
            part: "STM32G07xxx/08xxx".to_owned(),
            source: SectorsError::TooManyPieces { pieces: 3, most: 2 },
        }),
        on_port(Problem::Sectors {
            part: "STM32F10xxx Medium-density".to_owned(),
            source: SectorsError::Unaligned {
                range: 0x0800_0000..0x0800_1400,
                aligned: 0x0800_0000..0x0800_2000,
            },
        }),
        on_port(Problem::OptionsUnknown {
            part: "STM32H74xxx/75xxx".to_owned(),
        }),
        Problem::from(OptionsError::ReadProtection).into(),
        Problem::from(OptionsError::NoField {
            name: "nBOOT9".to_owned(),
            known: "RDP, WDG_SW".to_owned(),
        })
        .into(),
        on_port(Problem::NoSuchPage {
            first: 120,
            count: 10,
            in_all: 128,
        }),
        on_port(Problem::Cancelled).with_state("the read protection may be removed or not"),
        Problem::Parts {
            path: "parts.csv".into(),
            source: Parts::with_file("product_id\nabc\n").unwrap_err(),
        }
        .into(),
        on_port(Problem::NoResetLine),
        Problem::NoLine("the DTR line is not supported by this port".to_owned()).into(),
        on_port(Problem::UnknownPart {
            part: "unknown STM32 (product id 0x4FF)".to_owned(),
        }),
        Error::from(Problem::WrongMachine {
            machine: "an x86-64".to_owned(),
        })
        .about("app.elf"),
        Problem::FirmwareUnknown {
            name: "serprog-stm32f301".to_owned(),
        }
        .into(),
        Problem::FirmwarePort {
            name: "serprog-stm32f103".to_owned(),
            port: "serprog:/dev/ttyACM0".to_owned(),
        }
        .into(),
        on_port(Problem::FirmwareChip {
            name: "serprog-stm32f103".to_owned(),
            chip: "STM32F103",
            part: "STM32F07xxx".to_owned(),
        }),
        on_port(Problem::FirmwareSilent {
            name: "programmer-atmega328p-2m".to_owned(),
            baud: 2_000_000,
            source: serprog::Error::NoAnswer {
                waited: Duration::from_secs(3),
            },
        }),
        on_port(Problem::FirmwareSpace {
            name: "serprog-stm32f103".to_owned(),
            part: "STM32F10xxx Low-density".to_owned(),
            memory: "RAM",
            needed: 20_480,
            there: 10_240,
        }),
        Error::from(Problem::WrongFamily {
            families: "RP2040".to_owned(),
            part: "STM32F10xxx Medium-density".to_owned(),
        })
        .about("app.uf2"),
        on_port(PlanError::OutOfRange {
            range: 0x0802_0000..0x0802_0100,
            misfit_bytes: 70_000,
            memory: 0x0800_0000..0x0802_0000,
        })
        .about(name()),
        on_port(PlanError::InHole {
            range: 0x0808_0000..0x0808_0004,
            hole: 0x0808_0000..0x080C_0000,
        })
        .about(name()),
        on_port(PlanError::Unaligned {
            range: 0x0800_0104..0x0800_0504,
            aligned: 0x0800_0000..0x0800_0800,
        }),
        Error::from(Problem::UnalignedAddress {
            address: 0x0800_0001,
            unit_bytes: 4,
        })
        .about(name()),
        on_port(PlanError::NotErasable {
            range: 0x0800_0000..0x0800_0400,
        })
        .about(name()),
        on_port(PlanError::NeedsErase {
            address: 0x0800_0000,
            bytes: 4,
        })
        .about(name()),
        on_port(PlanError::AllIsChanged).about(name()),
        on_port(Problem::Mismatch {
            mismatch,
            written: false,
        })
        .about(name()),
        on_port(Problem::Mismatch {
            mismatch,
            written: true,
        }),
        Problem::from(FileError::Missing { path: path() }).into(),
        Problem::from(FileError::NotAFile {
            path: path(),
            what: "a pipe",
        })
        .into(),
        Problem::from(FileError::TooLarge {
            name: name(),
            bytes: Some(4 << 30),
        })
        .into(),
        Problem::from(FileError::Unreadable {
            name: name(),
            source: refused(),
        })
        .into(),
        Error::from(ImageError::Empty).about(name()),
        Error::from(ImageError::NotFirmware {
            what: "a zip archive",
        })
        .about("app.zip"),
        Error::from(ImageError::NoEnd {
            format: Format::IntelHex,
            line: 12,
        })
        .about("app.hex"),
        Error::from(ImageError::NotThisFormat {
            format: Format::IntelHex,
            place: Place::Line(1),
        })
        .about("app.hex"),
        Error::from(ImageError::NameDisagrees {
            named: Format::Binary,
            content: Format::Elf,
        })
        .about(name()),
        Problem::from(BenchError::Storage(StorageError::NotAFile("board".into()))).into(),
        on_port(Problem::Cancelled),
        Problem::Defect("a table is empty".into()).into(),
    ]
}

/// What jobs that ended early say, from nothing done to nothing proved.
fn aftermaths() -> Vec<Error> {
    let unit = |n: u64| EraseUnit {
        kind: 0,
        start: 0x0800_0000 + n * 0x400,
        end: 0x0800_0400 + n * 0x400,
    };
    let state = |erased: u64, programmed_to, all_written| TargetState {
        touched: true,
        erased: (0..erased).map(unit).collect(),
        programmed_to,
        all_written,
        kept_lost: Vec::new(),
    };
    let lost = |state: TargetState| {
        let kept_lost = 0x0800_0000..0x0800_0104;
        TargetState {
            kept_lost: Vec::from([kept_lost]),
            ..state
        }
    };
    let left = |state, kept| {
        let aftermath = Aftermath {
            state,
            planned_units: 3,
            only_erasing: false,
            differs: false,
            kept,
        };
        on_port(Problem::Cancelled)
            .during("writing")
            .leaving(aftermath)
    };
    let file = || Kept::In("/backups/old.hex".into());
    let done = state(3, Some(0x0800_0C00), true);
    let differs = Aftermath {
        state: done.clone(),
        planned_units: 3,
        only_erasing: true,
        differs: true,
        kept: Kept::Nothing,
    };
    vec![
        left(TargetState::default(), Kept::Nothing),
        left(state(0, None, false), Kept::Nothing),
        left(lost(state(3, None, false)), file()),
        left(lost(state(3, None, false)), Kept::Dropped),
        left(state(3, Some(0x0800_0800), false), file()),
        left(done, Kept::Nothing),
        on_port(Problem::ReadProtected {
            access: Access::Write,
        })
        .leaving(differs),
    ]
}

/// As a person sees it.
fn render(error: &Error) -> String {
    let hint = error.hint();
    let mut text = format!(
        "error[{}]: {error} (exit {})\n",
        hint.code,
        error.exit() as u8
    );
    for fact in error.facts() {
        text.push_str(&format!("  {fact}\n"));
    }
    text.push_str(&format!(
        "  likely: {}\n  try:    {}\n",
        error.likely(),
        error.remedy()
    ));
    text
}

#[test]
fn every_error_renders_as_the_file_shows() {
    let all: Vec<String> = samples().iter().chain(&aftermaths()).map(render).collect();
    let rendered = all.join("\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors.txt");
    if std::env::var_os("FLASHWIRE_UPDATE").is_some() {
        std::fs::write(path, &rendered).unwrap();
    }
    let shown = std::fs::read_to_string(path).unwrap();
    for (now, then) in rendered.split("\n\n").zip(shown.split("\n\n")) {
        assert_eq!(now, then);
    }
    assert_eq!(rendered, shown);
}

#[test]
fn every_code_of_the_table_is_some_error_s_and_none_stands_twice() {
    let shown: BTreeSet<&str> = samples().iter().map(|error| error.hint().code).collect();
    let table: BTreeSet<&str> = hint::ALL.iter().map(|hint| hint.code).collect();
    assert_eq!(shown, table);
    assert_eq!(table.len(), hint::ALL.len());
}

#[test]
fn every_text_is_complete_and_in_form() {
    for hint in hint::ALL {
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(hint.code.chars().all(kebab), "{}", hint.code);
        assert!(
            hint.text.lines().count() >= 2,
            "{}: too short to explain anything",
            hint.code
        );
        assert!(
            hint.text.lines().all(|line| line.len() <= 100),
            "{}: a line is too long",
            hint.code
        );
        for fragment in [hint.likely, hint.remedy] {
            assert!(
                !fragment.is_empty() && !fragment.ends_with('.'),
                "{}",
                hint.code
            );
        }
    }
    for error in samples().iter().chain(&aftermaths()) {
        let text = render(error);
        assert!(!text.contains(['{', '}']), "a placeholder stays: {text}");
        let knows_port = error.setting().port.is_some();
        assert!(!knows_port || !text.contains("-p PORT"), "{text}");
        assert!(!error.to_string().ends_with('.'), "{text}");
    }
}

#[test]
fn codes_are_found_by_their_names() {
    assert_eq!(
        hint::find("stm32-no-answer").map(|hint| hint.exit),
        Some(Exit::Silent)
    );
    assert_eq!(hint::find("no-such-code"), None);
}

#[test]
fn a_failed_link_is_the_same_problem_whoever_meets_it() {
    let direct = Error::from(LinkError::Closed).hint().code;
    let met = Error::from(stm32::Error::Link(LinkError::Closed))
        .hint()
        .code;
    assert_eq!((direct, met), ("link-lost", "link-lost"));
    let given_up = Error::from(stm32::Error::Link(LinkError::Cancelled));
    assert_eq!(given_up.exit(), Exit::Cancelled);
}

#[test]
fn causes_are_kept() {
    use std::error::Error as _;
    let error = open(PORT, LinkError::Io(refused()));
    let problem = error.source().unwrap();
    let link = problem.source().unwrap();
    assert!(link.downcast_ref::<LinkError>().is_some());
}
