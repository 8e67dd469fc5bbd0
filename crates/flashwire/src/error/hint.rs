//! The table of error codes: for each its exit status, why it is likely, what to try, and the text
//! of `flashwire explain`.
//!
//! A code is part of the API: scripts and search engines know it. It is never renamed and never
//! used for something else. `{port}` and `{file}` in a text stand for the port and the file that
//! the error is about.

use super::{arduino, firmware, i2c, input, nfd, spi};

/// What is known about one kind of error.
#[derive(Debug, PartialEq, Eq)]
pub struct Hint {
    /// The stable name, kebab-case.
    pub code: &'static str,
    /// The exit status of the process.
    pub exit: Exit,
    /// Why it probably happened; a fragment.
    pub likely: &'static str,
    /// What to try; a fragment.
    pub remedy: &'static str,
    /// The long text.
    pub text: &'static str,
}

/// Exit statuses of the process, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The device or the link failed.
    Failed = 1,
    /// Wrong use.
    Usage = 2,
    /// The flash does not hold what it should.
    Mismatch = 3,
    /// Refused for safety: protected, does not fit, ambiguous or wrong chip.
    Refused = 4,
    /// Nothing answered.
    Silent = 5,
    /// The port cannot be opened.
    Port = 6,
    /// The input file is bad.
    File = 7,
    /// Cancelled by the user.
    Cancelled = 130,
}

/// Every hint, in the order in which `flashwire explain` lists them.
pub const ALL: [&Hint; 119] = [
    &USAGE,
    &NO_PORT,
    &PORT_SYNTAX,
    &BENCH_UNKNOWN,
    &RESET_SYNTAX,
    &CONFIG_BAD,
    &HAS_ADDRESSES,
    &OUTPUT_UNWRITABLE,
    &INEXPRESSIBLE,
    &PORT_NOT_FOUND,
    &PORT_BUSY,
    &PORT_DENIED,
    &PORT_NOT_SERIAL,
    &PORT_UNSUPPORTED,
    &NO_LINE,
    &GPIO_LINE,
    &PORT_FAILED,
    &i2c::I2C_NOT_FOUND,
    &i2c::I2C_BUSY,
    &i2c::I2C_DENIED,
    &i2c::I2C_UNSUPPORTED,
    &CONNECT_FAILED,
    &LISTEN_FAILED,
    &STM32_NO_ANSWER,
    &i2c::I2C_NO_ANSWER,
    &i2c::I2C_HELD,
    &i2c::I2C_FAULT,
    &STM32_BABBLE,
    &STM32_ECHO,
    &STM32_LINE_LOW,
    &STM32_NACK,
    &STM32_SILENT,
    &STM32_BUSY,
    &STM32_NONSENSE,
    &WRITE_FAILED,
    &NO_SPEED,
    &LINK_LOST,
    &LINK_STALLED,
    &LINK_FAILED,
    &STM32_NOT_BACK,
    &STM32_NOT_RESUMED,
    &READ_PROTECTED,
    &WRITE_PROTECTED,
    &NO_CONSENT,
    &PROTECTION_FAILED,
    &SECTORS_UNKNOWN,
    &OPTIONS_UNKNOWN,
    &OPTIONS_PROTECTED,
    &arduino::ARDUINO_NO_ANSWER,
    &arduino::ARDUINO_BABBLE,
    &arduino::ARDUINO_PROGRAMMER,
    &arduino::ARDUINO_WIRING,
    &arduino::ARDUINO_CHIP,
    &arduino::ARDUINO_SILENT,
    &arduino::BOOT_SECTION,
    &spi::SERPROG_NO_ANSWER,
    &spi::SERPROG_BABBLE,
    &spi::SERPROG_UNSUITABLE,
    &spi::SERPROG_REFUSED,
    &spi::SERPROG_SILENT,
    &spi::SERPROG_OUT_OF_STEP,
    &nfd::NO_ANSWER,
    &nfd::BABBLE,
    &nfd::UNSUPPORTED,
    &nfd::NO_RAW_SPI,
    &nfd::SILENT,
    &nfd::LOST_BYTE,
    &nfd::HUNG,
    &nfd::REACH,
    &nfd::UNSUITABLE,
    &nfd::CHIP_UNKNOWN,
    &nfd::CHIP_IGNORES,
    &nfd::PROTECTION,
    &spi::CHIP_ALL_ONES,
    &spi::CHIP_ALL_ZEROS,
    &spi::CHIP_UNSTABLE,
    &spi::CHIP_UNKNOWN,
    &spi::CHIP_AMBIGUOUS,
    &spi::CHIP_NAME_UNKNOWN,
    &spi::CHIP_OTHER,
    &spi::CHIP_BUSY,
    &spi::CHIP_GONE,
    &spi::CHIP_DISTURBED,
    &spi::CHIP_LOCKED,
    &spi::CHIP_PROTECTED,
    &spi::CHIP_VOLTAGE,
    &spi::READ_UNSTEADY,
    &spi::IMAGE_SIZE,
    &spi::REGION_SIZE,
    &spi::REGION_UNKNOWN,
    &spi::LAYOUT_OUTSIDE,
    &spi::LAYOUT_NONE,
    &spi::LAYOUT_BAD,
    &NO_RESET_LINE,
    &PART_UNKNOWN,
    &firmware::FIRMWARE_UNKNOWN,
    &firmware::FIRMWARE_PORT,
    &firmware::FIRMWARE_CHIP,
    &firmware::FIRMWARE_SPACE,
    &firmware::FIRMWARE_SILENT,
    &WRONG_MACHINE,
    &WRONG_FAMILY,
    &OUT_OF_RANGE,
    &UNALIGNED,
    &NOT_ERASABLE,
    &NEEDS_ERASE,
    &VERIFY_MISMATCH,
    &input::FILE_MISSING,
    &input::NOT_A_FILE,
    &input::FILE_TOO_LARGE,
    &input::FILE_UNREADABLE,
    &input::FILE_EMPTY,
    &input::NOT_FIRMWARE,
    &input::IMAGE_BAD,
    &input::FORMAT_DISAGREES,
    &input::BENCH_FILE_BAD,
    &input::PARTS_BAD,
    &CANCELLED,
    &DEFECT,
];

