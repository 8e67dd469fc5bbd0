//! The STM32F103 programmer's image, executed, with a flash chip clipped to it and a USB host at the
//! other end of the cable.

use std::fs;
use std::path::Path;
use std::time::Duration;

use flashwire_emulator::chip::{Config, Pin, Port as Gpio};
use flashwire_emulator::host::{Device, HostConfig, HostError, Port};
use flashwire_emulator::{Board, Image, SharedNor, Time};
use flashwire_sim::nor;

/// An image of the programmer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// The one that is installed.
    DoubleBuffered,
    /// The one without the hardware's double buffering.
    SingleBuffered,
}

impl Build {
    /// Its committed image.
    ///
    /// # Panics
    /// If there is none.
    pub fn image(self) -> Image {
        let name = match self {
            Self::DoubleBuffered => "serprog-stm32f103.bin",
            Self::SingleBuffered => "serprog-stm32f103-single-buffered.bin",
        };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/flashwire/images");
        let bytes = fs::read(Path::new(folder).join(name)).expect("the image is committed");
        Image::parse(&bytes).expect("the image can be read")
    }
}

/// How long the programmer may take to become a USB device.
const PATIENCE: Time = Time::from_millis(3000);

/// How long nothing may happen while something is waited for.
const TIMEOUT: Time = Time::from_millis(2000);

/// What is on the desk.
pub struct Programmer {
    /// Chip and host.
    pub board: Board,
    /// The flash chip at the first chip select.
    pub chip: SharedNor,
    /// What the programmer says it is.
    pub device: Device,
    /// Its port, open.
    pub port: Port,
}

impl Programmer {
    /// Plugs a programmer in that has `chip` clipped to it.
    ///
    /// # Panics
    /// If it does not come up as a serial port.
    pub fn new(build: Build, config: Config, host: HostConfig, chip: nor::Chip) -> Self {
        let board = Board::new(config, host, &build.image()).expect("the image fits");
        Self::of(board, chip)
    }

    /// Plugs in a board that has the programmer's program in its flash, and `chip` clipped to it.
    ///
    /// # Panics
    /// If it does not come up as a serial port.
    pub fn of(mut board: Board, chip: nor::Chip) -> Self {
        let chip = board.clip(Pin::new(Gpio::A, 4), chip);
        let (device, port) = board.plug_in(PATIENCE).expect("it enumerates");
        Self {
            board,
            chip,
            device,
            port,
        }
    }

    /// Sends `bytes` in one transfer and takes `count` bytes of answer.
    ///
    /// # Errors
    /// [`HostError`] if they do not come.
    pub fn exchange(&mut self, bytes: &[u8], count: usize) -> Result<Vec<u8>, HostError> {
        self.board.exchange(&mut self.port, bytes, count, TIMEOUT)
    }

    /// One O_SPIOP, its answer without the ACK. flashrom's way: the opcode travels alone.
    ///
    /// # Panics
    /// If it is not acknowledged.
    pub fn spi(&mut self, send: &[u8], receive: usize) -> Vec<u8> {
        self.port.write(&[0x13]);
        let [send_0, send_1, send_2, _] = (send.len() as u32).to_le_bytes();
        let [receive_0, receive_1, receive_2, _] = (receive as u32).to_le_bytes();
        let mut parameters = vec![send_0, send_1, send_2, receive_0, receive_1, receive_2];
        parameters.extend_from_slice(send);
        let mut answer = self
            .exchange(&parameters, 1 + receive)
            .expect("it is answered");
        assert_eq!(answer.remove(0), 0x06, "ACK");
        answer
    }

    /// Programs `pages` pages from address 0 on as flashrom does: WREN, PP and RDSR, each waited for,
    /// by a program that needs no time itself.
    ///
    /// # Panics
    /// If a command is not acknowledged.
    pub fn program_pages(&mut self, page: &[u8; 256], pages: u32) {
        for number in 0..pages {
            let [_, high, middle, low] = (number * 256).to_be_bytes();
            self.spi(&[0x06], 0);
            let mut send = vec![0x02, high, middle, low];
            send.extend(page);
            self.spi(&send, 0);
            while self.spi(&[0x05], 2)[0] & 1 != 0 {}
        }
    }

    /// Sets the SPI clock; returns the one that is set.
    ///
    /// # Panics
    /// If it is not acknowledged.
    pub fn set_spi_hz(&mut self, spi_hz: u32) -> u32 {
        let mut command = vec![0x14];
        command.extend(spi_hz.to_le_bytes());
        let answer = self.exchange(&command, 5).expect("it is answered");
        let (&ack, hz) = answer.split_first().expect("five bytes");
        assert_eq!(ack, 0x06, "ACK");
        u32::from_le_bytes(hz.try_into().expect("four bytes"))
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.board.machine.now()
    }

    /// What `action` takes.
    pub fn timed(&mut self, action: impl FnOnce(&mut Self)) -> Duration {
        let start = self.now();
        action(self);
        (self.now() - start).as_duration()
    }

    /// Lets time pass on an idle bus.
    ///
    /// # Panics
    /// If the emulator halts.
    pub fn pass(&mut self, duration: Time) {
        self.board
            .host
            .idle(&mut self.board.machine, duration)
            .expect("it runs on");
    }

    /// Lets time pass while the host moves what there is to be moved.
    ///
    /// # Panics
    /// If the bus fails.
    pub fn pass_with_traffic(&mut self, duration: Time) {
        let end = self.now() + duration;
        while self.now() < end {
            self.board
                .host
                .pump(&mut self.board.machine, &mut self.port)
                .expect("the bus works");
        }
    }

    /// The program at the other end closes the port: what it did not fetch is the driver's to drop.
    ///
    /// # Panics
    /// If the device does not take it.
    pub fn close(&mut self) {
        self.port.clear();
        self.line_state(false);
    }

    /// A program opens the port.
    ///
    /// # Panics
    /// If the device does not take it.
    pub fn open(&mut self) {
        self.line_state(true);
    }

    fn line_state(&mut self, open: bool) {
        self.board
            .host
            .set_line_state(&mut self.board.machine, &self.port, open)
            .expect("the device takes it");
    }
}
