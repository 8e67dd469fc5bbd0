//! What can go wrong with I2C buses, and with loaders on them.

use flashwire_link::LinkError;

use super::hint::{self, Exit, Hint};

pub(super) fn bus_sentence(link: &str, source: &LinkError) -> String {
    match source {
        LinkError::NotFound => {
            let bus = link.rsplit_once('@').map_or(link, |(bus, _)| bus);
            format!("there is no bus {bus}")
        }
        LinkError::Busy => format!("a driver of the system has the device at {link}"),
        LinkError::NotABus(what) => format!("{link} is not an I2C bus: {what}"),
        other => super::problem::open_sentence(link, other),
    }
}

pub(super) fn bus_hint(error: &LinkError) -> &'static Hint {
    match error {
        LinkError::Cancelled => &hint::CANCELLED,
        LinkError::NotFound => &I2C_NOT_FOUND,
        LinkError::Busy => &I2C_BUSY,
        LinkError::Denied => &I2C_DENIED,
        LinkError::NotABus(_) | LinkError::Unsupported(_) => &I2C_UNSUPPORTED,
        _ => &hint::PORT_FAILED,
    }
}

pub(super) static I2C_NOT_FOUND: Hint = Hint {
    code: "i2c-not-found",
    exit: Exit::Port,
    likely: "the bus has another number, is switched off, or the module i2c-dev is not loaded",
    remedy: "sudo modprobe i2c-dev, then `ls /dev/i2c-*`; on a Raspberry Pi also dtparam=i2c_arm=on",
    text: "\
The system knows no I2C bus of this name. Linux shows buses as /dev/i2c-N once the module i2c-dev is
loaded (`sudo modprobe i2c-dev`; a line `i2c-dev` in /etc/modules-load.d/i2c.conf loads it at every
start). On small computers the bus itself has to be switched on first: on a Raspberry Pi by
dtparam=i2c_arm=on in config.txt, or by raspi-config. `flashwire list` shows the buses there are.
",
};

pub(super) static I2C_BUSY: Hint = Hint {
    code: "i2c-busy",
    exit: Exit::Port,
    likely: "another device with this address is on the bus, and the system uses it",
    remedy: "another address; or unbind the driver, if the address is really that of the bootloader",
    text: "\
A driver of the kernel has claimed the device at this address (`i2cdetect -y N` shows UU). It was
left alone: two that talk to one device disturb each other. If there is a real-time clock or a
sensor at this address, the bootloader cannot have it on this bus. If the driver is there by
mistake, unbind it:
  echo N-00AA | sudo tee /sys/bus/i2c/drivers/DRIVER/unbind
",
};

pub(super) static I2C_DENIED: Hint = Hint {
    code: "i2c-denied",
    exit: Exit::Port,
    likely: "you are not in the group that owns the bus",
    remedy: "sudo usermod -aG i2c $USER, then log out and in again",
    text: "\
The system does not let this user open the bus. On most Linux systems buses belong to the group
`i2c`: `ls -l /dev/i2c-*` shows it. Join that group and log in again. Where no such group exists, a
udev rule makes it so: SUBSYSTEM==\"i2c-dev\", GROUP=\"i2c\", MODE=\"0660\".
",
};

pub(super) static I2C_UNSUPPORTED: Hint = Hint {
    code: "i2c-unsupported",
    exit: Exit::Port,
    likely: "the name is not that of a bus, or its controller does SMBus only",
    remedy: "another bus; `flashwire list` shows them",
    text: "\
The bootloader needs plain I2C transfers of up to 258 bytes. Controllers that do SMBus only (those
of many PC mainboards) cannot do them. Adapters that do plain transfers, but only short ones, can be
used with --frame RX[:TX]. Only Linux has an interface to I2C buses.
",
};

pub(super) static I2C_NO_ANSWER: Hint = Hint {
    code: "i2c-no-answer",
    exit: Exit::Silent,
    likely: "the chip is not in its bootloader, or the bootloader has another address",
    remedy: "set BOOT0 high and press reset; AN2606 has the address of each part's bootloader",
    text: "\
Nobody acknowledged the address on the bus. In the order in which it usually is:
  1. The application runs instead of the bootloader. BOOT0 must be high while the chip comes out of
     reset (on some parts, option bytes also decide). Then run the command again.
  2. Another address: it differs from part to part and from bus to bus (I2C1, I2C2, ...) of one
     part. AN2606 has it in the section on the part. Documents that show eight bits mean 0x72 where
     flashwire and i2cdetect say 0x39.
  3. SDA and SCL are swapped, or have no pull-up resistors (1.5 to 10 kOhm to the supply).
  4. Other pins: the bootloader listens on certain pins only (AN2606).
  5. The bootloader already talks on another interface: reset the chip.
  6. No common ground, no power, or a level that does not fit (5 V).
`flashwire list --i2c-scan BUS` asks every address; read first what it says about that.\n",
};

pub(super) static I2C_HELD: Hint = Hint {
    code: "i2c-held",
    exit: Exit::Failed,
    likely: "the clock (SCL) is held low: by the bootloader that works on, or by a device that hangs",
    remedy: "the same command again; then reset the chip, or switch all devices of the bus off and on",
    text: "\
The controller gave up because the clock of the bus was held low for longer than it waits.
  * Bootloaders hold the clock while they erase and write, unless they have the No-Stretch commands
    (protocol 1.1 and later). flashwire uses those where they are listed, waits for what was begun,
    looks what came of it, and goes on; this error means that it did not help.
  * A bootloader that was left in the middle of a command holds the clock, too. It resets itself
    after one to two seconds: run the command again.
  * A scan of the bus (i2cdetect) locks up bootloaders before protocol 1.2.
  * Any other device that hangs can hold the clock or the data line: only its reset helps, or power.
  * Some controllers cannot wait at all (the one of older Raspberry Pis is known for that): a bus of
    GPIO lines (dtoverlay=i2c-gpio) can.\n",
};

pub(super) static I2C_FAULT: Hint = Hint {
    code: "i2c-fault",
    exit: Exit::Failed,
    likely: "a bus that is too fast or too long, weak pull-ups, or another controller on it",
    remedy: "a slower clock (100 kHz), shorter wires, stronger pull-ups; then the same command again",
    text: "\
A transfer on the bus failed: a byte was not acknowledged, another controller took the bus, or this
one reports an error. After such a fault flashwire is silent until the bootloader has reset itself,
and tries again; this error means that it kept happening. Bootloaders do 400 kHz, many only up to
100 kHz with weak pull-ups; the clock is set by the system, not by flashwire (on a Raspberry Pi:
dtparam=i2c_arm_baudrate=100000).\n",
};
