//! simavr behind a handful of safe functions: an ATmega328P that executes, whose serial line, SPI
//! and pins are a [`Board`].
//!
//! The only unsafe code of the harness. `avr/simavr.c` is its other half.
#![expect(unsafe_code, reason = "simavr is C")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use crate::board::{Board, OURS, WATCHED};

/// simavr's name of the chip.
const MCU: &CStr = c"atmega328p";

/// What C knows; never looked into here.
#[repr(C)]
struct Raw {
    _opaque: [u8; 0],
}

/// `struct fw_board_calls`.
#[repr(C)]
struct Calls {
    read: unsafe extern "C" fn(*mut Raw, *mut c_void, u16) -> u8,
    written: unsafe extern "C" fn(*mut Raw, *mut c_void, u16, u8),
    alarm: unsafe extern "C" fn(*mut Raw, *mut c_void, u64) -> u64,
    reset: unsafe extern "C" fn(*mut Raw, *mut c_void),
    said: unsafe extern "C" fn(*mut Raw, *mut c_void, *const c_char),
}

unsafe extern "C" {
    fn fw_new(mcu: *const c_char, hz: u32, calls: *const Calls) -> *mut Raw;
    fn fw_free(core: *mut Raw);
    fn fw_watch(core: *mut Raw, address: u16, is_ours: c_int);
    fn fw_load(core: *mut Raw, bytes: *const u8, count: u32, address: u32);
    fn fw_begin_at(core: *mut Raw, address: u32);
    fn fw_flash(core: *const Raw) -> *const u8;
    fn fw_flash_bytes(core: *const Raw) -> u32;
    fn fw_data(core: *mut Raw) -> *mut u8;
    fn fw_data_bytes(core: *const Raw) -> u32;
    fn fw_now(core: *const Raw) -> u64;
    fn fw_pc(core: *const Raw) -> u32;
    fn fw_reset(core: *mut Raw, board: *mut c_void);
    fn fw_skip(core: *mut Raw, cycles: u64);
    fn fw_set_alarm(core: *mut Raw, when: u64);
    fn fw_set_interrupt(core: *mut Raw, number: u32, wanted: c_int);
    fn fw_stop(core: *mut Raw);
    fn fw_run(core: *mut Raw, board: *mut c_void, until: u64) -> c_int;
}

/// An interrupt of the USART, in the order of `avr/simavr.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// USART_RX.
    Received = 0,
    /// USART_UDRE.
    Empty = 1,
}

/// An ATmega328P.
#[derive(Debug)]
pub(crate) struct Avr(NonNull<Raw>);

impl Avr {
    /// One that power has just come to; its flash is empty.
    ///
    /// # Panics
    /// If this simavr knows no ATmega328P, or there is no memory.
    pub(crate) fn new(clock_hz: u32) -> Self {
        let calls = Calls {
            read: on_read,
            written: on_written,
            alarm: on_alarm,
            reset: on_reset,
            said: on_said,
        };
        // SAFETY: the name ends with a zero, and the calls are copied.
        let raw = unsafe { fw_new(MCU.as_ptr(), clock_hz, &calls) };
        let core = Self(NonNull::new(raw).expect("simavr knows the ATmega328P"));
        for (addresses, is_ours) in [(OURS, 1), (WATCHED, 0)] {
            for &address in addresses {
                // SAFETY: the addresses are those of registers, 0x20 to 0xFF.
                unsafe { fw_watch(core.0.as_ptr(), address.into(), is_ours) };
            }
        }
        core
    }

    /// Size of its flash, in bytes.
    pub(crate) fn flash_bytes(&self) -> usize {
        // SAFETY: the core lives.
        unsafe { fw_flash_bytes(self.0.as_ptr()) as usize }
    }

    /// From now on a reset begins there, as the fuse BOOTRST has it.
    pub(crate) fn begin_at(&mut self, address: u32) {
        // SAFETY: the core lives.
        unsafe { fw_begin_at(self.0.as_ptr(), address) };
    }

    /// Its flash.
    pub(crate) fn flash(&self) -> &[u8] {
        // SAFETY: simavr allocated so many bytes, and nothing executes while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(fw_flash(self.0.as_ptr()), self.flash_bytes()) }
    }

    /// Puts a program into its flash.
    ///
    /// # Panics
    /// If it does not fit.
    pub(crate) fn load(&mut self, address: usize, bytes: &[u8]) {
        let end = address.checked_add(bytes.len());
        assert!(end.is_some_and(|end| end <= self.flash_bytes()), "it fits");
        // SAFETY: the range lies in the flash, which was allocated with that size.
        unsafe {
            fw_load(
                self.0.as_ptr(),
                bytes.as_ptr(),
                bytes.len() as u32,
                address as u32,
            );
        }
    }

    /// Registers and SRAM, by their data memory addresses.
    pub(crate) fn data(&self) -> &[u8] {
        // SAFETY: simavr allocated so many bytes, and nothing executes while `self` is borrowed.
        unsafe {
            std::slice::from_raw_parts(
                fw_data(self.0.as_ptr()),
                fw_data_bytes(self.0.as_ptr()) as usize,
            )
        }
    }