/// A text of the table, about this port and this file.
pub fn fill(text: &str, port: &str, file: &str) -> String {
    text.replace("{port}", port).replace("{file}", file)
}

/// The hint with this code.
pub fn find(code: &str) -> Option<&'static Hint> {
    ALL.into_iter().find(|hint| hint.code == code)
}

pub(crate) static USAGE: Hint = Hint {
    code: "usage",
    exit: Exit::Usage,
    likely: "a typing mistake, or options that do not go together",
    remedy: "the command with --help",
    text: "\
The command line asks for something that cannot be: a value that an option does not take, options
that contradict each other, data and JSON both on standard output, or an empty range. Nothing was
changed.\n",
};

pub(crate) static NO_PORT: Hint = Hint {
    code: "no-port",
    exit: Exit::Usage,
    likely: "neither -p nor a default says where the target is",
    remedy: "-p PORT; `flashwire list` shows the ports of this computer",
    text: "\
Every command that talks to a target needs a port. It is taken from, in this order:
  1. -p/--port on the command line
  2. the environment variable FLASHWIRE_PORT
  3. `port` in the flashwire.toml of the project (the working folder, or above it in a repository)
  4. `port` in the flashwire.toml of the user's configuration folder
flashwire never picks a port by itself: sending bytes to a random device can do harm.
No board at hand? -p sim:stm32f103cb is a simulated one.\n",
};

