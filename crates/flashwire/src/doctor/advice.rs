//! What to do about each finding, with the command for this system.

use super::computer::MODEM_MANAGER;
use super::finding::{Advice, Denial, Finding};
use super::udev::RULES_FILE;

/// What commands look like on this system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// What stands before a command that only root may run: `sudo`, `doas`, or nothing for root
    /// itself. `None`: this system has neither.
    pub elevate: Option<&'static str>,
    /// How users get into groups.
    pub groups: GroupTool,
    /// Whether this is a container, whose devices and groups are decided outside of it.
    pub container: bool,
}

/// How a user gets into a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupTool {
    /// `usermod` of the shadow package.
    #[default]
    Usermod,
    /// `addgroup` of busybox.
    Addgroup,
    /// NixOS: in the configuration of the system.
    Nix,
    /// `usermod`, on systems whose groups stand in `/usr/lib/group`, which it does not look into
    /// (Fedora Silverblue and its relatives): the group is copied first.
    CopyFirst,
}

impl System {
    /// A command for root.
    fn root(&self, command: &str) -> String {
        match self.elevate {
            Some("") => command.to_owned(),
            Some(elevate) => format!("{elevate} {command}"),
            None => format!("su -c '{command}'"),
        }
    }

    /// `| sudo tee FILE`, which writes what comes from a command before it.
    fn tee(&self, file: &str) -> String {
        self.root(&format!("tee {file}"))
    }
}

fn say(text: impl Into<String>) -> Advice {
    Advice {
        text: text.into(),
        command: None,
    }
}

fn run(text: impl Into<String>, command: impl Into<String>) -> Advice {
    Advice {
        text: text.into(),
        command: Some(command.into()),
    }
}

/// What to do about `finding`, the likeliest first.
pub(super) fn of(finding: &Finding) -> Vec<Advice> {
    match finding {
        Finding::Usable { .. } | Finding::Opened { .. } | Finding::Answers { .. } => Vec::new(),
        Finding::ReadProtected => vec![run(
            "lift the protection when you write; that erases everything",
            "flashwire write FILE --unprotect",
        )],
        Finding::NoPorts => vec![
            say("plug the adapter in; another cable if nothing happens (some carry only power)"),
            say("in a virtual machine or a container, pass the USB device through"),
            run(
                "no board at hand? a simulated one",
                "flashwire info -p sim:stm32f103cb",
            ),
        ],
        Finding::IdleAdapter { taken_by, .. } => idle_adapter(taken_by.as_deref()),
        Finding::ModemManager { system, .. } => modem_manager(system),
        Finding::Shared { holders, .. } => close(holders.iter().map(|holder| holder.pid)),
        Finding::Missing { .. } => vec![
            run("see which ports there are", "flashwire list"),
            say(
                "plug the adapter in again; USB ports are numbered in the order in which they come",
            ),
            say("names in /dev/serial/by-id stay the same"),
        ],
        Finding::NotSerial { .. } => vec![run("see which ports there are", "flashwire list")],
        Finding::Denied {
            port,
            denial,
            system,
        } => denied(port, denial, system),
        Finding::Busy {
            holders,
            port,
            system,
        } => match holders.is_empty() {
            true => vec![run(
                "it belongs to another user: see which program it is, and close it",
                system.root(&format!("fuser -v {port}")),
            )],
            false if holders.iter().all(|holder| holder.name == MODEM_MANAGER) => {
                modem_manager(system)
            }
            false => close(holders.iter().map(|holder| holder.pid)),
        },
        Finding::Unopened(error) | Finding::Failed(error) => vec![say(error.remedy())],
        _ => wire(finding),
    }
}

fn idle_adapter(taken_by: Option<&str>) -> Vec<Advice> {
    match taken_by {
        // `usbfs` is how programs take a device for themselves; brltty is known to do it to CH340.
        Some("usbfs") => vec![
            say(
                "a program has taken the adapter for itself: brltty does that to adapters with a CH340",
            ),
            say("remove brltty if nobody here reads Braille, then plug the adapter in again"),
        ],
        Some(_) => vec![say(
            "plug the adapter in again without the program that has taken it",
        )],
        None => vec![
            say(
                "load the driver of the kernel for it (cp210x, ch341, ftdi_sio, pl2303 or cdc_acm); some small systems leave them out",
            ),
            run(
                "what the kernel said when it was plugged in",
                "dmesg | tail -30",
            ),
        ],
    }
}

fn modem_manager(system: &System) -> Vec<Advice> {
    vec![
        run(
            "install the rules that tell it to leave such ports alone, then plug the adapter in again",
            format!(
                "flashwire doctor --udev-rules | {} && {}",
                system.tee(RULES_FILE),
                system.root("udevadm control --reload")
            ),
        ),
        run(
            "or stop it until the next start of the computer",
            system.root("systemctl stop ModemManager"),
        ),
    ]
}

fn close(pids: impl Iterator<Item = u32>) -> Vec<Advice> {
    let pids: Vec<String> = pids.map(|pid| pid.to_string()).collect();
    vec![run(
        "close that program (a serial monitor, an IDE, another flasher), or end it",
        format!("kill {}", pids.join(" ")),
    )]
}

