//! The registers of the ATmega328P that the programmer uses, by their data memory addresses.
//! ATmega48A/PA/88A/PA/168A/PA/328/P data sheet (DS40002061B), section 35, "Register Summary".

/// A register of eight bits.
#[derive(Clone, Copy)]
pub(crate) struct Register(u8);

impl Register {
    /// The register `offset` bytes further on; both are listed below.
    #[inline(always)]
    pub(crate) const fn after(self, offset: u8) -> Self {
        Self(self.0 + offset)
    }

    #[inline(always)]
    fn pointer(self) -> *mut u8 {
        usize::from(self.0) as *mut u8
    }

    #[inline(always)]
    pub(crate) fn read(self) -> u8 {
        // SAFETY: every `Register` is one of the constants below, each a register of this chip.
        // Reading has the side effects that its user wants.
        unsafe { self.pointer().read_volatile() }
    }

    #[inline(always)]
    pub(crate) fn write(self, value: u8) {
        // SAFETY: as in `read`. None of these registers can make memory unsafe.
        unsafe { self.pointer().write_volatile(value) }
    }

    #[inline(always)]
    pub(crate) fn set(self, bits: u8) {
        self.write(self.read() | bits);
    }

    #[inline(always)]
    pub(crate) fn clear(self, bits: u8) {
        self.write(self.read() & !bits);
    }
}

/// Direction and output of port B: pins 8 to 13 of an Arduino are its bits 0 to 5. Section 14.4.
pub(crate) const DDRB: Register = Register(0x24);
/// From a port's direction register to its output register.
pub(crate) const DDR_TO_PORT: u8 = 1;
/// Of port C: pins A0 to A5 (14 to 19) of an Arduino are its bits 0 to 5.
pub(crate) const DDRC: Register = Register(0x27);
/// Of port D: pins 0 to 7 of an Arduino are its bits 0 to 7.
pub(crate) const DDRD: Register = Register(0x2A);

/// SPI control, status and data. Section 19.5.
pub(crate) const SPCR: Register = Register(0x4C);
pub(crate) const SPSR: Register = Register(0x4D);
pub(crate) const SPDR: Register = Register(0x4E);

/// General purpose I/O registers: memory that the interrupt reaches in one cycle. Section 8.5.1.
pub(crate) const GPIOR1: Register = Register(0x4A);
pub(crate) const GPIOR2: Register = Register(0x4B);

/// Timer 1: control, and count with its low byte read first. Section 16.11.
pub(crate) const TCCR1B: Register = Register(0x81);
pub(crate) const TCNT1L: Register = Register(0x84);
pub(crate) const TCNT1H: Register = Register(0x85);

/// USART 0: status and control, speed, data. Section 20.11.
pub(crate) const UCSR0A: Register = Register(0xC0);
pub(crate) const UCSR0B: Register = Register(0xC1);
pub(crate) const UCSR0C: Register = Register(0xC2);
pub(crate) const UBRR0L: Register = Register(0xC4);
pub(crate) const UBRR0H: Register = Register(0xC5);
pub(crate) const UDR0: Register = Register(0xC6);