pub(crate) static PORT_SYNTAX: Hint = Hint {
    code: "port-syntax",
    exit: Exit::Usage,
    likely: "a part of the port string is misspelt",
    remedy: "one of /dev/ttyUSB0, COM5, tcp:HOST:PORT, stm32-i2c:/dev/i2c-1@0x39, serprog:/dev/ttyACM0, \
             nfd:/dev/ttyUSB0, sim:BENCH",
    text: "\
A port is [METHOD:]LINK.
METHOD says how to talk, and may be left out:
  stm32           the ROM bootloader of an STM32, over a UART
  stm32-i2c       the ROM bootloader of an STM32, over I2C
  serprog         a SPI programmer that speaks serprog, and the flash chip on its bus; also as
                  flashrom spells it: serprog:dev=DEVICE[:BAUD][,spispeed=N][,cs=N] or
                  serprog:ip=HOST:PORT
  nfd             an Arduino with nfd's SPI flash sketch, and the flash chip on its bus
  stk500          an Arduino Uno or Nano in its bootloader
LINK says over what:
  /dev/ttyUSB0    a serial port, by the name that the system gives it (COM5 on Windows);
                  symbolic links, ptys and /dev/serial/by-id/... are opened as they are
  /dev/i2c-1@0x39 an I2C bus, and the address of the bootloader on it (AN2606 has each part's)
  tcp:HOST:PORT   a serial port server that passes raw bytes
  sim:BENCH       a simulated bench: `flashwire list --sim` shows them\n",
};

pub(crate) static BENCH_UNKNOWN: Hint = Hint {
    code: "bench-unknown",
    exit: Exit::Usage,
    likely: "the bench or one of its keys is misspelt",
    remedy: "`flashwire list --sim` shows the benches",
    text: "\
A simulated bench is sim:BENCH[,KEY=VALUE...], for example sim:stm32f103cb,image=board.bin.
Keys that every bench has:
  image=FILE      the flash content, read at the start and written back at the end
  baud=N          highest line speed that the simulated wire carries
  latency-us=N    delay of the wire, each way
  timer-us=N      what an adapter's latency timer adds, from the device to the computer
  seed=N          where its random numbers start; the same seed gives the same run
  faults=KIND@BYTE[:in|out]   damage one byte on the wire: drop, flip, dup, delay or cut
  realtime        take the time that a real wire would take\n",
};

pub(crate) static RESET_SYNTAX: Hint = Hint {
    code: "reset-syntax",
    exit: Exit::Usage,
    likely: "a line or a function in the wiring is misspelt",
    remedy: "--reset dtr=nrst,rts=boot0 or another form that `flashwire explain reset-syntax` lists",
    text: "\
--reset says how the port's lines reach the chip:
  dtr=nrst,rts=boot0     a wiring: which line drives NRST and which BOOT0; `!` inverts (rts=!boot0)
  gpio:gpiochip0/17=nrst a line of this computer, by its chip and its offset or name (Linux)
  seq:-dtr,+rts,100ms    a sequence: lines on (+) and off (-), and waits
  auto                   try the known wirings once
  none                   touch no line; you press the buttons
On TTL adapters an asserted line is electrically low, so that DTR=on holds NRST down.
Without --reset, lines are touched only after the chip did not answer as it is.\n",
};

pub(crate) static CONFIG_BAD: Hint = Hint {
    code: "config-bad",
    exit: Exit::Usage,
    likely: "a key or a value is misspelt",
    remedy: "correct that line",
    text: "\
flashwire.toml gives defaults; the project's file (the working folder, or above it in a repository)
stands above the user's. Known keys, all optional:
  port = \"/dev/ttyUSB0\"
  baud = 230400                     # or \"max\"
  reset = \"dtr=nrst,rts=boot0\"
  address = 0x08004000              # where raw binaries go
  pipeline = \"address\"              # off, address or full
An unknown key is an error, so that a typing mistake does not pass for a default.\n",
};

pub(crate) static HAS_ADDRESSES: Hint = Hint {
    code: "has-addresses",
    exit: Exit::Usage,
    likely: "the file says by itself where its content goes",
    remedy: "leave out --address",
    text: "\
--address places a raw binary. Intel HEX, S-record, ELF, UF2 and DfuSe files carry their own
addresses, and whether another one would mean \"move it there\" or \"move it by that much\" is
anybody's guess. If the file really is to go elsewhere, link it for that address.\n",
};

pub(crate) static OUTPUT_UNWRITABLE: Hint = Hint {
    code: "output-unwritable",
    exit: Exit::Usage,
    likely: "the folder does not exist, or you may not write there",
    remedy: "another file or folder",
    text: "\
The file to write cannot be made. This is found before anything happens to the target. An existing
file is replaced only when the new one is complete.\n",
};

pub(crate) static INEXPRESSIBLE: Hint = Hint {
    code: "inexpressible",
    exit: Exit::Usage,
    likely: "the format has no way to say it",
    remedy: "another format: hex holds gaps and any 32-bit address",
    text: "\
The content cannot be written in the format that was asked for. A raw binary cannot leave gaps, so
that distant pieces would make it absurdly large; the other formats have 32-bit addresses; ELF files
are read but not written.
",
};

pub(crate) static PORT_NOT_FOUND: Hint = Hint {
    code: "port-not-found",
    exit: Exit::Port,
    likely: "the adapter is unplugged, or has another name today",
    remedy: "`flashwire list` shows the ports of this computer",
    text: "\
The system knows no port of this name. USB adapters get their number in the order in which they are
plugged in; on Linux the names in /dev/serial/by-id stay the same. If nothing appears in
`flashwire list` when the adapter is plugged in, its driver or its cable is missing (some USB cables
carry only power). For tcp: ports, the host name is not known.\n",
};

pub(crate) static PORT_BUSY: Hint = Hint {
    code: "port-busy",
    exit: Exit::Port,
    likely: "a serial monitor or another flasher has it open",
    remedy: "close the other program; `flashwire doctor -p {port}` names it",
    text: "\
A serial port belongs to one program at a time, because two that read from it would each get half
of the answers. Usual suspects: a serial monitor, an IDE, a second flashwire, and on Linux
ModemManager, which probes new ports for some seconds after they are plugged in.\n",
};

pub(crate) static PORT_DENIED: Hint = Hint {
    code: "port-denied",
    exit: Exit::Port,
    likely: "you are not in the group that owns the port",
    remedy: "`flashwire doctor -p {port}` prints the command for this system",
    text: "\
The system does not let this user open the port. On most Linux systems serial ports belong to the
group `dialout` (on Arch and its relatives `uucp`): `ls -l {port}` shows it. Join that group and
log in again (sudo usermod -aG dialout $USER); running flashwire as root also works, but is needed
for nothing else. `flashwire doctor` knows the group, the command and other reasons.\n",
};

pub(crate) static PORT_NOT_SERIAL: Hint = Hint {
    code: "port-not-serial",
    exit: Exit::Port,
    likely: "the name is not that of a serial port",
    remedy: "`flashwire list` shows the ports of this computer",
    text: "\
There is something of this name, but it is no serial port: a file, a folder, a disk, /dev/null. It
was not opened.\n",
};

pub(crate) static PORT_UNSUPPORTED: Hint = Hint {
    code: "port-unsupported",
    exit: Exit::Port,
    likely: "the adapter or its driver cannot do this speed",
    remedy: "another -b",
    text: "\
The port was opened but cannot be set up as wanted. Most often it is the line speed: many adapters
only do certain speeds, or none above 1 or 3 million baud. -b max finds the fastest that works.\n",
};

pub(crate) static NO_LINE: Hint = Hint {
    code: "no-line",
    exit: Exit::Port,
    likely: "a network port, a pty, or an adapter without modem lines",
    remedy: "another wiring for --reset, or --reset none and the board's own buttons",
    text: "\
The wiring names a line that this port does not have. Modem lines do not travel over raw TCP
connections and ptys, and some adapters do not lead them out.
",
};

pub(crate) static GPIO_LINE: Hint = Hint {
    code: "gpio-line",
    exit: Exit::Port,
    likely: "the chip or line is misspelt, a driver or another program has it, or you may not use it",
    remedy: "`gpioinfo`, which lists the lines and who has them; to use them, usually the group `gpio`",
    text: "\
The wiring names a GPIO line of this computer, and the system does not let it be driven. A line is
named as gpio:CHIP/LINE: the chip as it is called below /dev, and the line by its offset or name
(gpio:gpiochip0/17, gpio:gpiochip0/GPIO17). gpio:sysfs/NUMBER is for kernels that still have the
older numbers below /sys/class/gpio. `gpioinfo` (package gpiod) lists chips, lines and users.
",
};

pub(crate) static PORT_FAILED: Hint = Hint {
    code: "port-failed",
    exit: Exit::Port,
    likely: "the adapter or its driver is in trouble",
    remedy: "unplug it and plug it in again",
    text: "\
The system refused to open the port for a reason of its own, which the error quotes. For tcp: ports:
nothing listens at that address, or a firewall is in between.\n",
};

pub(crate) static CONNECT_FAILED: Hint = Hint {
    code: "connect-failed",
    exit: Exit::Port,
    likely: "nothing listens there, or the host or port is misspelt",
    remedy: "start the server, then check host and port",
    text: "\
The TCP connection could not be made: there is no such host, nothing listens on that port, or a
firewall is in between. The other end must pass raw bytes: a terminal server in raw mode, `socat`,
or `flashwire sim BENCH --listen tcp:ADDRESS:PORT`.
",
};

pub(crate) static LISTEN_FAILED: Hint = Hint {
    code: "listen-failed",
    exit: Exit::Port,
    likely: "another program listens there, or the name is taken",
    remedy: "another address, port or name",
    text: "\
`flashwire sim BENCH --listen` could not set up the place where it serves: the TCP port is in use or
reserved, or the symbolic link cannot be made.\n",
};

pub(crate) static STM32_NO_ANSWER: Hint = Hint {
    code: "stm32-no-answer",
    exit: Exit::Silent,
    likely: "the chip is not in its bootloader, or TX and RX are swapped",
    remedy: "set BOOT0 high and press reset, or --reset dtr=nrst,rts=boot0",
    text: "\
Nothing came back from the chip. `flashwire doctor -p {port}` looks for the cause. In the order in
which it usually is:
  1. The application runs instead of the bootloader. BOOT0 must be high while the chip comes out of
     reset (on some parts, option bytes also decide). Then run the command again.
  2. TX and RX are swapped: the adapter's TX goes to the chip's RX and the other way round.
  3. No common ground, or the chip has no power.
  4. The wrong UART: each part's bootloader listens on certain pins only (AN2606 lists them).
  5. The bootloader already talks on another interface, or was started at another speed: it fixes
     both with the first byte it sees. Reset the chip.
  6. DTR or RTS are wired to NRST and hold the chip in reset: --reset with the right wiring.
  7. Read-out protection level 2: the bootloader cannot be entered at all any more.\n",
};

pub(crate) static STM32_BABBLE: Hint = Hint {
    code: "stm32-babble",
    exit: Exit::Silent,
    likely: "the application is running, or the speed or parity is wrong",
    remedy: "set BOOT0 high and press reset",
    text: "\
Bytes came back, but not those of an STM32 bootloader. Either the application runs and prints
something, or another device is connected, or line noise: a missing ground, a speed that the chip's
clock does not reach, an adapter without even parity (the bootloader speaks 8E1).\n",
};

pub(crate) static STM32_ECHO: Hint = Hint {
    code: "stm32-echo",
    exit: Exit::Silent,
    likely: "TX and RX of the adapter are connected to each other",
    remedy: "check the wiring: the adapter's TX goes to the chip's RX",
    text: "\
What was sent came back unchanged. TX and RX are connected to each other, through a jumper, a
solder bridge or a half-duplex adapter, and no chip is heard.\n",
};

pub(crate) static STM32_LINE_LOW: Hint = Hint {
    code: "stm32-line-low",
    exit: Exit::Silent,
    likely: "the chip has no power, or the ground is not connected",
    remedy: "check power, ground, and that the adapter's RX goes to the chip's TX",
    text: "\
Only zeros came back: the wire from the chip to the adapter is held low. The chip has no power, the
grounds are not connected, RX is wired to ground or to an output that is low, or an RS-232 level
shifter is missing or too much.
",
};

pub(crate) static STM32_NACK: Hint = Hint {
    code: "stm32-nack",
    exit: Exit::Failed,
    likely: "the bootloader does not allow this command here",
    remedy: "`flashwire info -p {port}` shows what it allows",
    text: "\
The bootloader answered NACK (0x1F): it understood, and refused. Reasons: read-out protection is on
(then only its version, its id and removing the protection are allowed), the address lies outside of
what this loader may touch, or the command is not in its list.\n",
};

pub(crate) static STM32_SILENT: Hint = Hint {
    code: "stm32-silent",
    exit: Exit::Failed,
    likely: "the chip lost power or was reset, or a byte was lost on the wire",
    remedy: "run the same command again",
    text: "\
The bootloader answered before and then stopped. A byte lost on the wire leaves it waiting for the
rest of a command; a reset or a power dip ends it. The next run finds out what state it is in and
brings it back without harm.\n",
};

pub(crate) static STM32_BUSY: Hint = Hint {
    code: "stm32-busy",
    exit: Exit::Failed,
    likely: "the flash does not come to an end with what it was told to do",
    remedy: "reset the chip, then the same command again",
    text: "\
The bootloader answered again and again that it is still at it, for several times as long as the
data sheet allows. A supply that sags while the flash is erased or written does this; so does flash
at the end of its life. Whether the work was done is not known: read or verify after a reset.\n",
};

pub(crate) static STM32_NONSENSE: Hint = Hint {
    code: "stm32-nonsense",
    exit: Exit::Failed,
    likely: "noise on the wire, or the speed is too high for it",
    remedy: "a lower -b, shorter wires, a common ground",
    text: "\
The bootloader's answer is not one that its protocol allows. Bytes are being damaged on the way:
speed too high for the chip's clock, long or unshielded wires, a missing ground, a weak supply.
--log FILE keeps every byte for a closer look.\n",
};

pub(crate) static WRITE_FAILED: Hint = Hint {
    code: "write-failed",
    exit: Exit::Failed,
    likely: "the wire or the supply failed in the middle of a block",
    remedy: "run the same command again: it erases the page once more",
    text: "\
Writing a block failed, and what is in the flash there now can neither be kept nor written over
without an erase. flashwire does not erase in the middle of a write, because data beside the block
could be lost; the next run plans that erase and writes everything again.
",
};

pub(crate) static NO_SPEED: Hint = Hint {
    code: "no-speed",
    exit: Exit::Failed,
    likely: "noise on the wire, or a clock that is far off",
    remedy: "a fixed speed: -b 57600 or lower",
    text: "\
-b max tried its speeds from the fastest down, with several reads at each, and none gave the same
answers every time. That points to the wiring: a missing ground, long wires, a weak supply.
",
};

pub(crate) static LINK_LOST: Hint = Hint {
    code: "link-lost",
    exit: Exit::Failed,
    likely: "the adapter was unplugged or the connection was closed",
    remedy: "plug it in again and run the same command again",
    text: "\
The port went away while it was in use: the USB adapter was unplugged or reset itself (a power dip
on its USB port), or the other end closed the TCP connection.\n",
};