fn denied(port: &str, denial: &Denial, system: &System) -> Vec<Advice> {
    match denial {
        _ if system.container => vec![say(format!(
            "hand the port to the container when it is started, and its group with it: \
             --device {port} --group-add with the number that `stat -c %g {port}` shows outside"
        ))],
        Denial::NotInGroup { user, group } => {
            let mut advice = join(user, group, system);
            advice.push(say(
                "log out and in again; a new terminal window is not enough",
            ));
            advice.push(run(
                "or only in this terminal, until it is closed",
                format!("newgrp {group}"),
            ));
            advice
        }
        Denial::StaleLogin { group, .. } => vec![
            say("log out and in again; a new terminal window is not enough"),
            run(
                "or only in this terminal, until it is closed",
                format!("newgrp {group}"),
            ),
        ],
        Denial::OwnerOnly { .. } => vec![
            run(
                "install the rules that give such ports to whoever sits at the computer, then plug the adapter in again",
                format!(
                    "flashwire doctor --udev-rules | {} && {}",
                    system.tee(RULES_FILE),
                    system.root("udevadm control --reload")
                ),
            ),
            run(
                "or only until the adapter is unplugged",
                system.root(&format!("chmod a+rw {port}")),
            ),
        ],
        Denial::Policy => vec![say(
            "a sandbox (snap, flatpak), a container or SELinux decides: install flashwire outside of it, \
             or allow it serial ports there",
        )],
    }
}

fn join(user: &str, group: &str, system: &System) -> Vec<Advice> {
    let usermod = run(
        "join the group",
        system.root(&format!("usermod -aG {group} {user}")),
    );
    match system.groups {
        GroupTool::Usermod => vec![usermod],
        GroupTool::Addgroup => vec![run(
            "join the group",
            system.root(&format!("addgroup {user} {group}")),
        )],
        GroupTool::Nix => vec![run(
            format!(
                "add users.users.{user}.extraGroups = [ \"{group}\" ]; to /etc/nixos/configuration.nix"
            ),
            system.root("nixos-rebuild switch"),
        )],
        GroupTool::CopyFirst => vec![
            run(
                "make the group known to usermod",
                format!(
                    "grep '^{group}:' /usr/lib/group | {}",
                    system.root("tee -a /etc/group")
                ),
            ),
            usermod,
        ],
    }
}

/// What the wire shows.
fn wire(finding: &Finding) -> Vec<Advice> {
    match finding {
        Finding::Echo => vec![
            say("take the jumper or the solder bridge between TX and RX of the adapter away"),
            say("one of the two wires may lie on the other's pin"),
            say(
                "an application that echoes what is typed looks the same: set BOOT0 high and press reset",
            ),
        ],
        Finding::LineLow => vec![
            say("check the power of the board, and that GND is joined"),
            say(
                "RX of the adapter must be on TX of the chip, not on GND or on a pin that nobody drives",
            ),
            say("a chip held in reset looks the same: is NRST low?"),
        ],
        Finding::Pulses { .. } => vec![
            say(
                "RX of the adapter is on no driven pin, or GND is missing: it picks up its neighbour",
            ),
            say("if a program is talking at a far higher speed: set BOOT0 high and press reset"),
        ],
        Finding::Application { .. } => vec![
            say("set BOOT0 high (jumper or button) and press reset; it is read only then"),
            run(
                "or let the adapter do it, if DTR and RTS are wired",
                "flashwire doctor -p PORT --reset dtr=nrst,rts=boot0",
            ),
            say("on newer parts option bits (nSWBOOT0, nBOOT0, nBOOT_SEL) can overrule the pin"),
        ],
        Finding::OtherProtocol { speaks, .. } => vec![run(
            "say that it does",
            format!("flashwire info -p {speaks}:PORT"),
        )],
        Finding::Serprog => vec![run("say that it is one", "flashwire info -p serprog:PORT")],
        Finding::OtherSpeed { answers, .. } => vec![
            say("press reset: a bootloader keeps the speed of the first byte that it hears"),
            run(
                "or talk to it as it is",
                format!("flashwire info -p PORT -b {answers}"),
            ),
        ],
        Finding::Parity { works, .. } => match works {
            Some(works) => vec![say(format!("set the parity of {works} (--parity)"))],
            None => vec![
                say("the adapter drops the parity bit: another adapter, or another driver for it"),
                say("on a serial port server, set the port to 8E1 (even parity)"),
            ],
        },
        Finding::Garbage { .. } => vec![
            say(
                "press reset with BOOT0 high, and try again: the bootloader may be at another speed",
            ),
            say("check GND and the wires; shorter ones, or -b 57600, if they are long"),
            say("the levels must fit: a 5 V or an RS-232 adapter on a 3.3 V chip talks nonsense"),
        ],
        _ => vec![
            say("set BOOT0 high (jumper or button) and press reset; then try again"),
            say("exchange TX and RX: the adapter's TX goes to the chip's RX"),
            say("check that GND is joined and the board has power"),
            say(
                "check the pins: the bootloader listens on those of AN2606 only (PA9/PA10 on most parts)",
            ),
            run(
                "if DTR and RTS are wired to NRST and BOOT0, say how",
                "flashwire doctor -p PORT --reset dtr=nrst,rts=boot0",
            ),
        ],
    }
}