    /// Registers and SRAM, to change.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`, and nobody else has a reference.
        unsafe {
            std::slice::from_raw_parts_mut(
                fw_data(self.0.as_ptr()),
                fw_data_bytes(self.0.as_ptr()) as usize,
            )
        }
    }

    /// Cycles since power came.
    pub(crate) fn now(&self) -> u64 {
        // SAFETY: the core lives.
        unsafe { fw_now(self.0.as_ptr()) }
    }

    /// Where the program is, in bytes.
    pub(crate) fn pc(&self) -> u32 {
        // SAFETY: the core lives.
        unsafe { fw_pc(self.0.as_ptr()) }
    }

    /// A pulse on the RESET pin.
    pub(crate) fn reset(&mut self, board: &mut Board) {
        // SAFETY: the core lives, and the board outlives the call; C forgets it at its end.
        unsafe { fw_reset(self.0.as_ptr(), (&raw mut *board).cast()) };
    }

    /// Lets time pass in which nothing is executed.
    pub(crate) fn skip(&mut self, cycles: u64) {
        // SAFETY: the core lives.
        unsafe { fw_skip(self.0.as_ptr(), cycles) };
    }

    /// What the board may do with the chip between two instructions.
    pub(crate) fn access(&mut self) -> Access<'_> {
        // SAFETY: the pointer is valid, and `self` is borrowed for as long as the access lives.
        Access(unsafe { self.0.as_mut() })
    }

    /// Executes up to a moment, or until somebody stops it. `false` if the chip cannot go on.
    pub(crate) fn run(&mut self, board: &mut Board, until: u64) -> bool {
        // SAFETY: the core lives, and the board outlives the call; C forgets it at its end. What is
        // called back makes the only references to the board while `board` is not used.
        unsafe { fw_run(self.0.as_ptr(), (&raw mut *board).cast(), until) == 0 }
    }
}

impl Drop for Avr {
    fn drop(&mut self) {
        // SAFETY: nobody else has the core.
        unsafe { fw_free(self.0.as_ptr()) };
    }
}

/// The chip in the middle of an instruction, for the [`Board`] around it.
pub(crate) struct Access<'a>(&'a mut Raw);

impl Access<'_> {
    /// Cycles since power came.
    pub(crate) fn now(&self) -> u64 {
        // SAFETY: the core lives.
        unsafe { fw_now(self.0) }
    }

    /// The register at a data memory address below 0x100, as it was last written or read.
    pub(crate) fn register(&mut self, address: u8) -> u8 {
        // SAFETY: the data memory has more than 0x100 bytes; a single byte is copied.
        unsafe { *fw_data(self.0).add(address.into()) }
    }

    /// Says whether an interrupt has a reason now.
    pub(crate) fn set_interrupt(&mut self, interrupt: Interrupt, wanted: bool) {
        // SAFETY: the core lives and has these interrupts.
        unsafe { fw_set_interrupt(self.0, interrupt as u32, wanted.into()) };
    }

    /// Wakes the board at a moment. Only the last call counts.
    pub(crate) fn set_alarm(&mut self, when: u64) {
        // SAFETY: the core lives.
        unsafe { fw_set_alarm(self.0, when) };
    }

    /// Ends [`Avr::run`] after this instruction.
    pub(crate) fn stop(&mut self) {
        // SAFETY: the core lives.
        unsafe { fw_stop(self.0) };
    }
}

/// Both ends of a call from C.
///
/// # Safety
/// `avr` and `board` are those that C was given, and no other reference to either is in use.
unsafe fn ends<'a>(core: *mut Raw, board: *mut c_void) -> (Access<'a>, &'a mut Board) {
    // SAFETY: the caller's.
    unsafe { (Access(&mut *core), &mut *board.cast()) }
}

/// Addresses are those of registers: they fit into a byte.
unsafe extern "C" fn on_read(core: *mut Raw, board: *mut c_void, address: u16) -> u8 {
    // SAFETY: C passes on what it was given, and only while it executes.
    let (mut core, board) = unsafe { ends(core, board) };
    board.read(&mut core, address as u8)
}

unsafe extern "C" fn on_written(core: *mut Raw, board: *mut c_void, address: u16, value: u8) {
    // SAFETY: as in `on_read`.
    let (mut core, board) = unsafe { ends(core, board) };
    board.written(&mut core, address as u8, value);
}

unsafe extern "C" fn on_alarm(core: *mut Raw, board: *mut c_void, now: u64) -> u64 {
    // SAFETY: as in `on_read`.
    let (mut core, board) = unsafe { ends(core, board) };
    board.alarm(&mut core, now)
}

unsafe extern "C" fn on_reset(core: *mut Raw, board: *mut c_void) {
    // SAFETY: as in `on_read`.
    let (mut core, board) = unsafe { ends(core, board) };
    board.reset(&mut core);
}

unsafe extern "C" fn on_said(core: *mut Raw, board: *mut c_void, text: *const c_char) {
    // SAFETY: as in `on_read`; the text ends with a zero.
    let ((core, board), text) = unsafe { (ends(core, board), CStr::from_ptr(text)) };
    board.said(core.now(), &text.to_string_lossy());
}