pub(crate) static LINK_STALLED: Hint = Hint {
    code: "link-stalled",
    exit: Exit::Failed,
    likely: "flow control, or an adapter that hangs",
    remedy: "unplug the adapter and plug it in again",
    text: "\
The port stopped taking bytes. flashwire uses no flow control; an adapter that hangs, or a TCP
connection whose other end does not read, looks like this.\n",
};

pub(crate) static LINK_FAILED: Hint = Hint {
    code: "link-failed",
    exit: Exit::Failed,
    likely: "the adapter or its driver is in trouble",
    remedy: "unplug the adapter and plug it in again",
    text: "\
The system reported an error on a port that was working, and the error quotes it. USB adapters do
that when their supply dips or their cable is loose.\n",
};

pub(crate) static STM32_NOT_BACK: Hint = Hint {
    code: "stm32-not-back",
    exit: Exit::Silent,
    likely: "BOOT0 is low again, so that the reset started the application",
    remedy: "set BOOT0 high, press reset, and run the same command again",
    text: "\
Changing a protection or an option byte ends in a reset of the chip, and what runs after a reset is
decided by BOOT0 (on some parts by option bytes too). Keep BOOT0 high until the job is done, or name
the lines that reach the chip (--reset dtr=nrst,rts=boot0). What had been done before stays done:
the same command again finds it so and goes on from there.
",
};

pub(crate) static STM32_NOT_RESUMED: Hint = Hint {
    code: "stm32-not-resumed",
    exit: Exit::Silent,
    likely: "the chip was reset since, or was greeted at another speed",
    remedy: "the same without --resume",
    text: "\
--resume takes up a bootloader that somebody has greeted before: no 0x7F is sent, which such a
bootloader would take for half a command, and no line is touched. A chip fresh from reset waits for
that 0x7F and takes everything else for noise, so that it has to be greeted. Without --resume both
are tried.
",
};

pub(crate) static READ_PROTECTED: Hint = Hint {
    code: "read-protected",
    exit: Exit::Refused,
    likely: "somebody protected the chip on purpose",
    remedy: "the same with --unprotect: it removes the protection, which erases the whole flash, and goes on",
    text: "\
Read-out protection (RDP level 1) is on: the bootloader refuses to read, write and erase. Nothing
was changed. The only way out is to remove the protection, and the chip then erases its whole flash
by itself: what is on it is lost for good.
  flashwire write FILE --unprotect     removes it and goes on; asks first, unless --yes
  flashwire stm32 unprotect            only removes it
`flashwire stm32 protect` is what sets it.\n",
};

pub(crate) static WRITE_PROTECTED: Hint = Hint {
    code: "write-protected",
    exit: Exit::Refused,
    likely: "somebody protected these sectors on purpose",
    remedy: "the same with --unprotect: it removes the write protection of the whole flash and goes on",
    text: "\
Write protection (WRP) is on for some of what was to be erased or written. The bootloader would
acknowledge and do nothing, so nothing was sent and nothing was changed. Removing the protection
erases nothing, but it can only be removed for all sectors at once.
  flashwire write FILE --unprotect     removes it and goes on
  flashwire stm32 write-unprotect      only removes it
`flashwire stm32 write-protect` is what sets it; `flashwire info` shows what is protected.\n",
};

pub(crate) static NO_CONSENT: Hint = Hint {
    code: "no-consent",
    exit: Exit::Refused,
    likely: "there is no terminal to ask on, or the answer was no",
    remedy: "--yes, if that is meant",
    text: "\
What was asked for destroys something that cannot be had back. On a terminal flashwire asks before
it does that; in a script the answer has to be on the command line: --yes. Nothing was changed.\n",
};

pub(crate) static PROTECTION_FAILED: Hint = Hint {
    code: "protection-failed",
    exit: Exit::Failed,
    likely: "the supply failed in that moment, or a clone that only pretends",
    remedy: "`flashwire info -p {port}`, then the same command again",
    text: "\
The bootloader acknowledged a change of the chip's protection, and when the chip was looked at again
the change was not there. Power that fails while option bytes are written does that; so do clones
whose bootloader answers as ST's and does less.\n",
};

pub(crate) static SECTORS_UNKNOWN: Hint = Hint {
    code: "sectors-unknown",
    exit: Exit::Refused,
    likely: "a part whose sectors nobody has described, or more pieces than it has areas",
    remedy: "--sectors with the codes that the part's reference manual gives",
    text: "\
What the codes of the Write Protect command stand for differs from family to family: numbers of
groups of pages, or first and last page of an area. For this part it is not known, or it has fewer
areas than the ranges that were given would need. --sectors passes codes on as they are.\n",
};

pub(crate) static OPTIONS_UNKNOWN: Hint = Hint {
    code: "options-unknown",
    exit: Exit::Refused,
    likely: "a part whose option bytes stand in registers, or one that is not in the table",
    remedy: "the part's own programming tool over SWD",
    text: "\
The option bytes of F0 to F4, L0, L1, L4, C0, G0 and G4 parts stand in memory, where the bootloader
reads and writes them. Those of F7, H5, H7, L5, U5 and later parts stand in registers only, and a
bootloader gives no way to those. Nothing was changed.\n",
};

pub(crate) static OPTIONS_PROTECTED: Hint = Hint {
    code: "options-protected",
    exit: Exit::Refused,
    likely: "a copy of another chip's option bytes, with its protection",
    remedy: "`flashwire stm32 protect` or `flashwire stm32 unprotect` for the read protection",
    text: "\
The read protection (RDP) is one of the option bytes, but it is not written as one: a wrong value
means level 1, whose removal erases the flash, and one of them means level 2, which can never be
removed and shuts the bootloader for good. Nothing was changed.\n",
};

pub(crate) static NO_RESET_LINE: Hint = Hint {
    code: "no-reset-line",
    exit: Exit::Refused,
    likely: "no wiring is known, and this bootloader leaves no RAM for a program that resets the chip",
    remedy: "--reset dtr=nrst,rts=boot0 or how it is wired, or press the board's reset button",
    text: "\
The bootloader has no command for a reset. flashwire resets a chip by a line of the port that is
wired to NRST (--reset says how), or else by a few instructions that the bootloader writes to RAM.
This chip's bootloader uses all of its RAM itself, or damages what is written there, or nobody knows
what it uses. `flashwire run` starts the application without a reset.
",
};

pub(crate) static PART_UNKNOWN: Hint = Hint {
    code: "part-unknown",
    exit: Exit::Refused,
    likely: "a part newer than this version, or a clone",
    remedy: "--erase all, which needs no knowledge of its pages",
    text: "\
The chip answers as an STM32 bootloader does, but its id is not in the table, so that the sizes of
its erase units are not known. `info` and `read` work. Erasing single pages on a guess could destroy
data beside them, so that writing is possible only with --erase all.\n",
};

pub(crate) static WRONG_MACHINE: Hint = Hint {
    code: "wrong-machine",
    exit: Exit::Refused,
    likely: "the wrong output folder of a build",
    remedy: "the ELF file of the right target",
    text: "\
The ELF file says for which processor its code is, and that is not the one of this chip. Nothing was
changed.\n",
};

pub(crate) static WRONG_FAMILY: Hint = Hint {
    code: "wrong-family",
    exit: Exit::Refused,
    likely: "the file for another board",
    remedy: "the file for this chip's family",
    text: "\
A UF2 file says for which family of chips it is, and this chip belongs to another. Nothing was
changed.\n",
};

pub(crate) static OUT_OF_RANGE: Hint = Hint {
    code: "out-of-range",
    exit: Exit::Refused,
    likely: "the file is for another part, or the address is wrong",
    remedy: "compare with `flashwire info -p {port}`",
    text: "\
Some of the content lies where this chip has no flash. Nothing was changed, and nothing is ever cut
off in silence. Usual reasons: a file linked for a bigger part, a raw binary with the wrong
--address, a HEX file that also holds option bytes or data for RAM.\n",
};

pub(crate) static UNALIGNED: Hint = Hint {
    code: "unaligned",
    exit: Exit::Refused,
    likely: "a digit too few or too many",
    remedy: "the range that the error proposes",
    text: "\
The flash is erased in units and programmed in units, and the range that was given cuts one. Where
that could destroy data that was not meant, flashwire refuses instead of rounding.\n",
};

pub(crate) static NOT_ERASABLE: Hint = Hint {
    code: "not-erasable",
    exit: Exit::Refused,
    likely: "an area that only goes with the whole flash",
    remedy: "--erase all",
    text: "\
No erase unit of this chip covers the range without destroying something else. Nothing was changed.
Erasing the whole flash takes the range along.\n",
};

pub(crate) static NEEDS_ERASE: Hint = Hint {
    code: "needs-erase",
    exit: Exit::Refused,
    likely: "the flash there is not empty",
    remedy: "leave out --erase none",
    text: "\
With --erase none only what the flash can take without an erase may be written, and something else
is there already. Nothing was changed.\n",
};

pub(crate) static VERIFY_MISMATCH: Hint = Hint {
    code: "verify-mismatch",
    exit: Exit::Mismatch,
    likely: "the flash holds something else than the file",
    remedy: "`flashwire write` the file again",
    text: "\
The flash was read back (or the chip computed a checksum), and it does not hold what the file says.
After `verify` that is simply the answer. After `write` it means that writing did not take, although
the chip acknowledged it: write protection of some pages, which old bootloaders do not report; worn
out flash; or a supply that is too weak.\n",
};

pub(crate) static CANCELLED: Hint = Hint {
    code: "cancelled",
    exit: Exit::Cancelled,
    likely: "Ctrl-C, or a signal from another program",
    remedy: "run the same command again",
    text: "\
The job was ended by Ctrl-C or by a signal. flashwire finishes the command that the chip is
executing and says in which state the chip is; running the same command again is always safe.\n",
};

pub(crate) static DEFECT: Hint = Hint {
    code: "defect",
    exit: Exit::Failed,
    likely: "a defect in flashwire",
    remedy: "report it, with a --log of the run",
    text: "\
Something happened that should be impossible. Please report it, together with the file that
--log FILE writes.\n",
};
